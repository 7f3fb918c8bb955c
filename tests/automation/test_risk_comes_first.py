"""A risk takes effect whatever else goes wrong with the event that told of it."""

from __future__ import annotations

import pytest

from django.utils import timezone

from automation.models import AutomationRule, EventDispatch, RuleRun
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
