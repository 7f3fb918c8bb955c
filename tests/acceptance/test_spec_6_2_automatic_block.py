"""Specification 6.2 by the shipped rules: from the risk analysis to the log row, and out again."""

from __future__ import annotations

import pytest

from automation.models import RuleRun, StaffTask
from automation.services.decisions import replay
from journeys.models import JourneyLog
from journeys.services.transitions import enroll, unblock
from tests.acceptance.ready import caused_by, happens, somebody_in, stage_in
from tests.automation.practice import drain, tell
from tests.factories import PatientFactory, reviewed, system

RISK, PAID = "RISK_ANALYSIS_COMPLETED", "PAYMENT_SUCCEEDED"
RETREAT = "retreat_ibiza_2025"


@pytest.fixture
def at_risk(archetypes):
    patient = somebody_in(archetypes, RETREAT)
    happens(patient, RISK, journey_key=None, risk_level="HIGH")
    return patient


def test_a_high_risk_blocks_from_the_event_to_the_log_row(archetypes):
    """High-risk patients can be automatically blocked from progressing."""
    patient = somebody_in(archetypes, RETREAT)

    told = happens(patient, RISK, journey_key=None, risk_level="HIGH", cardiac_history=True)

    log = JourneyLog.objects.get(to_stage="BLOCKED_HIGH_RISK")
    assert (log.patient_id, log.from_stage) == (patient.pk, "SCREENING_PENDING")
    assert (log.actor_kind, log.trigger_event_id) == ("rule", told.event_id)
    run = RuleRun.objects.get(event=told.event_id, matched=True)
    assert run.rule.code == f"{RETREAT}.risk_high"
    assert (run.rule_id, run.actions[0]["log_id"]) == (log.rule_id, log.pk)


@pytest.mark.parametrize(
    ("event_type", "payload"),
    [
        ("FORM_SUBMISSION_COMPLETED", {}),
        (RISK, {"risk_level": "LOW"}),
        (PAID, {}),
        ("BOOKING_CONFIRMED", {}),
        ("BOOKING_CANCELLED", {}),
    ],
)
def test_no_event_moves_a_blocked_patient(at_risk, event_type, payload):
    told = tell(at_risk, event_type, "later", journey_key=RETREAT, payload=payload)
    drain()

    assert stage_in(at_risk, RETREAT) == "BLOCKED_HIGH_RISK"
    assert caused_by(told) == []
    refused = RuleRun.objects.filter(event=told.event_id, matched=True)
    assert all(run.actions[0]["error_code"] == "journey_blocked" for run in refused)


def test_only_a_person_lifts_the_block_and_the_log_says_why(at_risk, therapist):
    """This requires manual therapist intervention to unblock."""
    unblock(patient_id=at_risk.pk, journey_key=RETREAT, cause=reviewed(therapist))
    drain()

    last = JourneyLog.objects.filter(patient=at_risk).latest("id")
    assert (last.from_stage, last.to_stage) == ("BLOCKED_HIGH_RISK", "SCREENING_PENDING")
    assert (last.actor_kind, last.actor_id, last.reason_code) == (
        "user",
        therapist.pk,
        "reviewed_safe",
    )
    assert stage_in(at_risk, RETREAT) == "SCREENING_PENDING"


@pytest.mark.parametrize(
    ("key", "confirmed"), [(RETREAT, "PREPARATION_PHASE"), ("intake", "CONFIRMED")]
)
def test_a_payment_refused_by_a_block_counts_once_a_person_has_lifted_it(
    archetypes, therapist, key, confirmed
):
    patient = somebody_in(archetypes, key)
    happens(patient, "FORM_SUBMISSION_COMPLETED", journey_key=key)
    happens(patient, RISK, journey_key=None, risk_level="HIGH")

    paid = happens(patient, PAID, journey_key=key, amount_cents=9_000)
    refused = RuleRun.objects.get(event=paid.event_id, matched=True)
    unblock(
        patient_id=patient.pk,
        journey_key=key,
        to_stage="AWAITING_PAYMENT",
        cause=reviewed(therapist),
    )
    replay(event_id=paid.event_id, user=therapist, reason="Revisado, el pago vale")
    drain()

    assert refused.status == "refused"
    assert refused.actions[0]["error_code"] == "journey_blocked"
    assert stage_in(patient, key) == confirmed
    assert {one["status"] for one in RuleRun.objects.get(pk=refused.pk).actions} == {"done"}


def test_a_risk_found_in_one_journey_blocks_all_that_have_a_block(archetypes):
    patient = somebody_in(archetypes, RETREAT)
    for key in ("intake", "yoga_urban_om"):
        enroll(patient_id=patient.pk, journey_key=key, cause=system())
    drain()

    told = happens(patient, RISK, journey_key="intake", risk_level="CRITICAL")

    assert stage_in(patient, RETREAT) == "BLOCKED_HIGH_RISK"
    assert stage_in(patient, "intake") == "BLOCKED"
    assert stage_in(patient, "yoga_urban_om") == "ENROLLED"
    assert len(caused_by(told)) == 2


def test_a_low_risk_found_in_one_journey_moves_nobody_on_in_another(archetypes):
    patient = somebody_in(archetypes, RETREAT)
    happens(patient, "FORM_SUBMISSION_COMPLETED", journey_key=RETREAT)

    told = happens(patient, RISK, journey_key="intake", risk_level="LOW")

    assert caused_by(told) == []
    assert stage_in(patient, RETREAT) == "SCREENING_COMPLETED"


def test_a_risk_known_before_somebody_enrolls_blocks_them_at_once(archetypes):
    patient = PatientFactory(organization=archetypes)
    happens(patient, RISK, journey_key=None, risk_level="HIGH")

    enroll(patient_id=patient.pk, journey_key=RETREAT, cause=system())
    drain()

    assert stage_in(patient, RETREAT) == "BLOCKED_HIGH_RISK"
    log = JourneyLog.objects.get(patient=patient, to_stage="BLOCKED_HIGH_RISK")
    assert log.trigger_event.event_type == "JOURNEY_ENROLLED"


@pytest.mark.parametrize("level", ["LOW", "MEDIUM"])
def test_a_risk_that_was_judged_again_and_found_lower_blocks_nobody_who_enrolls(archetypes, level):
    patient = PatientFactory(organization=archetypes)
    for number, found in enumerate(("HIGH", level)):
        tell(patient, RISK, f"risk-{number}", journey_key=None, payload={"risk_level": found})
        drain()

    enroll(patient_id=patient.pk, journey_key=RETREAT, cause=system())
    drain()

    assert stage_in(patient, RETREAT) == "SCREENING_PENDING"


def test_risk_and_payment_that_arrive_together_leave_the_patient_blocked(archetypes):
    patient = somebody_in(archetypes, "intake")
    happens(patient, "FORM_SUBMISSION_COMPLETED", journey_key="intake")
    for order in ((PAID, RISK), (RISK, PAID)):
        for event_type in order:
            payload = {"risk_level": "HIGH"} if event_type == RISK else {}
            tell(
                patient, event_type, f"{order}-{event_type}", journey_key="intake", payload=payload
            )
        drain()

        assert stage_in(patient, "intake") == "BLOCKED"


def test_a_high_risk_in_a_journey_that_has_ended_asks_for_nothing(archetypes):
    patient = somebody_in(archetypes, RETREAT, "CANCELLED")

    told = happens(patient, RISK, journey_key=None, risk_level="HIGH")

    assert caused_by(told) == []
    assert stage_in(patient, RETREAT) == "CANCELLED"
    assert not StaffTask.objects.exists()
