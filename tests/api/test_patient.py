"""`/patients/{id}`: one patient, with the stage of each journey."""

from __future__ import annotations

import json
import uuid

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.renderers import JSONRenderer

from journeys.services.transitions import enroll
from kura.api.scopes import PATIENTS_READ
from patients.api.told import PatientRecord, patient_told
from tests.api.conftest import by_key, by_token, problem
from tests.factories import PatientFactory, system
from tests.standing.practice import a_journey, hours_ago, put


@pytest.fixture
def api(therapist):
    return by_token(therapist)


def path(patient, query=""):
    return f"/api/v1/patients/{patient.pk}{query}"


def test_a_patient_is_told_with_the_stage_of_each_journey(api, organization, template):
    patient = PatientFactory(
        organization=organization, full_name="Marta Ñ", email="m@example.org", phone="+34 600"
    )
    enroll(patient_id=patient.pk, journey_key="intake", cause=system())
    patient.refresh_from_db()

    response = api.get(path(patient))

    told = response.json()
    assert response.status_code == 200
    assert told == {
        "id": str(patient.pk),
        "external_id": None,
        "full_name": "Marta Ñ",
        "email": "m@example.org",
        "phone": "+34 600",
        "language": "es",
        "timezone": "",
        "therapist_id": None,
        "journey_status": {"intake": "SCREENING_PENDING"},
        "version": patient.version,
        "created_at": told["created_at"],
        "updated_at": told["updated_at"],
    }
    assert told["created_at"].endswith("Z")
    assert response.headers["ETag"] == f'"{patient.version}"'
    assert response.headers["Cache-Control"] == "private, no-cache"


def test_an_id_is_known_in_capitals_too(api, patient):
    assert api.get(f"/api/v1/patients/{str(patient.pk).upper()}").json()["id"] == str(patient.pk)


def test_a_version_seen_already_is_not_sent_again_until_something_happens(api, patient, template):
    seen = api.get(path(patient)).headers["ETag"]

    again = api.get(path(patient), **{"If-None-Match": f"W/{seen}"})
    enroll(patient_id=patient.pk, journey_key="intake", cause=system())
    moved = api.get(path(patient), **{"If-None-Match": seen})

    assert (again.status_code, again.content, again.headers["ETag"]) == (304, b"", seen)
    assert moved.json()["journey_status"] == {"intake": "SCREENING_PENDING"}


def test_journeys_are_told_when_asked_for(api, organization, patient):
    a_journey(organization)
    put(patient, "CONFIRMED", hours_ago(9))

    response = api.get(path(patient, "?expand=journeys"))

    told = response.json()
    assert told["journeys"] == api.get(f"{path(patient)}/journeys").json()["results"]
    assert {**told, "journeys": 0} == {**api.get(path(patient)).json(), "journeys": 0}
    assert response.headers["ETag"] == f'"{told["version"]}"'


def test_with_journeys_it_is_always_told_whole_because_the_clock_changes_them(api, patient):
    seen = api.get(path(patient, "?expand=journeys")).headers["ETag"]

    again = api.get(path(patient, "?expand=journeys"), **{"If-None-Match": seen})

    assert again.status_code == 200


def test_journeys_are_for_who_may_read_journeys(organization, patient):
    api = by_key(organization, PATIENTS_READ)

    assert api.get(path(patient)).status_code == 200
    problem(api.get(path(patient, "?expand=journeys")), 403, "permission_denied")


@pytest.mark.parametrize("query", ["?expand=logs", "?expand=", "?fields=id"])
def test_a_parameter_that_is_none_is_refused(api, patient, query):
    problem(api.get(path(patient, query)), 400, "invalid_parameter")


def test_anothers_patient_is_as_unknown_as_none(api, other_organization):
    stranger = PatientFactory(organization=other_organization)

    foreign = problem(api.get(path(stranger)), 404, "not_found")
    unknown = problem(api.get(f"/api/v1/patients/{uuid.uuid4()}"), 404, "not_found")

    assert {**foreign, "request_id": ""} == {**unknown, "request_id": ""}


@pytest.mark.parametrize("number", [1, 12])
def test_journeys_cost_as_many_queries_however_many(api, organization, patient, number):
    for one in range(number):
        a_journey(organization, f"journey_{one}")
        put(patient, "CONFIRMED", hours_ago(9), f"journey_{one}")
    api.get(path(patient))

    with CaptureQueriesContext(connection) as queries:
        api.get(path(patient, "?expand=journeys"))
    with CaptureQueriesContext(connection) as plain:
        api.get(path(patient))

    assert (len(queries), len(plain)) == (8, 2)


def test_what_is_told_is_what_is_described(organization):
    patient = PatientFactory(organization=organization, external_id="7")
    patient.refresh_from_db()

    said = json.loads(JSONRenderer().render(patient_told(patient)))

    assert said == json.loads(JSONRenderer().render(PatientRecord(patient).data))
