"""An event from the door to the log row it caused, and what must not happen on the way."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from automation import dispatch, errors
from automation.intake import Subject, record_event
from automation.models import AutomationRule, EventDispatch, RuleRun, StaffTask
from automation.services.decisions import replay, retry, skip
from journeys.models import Enrollment, JourneyLog, SystemEventLog, SystemEventPayload
from journeys.services.transitions import enroll, transition, unblock
from kura import tenancy
from tests.automation.practice import API, FORM, a_rule, drain, emit, move, tell
from tests.factories import PatientFactory, a_template, reviewed, system


def stage_of(patient):
    patient.refresh_from_db()
    return patient.journey_status.get("intake")


@pytest.fixture
def enrolled(template, patient):
    enroll(patient_id=patient.pk, journey_key="intake", cause=system())
    return patient


def test_an_event_moves_the_patient_and_the_log_names_it(organization, enrolled):
    rule = a_rule(organization, "PAYMENT_SUCCEEDED", move("intake", "CONFIRMED"))

    told = tell(enrolled, "PAYMENT_SUCCEEDED", payload={"amount_cents": 100})
    assert drain() == 1

    assert stage_of(enrolled) == "CONFIRMED"
    log = JourneyLog.objects.get(to_stage="CONFIRMED")
    assert (log.actor_kind, log.rule_id, log.trigger_event_id) == ("rule", rule.pk, told.event_id)
    run = RuleRun.objects.get()
    assert (run.status, run.matched, run.rule_version) == ("done", True, 1)
    assert run.actions[0]["log_id"] == log.pk
    child = SystemEventLog.objects.get(event_type="JOURNEY_STAGE_CHANGED")
    assert (child.parent_event_id, child.root_event_id, child.depth) == (
        told.event_id,
        told.event_id,
        1,
    )


def test_the_same_key_again_changes_nothing_and_another_body_is_an_error(organization, enrolled):
    a_rule(organization, "PAYMENT_SUCCEEDED", move("intake", "CONFIRMED"))
    first = tell(enrolled, "PAYMENT_SUCCEEDED", payload={"amount_cents": 100})

    again = tell(enrolled, "PAYMENT_SUCCEEDED", payload={"amount_cents": 100})

    assert (again.event_id, again.duplicate) == (first.event_id, True)
    with pytest.raises(errors.IdempotencyKeyReused):
        tell(enrolled, "PAYMENT_SUCCEEDED", payload={"amount_cents": 200})
    with pytest.raises(errors.IdempotencyKeyReused):
        tell(enrolled, "PAYMENT_FAILED", payload={"amount_cents": 100})
    assert EventDispatch.objects.filter(status="queued").count() == 1


@pytest.mark.parametrize(
    ("first", "second"), [({"n": 1}, {"n": True}), ({"n": None}, {}), ({"n": [1]}, {"n": [True]})]
)
def test_another_body_is_another_body_in_whatever_type(enrolled, first, second):
    tell(enrolled, "CUSTOM.x", payload=first)

    with pytest.raises(errors.IdempotencyKeyReused):
        tell(enrolled, "CUSTOM.x", payload=second)


@pytest.mark.parametrize("number", [1e23, 1e16, 0.1, -0.0, 10**30, 5e-324])
def test_the_same_number_again_is_the_same_body(enrolled, number):
    first = tell(enrolled, "CUSTOM.x", payload={"n": number, "in": {"list": [number]}})

    again = tell(enrolled, "CUSTOM.x", payload={"in": {"list": [number]}, "n": number})

    assert (again.event_id, again.duplicate) == (first.event_id, True)


def test_a_rule_that_blocks_goes_first_and_the_others_see_it(organization, enrolled):
    a_rule(organization, "RISK_ANALYSIS_COMPLETED", move("intake", "CONFIRMED"), priority=1)
    a_rule(
        organization,
        "RISK_ANALYSIS_COMPLETED",
        move("intake", "BLOCKED_HIGH_RISK"),
        priority=900,
        conditions={"field": "event.payload.risk_level", "op": "eq", "value": "HIGH"},
    )
    told_by_stage = a_rule(
        organization,
        "RISK_ANALYSIS_COMPLETED",
        {"type": "emit_event", "params": {"event_type": "CUSTOM.held"}},
        conditions={"field": "journeys.intake", "op": "eq", "value": "BLOCKED_HIGH_RISK"},
    )

    told = tell(enrolled, "RISK_ANALYSIS_COMPLETED", payload={"risk_level": "HIGH"})
    drain()

    assert stage_of(enrolled) == "BLOCKED_HIGH_RISK"
    runs = {run.rule.priority: run for run in RuleRun.objects.filter(event=told.event_id)}
    assert runs[900].status == "done"
    assert runs[1].status == "refused"
    assert runs[1].actions[0]["error_code"] == "journey_blocked"
    assert RuleRun.objects.get(rule=told_by_stage).status == "done"
    assert SystemEventLog.objects.get(event_type="CUSTOM.held").depth == 1


def test_what_a_block_refused_can_be_replayed_once_a_person_lifted_it(
    organization, enrolled, therapist
):
    a_rule(organization, "PAYMENT_SUCCEEDED", move("intake", "CONFIRMED"))
    tell_block = a_rule(organization, "CUSTOM.block", move("intake", "BLOCKED_HIGH_RISK"))
    tell(enrolled, "CUSTOM.block", "b")
    paid = tell(enrolled, "PAYMENT_SUCCEEDED")
    drain()
    assert stage_of(enrolled) == "BLOCKED_HIGH_RISK"
    unblock(patient_id=enrolled.pk, journey_key="intake", cause=reviewed(therapist))

    assert [task.kind for task in StaffTask.objects.filter(done_at=None)] == ["held_back"]

    replay(event_id=paid.event_id, user=therapist, reason="The block was lifted")
    drain()

    assert StaffTask.objects.get().done_by == therapist
    assert stage_of(enrolled) == "CONFIRMED"
    assert RuleRun.objects.get(event=paid.event_id).status == "done"
    assert RuleRun.objects.filter(rule=tell_block).count() == 1


def test_a_replay_calls_no_rule_that_was_written_since_unless_it_blocks(
    organization, enrolled, therapist
):
    a_rule(organization, "PAYMENT_SUCCEEDED", move("intake", "CONFIRMED"))
    block = {"patient_id": enrolled.pk, "journey_key": "intake", "to_stage": "BLOCKED_HIGH_RISK"}
    transition(**block, cause=system())
    paid = tell(enrolled, "PAYMENT_SUCCEEDED")
    drain()
    unblock(patient_id=enrolled.pk, journey_key="intake", cause=reviewed(therapist))
    a_rule(organization, "PAYMENT_SUCCEEDED", emit("CUSTOM.paid"))
    protects = a_rule(organization, "PAYMENT_SUCCEEDED", move("intake", "BLOCKED_HIGH_RISK"))

    replay(event_id=paid.event_id, user=therapist, reason="The block was lifted")
    drain()

    assert not SystemEventLog.objects.filter(event_type="CUSTOM.paid").exists()
    assert RuleRun.objects.get(event=paid.event_id, rule=protects).status == "done"
    assert stage_of(enrolled) == "BLOCKED_HIGH_RISK"


def test_a_skipped_event_that_is_taken_back_meets_every_rule(organization, enrolled, therapist):
    rule = a_rule(organization, "PAYMENT_SUCCEEDED", {"type": "no such action"})
    paid = tell(enrolled, "PAYMENT_SUCCEEDED")
    for _ in range(dispatch.MAX_ATTEMPTS):
        EventDispatch.objects.update(next_attempt_at=timezone.now())
        drain()
    skip(event_id=paid.event_id, user=therapist, reason="Nobody knows why")
    AutomationRule.objects.filter(pk=rule.pk).update(actions=[move("intake", "CONFIRMED")])
    a_rule(organization, "PAYMENT_SUCCEEDED", emit("CUSTOM.paid"))

    replay(event_id=paid.event_id, user=therapist, reason="The rule is repaired")
    drain()

    assert stage_of(enrolled) == "CONFIRMED"
    assert SystemEventLog.objects.filter(event_type="CUSTOM.paid").exists()


def test_a_replay_that_fails_repeats_nothing_that_took_effect(organization, enrolled, therapist):
    a_template(organization, key="retreat")
    enroll(patient_id=enrolled.pk, journey_key="retreat", cause=system())
    moves = [move("intake", "CONFIRMED"), move("retreat", "CONFIRMED")]
    rule = a_rule(organization, "PAYMENT_SUCCEEDED", *moves, {"type": "no such action"})
    block = {"patient_id": enrolled.pk, "journey_key": "retreat", "to_stage": "BLOCKED_HIGH_RISK"}
    transition(**block, cause=system())
    paid = tell(enrolled, "PAYMENT_SUCCEEDED")
    drain()
    unblock(patient_id=enrolled.pk, journey_key="retreat", cause=reviewed(therapist))
    back = {"patient_id": enrolled.pk, "journey_key": "intake", "to_stage": "AWAITING_PAYMENT"}
    transition(**back, cause=system())

    replay(event_id=paid.event_id, user=therapist, reason="The block was lifted")
    drain()
    assert RuleRun.objects.get().status == "failed"
    AutomationRule.objects.filter(pk=rule.pk).update(actions=moves)
    EventDispatch.objects.update(next_attempt_at=timezone.now())
    drain()

    enrolled.refresh_from_db()
    assert enrolled.journey_status == {"intake": "AWAITING_PAYMENT", "retreat": "CONFIRMED"}
    assert RuleRun.objects.get().status == "done"


def test_what_is_replayed_too_early_is_asked_for_again(organization, enrolled, therapist):
    a_rule(organization, "PAYMENT_SUCCEEDED", move("intake", "CONFIRMED"))
    a_rule(organization, "CUSTOM.block", move("intake", "BLOCKED_HIGH_RISK"))
    tell(enrolled, "CUSTOM.block", "b")
    paid = tell(enrolled, "PAYMENT_SUCCEEDED")
    drain()

    replay(event_id=paid.event_id, user=therapist, reason="Too early, as it turns out")
    drain()

    assert stage_of(enrolled) == "BLOCKED_HIGH_RISK"
    assert StaffTask.objects.get().done_at is None


def test_an_event_older_than_what_its_source_caused_since_moves_nobody(organization, enrolled):
    a_rule(organization, "PAYMENT_SUCCEEDED", move("intake", "CONFIRMED"))
    a_rule(organization, "PAYMENT_FAILED", move("intake", "AWAITING_PAYMENT"))
    now = timezone.now()
    tell(enrolled, "PAYMENT_SUCCEEDED", "late", occurred_at=now - timedelta(minutes=1))
    drain()

    old = tell(enrolled, "PAYMENT_FAILED", "early", occurred_at=now - timedelta(minutes=5))
    drain()

    assert stage_of(enrolled) == "CONFIRMED"
    run = RuleRun.objects.get(event=old.event_id)
    assert (run.status, run.actions[0]["error_code"]) == ("refused", "superseded")


def test_a_newer_payment_does_not_outdate_a_risk(organization, enrolled):
    a_rule(organization, "PAYMENT_SUCCEEDED", move("intake", "CONFIRMED"))
    a_rule(organization, "RISK_ANALYSIS_COMPLETED", move("intake", "BLOCKED_HIGH_RISK"))
    now = timezone.now()
    tell(enrolled, "PAYMENT_SUCCEEDED", "paid", occurred_at=now - timedelta(minutes=1))
    drain()

    tell(
        enrolled,
        "RISK_ANALYSIS_COMPLETED",
        "risk",
        occurred_at=now - timedelta(minutes=5),
        payload={"risk_level": "HIGH"},
    )
    drain()

    assert stage_of(enrolled) == "BLOCKED_HIGH_RISK"


def test_an_older_analysis_does_not_block_again_but_somebody_is_asked(organization, enrolled):
    high = {"field": "event.payload.risk_level", "op": "eq", "value": "HIGH"}
    low = {"field": "event.payload.risk_level", "op": "eq", "value": "LOW"}
    risk = "RISK_ANALYSIS_COMPLETED"
    a_rule(organization, risk, move("intake", "BLOCKED_HIGH_RISK"), conditions=high)
    a_rule(organization, risk, move("intake", "AWAITING_PAYMENT"), conditions=low)
    now = timezone.now()
    at = {"new": now - timedelta(minutes=1), "old": now - timedelta(minutes=5)}
    tell(enrolled, risk, "new", occurred_at=at["new"], payload={"risk_level": "LOW"})
    drain()

    tell(enrolled, risk, "old", occurred_at=at["old"], payload={"risk_level": "HIGH"})
    drain()

    assert stage_of(enrolled) == "AWAITING_PAYMENT"
    assert StaffTask.objects.get().kind == "block_refused"


def test_a_public_form_may_not_say_how_great_the_risk_is(organization, enrolled):
    with pytest.raises(errors.SourceNotTrusted):
        tell(
            enrolled,
            "RISK_ANALYSIS_COMPLETED",
            source=FORM,
            payload={"risk_level": "LOW"},
        )
    with pytest.raises(errors.EventTypeReserved):
        tell(enrolled, "JOURNEY_STAGE_TIMEOUT")
    with pytest.raises(errors.UnknownEventType):
        tell(enrolled, "SOMETHING")
    with pytest.raises(errors.InvalidPayload):
        tell(enrolled, "RISK_ANALYSIS_COMPLETED", payload={"risk_level": "HIGHEST"})


def test_a_block_that_cannot_be_set_becomes_a_task(organization, template, patient):
    a_rule(organization, "CUSTOM.block", move("intake", "BLOCKED_HIGH_RISK"))

    tell(patient, "CUSTOM.block")
    drain()

    assert RuleRun.objects.get().actions[0]["error_code"] == "not_enrolled"
    assert StaffTask.objects.get().kind == "block_refused"
    assert not Enrollment.objects.exists()


def test_two_rules_that_call_each_other_stop(organization, enrolled):
    a_rule(
        organization,
        "CUSTOM.ping",
        {"type": "emit_event", "params": {"event_type": "CUSTOM.pong"}},
    )
    a_rule(
        organization,
        "CUSTOM.pong",
        {"type": "emit_event", "params": {"event_type": "CUSTOM.ping"}},
    )

    tell(enrolled, "CUSTOM.ping")
    drain()

    assert SystemEventLog.objects.filter(event_type__startswith="CUSTOM.").count() == 3
    assert RuleRun.objects.filter(status="loop").count() == 1
    assert not EventDispatch.objects.filter(status__in=["queued", "processing"]).exists()


def test_a_rule_that_cannot_be_read_fails_alone_and_its_event_ends_dead(organization, enrolled):
    a_rule(organization, "PAYMENT_SUCCEEDED", {"type": "no such action"}, name="broken")
    a_rule(organization, "PAYMENT_SUCCEEDED", move("intake", "CONFIRMED"), name="whole")
    told = tell(enrolled, "PAYMENT_SUCCEEDED")

    for _ in range(dispatch.MAX_ATTEMPTS):
        EventDispatch.objects.filter(pk=told.event_id).update(next_attempt_at=timezone.now())
        drain()

    assert stage_of(enrolled) == "CONFIRMED"
    place = EventDispatch.objects.get(pk=told.event_id)
    assert (place.status, place.attempts, place.last_error) == ("dead", 5, "KeyError")
    assert StaffTask.objects.get().kind == "event_failed"


def test_a_dead_event_is_done_at_once_when_the_cause_is_gone(organization, enrolled, therapist):
    rule = a_rule(organization, "PAYMENT_SUCCEEDED", {"type": "no such action"})
    told = tell(enrolled, "PAYMENT_SUCCEEDED")
    for _ in range(dispatch.MAX_ATTEMPTS):
        EventDispatch.objects.update(next_attempt_at=timezone.now())
        drain()
    AutomationRule.objects.filter(pk=rule.pk).update(actions=[move("intake", "CONFIRMED")])

    retry(event_id=told.event_id, user=therapist, reason="The rule is repaired")
    drain()

    place = EventDispatch.objects.get(pk=told.event_id)
    assert (place.status, place.attempts) == ("done", 1)
    assert stage_of(enrolled) == "CONFIRMED"


def test_somebody_nobody_knows_is_kept_as_unmatched(organization, template):
    told = record_event(
        organization=organization,
        event_type="PAYMENT_SUCCEEDED",
        source=API,
        idempotency_key="x",
        subject=Subject(email="who@example.org"),
        journey_key="intake",
    )

    assert told.status == "unmatched"
    assert drain() == 0


def test_no_event_is_caused_by_one_of_another_practice(organization, enrolled, other_organization):
    ours = tell(enrolled, "PAYMENT_SUCCEEDED")

    with tenancy.scope(other_organization):
        stranger = PatientFactory(organization=other_organization)
        with pytest.raises(errors.EventNotFound):
            tell(stranger, "CUSTOM.mine", "mine", parent_event_id=ours.event_id)

    told = tell(enrolled, "CUSTOM.ours", "ours", parent_event_id=ours.event_id)
    assert SystemEventLog.objects.get(pk=told.event_id).root_event_id == ours.event_id


def test_a_move_whose_contents_were_erased_still_calls_its_rules(organization, enrolled):
    task = {"type": "create_task", "params": {"audience": "practice", "text": "{stage.name}"}}
    a_rule(organization, "JOURNEY_STAGE_CHANGED", task)
    to = {"patient_id": enrolled.pk, "journey_key": "intake", "to_stage": "CONFIRMED"}
    transition(**to, cause=system())
    event = SystemEventLog.objects.get(event_type="JOURNEY_STAGE_CHANGED")
    SystemEventPayload.objects.filter(event=event).delete()

    drain()

    assert EventDispatch.objects.get(pk=event.pk).status == "done"
    assert StaffTask.objects.get().journey_key == "intake"
