"""A risk takes effect whatever else goes wrong with the event that told of it."""

from __future__ import annotations

import pytest
from django.utils import timezone

from automation import dispatch
from automation.models import AutomationRule, EventDispatch, RuleRun
from automation.services.decisions import replay, retry, skip
from journeys.services.transitions import enroll, transition
from tests.automation.practice import a_rule, drain, move, tell
from tests.factories import STAGES, a_template, system

RISK = "RISK_ANALYSIS_COMPLETED"
HIGH = {"risk_level": "HIGH"}
BLOCK_BOTH = (move("intake", "BLOCKED_HIGH_RISK"), move("retreat", "BLOCKED_HIGH_RISK"))


@pytest.fixture
def in_two(organization, patient):
    """In `intake` and in `retreat`, each with two stages that hold the patient."""
    for key in ("intake", "retreat"):
        a_template(organization, key=key, codes=[*STAGES, "BLOCKED"])
        enroll(patient_id=patient.pk, journey_key=key, cause=system())
    return patient


def standing(patient):
    patient.refresh_from_db()
    return patient.journey_status


@pytest.mark.parametrize("stage", ["COMPLETED", "BLOCKED"])
def test_one_journey_that_cannot_be_blocked_leaves_no_other_open(organization, in_two, stage):
    a_rule(organization, RISK, *BLOCK_BOTH)
    transition(patient_id=in_two.pk, journey_key="intake", to_stage=stage, cause=system())

    tell(in_two, RISK, payload=HIGH, journey_key=None)
    drain()

    assert standing(in_two)["retreat"] == "BLOCKED_HIGH_RISK"
    run = RuleRun.objects.get()
    assert (run.status, [one["status"] for one in run.actions]) == ("refused", ["refused", "done"])


def test_what_does_not_block_is_still_not_tried_after_a_refusal(organization, in_two):
    a_rule(
        organization, RISK, *BLOCK_BOTH, move("retreat", "CONFIRMED"), move("intake", "COMPLETED")
    )
    transition(patient_id=in_two.pk, journey_key="intake", to_stage="COMPLETED", cause=system())

    tell(in_two, RISK, payload=HIGH, journey_key=None)
    drain()

    told = [one["status"] for one in RuleRun.objects.get().actions]
    assert told == ["refused", "done", "skipped", "skipped"]


def test_a_block_that_failed_is_tried_again_on_the_facts_that_it_first_saw(organization, in_two):
    a_rule(organization, RISK, move("intake", "BLOCKED_HIGH_RISK"), priority=1)
    second = a_rule(
        organization,
        RISK,
        move("retreat", "BLOCKED_HIGH_RISK"),
        {"type": "no such action"},
        priority=2,
        conditions={"field": "journeys.intake", "op": "eq", "value": "SCREENING_PENDING"},
    )
    tell(in_two, RISK, payload=HIGH, journey_key=None)
    drain()
    assert standing(in_two)["intake"] == "BLOCKED_HIGH_RISK"

    AutomationRule.objects.filter(pk=second.pk).update(actions=second.actions[:1])
    EventDispatch.objects.update(next_attempt_at=timezone.now())
    drain()

    assert standing(in_two)["retreat"] == "BLOCKED_HIGH_RISK"


@pytest.fixture
def dead_risk(organization, in_two):
    """A high risk whose block of `intake` failed for good; the rule is repaired since."""
    rule = a_rule(
        organization, RISK, move("intake", "BLOCKED_HIGH_RISK"), {"type": "no such action"}
    )
    told = tell(in_two, RISK, payload=HIGH)
    for _ in range(dispatch.MAX_ATTEMPTS):
        EventDispatch.objects.update(next_attempt_at=timezone.now())
        drain()
    assert EventDispatch.objects.get(pk=told.event_id).status == "dead"
    AutomationRule.objects.filter(pk=rule.pk).update(actions=rule.actions[:1])
    return told.event_id


def test_a_risk_that_failed_for_good_lets_nobody_move_on(organization, in_two, dead_risk):
    a_rule(organization, "PAYMENT_SUCCEEDED", move("intake", "CONFIRMED"))
    a_template(organization, key="yoga")
    a_rule(organization, "PAYMENT_SUCCEEDED", {"type": "enroll", "params": {"key": "yoga"}})
    a_rule(organization, "PAYMENT_SUCCEEDED", move("retreat", "CONFIRMED"))

    paid = tell(in_two, "PAYMENT_SUCCEEDED", "paid")
    drain()

    assert standing(in_two) == {"intake": "SCREENING_PENDING", "retreat": "CONFIRMED"}
    runs = RuleRun.objects.filter(event=paid.event_id, status="refused")
    assert {run.actions[0]["error_code"] for run in runs} == {"block_pending"}
    assert runs.count() == 2


def test_a_risk_that_failed_for_good_still_lets_another_block(organization, in_two, dead_risk):
    a_rule(organization, "CUSTOM.block", move("intake", "BLOCKED"))

    tell(in_two, "CUSTOM.block", "block")
    drain()

    assert standing(in_two)["intake"] == "BLOCKED"


def test_once_a_person_has_decided_the_patient_goes_on(organization, in_two, dead_risk, therapist):
    a_rule(organization, "PAYMENT_SUCCEEDED", move("intake", "CONFIRMED"))
    paid = tell(in_two, "PAYMENT_SUCCEEDED", "paid")
    drain()

    skip(event_id=dead_risk, user=therapist, reason="It was about somebody else")
    replay(event_id=paid.event_id, user=therapist, reason="Nothing is pending now")
    drain()

    assert standing(in_two)["intake"] == "CONFIRMED"


def test_a_risk_that_is_tried_again_blocks_before_a_payment(
    organization, in_two, dead_risk, therapist
):
    a_rule(organization, "PAYMENT_SUCCEEDED", move("intake", "CONFIRMED"))
    tell(in_two, "PAYMENT_SUCCEEDED", "paid")

    retry(event_id=dead_risk, user=therapist, reason="The rule is repaired")
    drain()

    assert standing(in_two)["intake"] == "BLOCKED_HIGH_RISK"


def test_an_event_that_could_not_have_blocked_holds_nobody(organization, in_two):
    a_rule(organization, "PAYMENT_FAILED", {"type": "no such action"})
    a_rule(organization, "PAYMENT_SUCCEEDED", move("intake", "CONFIRMED"))
    tell(in_two, "PAYMENT_FAILED", "failed")
    for _ in range(dispatch.MAX_ATTEMPTS):
        EventDispatch.objects.update(next_attempt_at=timezone.now())
        drain()

    tell(in_two, "PAYMENT_SUCCEEDED", "paid")
    drain()

    assert standing(in_two)["intake"] == "CONFIRMED"


def test_a_journey_that_begins_on_hold_is_entered_before_any_other(organization, in_two):
    a_template(organization, key="yoga")
    a_template(organization, key="review", codes=["BLOCKED", *STAGES])
    a_rule(organization, RISK, {"type": "enroll", "params": {"key": "yoga"}}, priority=1)
    a_rule(organization, RISK, {"type": "enroll", "params": {"key": "review"}}, priority=2)

    tell(in_two, RISK, payload=HIGH, journey_key=None)
    drain()

    assert standing(in_two)["review"] == "BLOCKED"
    assert "yoga" not in standing(in_two)
