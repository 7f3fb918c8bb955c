"""`/patients/{id}/journeys`: where somebody stands, one by one, and entering."""

from __future__ import annotations

import uuid

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from journeys.blueprints import MoveDraft
from journeys.models import Enrollment
from journeys.services.templates import set_active
from journeys.services.transitions import enroll, transition
from kura.api.scopes import JOURNEYS_READ, PATIENTS_READ
from kura.standing.limits import limits_at
from tests.api.conftest import by_key, by_token, problem
from tests.factories import PatientFactory, a_template, system, the_enrollment
from tests.standing.practice import NOW, a_journey, a_stale_rule, a_task, hours_ago, put

ENGLISH = {"Accept-Language": "en"}


@pytest.fixture
def api(therapist):
    return by_token(therapist)


def path(patient, key=None):
    return f"/api/v1/patients/{patient.pk}/journeys" + (f"/{key}" if key else "")


def test_a_journey_is_told_whole(api, organization, patient):
    a_journey(organization)
    a_stale_rule(organization)
    put(patient, "SCREENING_PENDING", hours_ago(96))
    enrollment = put(patient, "AWAITING_PAYMENT", hours_ago(72))

    response = api.get(path(patient, "intake"), **ENGLISH)

    told = response.json()
    assert response.status_code == 200
    assert response.headers["ETag"] == '"2"'
    assert response.headers["Cache-Control"] == "private, no-cache"
    assert told == {
        "patient_id": str(patient.pk),
        "journey_key": "intake",
        "enrollment_id": str(enrollment.pk),
        "number": 1,
        "template": {"name": "Intake", "version": 1},
        "status": "planned",
        "current_stage": "AWAITING_PAYMENT",
        "stage_label": "Awaiting payment",
        "whose_turn": "patient",
        "opened_at": "2026-02-25T12:00:00Z",
        "entered_at": "2026-02-26T12:00:00Z",
        "closed_at": None,
        "due_at": "2026-02-28T12:00:00Z",
        "overdue": True,
        "blocked": None,
        "action_required": {
            "code": "overdue",
            "by": "patient",
            "label": "More than 48 h in “Awaiting payment”",
        },
        "progress": {"done": 1, "total": 4, "percent": 25},
        "stages": told["stages"],
        "allowed_transitions": told["allowed_transitions"],
        "version": 2,
        "etag": '"2"',
    }
    assert [(one["code"], one["state"]) for one in told["stages"]] == [
        ("SCREENING_PENDING", "done"),
        ("AWAITING_PAYMENT", "current"),
        ("CONFIRMED", "todo"),
        ("COMPLETED", "todo"),
    ]
    assert told["stages"][0] == {
        "code": "SCREENING_PENDING",
        "label": "Screening pending",
        "state": "done",
        "entered_at": "2026-02-25T12:00:00Z",
        "left_at": "2026-02-26T12:00:00Z",
    }
    assert limits_at(NOW).now == NOW


def test_what_a_guard_lacks_is_said_beforehand(api, organization, patient):
    guard = {"field": "events.PAYMENT_SUCCEEDED.count", "op": "gte", "value": 1}
    graph = [
        MoveDraft(from_stage="SCREENING_PENDING", to_stage="CONFIRMED", guard=guard),
        MoveDraft(from_stage="SCREENING_PENDING", to_stage="AWAITING_PAYMENT"),
    ]
    a_template(organization, moves=graph)
    enroll(patient_id=patient.pk, journey_key="intake", cause=system())

    told = api.get(path(patient, "intake"), **ENGLISH).json()["allowed_transitions"]

    by_stage = {one["to_stage"]: one for one in told}
    assert by_stage["CONFIRMED"] == {
        "to_stage": "CONFIRMED",
        "label": "Confirmed",
        "allowed": False,
        "code": "guard_failed",
        "missing": ["payment received"],
        "requires_reason": False,
    }
    assert by_stage["AWAITING_PAYMENT"]["allowed"] is True
    assert by_stage["COMPLETED"]["code"] == "transition_not_permitted"


def test_what_a_caller_may_not_do_is_not_offered(organization, therapist, viewer, patient):
    a_template(organization)
    enroll(patient_id=patient.pk, journey_key="intake", cause=system())
    narrow = by_token(therapist, scopes=[JOURNEYS_READ])

    for api in (narrow, by_token(viewer), by_key(organization, JOURNEYS_READ)):
        told = api.get(path(patient, "intake")).json()["allowed_transitions"]
        assert {one["code"] for one in told} == {"permission_denied"}


def test_a_block_says_since_when_why_and_where_it_leads(api, organization, patient):
    a_journey(organization)
    put(patient, "AWAITING_PAYMENT", hours_ago(72))
    put(patient, "BLOCKED_HIGH_RISK", hours_ago(48))

    told = api.get(path(patient, "intake"), **ENGLISH).json()

    assert told["blocked"] == {
        "stage": "BLOCKED_HIGH_RISK",
        "since": "2026-02-27T12:00:00Z",
        "reason": "Blocked: high risk",
        "event_id": None,
        "rule_id": None,
        "return_stage": "AWAITING_PAYMENT",
    }
    assert told["status"] == "onhold"
    assert told["action_required"]["code"] == "review_block"


def test_words_about_a_patient_are_for_who_may_read_patients(organization, therapist, patient):
    a_journey(organization)
    put(patient, "AWAITING_PAYMENT", hours_ago(72))
    a_task(patient, the_enrollment(patient), text="Call Marta")
    narrow, wide = [JOURNEYS_READ], [JOURNEYS_READ, PATIENTS_READ]

    hidden = by_key(organization, *narrow).get(path(patient, "intake")).json()
    shown = by_key(organization, *wide).get(path(patient, "intake")).json()

    assert hidden["action_required"] == {"code": "do_task", "by": "practice", "label": ""}
    assert shown["action_required"]["label"] == "Call Marta"


def test_all_journeys_of_a_patient_the_urgent_first(api, organization, patient):
    for key in ("intake", "yoga", "retreat"):
        a_journey(organization, key)
    put(patient, "COMPLETED", hours_ago(9))
    put(patient, "CONFIRMED", hours_ago(8), "yoga")
    put(patient, "BLOCKED_HIGH_RISK", hours_ago(90), "retreat")

    told = api.get(path(patient)).json()["results"]

    assert [one["journey_key"] for one in told] == ["retreat", "yoga", "intake"]
    assert api.get(path(patient)).headers["Cache-Control"] == "no-store"


def test_a_journey_entered_again_is_the_newest_one(api, organization, patient):
    a_journey(organization)
    for stage in ("CONFIRMED", "COMPLETED", "SCREENING_PENDING"):
        put(patient, stage, hours_ago(9))

    told = api.get(path(patient, "intake")).json()

    assert (told["number"], told["current_stage"]) == (2, "SCREENING_PENDING")
    assert told["version"] == 3


def test_who_is_not_enrolled_is_told_apart_from_who_is_unknown(
    api, patient, template, other_organization
):
    stranger = PatientFactory(organization=other_organization)

    problem(api.get(path(patient, "intake")), 404, "not_enrolled")
    problem(api.get(path(patient, "nothing")), 404, "not_enrolled")
    assert api.get(path(patient)).json() == {"results": []}
    for tail in ("", "/intake"):
        foreign = problem(api.get(path(stranger) + tail), 404, "not_found")
        unknown = api.get(f"/api/v1/patients/{uuid.uuid4()}/journeys{tail}")
        assert {**foreign, "request_id": ""} == {**unknown.json(), "request_id": ""}


# --- entering -----------------------------------------------------------------------------------


def test_a_patient_enters_in_the_initial_stage(api, patient, template):
    response = api.post(path(patient), {"journey_key": "intake", "reason": "She asked"})

    told = response.json()
    assert response.status_code == 201
    assert response.headers["Location"] == path(patient, "intake")
    assert response.headers["ETag"] == '"1"'
    assert (told["log"]["from_stage"], told["log"]["to_stage"]) == (None, "SCREENING_PENDING")
    assert told["log"]["reason"] == "She asked"
    assert told["journey"] == api.get(response.headers["Location"]).json()


def test_nobody_enters_twice(api, patient, template):
    body = {"journey_key": "intake"}
    first = api.post(path(patient), body, **{"Idempotency-Key": "k"})

    again = api.post(path(patient), body, **{"Idempotency-Key": "k"})

    assert (again.status_code, again.content) == (201, first.content)
    problem(api.post(path(patient), body), 409, "already_enrolled")


def test_who_has_finished_may_enter_again(api, patient, template):
    api.post(path(patient), {"journey_key": "intake"})
    transition(patient_id=patient.pk, journey_key="intake", to_stage="COMPLETED", cause=system())

    again = api.post(path(patient), {"journey_key": "intake"})

    assert (again.status_code, again.json()["journey"]["number"]) == (201, 2)
    assert again.headers["ETag"] == '"3"'


def test_what_keeps_somebody_out_is_said(api, organization, patient, template, other_organization):
    a_template(other_organization, "theirs")
    stranger = PatientFactory(organization=other_organization)
    inactive = a_template(organization, "inactive")
    set_active(template_id=inactive.pk, is_active=False)

    def enter(someone, **body):
        return api.post(path(someone), body)

    problem(enter(patient, journey_key="inactive"), 422, "template_inactive")
    problem(enter(patient, journey_key="theirs"), 422, "unknown_journey")
    problem(enter(stranger, journey_key="intake"), 404, "not_found")
    problem(enter(patient), 400, "validation_error")
    problem(enter(patient, journey_key="intake", stage="CONFIRMED"), 400, "unknown_field")
    assert not Enrollment.objects.filter(patient=patient).exists()


# --- what it costs ------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [1, 12])
def test_many_journeys_cost_as_many_queries_as_one(api, organization, patient, number):
    for one in range(number):
        a_journey(organization, f"journey_{one}")
        put(patient, "CONFIRMED", hours_ago(9), f"journey_{one}")
    api.get(path(patient))

    with CaptureQueriesContext(connection) as queries:
        response = api.get(path(patient))

    assert len(response.json()["results"]) == number
    assert len(queries) == 8, "\n".join(query["sql"][:90] for query in queries)
