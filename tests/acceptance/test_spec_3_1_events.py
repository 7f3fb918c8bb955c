"""Specification 3.1: which events move journeys, row by row, with the rules that are shipped.

From the recorded event to the log row that names it, or to the mail that does.
"""

from __future__ import annotations

import pytest

from automation.actions.base import Practice
from automation.intake import Subject, record_event
from automation.models import Message, RuleRun, StaffTask
from automation.services.rules import create_rule
from automation.sources import MONITOR
from automation.validation import problems_of
from journeys.models import JourneyLog, SystemEventLog
from journeys.services.transitions import enroll, transition
from kura.demo.archetypes import ARCHETYPES
from patients.models import Patient
from tests.acceptance.ready import caused_by, codes_that_acted, happens, somebody_in, stage_in
from tests.automation.practice import drain, tell
from tests.factories import PatientFactory, system

FORM, PAID, RISK = "FORM_SUBMISSION_COMPLETED", "PAYMENT_SUCCEEDED", "RISK_ANALYSIS_COMPLETED"
RETREAT = "retreat_ibiza_2025"


def test_the_specifications_own_action_is_a_valid_one(archetypes):
    """`AutomationRule.actions` format (JSONB)."""
    actions = [{"type": "update_journey_status", "params": {"key": "intake", "status": "BLOCKED"}}]
    rule = {"name": "Spec", "trigger_event": RISK, "actions": actions}

    assert problems_of(rule, Practice(organization=archetypes)) == []
    assert create_rule(organization=archetypes, definition=rule, user=None).actions == actions


@pytest.mark.parametrize(
    ("key", "before", "after"),
    [
        (RETREAT, "SCREENING_PENDING", "SCREENING_COMPLETED"),
        ("intake", "SCREENING_PENDING", "SCREENING_COMPLETED"),
        ("carta_natal", "AWAITING_BIRTH_DATA", "CHART_IN_PROGRESS"),
        ("yoga_urban_om", "ENROLLED", "CONFIRMED"),
    ],
)
def test_form_submission_completed_moves_to_the_next_stage(archetypes, key, before, after):
    """FORM_SUBMISSION_COMPLETED: move from SCREENING_PENDING to SCREENING_COMPLETED."""
    patient = somebody_in(archetypes, key)

    told = happens(patient, FORM, journey_key=key, form_id="salud")

    assert caused_by(told) == [(key, before, after, "rule")]
    assert stage_in(patient, key) == after


def test_a_waiver_that_was_waited_for_confirms_as_well(archetypes):
    patient = somebody_in(archetypes, "yoga_urban_om", "AWAITING_WAIVER")

    told = happens(patient, FORM, journey_key="yoga_urban_om")

    assert caused_by(told) == [("yoga_urban_om", "AWAITING_WAIVER", "CONFIRMED", "rule")]


def screened(organization, key):
    patient = somebody_in(organization, key)
    happens(patient, FORM, journey_key=key)
    happens(patient, RISK, journey_key=None, risk_level="LOW")
    return patient


def test_payment_succeeded_confirms(archetypes):
    """PAYMENT_SUCCEEDED: move from AWAITING_PAYMENT to CONFIRMED."""
    patient = screened(archetypes, "intake")
    assert stage_in(patient, "intake") == "AWAITING_PAYMENT"

    told = happens(patient, PAID, journey_key="intake", amount_cents=9_000, currency="EUR")

    assert caused_by(told) == [("intake", "AWAITING_PAYMENT", "CONFIRMED", "rule")]
    assert codes_that_acted(told) == {"intake.payment_succeeded"}


def test_a_payment_under_way_that_succeeds_confirms_and_one_that_fails_is_awaited_again(archetypes):
    patient = screened(archetypes, "intake")
    pay = {"patient_id": patient.pk, "journey_key": "intake", "to_stage": "PAYMENT_PENDING"}
    transition(**pay, cause=system())

    failed = happens(patient, "PAYMENT_FAILED", journey_key="intake", reason="card")
    transition(**pay, cause=system())
    paid = happens(patient, PAID, journey_key="intake")

    assert caused_by(failed) == [("intake", "PAYMENT_PENDING", "AWAITING_PAYMENT", "rule")]
    assert caused_by(paid) == [("intake", "PAYMENT_PENDING", "CONFIRMED", "rule")]


def test_a_payment_of_the_retreat_opens_the_preparation(archetypes):
    patient = screened(archetypes, RETREAT)

    told = happens(patient, PAID, journey_key=RETREAT, amount_cents=65_000)

    assert caused_by(told) == [(RETREAT, "AWAITING_PAYMENT", "PREPARATION_PHASE", "rule")]


@pytest.mark.parametrize("level", ["HIGH", "CRITICAL", "UNKNOWN"])
@pytest.mark.parametrize(
    ("key", "block"),
    [
        (RETREAT, "BLOCKED_HIGH_RISK"),
        ("despertar_8s", "BLOCKED_HIGH_RISK"),
        ("intake", "BLOCKED"),
    ],
)
def test_risk_analysis_completed_blocks_if_the_risk_is_high(archetypes, key, block, level):
    """RISK_ANALYSIS_COMPLETED: move to BLOCKED_HIGH_RISK (if high risk)."""
    patient = somebody_in(archetypes, key)
    before = stage_in(patient, key)

    told = happens(patient, RISK, journey_key=None, risk_level=level)

    assert caused_by(told) == [(key, before, block, "rule")]


def test_a_low_risk_lets_a_screened_patient_pay_and_nobody_else(archetypes):
    waits, screened_one = (somebody_in(archetypes, "intake") for _ in range(2))
    happens(screened_one, FORM, journey_key="intake")

    early = happens(waits, RISK, journey_key=None, risk_level="LOW")
    told = happens(screened_one, RISK, journey_key=None, risk_level="LOW")

    assert caused_by(early) == []
    assert caused_by(told) == [("intake", "SCREENING_COMPLETED", "AWAITING_PAYMENT", "rule")]


def test_a_payment_is_confirmed_by_mail_once_the_patient_has_moved(archetypes):
    patient = screened(archetypes, "intake")
    Patient.objects.filter(pk=patient.pk).update(email="marta@example.org")

    told = happens(patient, PAID, journey_key="intake")

    message = Message.objects.get(event=told.event_id)
    assert (message.recipient, message.state) == ("marta@example.org", "queued")
    assert "Intake" in message.subject
    run = RuleRun.objects.get(event=told.event_id, status="done")
    assert [one["status"] for one in run.actions] == ["done", "done"]


def test_nobody_on_hold_is_told_that_the_payment_has_moved_them(archetypes):
    patient = screened(archetypes, "intake")
    Patient.objects.filter(pk=patient.pk).update(email="marta@example.org")
    for event_type, payload in ((RISK, {"risk_level": "HIGH"}), (PAID, {})):
        happens(patient, event_type, journey_key="intake", **payload)

    assert stage_in(patient, "intake") == "BLOCKED"
    assert not Message.objects.exists()


def test_a_medium_risk_moves_nobody_on_and_gives_the_therapist_a_task(archetypes):
    patient = somebody_in(archetypes, "intake")
    happens(patient, FORM, journey_key="intake")

    told = happens(patient, RISK, journey_key=None, risk_level="MEDIUM")

    assert caused_by(told) == []
    assert stage_in(patient, "intake") == "SCREENING_COMPLETED"
    task = StaffTask.objects.get()
    assert (task.kind, task.patient_id, task.journey_key) == ("rule", patient.pk, "intake")
    assert patient.full_name in task.text


@pytest.mark.parametrize("journey", ARCHETYPES, ids=lambda one: one.key)
def test_booking_cancelled_cancels(archetypes, journey):
    """BOOKING_CANCELLED: move to CANCELLED."""
    patient = somebody_in(archetypes, journey.key)

    told = happens(patient, "BOOKING_CANCELLED", journey_key=journey.key)

    assert caused_by(told) == [(journey.key, journey.initial_stage, "CANCELLED", "rule")]


def test_a_cancelled_booking_leaves_the_patients_other_journeys_alone(archetypes):
    patient = somebody_in(archetypes, "intake")
    enroll(patient_id=patient.pk, journey_key="yoga_urban_om", cause=system())

    happens(patient, "BOOKING_CANCELLED", journey_key="yoga_urban_om")

    assert stage_in(patient, "yoga_urban_om") == "CANCELLED"
    assert stage_in(patient, "intake") == "SCREENING_PENDING"


def test_booking_confirmed_books_the_reading(archetypes):
    patient = somebody_in(archetypes, "carta_natal")
    happens(patient, FORM, journey_key="carta_natal")

    told = happens(patient, "BOOKING_CONFIRMED", journey_key="carta_natal")

    assert caused_by(told) == [("carta_natal", "CHART_IN_PROGRESS", "READING_BOOKED", "rule")]


def test_every_move_by_a_rule_names_its_event_and_its_rule(archetypes):
    """State transitions occur via AutomationRule actions."""
    patient = screened(archetypes, "intake")
    told = happens(patient, PAID, journey_key="intake")

    by_rule = JourneyLog.objects.filter(patient=patient, actor_kind="rule")

    assert by_rule.count() == 3
    assert all(log.trigger_event_id and log.rule_id for log in by_rule)
    run = RuleRun.objects.get(event=told.event_id, status="done")
    assert run.rule_id == by_rule.latest("id").rule_id


def test_an_event_that_is_delivered_again_moves_nobody_again(archetypes):
    patient = screened(archetypes, "intake")
    first = happens(patient, PAID, journey_key="intake")

    key = SystemEventLog.objects.get(pk=first.event_id).idempotency_key
    again = tell(patient, PAID, key, journey_key="intake")
    drain()

    assert (again.event_id, again.duplicate) == (first.event_id, True)
    assert len(caused_by(first)) == 1


def test_a_patient_in_no_journey_is_moved_by_nothing(archetypes):
    patient = PatientFactory(organization=archetypes)

    told = happens(patient, PAID, journey_key="intake")

    assert caused_by(told) == []
    assert stage_in(patient, "intake") is None


def test_journey_stage_timeout_sends_the_reminder_of_the_rule_whose_limit_was_passed(archetypes):
    """JOURNEY_STAGE_TIMEOUT: send reminder email."""
    patient = screened(archetypes, "intake")
    Patient.objects.filter(pk=patient.pk).update(email="ana@example.org")
    rules = [
        create_rule(organization=archetypes, definition=_reminder(hours), user=None)
        for hours in (48, 96)
    ]

    told = record_event(
        organization=archetypes,
        event_type="JOURNEY_STAGE_TIMEOUT",
        source=MONITOR,
        idempotency_key="first",
        subject=Subject(id=patient.pk),
        journey_key="intake",
        payload={"rule_id": str(rules[0].pk), "stage": "AWAITING_PAYMENT", "hours_in_stage": 49},
    )
    drain()

    reminder = Message.objects.get(event=told.event_id)
    assert (reminder.recipient, reminder.rule_id) == ("ana@example.org", rules[0].pk)
    assert (reminder.is_reminder, reminder.state) == (True, "queued")
    assert not JourneyLog.objects.filter(trigger_event=told.event_id).exists()


def _reminder(hours: int) -> dict[str, object]:
    mail = {"audience": "patient", "subject": "Completa tu reserva", "body": "Te esperamos."}
    return {
        "name": f"Recordatorio a las {hours} h",
        "trigger_event": "JOURNEY_STAGE_TIMEOUT",
        "journey_key": "intake",
        "stage": "AWAITING_PAYMENT",
        "max_hours": hours,
        "actions": [{"type": "send_email", "params": mail}],
    }
