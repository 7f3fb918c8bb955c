"""Specification 6.2: clinical blocking. One test per sentence."""

from __future__ import annotations

import uuid

import pytest

from journeys import errors
from journeys.cause import by_rule
from journeys.models import JourneyLog
from journeys.services.transitions import enroll, unblock
from journeys.services.transitions import transition as move
from tests.factories import a_template, reviewed, system, the_enrollment


@pytest.fixture
def at_risk(organization, patient):
    a_template(organization, key="retreat")
    enroll(patient_id=patient.pk, journey_key="retreat", cause=system())
    return patient


def block(patient) -> None:
    """`{"key": "retreat", "status": "BLOCKED_HIGH_RISK"}`, as a rule does it."""
    move(
        patient_id=patient.pk,
        journey_key="retreat",
        to_stage="BLOCKED_HIGH_RISK",
        cause=by_rule(uuid.uuid4(), trigger_event_id=None),
    )


def test_automation_can_block_a_high_risk_patient(at_risk):
    """High-risk patients can be automatically blocked."""
    block(at_risk)

    assert the_enrollment(at_risk, "retreat").is_blocked


@pytest.mark.parametrize("stage", ["SCREENING_PENDING", "AWAITING_PAYMENT", "CONFIRMED"])
def test_blocked_patient_does_not_progress(at_risk, stage):
    """... blocked from progressing."""
    block(at_risk)

    for cause in (system(), by_rule(uuid.uuid4(), trigger_event_id=None)):
        with pytest.raises(errors.JourneyBlocked):
            move(patient_id=at_risk.pk, journey_key="retreat", to_stage=stage, cause=cause)


def test_only_a_therapists_decision_unblocks_and_is_on_record(at_risk, therapist, viewer):
    """This requires manual therapist intervention to unblock."""
    block(at_risk)

    with pytest.raises(errors.UnblockNotPermitted):
        unblock(patient_id=at_risk.pk, journey_key="retreat", cause=reviewed(viewer))
    unblock(patient_id=at_risk.pk, journey_key="retreat", cause=reviewed(therapist))

    last = JourneyLog.objects.latest("id")
    assert (last.from_stage, last.to_stage) == ("BLOCKED_HIGH_RISK", "SCREENING_PENDING")
    assert (last.actor_kind, last.actor_id) == ("user", therapist.pk)
    assert (last.reason_code, last.note.body) == ("reviewed_safe", "Looked at it with the patient")


def test_a_block_in_one_journey_leaves_the_others_alone(at_risk, organization):
    """Blocking is of the journey named in the action."""
    a_template(organization, key="yoga")
    enroll(patient_id=at_risk.pk, journey_key="yoga", cause=system())
    block(at_risk)

    assert move(
        patient_id=at_risk.pk, journey_key="yoga", to_stage="CONFIRMED", cause=system()
    ).changed
