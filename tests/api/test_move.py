"""`PATCH /patients/{id}/journey` and `…/unblock`: every answer that a move can have."""

from __future__ import annotations

import json
import uuid
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from rest_framework.renderers import JSONRenderer

from journeys.blueprints import MoveDraft
from journeys.models import Enrollment, JourneyLog, SystemEventLog
from journeys.services.templates import set_active
from journeys.services.transitions import enroll, transition
from kura import tenancy
from kura.api.scopes import JOURNEYS_READ, JOURNEYS_UNBLOCK, JOURNEYS_WRITE, PATIENTS_READ
from kura.standing.api.moving import Moved
from patients.models import Patient
from tests.api.conftest import by_key, by_session, by_token, problem
from tests.factories import PatientFactory, a_template, system, the_enrollment
from tests.standing.practice import a_stale_rule, a_task

REASON = "Spoke with her on the telephone"


@pytest.fixture
def api(therapist):
    return by_token(therapist)


@pytest.fixture
def enrolled(patient, template):
    """In `SCREENING_PENDING`, version 1."""
    enroll(patient_id=patient.pk, journey_key="intake", cause=system())
    return patient


@pytest.fixture
def blocked(enrolled):
    """From `SCREENING_PENDING`, version 2."""
    move(enrolled, "BLOCKED_HIGH_RISK")
    return enrolled


def move(patient, to_stage, cause=None, key="intake"):
    transition(patient_id=patient.pk, journey_key=key, to_stage=to_stage, cause=cause or system())


def path(patient, query=""):
    return f"/api/v1/patients/{patient.pk}/journey{query}"


def to(stage, key="intake", **members):
    return {"journey_key": key, "to_stage": stage} | members


def patch(api, patient, body, query="", **headers):
    return api.call("PATCH", path(patient, query), body, **headers)


def moves(patient):
    return JourneyLog.objects.filter(patient=patient).count()


def test_a_move_is_logged_once_and_told_whole(api, therapist, enrolled):
    body = to("AWAITING_PAYMENT", reason="paid in cash")

    response = patch(api, enrolled, body, **{"X-Request-ID": "req-7"})

    told = response.json()
    log = JourneyLog.objects.latest("pk")
    assert response.status_code == 200
    assert response.headers["ETag"] == '"2"'
    assert told["changed"] is True
    assert told["log"] == {
        "id": log.pk,
        "enrollment_id": str(the_enrollment(enrolled).pk),
        "seq": 2,
        "patient_id": str(enrolled.pk),
        "journey_key": "intake",
        "from_stage": "SCREENING_PENDING",
        "to_stage": "AWAITING_PAYMENT",
        "changed_at": told["log"]["changed_at"],
        "recorded_at": told["log"]["recorded_at"],
        "actor": {"type": "user", "id": str(therapist.pk), "display": str(therapist)},
        "reason": "paid in cash",
        "reason_code": None,
        "rule_id": None,
        "trigger_event_id": None,
        "request_id": "req-7",
    }
    assert (log.via, log.actor_id) == ("api", therapist.pk)
    assert told["log"]["changed_at"].endswith("Z")
    assert told["journey"]["current_stage"] == "AWAITING_PAYMENT"
    assert (told["journey"]["version"], told["journey"]["etag"]) == (2, '"2"')
    assert told["journey_status"] == {"intake": "AWAITING_PAYMENT"}


def test_the_names_that_rules_use_are_understood(api, enrolled):
    response = patch(api, enrolled, {"key": "intake", "status": "CONFIRMED"})

    assert response.json()["journey"]["current_stage"] == "CONFIRMED"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "validation_error"),
        ({"journey_key": "intake"}, "validation_error"),
        ({"journey_key": "intake", "status": "CONFIRMED"}, "validation_error"),
        (to("CONFIRMED") | {"key": "intake", "status": "CONFIRMED"}, "validation_error"),
        (to("CONFIRMED") | {"key": "intake"}, "validation_error"),
        (to(7), "validation_error"),
        (to("CONFIRMED", changed_at="yesterday"), "validation_error"),
        (to("CONFIRMED", reason_code="Not a code"), "validation_error"),
        (to("CONFIRMED", reason="x" * 2001), "validation_error"),
        (to("CONFIRMED", actor="me"), "unknown_field"),
        ([], "validation_error"),
    ],
)
def test_a_body_that_says_no_move_is_refused(api, enrolled, body, code):
    problem(patch(api, enrolled, body), 400, code)
    assert moves(enrolled) == 1


@pytest.mark.parametrize("query", ["?validate_only=1", "?validate_only=", "?dry_run=true"])
def test_a_parameter_that_is_none_is_refused(api, enrolled, query):
    problem(patch(api, enrolled, to("CONFIRMED"), query), 400, "invalid_parameter")


def test_the_same_stage_again_changes_nothing(api, enrolled):
    response = patch(api, enrolled, to("SCREENING_PENDING"))

    told = response.json()
    assert (response.status_code, told["changed"], told["log"]) == (200, False, None)
    assert told["journey"]["version"] == 1
    assert response.headers["ETag"] == '"1"'
    assert moves(enrolled) == 1


def test_a_patient_who_is_not_there_is_enrolled_by_the_move(api, patient, template):
    response = patch(api, patient, to("CONFIRMED"))

    assert response.status_code == 200
    assert response.json()["log"]["from_stage"] is None
    assert response.json()["journey"]["version"] == 1


def test_with_a_graph_one_is_enrolled_only_where_it_allows(api, organization, patient):
    a_template(organization, "graph", moves=[MoveDraft(from_stage=None, to_stage="CONFIRMED")])

    refused = patch(api, patient, to("AWAITING_PAYMENT", "graph"))

    told = problem(refused, 409, "transition_not_permitted")
    assert told["from_stage"] is None
    assert told["allowed_to"] == ["SCREENING_PENDING", "BLOCKED_HIGH_RISK", "CONFIRMED"]
    assert patch(api, patient, to("CONFIRMED", "graph")).status_code == 200


def test_a_back_dated_move_happened_then(api, enrolled):
    friday = the_enrollment(enrolled).entered_at + timedelta(microseconds=1)

    response = patch(api, enrolled, to("CONFIRMED", changed_at=friday.isoformat()))

    assert response.status_code == 200, response.content
    assert JourneyLog.objects.latest("pk").changed_at == friday


@pytest.mark.parametrize("hours", [-24 * 365, 1])
def test_no_move_lies_in_the_future_or_before_the_previous_one(api, enrolled, hours):
    moment = timezone.now() + timedelta(hours=hours)

    response = patch(api, enrolled, to("CONFIRMED", changed_at=moment.isoformat()))

    problem(response, 422, "time_order")
    assert moves(enrolled) == 1


def test_an_integration_back_dates_nothing(organization, enrolled):
    moment = timezone.now().isoformat()

    response = patch(by_key(organization), enrolled, to("CONFIRMED", changed_at=moment))

    problem(response, 403, "permission_denied")
    assert moves(enrolled) == 1


def test_an_integration_moves_and_is_named(organization, enrolled):
    told = patch(by_key(organization), enrolled, to("CONFIRMED")).json()

    assert told["log"]["actor"]["type"] == "integration"
    assert JourneyLog.objects.latest("pk").actor_kind == "integration"


def test_what_is_only_validated_is_not_done(api, enrolled):
    rows = SystemEventLog.objects.count()

    response = patch(api, enrolled, to("CONFIRMED"), "?validate_only=true")

    told = response.json()
    assert (response.status_code, told["changed"], told["log"]) == (200, True, None)
    assert told["journey"]["current_stage"] == "SCREENING_PENDING"
    assert response.headers["ETag"] == '"1"'
    assert (moves(enrolled), SystemEventLog.objects.count()) == (1, rows)
    assert the_enrollment(enrolled).stage == "SCREENING_PENDING"


def test_a_validation_that_is_retried_is_still_none(api, enrolled):
    headers = {"Idempotency-Key": "k"}

    first = patch(api, enrolled, to("CONFIRMED"), "?validate_only=true", **headers)
    again = patch(api, enrolled, to("CONFIRMED"), "?validate_only=true", **headers)

    assert again.content == first.content
    assert moves(enrolled) == 1


def test_validation_refuses_what_the_move_would_be_refused_for(api, enrolled):
    future = (timezone.now() + timedelta(hours=1)).isoformat()

    late = patch(api, enrolled, to("CONFIRMED", changed_at=future), "?validate_only=true")
    nowhere = patch(api, enrolled, to("NOWHERE"), "?validate_only=true")

    problem(late, 422, "time_order")
    problem(nowhere, 422, "stage_not_allowed")


def test_validation_of_an_enrollment_enrolls_nobody(api, patient, template):
    told = patch(api, patient, to("CONFIRMED"), "?validate_only=true").json()

    assert told == {"changed": True, "log": None, "journey": None, "journey_status": {}}
    assert not Enrollment.objects.filter(patient=patient).exists()


# --- versions -----------------------------------------------------------------------------------


@pytest.mark.parametrize("tag", ['"1"', 'W/"1"', '"9", "1"', "*"])
def test_who_looked_at_the_present_version_moves(api, enrolled, tag):
    assert patch(api, enrolled, to("CONFIRMED"), **{"If-Match": tag}).status_code == 200


@pytest.mark.parametrize("tag", ['"2"', '"0"', "1", '""'])
def test_who_looked_at_an_older_version_is_told_the_present_one(api, enrolled, tag):
    response = patch(api, enrolled, to("CONFIRMED"), **{"If-Match": tag})

    told = problem(response, 412, "stale_write")
    assert told["current_version"] == 1
    assert response.headers["ETag"] == '"1"'
    assert moves(enrolled) == 1


def test_a_version_is_never_that_of_an_earlier_enrollment(api, enrolled):
    move(enrolled, "COMPLETED")
    enroll(patient_id=enrolled.pk, journey_key="intake", cause=system())

    old = patch(api, enrolled, to("CONFIRMED"), **{"If-Match": '"1"'})

    assert problem(old, 412, "stale_write")["current_version"] == 3
    new = patch(api, enrolled, to("CONFIRMED"), **{"If-Match": '"3"'})
    assert new.json()["journey"]["version"] == 4


def test_a_practice_may_ask_for_the_version(api, organization, enrolled):
    organization.settings["require_if_match"] = True
    organization.save()

    problem(patch(api, enrolled, to("CONFIRMED")), 428, "precondition_required")
    assert patch(api, enrolled, to("CONFIRMED"), **{"If-Match": '"1"'}).status_code == 200


def test_a_retry_under_the_same_key_moves_once(api, enrolled):
    headers = {"Idempotency-Key": "k-1", "If-Match": '"1"'}

    first = patch(api, enrolled, to("CONFIRMED"), **headers)
    again = patch(api, enrolled, to("CONFIRMED"), **headers)

    assert again.content == first.content
    assert (again.headers["ETag"], again.headers["Idempotent-Replayed"]) == ('"2"', "true")
    assert moves(enrolled) == 2
    problem(patch(api, enrolled, to("COMPLETED"), **headers), 422, "idempotency_key_reused")


# --- refusals -----------------------------------------------------------------------------------


def test_an_unknown_stage_names_the_known_ones(api, enrolled, template):
    told = problem(patch(api, enrolled, to("NOWHERE")), 422, "stage_not_allowed")

    assert told["allowed_stages"] == template.allowed_stages


def test_an_unknown_journey_is_refused(api, enrolled, other_organization):
    a_template(other_organization, "theirs")

    foreign = problem(patch(api, enrolled, to("CONFIRMED", "theirs")), 422, "unknown_journey")
    unknown = problem(patch(api, enrolled, to("CONFIRMED", "nobody")), 422, "unknown_journey")

    assert foreign["detail"].replace("theirs", "nobody") == unknown["detail"]


def test_anothers_patient_is_as_unknown_as_none(api, other_organization, template):
    stranger = PatientFactory(organization=other_organization)

    foreign = problem(patch(api, stranger, to("CONFIRMED")), 404, "not_found")
    unknown = problem(patch(api, Patient(pk=uuid.uuid4()), to("CONFIRMED")), 404, "not_found")

    assert {**foreign, "request_id": ""} == {**unknown, "request_id": ""}
    with tenancy.scope(other_organization):
        assert moves(stranger) == 0


def test_an_inactive_template_takes_nobody_new(api, patient, enrolled, organization, template):
    newcomer = PatientFactory(organization=organization)
    set_active(template_id=template.pk, is_active=False)

    problem(patch(api, newcomer, to("CONFIRMED")), 422, "template_inactive")
    assert patch(api, enrolled, to("CONFIRMED")).status_code == 200


def test_a_closed_journey_goes_nowhere(api, enrolled):
    move(enrolled, "COMPLETED")

    problem(patch(api, enrolled, to("CONFIRMED")), 409, "journey_closed")


def test_a_move_against_the_graph_names_those_along_it(api, organization, patient):
    graph = [MoveDraft(from_stage="SCREENING_PENDING", to_stage="AWAITING_PAYMENT")]
    a_template(organization, "graph", moves=graph)
    enroll(patient_id=patient.pk, journey_key="graph", cause=system())

    told = problem(patch(api, patient, to("CONFIRMED", "graph")), 409, "transition_not_permitted")

    assert told["from_stage"] == "SCREENING_PENDING"
    assert told["allowed_to"] == ["AWAITING_PAYMENT", "BLOCKED_HIGH_RISK"]


def test_a_guard_says_what_is_missing(api, organization, patient):
    guard = {"field": "events.PAYMENT_SUCCEEDED.count", "op": "gte", "value": 1}
    graph = [MoveDraft(from_stage="SCREENING_PENDING", to_stage="CONFIRMED", guard=guard)]
    a_template(organization, "graph", moves=graph)
    enroll(patient_id=patient.pk, journey_key="graph", cause=system())

    response = patch(api, patient, to("CONFIRMED", "graph"), **{"Accept-Language": "en"})

    assert problem(response, 409, "guard_failed")["missing"] == ["payment received"]


def test_a_move_that_needs_a_reason_says_so(api, organization, patient):
    graph = [MoveDraft(from_stage="SCREENING_PENDING", to_stage="CONFIRMED", requires_reason=True)]
    a_template(organization, "graph", moves=graph)
    enroll(patient_id=patient.pk, journey_key="graph", cause=system())

    problem(patch(api, patient, to("CONFIRMED", "graph")), 422, "reason_required")
    told = patch(api, patient, to("CONFIRMED", "graph", reason=REASON))
    assert told.status_code == 200


# --- blocks -------------------------------------------------------------------------------------


def test_an_integration_never_leaves_a_block_and_is_told_which(organization, blocked):
    api = by_key(organization)

    told = problem(patch(api, blocked, to("CONFIRMED", reason=REASON)), 409, "journey_blocked")

    assert told["blocked"]["stage"] == "BLOCKED_HIGH_RISK"
    assert told["blocked"]["return_stage"] == "SCREENING_PENDING"
    assert set(told["blocked"]) == {
        "stage", "since", "reason", "event_id", "rule_id", "return_stage",
    }  # fmt: skip
    assert moves(blocked) == 2


def test_a_token_without_unblock_leaves_no_block(therapist, blocked):
    narrow = by_token(therapist, scopes=[JOURNEYS_READ, JOURNEYS_WRITE, PATIENTS_READ])

    response = patch(narrow, blocked, to("CONFIRMED", reason=REASON))

    problem(response, 403, "unblock_not_permitted")
    assert moves(blocked) == 2


def test_leaving_a_block_needs_a_reason(api, blocked):
    problem(patch(api, blocked, to("CONFIRMED")), 422, "reason_required")
    problem(patch(api, blocked, to("CONFIRMED", reason="ok")), 422, "reason_required")


def test_a_therapist_leaves_a_block_with_a_reason(api, blocked):
    response = patch(api, blocked, to("CONFIRMED", reason=REASON))

    assert response.status_code == 200, response.content
    assert JourneyLog.objects.latest("pk").reason_code == "reviewed"


def test_the_kind_of_reason_may_be_named(api, blocked):
    patch(api, blocked, to("CONFIRMED", reason=REASON, reason_code="false_alarm"))

    assert JourneyLog.objects.latest("pk").reason_code == "false_alarm"


def unblock_path(patient, key="intake"):
    return f"/api/v1/patients/{patient.pk}/journeys/{key}/unblock"


def test_a_lifted_block_leads_back(api, blocked):
    response = api.post(unblock_path(blocked), {"reason": REASON})

    told = response.json()
    assert response.status_code == 200, response.content
    assert told["journey"]["current_stage"] == "SCREENING_PENDING"
    assert told["journey"]["blocked"] is None
    assert (told["changed"], response.headers["ETag"]) == (True, '"3"')


def test_a_lifted_block_leads_where_one_says(api, blocked):
    told = api.post(unblock_path(blocked), {"reason": REASON, "to_stage": "CONFIRMED"}).json()

    assert told["journey_status"] == {"intake": "CONFIRMED"}


def test_a_block_is_lifted_from_the_version_that_was_seen(api, blocked):
    response = api.post(unblock_path(blocked), {"reason": REASON}, **{"If-Match": '"1"'})

    problem(response, 412, "stale_write")


def test_only_a_block_can_be_lifted(api, enrolled, patient):
    problem(api.post(unblock_path(enrolled), {"reason": REASON}), 409, "not_blocked")
    problem(api.post(unblock_path(patient, "other"), {"reason": REASON}), 404, "not_enrolled")
    problem(api.post(unblock_path(enrolled), {}), 409, "not_blocked")


def test_a_block_is_lifted_with_a_reason(api, blocked):
    problem(api.post(unblock_path(blocked), {}), 422, "reason_required")


def test_nobody_but_a_person_with_the_scope_lifts_blocks(organization, viewer, therapist, blocked):
    narrow = by_token(therapist, scopes=[JOURNEYS_READ, JOURNEYS_WRITE])
    for api in (by_key(organization), by_key(organization, JOURNEYS_UNBLOCK), narrow,
                by_token(viewer)):  # fmt: skip
        problem(api.post(unblock_path(blocked), {"reason": REASON}), 403, "permission_denied")


# --- what a move costs --------------------------------------------------------------------------


@pytest.mark.parametrize("others", [0, 30])
def test_a_move_costs_as_many_queries_whatever_else_there_is(api, organization, enrolled, others):
    for _ in range(others):
        someone = PatientFactory(organization=organization)
        enroll(patient_id=someone.pk, journey_key="intake", cause=system())
    patch(api, enrolled, to("SCREENING_PENDING"))

    with CaptureQueriesContext(connection) as queries:
        patch(api, enrolled, to("CONFIRMED"))

    ours = [query["sql"] for query in queries if "SAVEPOINT" not in query["sql"]]
    assert len(ours) == 14, "\n".join(ours)


def test_what_is_told_is_what_is_described(api, organization, enrolled):
    a_stale_rule(organization, "CONFIRMED")
    a_task(enrolled, the_enrollment(enrolled))
    moves = [to("CONFIRMED", reason="Marta paid"), to("BLOCKED_HIGH_RISK")]

    said = [patch(api, enrolled, body).json() for body in moves]

    for told in said:
        assert told["log"]
        assert told["journey"]["action_required"]
        assert told == json.loads(JSONRenderer().render(Moved(told).data))
    assert said[1]["journey"]["blocked"]


def test_a_browser_moves_with_its_session(therapist, enrolled):
    assert patch(by_session(therapist), enrolled, to("CONFIRMED")).status_code == 200


def test_words_are_for_who_may_read_patients(therapist, enrolled):
    narrow = by_token(therapist, scopes=[JOURNEYS_READ, JOURNEYS_WRITE])

    told = patch(narrow, enrolled, to("CONFIRMED", reason="Marta paid")).json()

    assert told["log"]["reason"] == ""
