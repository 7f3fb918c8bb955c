"""Specification 2.4: StaleJourneyMonitor (temporal engine). One test per sentence."""

from __future__ import annotations

from datetime import timedelta

from django.core import mail as django_mail
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django_q.models import Schedule

from automation import dispatch, monitor, schedules
from automation.ladders import LADDERS
from automation.models import AutomationRule, Message
from automation.services.rules import create_rule
from journeys.models import SystemEventLog
from tests.acceptance.stuck import NOW, RETREAT, STAGE, check, hours, look, somebody, stands

RULE = {
    "journey_key": "retreat_ibiza_2025",
    "stage": "AWAITING_PAYMENT",
    "max_hours": 48,
    "action": "send_payment_reminder",
    "email_subject": "⏰ Recordatorio: Completa tu reserva del Retiro",
}


def announced():
    events = SystemEventLog.objects.filter(event_type="JOURNEY_STAGE_TIMEOUT").order_by("id")
    return list(events.select_related("payload_row"))


def test_it_is_scheduled_and_runs_hourly(db):
    """A scheduled worker (…, runs hourly)."""
    schedules.keep(now=timezone.now())

    row = Schedule.objects.get(name="kura.monitor")
    assert (row.cron, row.func) == ("0 * * * *", "automation.tasks.check_stale_journeys")


def test_it_detects_who_is_stuck_for_too_long(waiting):
    """Detects patients stuck in a stage for too long."""
    patient = somebody(waiting)

    assert check().emitted == 1
    assert [event.patient_id for event in announced()] == [patient.pk]


def test_a_rule_has_each_member_of_the_specified_structure(archetypes):
    """Rule Structure: journey_key, stage, max_hours, action, email_subject."""
    rule = AutomationRule.objects.get(code=f"{RETREAT}.awaiting_payment.reminder")

    assert rule.journey_key == RULE["journey_key"]
    assert rule.stage == RULE["stage"]
    assert rule.max_hours == RULE["max_hours"]
    assert rule.trigger_event == "JOURNEY_STAGE_TIMEOUT"
    [action] = rule.actions
    assert action["type"] == "send_email"
    assert action["params"]["subject"]["es"] == RULE["email_subject"]


def test_send_payment_reminder_is_a_mail_to_the_patient_under_that_subject(waiting):
    """ "action": "send_payment_reminder", "email_subject": "⏰ Recordatorio: …"."""
    patient = somebody(waiting)

    assert look() == [patient.email]

    [mail] = django_mail.outbox
    assert mail.subject == RULE["email_subject"]
    assert "pendiente de pago" in mail.body
    assert Message.objects.get().is_reminder


def test_stale_rules_are_one_rule_for_each_journey_and_stage(archetypes):
    """STALE_RULES = […]: more rules for different journey/stage combinations."""
    places = [(ladder.key, ladder.stage) for ladder in LADDERS]
    reminders = AutomationRule.objects.filter(code__endswith=".reminder")

    assert len(set(places)) == len(places) == 7
    assert sorted(reminders.values_list("journey_key", "stage")) == sorted(places)
    assert not reminders.exclude(is_active=True).exists()


def test_the_practice_may_add_one_of_its_own(waiting, therapist):
    """… more rules for different journey/stage combinations."""
    text = {"audience": "therapist", "text": "Llama"}
    create_rule(
        organization=waiting,
        user=therapist,
        also_waiting=True,
        definition={
            "name": "Retiro: cuestionario",
            "trigger_event": "JOURNEY_STAGE_TIMEOUT",
            "journey_key": RETREAT,
            "stage": "SCREENING_COMPLETED",
            "max_hours": "12",
            "actions": [{"type": "create_task", "params": text}],
        },
    )
    somebody(waiting, NOW - hours(13), "SCREENING_COMPLETED")

    assert check().emitted == 1


def test_the_latest_transition_tells_where_the_patient_stands(waiting):
    """DISTINCT ON (patient_id) … ORDER BY patient_id, changed_at DESC."""
    patient = somebody(waiting, NOW - hours(100))
    stands(patient, "PREPARATION_PHASE", NOW - hours(40))

    assert check().stale == 0


def test_of_several_at_one_moment_the_later_one_is_the_latest(waiting):
    """Where the specified ORDER BY is not certain, the order of the moves is."""
    patient = somebody(waiting, NOW - hours(60), "SCREENING_COMPLETED")
    stands(patient, STAGE, NOW - hours(60))
    somebody_else = somebody(waiting, NOW - hours(60))
    stands(somebody_else, "PREPARATION_PHASE", NOW - hours(60))

    check()

    assert [event.patient_id for event in announced()] == [patient.pk]


def test_only_the_journey_of_the_rule_is_looked_at(waiting):
    """WHERE journey_key = :journey_key: AWAITING_PAYMENT is a stage of other journeys, too."""
    patient = somebody(waiting, key="intake")

    check()

    [event] = announced()
    assert (event.patient_id, event.journey_key) == (patient.pk, "intake")


def test_only_the_stage_of_the_rule_is_looked_at(waiting):
    """AND lt.to_stage = :stage."""
    somebody(waiting, stage="SCREENING_PENDING")

    assert check().stale == 0


def test_before_the_cutoff_nobody_is_found_and_at_it_everybody(waiting):
    """AND lt.changed_at < :cutoff_time."""
    somebody(waiting, NOW - hours(48))

    assert check(NOW - timedelta(minutes=1)).stale == 0
    assert check(NOW).emitted == 1


def test_the_event_is_a_journey_stage_timeout_that_names_journey_and_stage(waiting):
    """WHERE event_type = 'JOURNEY_STAGE_TIMEOUT' AND payload->>'journey_key' = :journey_key."""
    somebody(waiting)

    check()

    [event] = announced()
    payload = event.payload_row.payload
    assert (event.journey_key, payload["stage"]) == (RETREAT, STAGE)
    assert payload["rule_id"] == str(
        AutomationRule.objects.get(code=f"{RETREAT}.awaiting_payment.reminder").pk
    )


def test_with_a_reminder_in_the_last_24_hours_there_is_no_other(waiting):
    """created_at > NOW() - INTERVAL '24 hours' … rr.patient_id IS NULL: anti-spam."""
    patient = somebody(waiting)
    assert look() == [patient.email]

    for passed in (hours(1), hours(12), hours(24) - timedelta(minutes=1)):
        assert look(NOW + passed) == [patient.email]

    assert look(NOW + hours(24) + timedelta(minutes=1)) == [patient.email] * 2


def test_a_reminder_of_one_journey_keeps_none_of_another_back(waiting):
    """AND payload->>'journey_key' = :journey_key: the anti-spam is the journey's."""
    patient = somebody(waiting)
    look()
    stands(patient, STAGE, NOW - hours(48) + hours(1), "intake")

    look(NOW + hours(1))

    subjects = [mail.subject for mail in django_mail.outbox]
    assert subjects == [
        RULE["email_subject"],
        "⏰ Recordatorio: Completa el pago de tu plaza",
    ]


def test_a_reminder_of_one_patient_keeps_none_of_another_back(waiting):
    """LEFT JOIN recent_reminders rr ON p.id = rr.patient_id."""
    first, second = somebody(waiting), somebody(waiting, NOW - hours(48) + hours(1))

    assert look() == [first.email]
    assert look(NOW + hours(1)) == [first.email, second.email]


def test_the_monitor_says_it_and_the_rule_acts(waiting):
    """4: checks every hour, triggers TIMEOUT events if stuck; 3.1: … send reminder email."""
    somebody(waiting)

    check()

    assert Message.objects.count() == 0
    dispatch.drain(linger=0, clock=lambda: NOW)
    [event] = announced()
    assert Message.objects.get().event_id == event.pk


def test_the_log_is_not_read_for_it(waiting):
    """The specified query reads the whole log; time is a property of the enrollment here."""
    somebody(waiting)

    with CaptureQueriesContext(connection) as queries:
        assert monitor.check(clock=lambda: NOW, dry_run=True).due == 1

    assert not [query["sql"] for query in queries if "journey_logs" in query["sql"]]
