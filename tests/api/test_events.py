"""`/events`: told in three forms, stored once, answered before any rule runs."""

from __future__ import annotations

import uuid

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from automation.models import RuleRun
from journeys.models import SystemEventLog, SystemEventPayload
from kura import tenancy
from kura.api.schema import description
from tests.api.conftest import by_key, by_token, problem
from tests.automation.practice import a_rule, drain, move, tell
from tests.factories import PatientFactory

EVENTS = "/api/v1/events"


@pytest.fixture
def api(organization):
    return by_key(organization)


def paid(someone, **members):
    return {
        "id": "form_9f2",
        "event_type": "PAYMENT_SUCCEEDED",
        "patient": {"id": str(someone.pk)},
        "journey_key": "intake",
        "payload": {"amount_cents": 9000},
    } | members


def stored():
    """What came in here; a new patient is an event too."""
    return SystemEventLog.objects.filter(source__startswith="integration:")


def cloud(patient, **members):
    return {
        "specversion": "1.0",
        "id": "c-1",
        "source": "https://pay.example/eu",
        "type": "PAYMENT_SUCCEEDED",
        "subject": str(patient.pk),
        "time": "2026-01-06T10:00:00+01:00",
        "journeykey": "intake",
        "data": {"amount_cents": 9000},
    } | members


def test_an_event_is_accepted_and_no_rule_has_run(api, organization, patient, template):
    a_rule(organization, "PAYMENT_SUCCEEDED", move("intake", "CONFIRMED"))

    response = api.post(EVENTS, paid(patient, occurred_at="2026-01-06T10:00:00Z"))

    told = response.json()
    assert response.status_code == 202
    assert told == {"id": told["id"], "status": "accepted", "duplicate": False}
    assert response.headers["Location"] == f"{EVENTS}/{told['id']}"
    event = SystemEventLog.objects.get(pk=told["id"])
    assert (event.source, event.idempotency_key) == ("integration:clinic", "form_9f2")
    assert event.occurred_at.isoformat() == "2026-01-06T10:00:00+00:00"
    assert not RuleRun.objects.exists()
    assert drain() == 1


def test_the_same_event_again_is_a_duplicate_and_changes_nothing(api, patient):
    first = api.post(EVENTS, paid(patient)).json()

    again = api.post(EVENTS, paid(patient))

    assert again.status_code == 200
    assert again.json() == {"id": first["id"], "status": "accepted", "duplicate": True}
    assert stored().count() == 1


def test_the_same_id_with_other_contents_is_refused(api, patient):
    api.post(EVENTS, paid(patient))

    other = api.post(EVENTS, paid(patient, payload={"amount_cents": 1}))

    problem(other, 422, "idempotency_key_reused")


def test_a_new_key_of_the_same_name_goes_on_where_the_old_one_ended(api, organization, patient):
    api.post(EVENTS, paid(patient))

    assert by_key(organization).post(EVENTS, paid(patient)).json()["duplicate"] is True


def test_an_idempotency_key_serves_as_id(api, patient):
    body = {name: value for name, value in paid(patient).items() if name != "id"}

    response = api.post(EVENTS, body, **{"Idempotency-Key": '"pay-17"'})

    assert response.status_code == 202
    assert stored().get().idempotency_key == "pay-17"
    problem(api.post(EVENTS, body), 400, "event_id_required")


def test_a_patient_whom_nobody_knows_is_kept_as_unmatched(api, other_organization):
    stranger = PatientFactory(organization=other_organization)

    for number, patient in enumerate(
        [{"id": str(uuid.uuid4())}, {"id": str(stranger.pk)}, {"external_id": "x"}]
    ):
        response = api.post(EVENTS, paid(stranger, id=f"e{number}", patient=patient))
        assert (response.status_code, response.json()["status"]) == (202, "unmatched")


@pytest.mark.parametrize(
    ("members", "status", "code", "pointer"),
    [
        ({"event_type": "NOTHING"}, 422, "unknown_event_type", None),
        ({"event_type": "JOURNEY_STAGE_TIMEOUT"}, 403, "event_type_reserved", None),
        ({"event_type": 7}, 400, "validation_error", "/event_type"),
        ({"payload": {"amount_cents": "x"}}, 400, "validation_error", "/payload/amount_cents"),
        ({"payload": []}, 400, "validation_error", "/payload"),
        ({"event_type": "RISK_ANALYSIS_COMPLETED"}, 400, "validation_error", "/payload/risk_level"),
        ({"patient": {}}, 400, "validation_error", "/patient"),
        ({"patient": {"id": "x"}}, 400, "validation_error", "/patient/id"),
        ({"patient": {"id": 5}}, 400, "validation_error", "/patient/id"),
        ({"patient": {"email": "a", "external_id": "b"}}, 400, "validation_error", "/patient"),
        ({"patient": {"name": "Marta"}}, 400, "unknown_field", "/patient/name"),
        ({"patient": "Marta"}, 400, "validation_error", "/patient"),
        ({"journey_key": "Not A Key"}, 400, "validation_error", "/journey_key"),
        ({"occurred_at": "2026-01-06T10:00:00"}, 400, "validation_error", "/occurred_at"),
        ({"occurred_at": "2026-13-06T10:00:00Z"}, 400, "validation_error", "/occurred_at"),
        ({"occurred_at": "0001-01-01T00:00:00+14:00"}, 400, "validation_error", "/occurred_at"),
        ({"occurred_at": "1899-12-31T23:59:59Z"}, 422, "event_time", None),
        ({"occurred_at": "9999-12-31T23:59:59Z"}, 422, "event_time", None),
        ({"id": ""}, 400, "validation_error", "/id"),
        ({"id": "x" * 256}, 400, "validation_error", "/id"),
        ({"status": "done"}, 400, "unknown_field", "/status"),
    ],
)
def test_what_is_wrong_is_told_and_nothing_is_stored(api, patient, members, status, code, pointer):
    told = problem(api.post(EVENTS, paid(patient, **members)), status, code)

    if pointer is not None:
        assert pointer in [one["pointer"] for one in told["errors"]]
    assert not stored().exists()
    answers = description()["paths"][EVENTS]["post"]["responses"]
    assert f"`{code}`" in answers[str(status)]["description"]


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("es", "Este valor no es ninguno de: LOW, MEDIUM, HIGH, CRITICAL, UNKNOWN."),
        ("en", "This value is none of: LOW, MEDIUM, HIGH, CRITICAL, UNKNOWN."),
    ],
)
def test_what_is_wrong_with_contents_is_told_in_the_readers_language(api, patient, language, words):
    risk = paid(patient, event_type="RISK_ANALYSIS_COMPLETED", payload={"risk_level": "purple"})

    told = problem(api.post(EVENTS, risk, **{"Accept-Language": language}), 400, "validation_error")

    assert [(one["pointer"], one["detail"]) for one in told["errors"]] == [
        ("/payload/risk_level", words)
    ]


@pytest.mark.parametrize("body", [b"null", b"[]", b"7"])
def test_a_body_that_is_no_object_is_told_so_in_the_readers_language(api, body):
    told = problem(api.post(EVENTS, body, **{"Accept-Language": "es"}), 400, "validation_error")

    assert [(one["code"], one["pointer"]) for one in told["errors"]] == [("invalid", "")]
    assert told["errors"][0]["detail"].startswith("Aquí va un objeto")


def test_a_cloud_event_in_an_envelope(api, patient):
    kind = "application/cloudevents+json; charset=utf-8"

    response = api.post(EVENTS, cloud(patient, traceparent="00-x"), content_type=kind)
    again = api.post(EVENTS, cloud(patient), content_type=kind)

    assert (response.status_code, again.status_code) == (202, 200), response.content
    event = stored().get()
    assert (event.event_type, event.patient, event.journey_key) == (
        "PAYMENT_SUCCEEDED", patient, "intake",
    )  # fmt: skip
    assert event.source.startswith("integration:https:.pay.example.eu.")
    assert event.occurred_at.isoformat() == "2026-01-06T09:00:00+00:00"
    assert SystemEventPayload.objects.get(event__in=stored()).payload == {"amount_cents": 9000}


def test_a_cloud_event_in_headers(api, patient):
    headers = {
        f"ce-{name}": value for name, value in cloud(patient, subject="%C3%B1@example.org").items()
        if name != "data"
    }  # fmt: skip

    response = api.post(EVENTS, {"amount_cents": 9000}, **headers)

    assert (response.status_code, response.json()["status"]) == (202, "unmatched")
    assert SystemEventPayload.objects.get(event__in=stored()).subject == {"email": "ñ@example.org"}


@pytest.mark.parametrize("name", ["time", "data", "journeykey", "datacontenttype", "dataschema"])
def test_a_cloud_events_attribute_may_be_null_and_is_then_left_out(api, patient, name):
    kind = "application/cloudevents+json"

    response = api.post(EVENTS, cloud(patient, **{name: None}), content_type=kind)

    assert response.status_code == 202, response.content


@pytest.mark.parametrize(
    ("members", "code"),
    [
        ({"specversion": "0.3"}, "validation_error"),
        ({"id": ""}, "event_id_required"),
        ({"subject": None}, "validation_error"),
        ({"Bad-Name": 1}, "unknown_field"),
        ({"data": "text"}, "validation_error"),
        ({"data": {"amount_cents": "x"}}, "validation_error"),
    ],
)
def test_a_cloud_event_that_is_wrong_is_refused(api, patient, members, code):
    response = api.post(
        EVENTS, cloud(patient, **members), content_type="application/cloudevents+json"
    )

    problem(response, 400, code)


def test_events_are_listed_newest_first_and_narrowed(api, patient, other_organization):
    for number in range(3):
        tell(patient, "CUSTOM.call", f"c{number}")
    tell(patient, "PAYMENT_SUCCEEDED", "p")
    stranger = PatientFactory(organization=other_organization)
    with tenancy.scope(other_organization):
        tell(stranger, "CUSTOM.call", "foreign")

    told = api.get(f"{EVENTS}?source=integration:clinic").json()["results"]
    narrowed = api.get(
        f"{EVENTS}?event_type=CUSTOM.call&patient_id={patient.pk}&status=queued"
        "&source=integration:clinic&occurred_after=2026-01-01T00:00:00Z"
    ).json()["results"]

    assert [event["idempotency_key"] for event in told] == ["p", "c2", "c1", "c0"]
    assert [event["idempotency_key"] for event in narrowed] == ["c2", "c1", "c0"]
    assert told[0]["recorded_at"].endswith("Z")


@pytest.mark.parametrize(
    "query", ["status=x", "patient_id=1", "occurred_after=2026-01-01", "ordering=id", "source="]
)
def test_a_filter_that_is_none_is_refused(api, query):
    problem(api.get(f"{EVENTS}?{query}"), 400, "invalid_parameter")


def test_contents_are_for_who_may_read_patients(api, organization, patient, viewer, therapist):
    event = an_event_of(patient)
    path = f"{EVENTS}/{event.pk}"

    narrow = by_key(organization, "events:read").get(path).json()
    whole = api.get(path).json()

    assert (narrow["payload"], narrow["patient"]) == (None, None)
    assert whole["payload"] == {"note": "secret"}
    assert by_token(therapist).get(path).json()["payload"] == {"note": "secret"}


def an_event_of(patient):
    recorded = tell(patient, "CUSTOM.note", payload={"note": "secret"})
    return SystemEventLog.objects.get(pk=recorded.event_id)


def test_anothers_event_is_as_unknown_as_none(api, other_organization):
    stranger = PatientFactory(organization=other_organization)
    with tenancy.scope(other_organization):
        recorded = tell(stranger, "CUSTOM.call")

    foreign = problem(api.get(f"{EVENTS}/{recorded.event_id}"), 404, "not_found")
    unknown = problem(api.get(f"{EVENTS}/{uuid.uuid4()}"), 404, "not_found")

    assert {**foreign, "request_id": ""} == {**unknown, "request_id": ""}


@pytest.mark.parametrize("rows", [1, 30])
def test_a_list_costs_as_many_queries_for_one_row_as_for_many(api, patient, rows):
    for number in range(rows):
        tell(patient, "CUSTOM.call", f"c{number}")
    api.get(EVENTS)

    with CaptureQueriesContext(connection) as queries:
        response = api.get(f"{EVENTS}?page_size=100")

    assert len(response.json()["results"]) == rows + 1  # the patient's own
    assert len(queries) == 2  # the caller with the limit, the rows


def test_an_event_costs_as_many_queries_as_its_service_and_one_more(api, patient):
    api.get(EVENTS)

    with CaptureQueriesContext(connection) as queries:
        api.post(EVENTS, paid(patient))

    ours = [query["sql"] for query in queries if "SAVEPOINT" not in query["sql"]]
    assert len(ours) == 4, ours  # the caller with the limit; the patient, the event, the bell
