"""What somebody with an account tries next: other practices, wider rights, others' answers."""

from __future__ import annotations

from itertools import permutations
from urllib.parse import parse_qs, urlsplit

import pytest

from automation.models import AutomationRule
from journeys.models import JourneyLog, JourneyTemplate, SystemEventLog
from journeys.services.transitions import enroll
from kura import tenancy
from patients.models import Patient
from tests.api.conftest import by_key, by_session, by_token, problem
from tests.automation.practice import a_definition, a_rule, tell
from tests.factories import OrganizationFactory, PatientFactory, a_template, a_user, system

V1, KEY = "/api/v1", "Idempotency-Key"
UNKNOWN = "01a217db-0000-7000-8000-000000000000"
LISTS = ("auth/tokens", "events", "patients", "journey-logs", "journeys", "rules")


@pytest.fixture
def api(manager, template, patient):
    enroll(patient_id=patient.pk, journey_key="intake", cause=system())
    return by_token(manager)


@pytest.fixture
def strangers(other_organization):
    """Everything of another practice: its ids by what they are of, and a manager of theirs."""
    manager = a_user(other_organization, "manager")
    with tenancy.scope(other_organization):
        a_template(other_organization, key="secret")
        patient = PatientFactory(
            organization=other_organization, full_name="Zarathustra", external_id="ext-z"
        )
        enroll(patient_id=patient.pk, journey_key="secret", cause=system())
        event = tell(patient, "CUSTOM.call", journey_key=None).event_id
        rule = a_rule(other_organization, "CUSTOM.rare", journey_key="secret").pk
        log = JourneyLog.objects.get(patient=patient).pk
    return {"patient": patient.pk, "event": event, "rule": rule, "log": log, "manager": manager}


# --- another practice ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    [
        "events?patient_id={patient}",
        "events?source=integration:clinic",
        "journey-logs?journey_key=secret",
        "journeys?journey_key=secret",
        "journey-templates?key=secret",
        "patients?search=Zarathustra",
        "patients?search=ext-z",
        "patients?journey_key=secret",
        "patients?journey_key=secret&stage=SCREENING_PENDING&expand=journeys",
        "rules?journey_key=secret",
    ],
)
def test_a_filter_finds_nothing_of_another_practice(api, strangers, path):
    theirs = by_token(strangers["manager"]).get(f"{V1}/{path.format(**strangers)}").json()

    ours = api.get(f"{V1}/{path.format(**strangers)}")

    assert (ours.status_code, ours.json()["results"]) == (200, [])
    assert theirs["results"]


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PATCH", "patients/{patient}", {"phone": "+34600000000"}),
        ("PATCH", "patients/{patient}/journey", {"journey_key": "intake", "to_stage": "CONFIRMED"}),
        ("POST", "patients/{patient}/journeys", {"journey_key": "intake"}),
        ("POST", "patients/{patient}/journeys/secret/unblock", {"reason": "a reason, long"}),
        ("GET", "patients/{patient}/journey-logs?after_id=0", None),
        ("GET", "events/{event}/trace", None),
        ("POST", "events/{event}/skip", {"reason": "a reason, long"}),
        ("POST", "events/{event}/replay", {"reason": "a reason, long"}),
        ("PUT", "rules/{rule}", a_definition()),
        ("PATCH", "rules/{rule}", {"is_active": False}),
        ("DELETE", "rules/{rule}", None),
    ],
)
def test_anothers_id_in_a_path_is_told_as_one_that_never_was(api, strangers, method, path, body):
    unknown = dict.fromkeys(strangers, UNKNOWN)
    same = {"X-Request-ID": "same"}

    foreign = api.call(method, f"{V1}/{path.format(**strangers)}", body, **same)
    nobody = api.call(method, f"{V1}/{path.format(**unknown)}", body, **same)

    assert foreign.status_code == 404
    assert foreign.content == nobody.content


def test_anothers_patient_in_an_event_is_nobody(api, strangers, other_organization):
    for name in ({"id": str(strangers["patient"])}, {"external_id": "ext-z"}):
        body = {"id": str(name), "event_type": "CUSTOM.call", "patient": name}
        answer = api.post(f"{V1}/events", body)
        assert (answer.status_code, answer.json()["status"]) == (202, "unmatched")

    with tenancy.scope(other_organization):
        assert SystemEventLog.objects.filter(event_type="CUSTOM.call").count() == 1


def test_an_event_is_never_linked_to_anothers_patient(api, strangers, organization):
    body = {"id": "e", "event_type": "CUSTOM.call", "patient": {"external_id": "nobody"}}
    event = api.post(f"{V1}/events", body).json()["id"]
    reason = {"reason": "It is her, I am sure"}
    same = {"X-Request-ID": "same"}

    foreign, unknown = (
        api.post(f"{V1}/events/{event}/link", reason | {"patient_id": str(who)}, **same)
        for who in (strangers["patient"], UNKNOWN)
    )

    assert foreign.status_code in {400, 404, 422}
    assert foreign.content == unknown.content


def test_anothers_cursor_leads_to_nothing_of_theirs(api, strangers, other_organization, patient):
    with tenancy.scope(other_organization):
        PatientFactory.create_batch(3, organization=other_organization, full_name="Zarathustra")
    for ordering in ("created_at", "-created_at", "full_name", "-full_name"):
        path = f"{V1}/patients?page_size=1&ordering={ordering}"
        theirs = by_token(strangers["manager"]).get(path).json()["next"]

        answer = api.get(f"{path}&cursor={cursor_of(theirs)}")

        assert answer.status_code in {200, 400}
        assert b"Zarathustra" not in answer.content
        if "full_name" in ordering:
            problem(answer, 400, "invalid_cursor")


def test_a_cursor_of_one_list_is_none_of_another(api, organization, patient, manager):
    for number in range(2):
        PatientFactory(organization=organization)
        tell(patient, "CUSTOM.call", f"e-{number}")
        enroll(
            patient_id=PatientFactory(organization=organization).pk,
            journey_key="intake",
            cause=system(),
        )
        a_rule(organization, f"CUSTOM.{number}")
        by_token(manager)
    links = {name: api.get(f"{V1}/{name}?page_size=1").json()["next"] for name in LISTS}
    assert all(links.values()), links

    for here, there in permutations(LISTS, 2):
        answer = api.get(f"{V1}/{there}?page_size=1&cursor={cursor_of(links[here])}")
        problem(answer, 400, "invalid_cursor")


def cursor_of(link: str) -> str:
    return parse_qs(urlsplit(link).query)["cursor"][0]


@pytest.mark.parametrize("change", ["first", "last", "swap", "longer", "other signature"])
def test_a_cursor_that_was_changed_is_refused(api, organization, change):
    PatientFactory.create_batch(2, organization=organization)
    cursor = cursor_of(api.get(f"{V1}/patients?page_size=1").json()["next"])
    said, when, signature = cursor.split(":")

    changed = {
        "first": f"{'A' if said[0] != 'A' else 'B'}{said[1:]}:{when}:{signature}",
        "last": cursor[:-2],
        "swap": f"{when}:{said}:{signature}",
        "longer": f"{cursor}A",
        "other signature": f"{said}:{when}:{'A' * len(signature)}",
    }[change]

    problem(api.get(f"{V1}/patients?cursor={changed}"), 400, "invalid_cursor")


@pytest.mark.parametrize(
    "query",
    [
        "patients?ordering=organization",
        "patients?ordering=therapist__password",
        "patients?ordering=?",
        "patients?ordering=full_name,id",
        "journeys?ordering=-due_at",
        "patients?expand=organization",
        "patients?organization={patient}",
        "patients?id__in={patient}",
        "events?patient__full_name__startswith=Z",
        "journey-logs?trigger_event__patient__email=a",
    ],
)
def test_what_no_list_names_is_no_parameter(api, strangers, query):
    problem(api.get(f"{V1}/{query.format(**strangers)}"), 400, "invalid_parameter")


# --- others' answers ----------------------------------------------------------------------------


def test_nobody_is_given_anothers_answer_under_the_same_key(organization, therapist, manager):
    body, key = {"full_name": "Marta"}, {KEY: "guessed"}
    elsewhere = OrganizationFactory()
    callers = [
        by_token(therapist),
        by_token(manager),
        by_key(organization),
        by_key(organization),
        by_token(a_user(elsewhere, "manager")),
    ]

    answers = [caller.post(f"{V1}/patients", body, **key) for caller in callers]

    assert [answer.status_code for answer in answers] == [201] * len(callers)
    assert not any("Idempotent-Replayed" in answer.headers for answer in answers)
    assert len({answer.json()["id"] for answer in answers}) == len(callers)


def test_a_narrow_token_is_not_given_what_a_wide_one_of_the_same_person_was(
    therapist, patient, template
):
    path, key = f"{V1}/patients/{patient.pk}/journeys", {KEY: "a"}
    body = {"journey_key": "intake", "reason": "Spoke on the telephone"}
    wide = by_token(therapist)
    narrow = by_token(therapist, scopes=["journeys:read", "journeys:write"])

    first = wide.post(path, body, **key)
    other = narrow.post(path, body, **key)

    assert first.json()["log"]["reason"] == body["reason"]
    problem(other, 422, "idempotency_key_reused")
    assert body["reason"] not in other.content.decode()
    assert wide.post(path, body, **key).content == first.content
    assert JourneyLog.objects.filter(patient=patient).count() == 1


# --- wider rights -------------------------------------------------------------------------------


def test_a_token_has_never_more_than_the_role_that_its_owner_has_now(organization, manager):
    api = by_token(manager, scopes=["rules:write", "admin:run", "journeys:read"])
    assert api.post(f"{V1}/rules", a_definition(journey_key=None)).status_code != 403

    manager.groups.set(a_user(organization, "therapist").groups.all())

    problem(api.post(f"{V1}/rules", a_definition()), 403, "permission_denied")
    problem(api.get(f"{V1}/admin/stale-journeys/check"), 403, "permission_denied")
    assert api.get(f"{V1}/auth/me").json()["scopes"] == ["journeys:read"]


@pytest.mark.parametrize("scope", ["rules:write", "admin:run", "templates:write", "*", "PUBLIC"])
def test_a_therapist_makes_no_token_that_may_more(therapist, scope):
    body = {"name": "x", "scopes": ["patients:read", scope]}

    problem(by_session(therapist).post(f"{V1}/auth/tokens", body), 400, "validation_error")


@pytest.mark.parametrize(
    ("method", "path", "members"),
    [
        ("PATCH", "patients/{patient}", {"journey_status": {"intake": "COMPLETED"}}),
        ("PATCH", "patients/{patient}", {"organization": UNKNOWN}),
        ("PATCH", "patients/{patient}", {"organization_id": UNKNOWN}),
        ("PATCH", "patients/{patient}", {"version": 99}),
        ("PATCH", "patients/{patient}", {"id": UNKNOWN}),
        ("PATCH", "patients/{patient}", {"created_at": "2020-01-01T00:00:00Z"}),
        ("PATCH", "patients/{patient}", {"__class__": "x"}),
        ("POST", "patients", {"full_name": "x", "journey_status": {"intake": "COMPLETED"}}),
        ("POST", "patients", {"full_name": "x", "organization_id": UNKNOWN}),
        (
            "PATCH",
            "patients/{patient}/journey",
            {"journey_key": "intake", "to_stage": "CONFIRMED", "actor": {"type": "rule"}},
        ),
        (
            "PATCH",
            "patients/{patient}/journey",
            {"journey_key": "intake", "to_stage": "CONFIRMED", "rule_id": UNKNOWN},
        ),
        ("POST", "auth/tokens", {"name": "x", "user": UNKNOWN}),
        ("POST", "rules", a_definition() | {"organization_id": UNKNOWN}),
        ("POST", "rules", a_definition() | {"code": "retreat.paid"}),
        ("PATCH", "journey-templates/intake", {"organization_id": UNKNOWN}),
        ("PATCH", "journey-templates/intake", {"key": "other"}),
    ],
)
def test_a_member_that_is_not_the_callers_to_write_is_refused(
    api, patient, organization, method, path, members
):
    before = list(Patient.objects.values())

    told = api.call(method, f"{V1}/{path.format(patient=patient.pk)}", members)

    assert told.status_code == 400, told.content
    assert told.json()["code"] in {"unknown_field", "read_only_field"}
    assert list(Patient.objects.values()) == before
    assert JourneyLog.objects.filter(patient=patient).count() == 1
    assert not AutomationRule.objects.exists()
    assert JourneyTemplate.objects.get().key == "intake"


def test_a_session_writes_nothing_without_its_csrf_token(manager, api, patient):
    browser = by_session(manager)
    for token in (None, "", "x" * 64, "é"):
        browser.headers = {} if token is None else {"X-CSRFToken": token}
        for method, path in [
            ("PATCH", f"patients/{patient.pk}"),
            ("PATCH", f"patients/{patient.pk}/journey"),
            ("POST", "events"),
            ("POST", "rules"),
            ("POST", "admin/stale-journeys/check"),
            ("POST", "auth/tokens"),
        ]:
            problem(browser.call(method, f"{V1}/{path}", {}), 403, "csrf_failed")


@pytest.mark.parametrize("name", ["X-HTTP-Method-Override", "X-Method-Override", "X-HTTP-Method"])
def test_no_header_makes_another_method_of_it(api, name, patient):
    answer = api.post(f"{V1}/patients", {"full_name": "Marta"}, **{name: "DELETE"})
    read = api.get(f"{V1}/patients/{patient.pk}", **{name: "PATCH"})

    assert (answer.status_code, read.status_code) == (201, 200)
    problem(api.post(f"{V1}/patients?_method=DELETE", {}), 400, "invalid_parameter")


@pytest.mark.parametrize(
    "tag", ["1", 'x"1"x', '"1', '"1" x', '"01"', '"-1"', '"*"', "", ",", '"1",', '"é"', '"9", 1']
)
def test_a_tag_that_is_none_is_no_version_that_was_seen(api, patient, tag):
    body = {"journey_key": "intake", "to_stage": "CONFIRMED"}

    answer = api.call("PATCH", f"{V1}/patients/{patient.pk}/journey", body, **{"If-Match": tag})

    told = problem(answer, 412, "stale_write")
    assert told["current_version"] == 1
    assert JourneyLog.objects.filter(patient=patient).count() == 1


def test_what_somebody_writes_never_becomes_a_header(api):
    answer = api.post(
        f"{V1}/patients", {"full_name": "a\r\nSet-Cookie: x=1", "external_id": "b\r\nX: 1"}
    )

    assert "Set-Cookie" not in answer.headers
    assert all("\n" not in value for value in answer.headers.values())
