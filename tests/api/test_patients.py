"""`/patients`: found by what people type and by where they stand; made, and reached otherwise."""

from __future__ import annotations

import uuid

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from journeys.models import SystemEventLog
from journeys.services.transitions import enroll
from kura import tenancy
from kura.api.scopes import EVENTS_WRITE, JOURNEYS_WRITE, PATIENTS_READ
from patients.models import Patient
from tests.api.conftest import by_key, by_token, problem
from tests.factories import PatientFactory, a_user, system
from tests.standing.practice import a_journey, a_stale_rule, a_task, hours_ago, put, someone

PATIENTS = "/api/v1/patients"


@pytest.fixture
def api(therapist):
    return by_token(therapist)


def names(api, query=""):
    response = api.get(f"{PATIENTS}{query}")
    assert response.status_code == 200, response.content
    return [one["full_name"] for one in response.json()["results"]]


def called(organization, *full_names, **fields):
    return [PatientFactory(organization=organization, full_name=n, **fields) for n in full_names]


# --- lists --------------------------------------------------------------------------------------


def test_patients_are_listed_newest_first_without_journeys(api, organization):
    called(organization, "Ana", "Berta", "Carla")

    response = api.get(PATIENTS)

    assert names(api) == ["Carla", "Berta", "Ana"]
    assert "journeys" not in response.json()["results"][0]
    assert response.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    ("ordering", "expected"),
    [
        ("full_name", ["Álvaro", "Berta", "Nuria", "Ñúñez", "Olga"]),
        ("-full_name", ["Olga", "Ñúñez", "Nuria", "Berta", "Álvaro"]),
        ("created_at", ["Berta", "Olga", "Álvaro", "Ñúñez", "Nuria"]),
        ("-created_at", ["Nuria", "Ñúñez", "Álvaro", "Olga", "Berta"]),
    ],
)
def test_each_order_holds_over_pages(api, organization, ordering, expected):
    called(organization, "Berta", "Olga", "Álvaro", "Ñúñez", "Nuria")
    told, url = [], f"{PATIENTS}?ordering={ordering}&page_size=2"

    while url:
        page = api.get(url).json()
        told += [one["full_name"] for one in page["results"]]
        url = page["next"]

    assert told == expected


@pytest.mark.parametrize(
    "text", ["ñandu", "NANDÚ", "perez nandu", "n@exam", "600 11", "60011", "+34 600", "ext-7"]
)
def test_a_patient_is_found_by_what_people_type(api, organization, text):
    called(
        organization,
        "Ñandú Pérez",
        email="N@example.org",
        phone="+34 600 11 22",
        external_id="EXT-7",
    )
    called(organization, "Somebody else", phone="999")

    assert names(api, f"?search={text.replace('+', '%2B')}") == ["Ñandú Pérez"]


@pytest.fixture
def stood(organization):
    """Blocked, Late, Fine; Done and Asked (a task, no journey)."""
    a_journey(organization)
    a_journey(organization, "yoga")
    a_stale_rule(organization)
    someone(organization, "BLOCKED_HIGH_RISK", 1, full_name="Blocked")
    someone(organization, "AWAITING_PAYMENT", 100, full_name="Late")
    someone(organization, "CONFIRMED", 1, key="yoga", full_name="Fine")
    done = someone(organization, "CONFIRMED", 9, full_name="Done").patient
    put(done, "COMPLETED", hours_ago(1))
    a_task(called(organization, "Asked")[0])


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("journey_key=intake", {"Blocked", "Late", "Done"}),
        ("journey_key=yoga", {"Fine"}),
        ("stage=COMPLETED", {"Done"}),
        ("stage=CONFIRMED", {"Fine"}),
        ("journey_key=intake&stage=CONFIRMED", set()),
        ("blocked=true", {"Blocked"}),
        ("blocked=false", {"Late", "Fine", "Done", "Asked"}),
        ("overdue=true", {"Late"}),
        ("overdue=false&blocked=false", {"Fine", "Done", "Asked"}),
        ("action_required=true", {"Blocked", "Late", "Asked"}),
        ("action_required=false", {"Fine", "Done"}),
        ("journey_key=intake&blocked=false", {"Late", "Done"}),
        ("journey_key=intake&action_required=true", {"Blocked", "Late"}),
        ("blocked=true&search=late", set()),
        ("journey_key=nothing", set()),
    ],
)
def test_patients_are_narrowed_by_where_they_stand(api, stood, query, expected):
    assert set(names(api, f"?{query}")) == expected


def test_only_what_changed_since_is_told(api, organization, template):
    first, _second = called(organization, "First", "Second")
    since = timezone.now()
    enroll(patient_id=first.pk, journey_key="intake", cause=system())
    Patient.objects.filter(pk=first.pk).update(phone="1")

    told = names(api, f"?changed_after={since.isoformat().replace('+00:00', 'Z')}")

    assert set(told) >= {"First"}


@pytest.mark.parametrize(
    "query",
    ["ordering=email", "ordering=", "blocked=yes", "blocked=", "changed_after=2026-01-01",
     "expand=logs", "page_size=201", "full_name=x", "stage=a&stage=b"],
)  # fmt: skip
def test_a_parameter_that_is_none_is_refused(api, query):
    problem(api.get(f"{PATIENTS}?{query}"), 400, "invalid_parameter")


def test_another_practices_patients_are_never_told(api, organization, other_organization):
    called(organization, "Ours")
    with tenancy.scope(other_organization):
        a_journey(other_organization, "theirs")
        someone(other_organization, "BLOCKED_HIGH_RISK", 1, key="theirs", full_name="Theirs")

    for query in ("?search=theirs", "?journey_key=theirs", "?blocked=true"):
        assert names(api, query) == []
    for ordering in ("full_name", "-full_name", "created_at", "-created_at"):
        assert names(api, f"?ordering={ordering}") == ["Ours"]


def test_journeys_are_told_when_asked_for(api, organization, stood):
    told = api.get(f"{PATIENTS}?expand=journeys&search=late").json()["results"]

    assert [one["current_stage"] for one in told[0]["journeys"]] == ["AWAITING_PAYMENT"]
    narrow = by_key(organization, PATIENTS_READ)
    problem(narrow.get(f"{PATIENTS}?expand=journeys"), 403, "permission_denied")


@pytest.mark.parametrize("number", [1, 25])
def test_a_list_costs_as_many_queries_for_one_as_for_many(api, organization, number):
    a_journey(organization)
    for _ in range(number):
        someone(organization, "CONFIRMED", 9)
    api.get(f"{PATIENTS}?expand=journeys")

    with CaptureQueriesContext(connection) as expanded:
        response = api.get(f"{PATIENTS}?expand=journeys&search=patient&journey_key=intake")
    with CaptureQueriesContext(connection) as plain:
        api.get(PATIENTS)

    assert len(response.json()["results"]) == number
    assert (len(expanded), len(plain)) == (9, 3)


# --- new ones -----------------------------------------------------------------------------------


def test_a_patient_is_made_and_announced(api, organization, therapist):
    body = {
        "full_name": "Marta Ruiz",
        "email": "marta@example.org",
        "phone": "+34 600 11 22 33",
        "language": "en",
        "timezone": "Europe/Lisbon",
        "external_id": "crm-7",
        "therapist_id": str(therapist.pk),
    }

    response = api.post(PATIENTS, body)

    told = response.json()
    assert response.status_code == 201
    assert {name: told[name] for name in body} == body
    assert (told["journey_status"], told["version"]) == ({}, 1)
    assert response.headers["Location"] == f"{PATIENTS}/{told['id']}"
    assert response.headers["ETag"] == '"1"'
    assert api.get(response.headers["Location"]).json() == told
    [event] = SystemEventLog.objects.filter(event_type="PATIENT_CREATED")
    assert str(event.patient_id) == told["id"]


def test_a_name_is_enough_and_the_practices_language_is_spoken(api, organization):
    organization.language = "en"
    organization.save()

    assert api.post(PATIENTS, {"full_name": "Marta"}).json()["language"] == "en"


def test_a_retry_makes_one_patient(api):
    headers = {"Idempotency-Key": "k"}

    first = api.post(PATIENTS, {"full_name": "Marta"}, **headers)
    again = api.post(PATIENTS, {"full_name": "Marta"}, **headers)

    assert again.content == first.content
    assert again.headers["Location"] == first.headers["Location"]
    assert Patient.objects.count() == 1


def test_the_same_person_of_another_system_is_made_once(api, organization, other_organization):
    called(other_organization, "Theirs", external_id="crm-7")
    body = {"full_name": "Marta", "external_id": "crm-7"}

    assert api.post(PATIENTS, body).status_code == 201
    problem(api.post(PATIENTS, body), 409, "duplicate_patient")
    assert Patient.objects.count() == 1


@pytest.mark.parametrize(
    ("members", "code", "pointer"),
    [
        ({"full_name": " "}, "validation_error", "/full_name"),
        ({"full_name": 7}, "validation_error", "/full_name"),
        ({"full_name": "x" * 201}, "validation_error", "/full_name"),
        ({"email": "marta"}, "validation_error", "/email"),
        ({"language": "fr"}, "validation_error", "/language"),
        ({"timezone": "Mars/Olympus"}, "validation_error", "/timezone"),
        ({"external_id": ""}, "validation_error", "/external_id"),
        ({"therapist_id": "x"}, "validation_error", "/therapist_id"),
        ({"journey_status": {"intake": "CONFIRMED"}}, "read_only_field", "/journey_status"),
        ({"version": 1}, "read_only_field", "/version"),
        ({"organization": "x"}, "unknown_field", "/organization"),
    ],
)
def test_what_is_wrong_is_told_and_nobody_is_made(api, members, code, pointer):
    told = problem(api.post(PATIENTS, {"full_name": "Marta"} | members), 400, code)

    assert [one["pointer"] for one in told["errors"]] == [pointer]
    assert not Patient.objects.exists()


def test_anothers_colleague_is_as_unknown_as_nobody(api, other_organization):
    stranger = a_user(other_organization, "therapist")

    def answer(therapist_id):
        body = {"full_name": "Marta", "therapist_id": str(therapist_id)}
        told = problem(api.post(PATIENTS, body), 400, "validation_error")
        return {**told, "request_id": ""}

    assert answer(stranger.pk) == answer(uuid.uuid4())


def test_patients_are_made_by_who_may_write(organization, viewer):
    body = {"full_name": "Marta"}

    problem(by_token(viewer).post(PATIENTS, body), 403, "permission_denied")
    problem(by_key(organization, EVENTS_WRITE).post(PATIENTS, body), 403, "permission_denied")
    assert by_key(organization).post(PATIENTS, body).status_code == 201


# --- contact data -------------------------------------------------------------------------------


def change(api, patient, body, **headers):
    return api.call("PATCH", f"{PATIENTS}/{patient.pk}", body, **headers)


def test_contact_data_are_changed_and_the_rest_stays(api, organization):
    [patient] = called(organization, "Marta", email="m@example.org")

    response = change(api, patient, {"phone": "600", "timezone": "Europe/Lisbon"})

    told = response.json()
    assert response.status_code == 200
    assert (told["full_name"], told["email"], told["phone"]) == ("Marta", "m@example.org", "600")
    assert told["version"] == 2
    assert response.headers["ETag"] == '"2"'
    assert api.get(f"{PATIENTS}/{patient.pk}").json() == told


@pytest.mark.parametrize("body", [{}, {"phone": "+34600000000"}])
def test_who_may_not_read_patients_is_not_told_them_by_changing_them(organization, patient, body):
    api = by_key(organization, JOURNEYS_WRITE)

    problem(api.call("PATCH", f"{PATIENTS}/{patient.pk}", body), 403, "permission_denied")

    with tenancy.scope(organization):
        assert Patient.objects.get(pk=patient.pk).phone == patient.phone
    reader = by_key(organization, JOURNEYS_WRITE, PATIENTS_READ)
    assert reader.call("PATCH", f"{PATIENTS}/{patient.pk}", body).status_code == 200


def test_what_changes_nothing_makes_no_version(api, organization):
    [patient] = called(organization, "Marta")

    assert change(api, patient, {"full_name": "Marta"}).json()["version"] == 1
    assert change(api, patient, {}).json()["version"] == 1


def test_the_stage_is_not_contact_data(api, patient):
    for name in ("journey_status", "journeys", "version", "id", "created_at", "updated_at"):
        problem(change(api, patient, {name: "x", "phone": "1"}), 400, "read_only_field")
    assert Patient.objects.get(pk=patient.pk).phone == ""


def test_who_looked_at_an_older_version_changes_nothing(api, patient, template):
    enroll(patient_id=patient.pk, journey_key="intake", cause=system())

    response = change(api, patient, {"phone": "1"}, **{"If-Match": '"1"'})

    assert problem(response, 412, "stale_write")["current_version"] == 2
    assert change(api, patient, {"phone": "1"}, **{"If-Match": '"2"'}).status_code == 200


def test_an_external_id_is_one_persons(api, organization):
    called(organization, "Ana", external_id="crm-7")
    [patient] = called(organization, "Marta")

    problem(change(api, patient, {"external_id": "crm-7"}), 409, "duplicate_patient")


def test_a_therapist_is_assigned_and_taken_away(api, patient, therapist):
    assigned = change(api, patient, {"therapist_id": str(therapist.pk)}).json()

    assert assigned["therapist_id"] == str(therapist.pk)
    assert change(api, patient, {"therapist_id": None}).json()["therapist_id"] is None


def test_anothers_patient_is_as_unknown_as_none(api, other_organization):
    [stranger] = called(other_organization, "Theirs")

    foreign = problem(change(api, stranger, {"phone": "1"}), 404, "not_found")
    unknown = problem(change(api, Patient(pk=uuid.uuid4()), {"phone": "1"}), 404, "not_found")

    assert {**foreign, "request_id": ""} == {**unknown, "request_id": ""}
