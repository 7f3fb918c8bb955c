"""A person pauses the reminders to a patient in one journey; the team is told as ever."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from automation import errors, payloads
from automation.models import EventDispatch, Message, ReminderPause, StaffTask
from automation.selectors.pauses import open_pauses
from automation.services.pauses import pause_reminders, resume_reminders
from journeys.errors import JourneyClosed, ReasonRequired, UnstorableText
from journeys.models import SystemEventLog
from journeys.services.transitions import enroll
from journeys.services.transitions import transition as move_to
from kura import tenancy
from tests.automation.messages import deliver, mail, task
from tests.automation.practice import a_rule, drain, emit, tell
from tests.factories import PatientFactory, a_template, a_user, system, the_enrollment

REASON = "She is travelling and told us so"
DAYS = timedelta(days=1)


@pytest.fixture
def enrolled(template, patient):
    patient.email = "lia@example.org"
    patient.save()
    enroll(patient_id=patient.pk, journey_key="intake", cause=system())
    return patient


def pause(patient, user, *, days: float = 7, key: str = "intake", **fields) -> ReminderPause:
    now = fields.pop("now", timezone.now())
    given = {"until": now + days * DAYS, "reason": REASON} | fields
    enrollment = the_enrollment(patient, key)
    return pause_reminders(enrollment_id=enrollment.pk, user=user, now=now, **given)


def resume(patient, user) -> ReminderPause:
    enrollment = the_enrollment(patient)
    return resume_reminders(enrollment_id=enrollment.pk, user=user, now=timezone.now())


def move(patient, stage: str) -> None:
    move_to(patient_id=patient.pk, journey_key="intake", to_stage=stage, cause=system())


def remind(patient, key: str = "r-1", journey_key: str = "intake") -> None:
    tell(patient, "PAYMENT_FAILED", key, journey_key=journey_key)
    drain()


def deliver_at(moment: datetime) -> int:
    return deliver(clock=lambda: moment)


def states() -> list[tuple[str, str]]:
    return list(Message.objects.order_by("id").values_list("state", "last_error"))


# --- what it holds back -------------------------------------------------------------------------


def test_a_paused_reminder_waits_for_the_end_of_the_pause(organization, enrolled, therapist):
    a_rule(organization, "PAYMENT_FAILED", mail(reminder=True))
    paused = pause(enrolled, therapist)
    remind(enrolled)

    deliver()

    assert states() == [("queued", "paused")]
    assert Message.objects.get().next_attempt_at == paused.until
    deliver_at(paused.until)
    assert states() == [("sent", "")]


def test_the_team_is_reminded_and_has_its_tasks_during_a_pause(organization, enrolled, therapist):
    a_user(organization, "manager")
    a_rule(organization, "PAYMENT_FAILED", mail("practice", reminder=True), task())
    pause(enrolled, therapist)
    remind(enrolled)

    deliver()

    assert states() == [("sent", "")]
    assert StaffTask.objects.count() == 1


def test_mail_that_is_no_reminder_goes_during_a_pause(organization, enrolled, therapist):
    a_rule(organization, "PAYMENT_FAILED", mail())
    pause(enrolled, therapist)
    remind(enrolled)

    deliver()

    assert states() == [("sent", "")]


def test_reminders_of_another_journey_go_during_a_pause(organization, enrolled, therapist):
    a_template(organization, "retreat")
    enroll(patient_id=enrolled.pk, journey_key="retreat", cause=system())
    a_rule(organization, "PAYMENT_FAILED", mail(reminder=True))
    pause(enrolled, therapist)
    remind(enrolled, journey_key="retreat")

    deliver()

    assert states() == [("sent", "")]


def test_a_move_ends_the_pause_and_what_waited_for_it(organization, enrolled, therapist):
    a_rule(organization, "PAYMENT_FAILED", mail(reminder=True))
    paused = pause(enrolled, therapist)
    remind(enrolled)
    deliver()
    move(enrolled, "AWAITING_PAYMENT")

    remind(enrolled, "r-2")
    deliver()

    assert states() == [("queued", "paused"), ("sent", "")]
    assert not open_pauses(timezone.now()).exists()
    deliver_at(paused.until)
    assert states() == [("cancelled", "left_stage"), ("sent", "")]


def test_who_resumes_sends_what_waited_at_once(organization, enrolled, therapist):
    a_rule(organization, "PAYMENT_FAILED", mail(reminder=True))
    pause(enrolled, therapist)
    remind(enrolled)
    deliver()

    ended = resume(enrolled, therapist)
    deliver()

    assert states() == [("sent", "")]
    assert (ended.ended_by, ended.ended_at is None) == (therapist, False)


def test_a_shorter_pause_lets_a_reminder_go_earlier(organization, enrolled, therapist):
    a_rule(organization, "PAYMENT_FAILED", mail(reminder=True))
    pause(enrolled, therapist, days=30)
    remind(enrolled)
    deliver()

    shorter = pause(enrolled, therapist, days=2)
    deliver()

    assert Message.objects.get().next_attempt_at == shorter.until


# --- what is kept -------------------------------------------------------------------------------


def test_a_pause_and_its_end_are_events_without_free_text(enrolled, therapist):
    paused = pause(enrolled, therapist)
    resume(enrolled, therapist)

    events = SystemEventLog.objects.filter(source="system:pauses").order_by("created_at", "id")
    told = [event.payload_row.payload for event in events]
    assert [event.event_type for event in events] == ["REMINDERS_PAUSED", "REMINDERS_RESUMED"]
    said = {"until": paused.until.isoformat(), "enrollment_id": str(the_enrollment(enrolled).pk)}
    assert told == [said, said]
    for event in events:
        payloads.check(event.event_type, said)
        assert (event.patient_id, event.journey_key) == (enrolled.pk, "intake")


def test_a_rule_may_listen_to_a_pause(organization, enrolled, therapist):
    a_rule(organization, "REMINDERS_PAUSED", emit("CUSTOM.paused"))

    pause(enrolled, therapist)
    drain()

    assert SystemEventLog.objects.filter(event_type="CUSTOM.paused").count() == 1


def test_without_a_rule_nothing_waits_in_the_queue(enrolled, therapist):
    pause(enrolled, therapist)

    assert not EventDispatch.objects.filter(
        event__event_type="REMINDERS_PAUSED", status="queued"
    ).exists()


def test_a_new_pause_takes_the_place_of_the_open_one(organization, enrolled, therapist):
    colleague = a_user(organization, "manager")
    first = pause(enrolled, therapist)

    second = pause(enrolled, colleague, days=14)

    first.refresh_from_db()
    assert (first.ended_by, first.ended_at) == (colleague, second.created_at)
    assert list(open_pauses(timezone.now())) == [second]


def test_one_that_was_over_is_ended_by_nobody(enrolled, therapist):
    first = pause(enrolled, therapist, now=timezone.now() - 9 * DAYS)

    pause(enrolled, therapist)

    first.refresh_from_db()
    assert (first.ended_by, first.ended_at) == (None, first.until)


def test_the_same_click_twice_is_one_pause(enrolled, therapist):
    until = timezone.now() + 7 * DAYS

    both = [pause(enrolled, therapist, until=until) for _ in range(2)]

    assert both[0] == both[1]
    assert SystemEventLog.objects.filter(event_type="REMINDERS_PAUSED").count() == 1


def test_the_database_keeps_one_open_pause(enrolled, therapist):
    first = pause(enrolled, therapist)
    first.pk = uuid.uuid4()

    with pytest.raises(IntegrityError, match="reminder_pause_one_open"), transaction.atomic():
        first.save(force_insert=True)


# --- what is refused ----------------------------------------------------------------------------


@pytest.mark.parametrize("days", [-1, 0, 90.01, 3650])
def test_a_pause_has_an_end_within_90_days(enrolled, therapist, days):
    with pytest.raises(errors.PauseLength):
        pause(enrolled, therapist, days=days)

    assert not ReminderPause.objects.exists()


@pytest.mark.parametrize(
    ("reason", "refusal"),
    [("", ReasonRequired), ("  short  ", ReasonRequired), ("ends \x00 early", UnstorableText)],
)
def test_a_pause_has_a_reason(enrolled, therapist, reason, refusal):
    with pytest.raises(refusal):
        pause(enrolled, therapist, reason=reason)


def test_who_only_reads_pauses_nothing(enrolled, viewer, therapist):
    pause(enrolled, therapist)

    with pytest.raises(errors.PauseNotPermitted):
        pause(enrolled, viewer)
    with pytest.raises(errors.PauseNotPermitted):
        resume(enrolled, viewer)

    assert open_pauses(timezone.now()).count() == 1


@pytest.mark.parametrize("everywhere", [True, False])
def test_a_stranger_finds_no_such_enrollment(
    organization, enrolled, other_organization, therapist, everywhere
):
    pause(enrolled, therapist)
    enrollment = the_enrollment(enrolled)
    stranger = a_user(other_organization, "manager")
    now = timezone.now()

    with scope_of(everywhere, other_organization), pytest.raises(errors.EnrollmentNotFound):
        pause_reminders(
            enrollment_id=enrollment.pk, until=now + DAYS, reason=REASON, user=stranger, now=now
        )
    with scope_of(everywhere, other_organization), pytest.raises(errors.EnrollmentNotFound):
        resume_reminders(enrollment_id=enrollment.pk, user=stranger, now=now)


def scope_of(everywhere, organization):
    return tenancy.every_organization() if everywhere else tenancy.scope(organization)


def test_a_closed_journey_has_no_reminders_to_pause(enrolled, therapist):
    move(enrolled, "COMPLETED")

    with pytest.raises(JourneyClosed):
        pause(enrolled, therapist)


def test_what_is_not_paused_cannot_be_resumed(enrolled, therapist):
    with pytest.raises(errors.NotPaused):
        resume(enrolled, therapist)
    pause(enrolled, therapist)
    move(enrolled, "AWAITING_PAYMENT")
    with pytest.raises(errors.NotPaused):
        resume(enrolled, therapist)


def test_pauses_of_others_are_out_of_sight(enrolled, therapist, other_organization):
    pause(enrolled, therapist)
    with tenancy.scope(other_organization):
        PatientFactory(organization=other_organization)

        assert not open_pauses(timezone.now()).exists()
