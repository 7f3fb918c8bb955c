"""Specification 5: the archetypes that the monitor has rules for. A test a row, exact hours."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core import mail as django_mail

from automation.ladders import LADDERS
from automation.models import AutomationRule, StaffTask
from journeys.selectors.positions import ANYWHERE
from journeys.services.reviews import keep_blocked
from kura.demo.archetypes import ARCHETYPES
from tests.acceptance.stuck import NOW, check, hours, look, somebody

MINUTE = timedelta(minutes=1)
DAY = 24  # hours
ROWS = [
    ("retreat_ibiza_2025", "AWAITING_PAYMENT", 48,
     "⏰ Recordatorio: Completa tu reserva del Retiro"),
    ("retreat_ibiza_2025", "PREPARATION_PHASE", 7 * DAY,
     "🌿 Recordatorio: Tu preparación para el Retiro"),
    ("carta_natal", "AWAITING_BIRTH_DATA", 24,
     "⏰ Recordatorio: Envíanos tus datos de nacimiento"),
    ("despertar_8s", "ONBOARDING", 7 * DAY,
     "✨ Recordatorio: Tu bienvenida a Despertar te espera"),
    ("despertar_8s", "DEEP_DIVE", 14 * DAY,
     "🌊 Recordatorio: Seguimos contigo en Despertar"),
    ("yoga_urban_om", "AWAITING_WAIVER", 24,
     "⏰ Recordatorio: Firma tu consentimiento para empezar"),
    ("intake", "AWAITING_PAYMENT", 48,
     "⏰ Recordatorio: Completa el pago de tu plaza"),
]  # fmt: skip
IDS = [f"{key} {stage}" for key, stage, *_rest in ROWS]


@pytest.mark.parametrize(("key", "stage", "limit", "subject"), ROWS, ids=IDS)
def test_at_its_hour_the_patient_is_reminded_in_spanish_and_a_minute_before_is_not(
    waiting, key, stage, limit, subject
):
    """AWAITING_PAYMENT (48h timeout), PREPARATION_PHASE (7d reminder), … One row, one rule."""
    patient = somebody(waiting, NOW - hours(limit), stage, key)

    assert look(NOW - MINUTE) == []
    assert check(NOW, dry_run=True).stale == 1
    assert look(NOW) == [patient.email]

    assert [mail.subject for mail in django_mail.outbox] == [subject]


def test_who_speaks_english_is_reminded_in_english(waiting):
    for key, stage, limit, _subject in ROWS:
        patient = somebody(waiting, NOW - hours(limit), stage, key)
        type(patient).objects.filter(pk=patient.pk).update(language="en")

    assert len(look(NOW)) == len(ROWS)

    assert all("Reminder: " in mail.subject for mail in django_mail.outbox)
    assert all(mail.body.startswith("Hello ") for mail in django_mail.outbox)


def test_at_the_stagnation_alert_a_therapist_is_asked_to_look(waiting):
    """DEEP_DIVE (14d stagnation alert): an alert is for people."""
    patient = somebody(waiting, NOW - hours(14 * DAY), "DEEP_DIVE", "despertar_8s")

    look(NOW - MINUTE)
    assert StaffTask.objects.count() == 0
    look(NOW)

    asked = StaffTask.objects.get()
    assert (asked.patient_id, asked.journey_key) == (patient.pk, "despertar_8s")
    assert "recordatorios" not in asked.text  # none was sent before


@pytest.mark.parametrize(("is_reviewed", "asked"), [(False, 2), (True, 0)])
def test_only_a_block_that_nobody_has_reviewed_is_told_to_people(
    waiting, therapist, is_reviewed, asked
):
    """A task after a day and a call to the practice after three; not once somebody has looked."""
    patient = somebody(waiting, NOW - hours(3 * DAY), "BLOCKED", "intake")
    if is_reviewed:
        keep_blocked(
            patient_id=patient.pk,
            journey_key="intake",
            reviewer=therapist,
            expected=ANYWHERE,
            now=NOW,
        )

    mails = look(NOW)

    assert len(mails) + StaffTask.objects.filter(patient=patient).count() == asked
    assert patient.email not in mails


def test_the_table_has_these_archetypes_and_the_monitor_has_rules_for_each(archetypes):
    """The stale_journey_monitor includes rules for these predefined archetypes."""
    keys = {key for key, *_rest in ROWS}

    assert {blueprint.key for blueprint in ARCHETYPES} == keys
    assert [(one.key, one.stage, one.hours) for one in LADDERS] == [row[:3] for row in ROWS]
    for key, stage, limit, subject in ROWS:
        rule = AutomationRule.objects.get(code=f"{key}.{stage.lower()}.reminder")
        assert (rule.journey_key, rule.stage, rule.max_hours) == (key, stage, limit)
        assert rule.actions[-1]["params"]["subject"]["es"] == subject
        assert rule.is_active
