"""`/events/{id}/trace` and what people decide about events."""

from __future__ import annotations

import uuid

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from automation.models import DispatchDecision, EventDispatch
from journeys.models import JourneyLog, SystemEventLog
from journeys.services.transitions import enroll
from kura import tenancy
from tests.api.conftest import by_key, by_token, problem
from tests.automation.practice import a_rule, drain, move, tell
from tests.factories import PatientFactory, a_user, system

EVENTS = "/api/v1/events"
REASON = {"reason": "The sister has paid"}
RICH = {"field": "event.payload.amount_cents", "op": "gte", "value": 100}


@pytest.fixture
def enrolled(template, patient):
    enroll(patient_id=patient.pk, journey_key="intake", cause=system())
    return patient


@pytest.fixture
def api(organization):
    return by_key(organization)


def paid(organization, patient, cents=200, conditions=RICH):
    a_rule(
        organization, "PAYMENT_SUCCEEDED", move("intake", "CONFIRMED"),
        conditions=conditions, name="Paid",
    )  # fmt: skip
    told = tell(patient, "PAYMENT_SUCCEEDED", payload={"amount_cents": cents})
    drain()
    return told.event_id


def trace(api, event_id):
    response = api.get(f"{EVENTS}/{event_id}/trace", **{"Accept-Language": "en"})
    assert response.status_code == 200, response.content
    return response.json()


def test_a_trace_tells_why_and_what_followed(api, organization, enrolled):
    a_rule(organization, "PAYMENT_SUCCEEDED", move("intake", "COMPLETED"), is_active=False)
    event_id = paid(organization, enrolled)

    told = trace(api, event_id)

    assert (told["event"]["id"], told["event"]["event_type"]) == (
        str(event_id), "PAYMENT_SUCCEEDED",
    )  # fmt: skip
    [run] = told["runs"]
    assert (run["rule_name"], run["rule_version"], run["matched"]) == ("Paid", 1, True)
    [condition] = run["conditions"]
    assert condition == {
        "pointer": "", "path": "event.payload.amount_cents", "op": "gte", "expected": 100,
        "actual": 200, "result": True, "note": "", "hidden": False,
        "words": "amount in cents is at least 100",
    }  # fmt: skip
    [action] = run["actions"]
    log_id = JourneyLog.objects.latest("id").pk
    assert (action["type"], action["status"], action["error_code"], action["log_id"]) == (
        "update_journey_status", "done", None, log_id,
    )  # fmt: skip
    assert [(one["log_id"], one["to_stage"]) for one in told["moves"]] == [(log_id, "CONFIRMED")]
    assert [one["why"] for one in told["silent"]] == ["inactive"]
    assert [one["event_type"] for one in told["followed"]] == ["JOURNEY_STAGE_CHANGED"]


def test_a_refused_action_names_its_reason(api, organization, template, patient):
    event_id = paid(organization, patient)

    [action] = trace(api, event_id)["runs"][0]["actions"]

    assert (action["status"], action["error_code"]) == ("refused", "not_enrolled")


def test_what_a_fact_was_is_for_who_may_read_patients(organization, enrolled, viewer):
    event_id = paid(organization, enrolled, cents=7)
    narrow = by_key(organization, "events:read")

    [run] = trace(narrow, event_id)["runs"]
    [hidden] = run["conditions"]
    [shown] = trace(by_key(organization), event_id)["runs"][0]["conditions"]

    assert (hidden["actual"], hidden["result"], hidden["hidden"]) == (None, None, True)
    assert hidden["expected"] == 100
    assert run["failed_on"] is None
    assert (shown["actual"], shown["result"], shown["hidden"]) == (7, False, False)
    [to_viewer] = trace(by_token(viewer), event_id)["runs"][0]["conditions"]
    assert to_viewer["hidden"] is True  # a viewer reads patients, but no contents of events


def test_the_reason_of_a_decision_is_for_who_may_read_patients(organization, unmatched, therapist):
    by_token(therapist).post(f"{EVENTS}/{unmatched}/skip", REASON)

    [hidden] = trace(by_key(organization, "events:read"), unmatched)["decisions"]
    [shown] = trace(by_key(organization), unmatched)["decisions"]

    assert (hidden["kind"], hidden["reason"], shown["reason"]) == ("skip", None, REASON["reason"])


@pytest.mark.parametrize("rules", [1, 12])
def test_a_trace_costs_as_many_queries_for_one_rule_as_for_many(api, organization, enrolled, rules):
    for number in range(rules):
        a_rule(organization, "CUSTOM.call", move("intake", "CONFIRMED"), name=f"r{number}")
    told = tell(enrolled, "CUSTOM.call")
    drain()
    api.get(EVENTS)

    with CaptureQueriesContext(connection) as queries:
        assert len(trace(api, told.event_id)["runs"]) == rules

    assert len(queries) == 13, [query["sql"] for query in queries]


@pytest.mark.parametrize("what", ["trace", "replay", "retry", "skip", "link"])
def test_anothers_event_is_as_unknown_as_none(organization, therapist, other_organization, what):
    stranger = PatientFactory(organization=other_organization)
    with tenancy.scope(other_organization):
        foreign_id = tell(stranger, "CUSTOM.call").event_id
    api = by_token(therapist)
    mine = PatientFactory(organization=organization)
    body = None if what == "trace" else REASON
    body = body if what != "link" else {**REASON, "patient_id": str(mine.pk)}

    def asked(event_id):
        response = api.call("GET" if body is None else "POST", f"{EVENTS}/{event_id}/{what}", body)
        return {**problem(response, 404, "not_found"), "request_id": ""}

    assert asked(foreign_id) == asked(uuid.uuid4())
    assert not DispatchDecision.objects.exists()


# --- decisions ------------------------------------------------------------------------------------


@pytest.fixture
def unmatched(organization, template, api):
    body = {"id": "x", "event_type": "PAYMENT_SUCCEEDED", "patient": {"email": "who@example.org"}}
    return api.post(EVENTS, body | {"journey_key": "intake"}).json()["id"]


@pytest.mark.parametrize("role", ["therapist", "manager"])
def test_a_refused_event_is_replayed(organization, template, patient, role):
    event_id = paid(organization, patient)  # refused: not enrolled
    enroll(patient_id=patient.pk, journey_key="intake", cause=system())
    person = a_user(organization, role)

    response = by_token(person).post(f"{EVENTS}/{event_id}/replay", REASON)

    assert (response.status_code, response.json()) == (
        202, {"id": str(event_id), "status": "queued"},
    )  # fmt: skip
    assert response.headers["Location"] == f"{EVENTS}/{event_id}"
    drain()
    assert JourneyLog.objects.latest("id").to_stage == "CONFIRMED"
    decision = DispatchDecision.objects.get()
    assert (decision.kind, decision.decided_by, decision.reason) == (
        "replay", person, REASON["reason"],
    )  # fmt: skip


def test_a_dead_event_is_tried_again(therapist, patient):
    event_id = tell(patient, "CUSTOM.call").event_id
    EventDispatch.objects.filter(pk=event_id).update(status="dead", attempts=5)

    response = by_token(therapist).post(f"{EVENTS}/{event_id}/retry", REASON)

    assert (response.status_code, response.json()["status"]) == (202, "queued")
    problem(by_token(therapist).post(f"{EVENTS}/{event_id}/retry", REASON), 409, "not_decidable")


def test_an_unmatched_event_is_skipped(therapist, unmatched):
    response = by_token(therapist).post(f"{EVENTS}/{unmatched}/skip", REASON)

    assert (response.status_code, response.json()["status"]) == (200, "skipped")


def test_an_unmatched_event_is_linked_and_another_one_follows(therapist, unmatched, patient):
    body = {**REASON, "patient_id": str(patient.pk)}

    response = by_token(therapist).post(f"{EVENTS}/{unmatched}/link", body)

    assert response.status_code == 202
    event = SystemEventLog.objects.get(pk=response.json()["id"])
    assert (event.patient, str(event.parent_event_id)) == (patient, unmatched)


def test_an_event_is_not_linked_to_anothers_patient(therapist, unmatched, other_organization):
    stranger = PatientFactory(organization=other_organization)
    api = by_token(therapist)

    def asked(patient_id):
        body = {**REASON, "patient_id": str(patient_id)}
        refused = problem(api.post(f"{EVENTS}/{unmatched}/link", body), 404, "not_found")
        return {**refused, "request_id": ""}

    assert asked(stranger.pk) == asked(uuid.uuid4())
    assert not DispatchDecision.objects.exists()


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({}, 400, "validation_error"),
        ({"reason": 7}, 400, "validation_error"),
        ({"reason": "x" * 2001}, 400, "validation_error"),
        ({**REASON, "force": True}, 400, "unknown_field"),
        ({"reason": ""}, 422, "reason_required"),
        ({"reason": " \u200b "}, 422, "reason_required"),
    ],
)
def test_a_decision_needs_its_reason(therapist, unmatched, body, status, code):
    problem(by_token(therapist).post(f"{EVENTS}/{unmatched}/skip", body), status, code)

    assert not DispatchDecision.objects.exists()


def test_a_decision_sent_twice_under_one_key_is_one(therapist, unmatched):
    api = by_token(therapist)

    first, again = (
        api.post(f"{EVENTS}/{unmatched}/skip", REASON, **{"Idempotency-Key": "k"}) for _ in "12"
    )

    assert (first.status_code, again.status_code) == (200, 200)
    assert again.headers["Idempotent-Replayed"] == "true"
    assert DispatchDecision.objects.count() == 1
