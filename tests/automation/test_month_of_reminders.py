"""A month of hourly ticks for people who do not pay: how many mails, when, and when none at all.

The clock is the test's; the rules are the shipped ones of the retreat; mail goes to a real server.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from importlib import import_module
from itertools import pairwise
from typing import Any, Final
from zoneinfo import ZoneInfo

import pytest
from django.utils import timezone
from django_q.models import OrmQ, Schedule
from django_q.scheduler import scheduler

from automation import dispatch, monitor, outbox, schedules, tasks
from automation.broker import AtMostOnce
from automation.library import install
from automation.models import Message, StaffTask
from journeys.models import JourneyLog, SystemEventLog
from journeys.services.templates import create_template
from journeys.services.transitions import unblock
from kura import tenancy
from kura.accounts.models import Organization, User
from kura.demo.archetypes import INTAKE, RETREAT
from patients.models import Patient
from tests.automation.messages import task
from tests.automation.practice import a_rule, tell
from tests.automation.smtp_server import Script, smtp_server
from tests.factories import OrganizationFactory, PatientFactory, a_template, reviewed
from tests.sizes import sized

# In Europe the clocks go forward on the 30th.
BEGIN: Final = datetime(2025, 3, 24, 0, 0, tzinfo=UTC)
HOUR: Final = timedelta(hours=1)
MINUTE: Final = timedelta(minutes=1)
DAYS: Final = sized(reduced=8, full=31)
FIRST: Final = sized(reduced=40, full=1)  # hour; there is nothing to see before the 48th
EVERY: Final = sized(reduced=8, full=1)  # hours between those who begin on the first day
EVERY_AT_NIGHT: Final = sized(reduced=8, full=1)
SUBJECT: Final = "⏰ Recordatorio: Completa tu reserva del Retiro"
WAITING, BLOCK = "AWAITING_PAYMENT", "BLOCKED_HIGH_RISK"


class Mailbox(Script):
    """Whom the server took mail for, and about what."""

    def since(self, number: int) -> list[tuple[str, str]]:
        envelopes = zip(self.envelopes, self.taken, strict=True)
        mails = [(to[0], str(mail["Subject"])) for (_from, to), mail in envelopes]
        return mails[number:]


class Days:
    """The clock of a practice. `mails`: when, to whom, about what."""

    def __init__(self, mailbox: Mailbox) -> None:
        self.mailbox = mailbox
        self.mails: list[tuple[datetime, str, str]] = []

    def tick(self, now: datetime) -> None:
        self.look(now)
        self.deliver(now)

    def look(self, now: datetime) -> None:
        """The monitor, and what its events cause; mail is written and waits."""
        with tenancy.every_organization():
            monitor.check(clock=lambda: now)
        dispatch.drain(linger=0, clock=lambda: now)

    def deliver(self, now: datetime) -> None:
        before = len(self.mailbox.taken)
        outbox.deliver(linger=0, clock=lambda: now)
        self.mails += [(now, *mail) for mail in self.mailbox.since(before)]

    def hours(self, begin: datetime, number: int) -> None:
        """Each full hour after `begin`."""
        for passed in range(1, number + 1):
            self.tick(begin + passed * HOUR)

    def reminded(self, patient: Patient) -> list[datetime]:
        return [
            when for when, to, subject in self.mails if (to, subject) == (patient.email, SUBJECT)
        ]


@pytest.fixture
def days(settings) -> Iterator[Days]:
    mailbox = Mailbox()
    with smtp_server(mailbox) as port:
        settings.EMAIL_BACKEND = "automation.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", port
        yield Days(mailbox)


@pytest.fixture
def retreat(organization: Organization) -> Organization:
    for blueprint in (RETREAT, INTAKE):
        create_template(organization=organization, blueprint=blueprint)
    install(organization, {RETREAT.key, INTAKE.key}, also_waiting=True)
    return organization


def somebody(organization: Organization, since: datetime, **fields: Any) -> Patient:
    """Who has a place in the retreat and has not paid."""
    number = Patient.objects.count()
    address = {"email": f"p{number}@example.org"}
    patient = PatientFactory(organization=organization, **(address | fields))
    stands(patient, WAITING, since)
    return patient


def stands(patient: Patient, stage: str, since: datetime, key: str = RETREAT.key) -> None:
    """Past the graph, as an import does."""
    row = {"journey_key": key, "to_stage": stage, "changed_at": since, "actor_kind": "import"}
    JourneyLog.objects.bulk_create([JourneyLog(patient=patient, **row)])


def next_hour(moment: datetime) -> datetime:
    begun = moment.replace(minute=0, second=0, microsecond=0)
    return begun if begun == moment else begun + HOUR


def steps_of(since: datetime) -> list[datetime]:
    """The hours at which the monitor sees that 48, 72 and 96 of them have passed."""
    return [next_hour(since + hours * HOUR) for hours in (48, 72, 96)]


def tasks_for(patient: Patient, kind: str = "") -> list[StaffTask]:
    found = StaffTask.objects.filter(patient=patient).order_by("id")
    return [one for one in found if not kind or one.kind == kind]


# --- the ladder -----------------------------------------------------------------------------------


@pytest.mark.soak
def test_who_never_pays_is_reminded_three_times_and_then_a_therapist_is_asked(
    retreat, therapist, days
):
    begins = [BEGIN + hour * HOUR + 20 * MINUTE for hour in range(0, 24, EVERY)]
    patients = {since: somebody(retreat, since, therapist=therapist) for since in begins}
    asked: dict[uuid.UUID, datetime] = {}

    for hour in range(FIRST, DAYS * 24 + 1):
        now = BEGIN + hour * HOUR
        days.tick(now)
        for patient_id in StaffTask.objects.values_list("patient_id", flat=True):
            asked.setdefault(patient_id, now)

    for since, patient in patients.items():
        assert days.reminded(patient) == steps_of(since)
        assert asked[patient.pk] == next_hour(since + 168 * HOUR)
        assert len(tasks_for(patient)) == 1
    assert len(days.mails) == 3 * len(patients)
    assert set(Message.objects.values_list("state", flat=True)) == {"sent"}


def test_less_than_a_day_after_the_last_reminder_there_is_none_and_after_a_day_there_is(
    retreat, days
):
    """The monitor was late, so that the next step comes 12 hours after the reminder."""
    patient = somebody(retreat, BEGIN)
    last = BEGIN + 60 * HOUR
    days.tick(last)
    assert days.reminded(patient) == [last]

    for passed in (12 * HOUR, 24 * HOUR - MINUTE):
        days.tick(last + passed)
        assert days.reminded(patient) == [last]

    days.tick(last + 24 * HOUR + MINUTE)
    assert days.reminded(patient) == [last, last + 24 * HOUR + MINUTE]


def test_a_minute_before_the_step_nobody_is_reminded(retreat, days):
    patient = somebody(retreat, BEGIN)

    counted = []
    for hours in (48, 72, 96):
        for moment in (-MINUTE, MINUTE):
            days.tick(BEGIN + hours * HOUR + moment)
            counted.append(len(days.reminded(patient)))

    assert counted == [0, 1, 1, 2, 2, 3]


# --- when there is nothing to say -----------------------------------------------------------------


def test_who_pays_between_event_and_mail_gets_the_receipt_and_no_reminder(retreat, days):
    patient = somebody(retreat, BEGIN)
    due = BEGIN + 48 * HOUR
    days.look(due)
    assert Message.objects.get().state == "queued"

    tell(patient, "PAYMENT_SUCCEEDED", journey_key=RETREAT.key)
    dispatch.drain(linger=0, clock=lambda: due)
    days.deliver(due)
    days.hours(due, 25)

    assert [subject for _when, _to, subject in days.mails] == [
        "Hemos recibido tu pago: Retiro Ibiza 2025"
    ]
    reminder = Message.objects.get(is_reminder=True)
    assert (reminder.state, reminder.last_error) == ("cancelled", "left_stage")
    assert tasks_for(patient) == []


def test_who_moves_between_monitor_and_queue_is_not_even_written_to(retreat, days):
    patient = somebody(retreat, BEGIN)
    due = BEGIN + 48 * HOUR
    with tenancy.every_organization():
        assert monitor.check(clock=lambda: due).emitted == 1
    stands(patient, "CANCELLED", due)

    days.hours(due, 25)

    assert days.mails == []
    assert Message.objects.count() == 0


def test_without_an_address_the_therapist_is_asked_to_tell_them(retreat, therapist, days):
    patient = somebody(retreat, BEGIN, email="", therapist=therapist)

    days.hours(BEGIN + 45 * HOUR, 4)

    assert days.mails == []
    [asked] = tasks_for(patient)
    assert (asked.kind, asked.assigned_to_id) == ("no_address", therapist.pk)
    assert SUBJECT in asked.text


# --- on hold --------------------------------------------------------------------------------------


def lift(patient: Patient, therapist: User, when: datetime, key: str) -> None:
    unblock(patient_id=patient.pk, journey_key=key, cause=reviewed(therapist), changed_at=when)


def test_who_is_on_hold_is_not_pressed_to_pay_and_begins_anew_afterwards(retreat, therapist, days):
    patient = somebody(retreat, BEGIN, therapist=therapist)
    stands(patient, BLOCK, BEGIN + 47 * HOUR)
    free = BEGIN + 130 * HOUR

    days.hours(BEGIN + 45 * HOUR, 85)
    assert days.reminded(patient) == []
    lift(patient, therapist, free, RETREAT.key)
    days.hours(free + 20 * HOUR, 29)

    assert days.reminded(patient) == [free + 48 * HOUR]


def test_while_another_journey_is_on_hold_no_reminder_goes_and_afterwards_one(
    retreat, therapist, days
):
    patient = somebody(retreat, BEGIN, therapist=therapist)
    stands(patient, "SCREENING_PENDING", BEGIN + 40 * HOUR, INTAKE.key)
    stands(patient, "BLOCKED", BEGIN + 47 * HOUR, INTAKE.key)
    free = BEGIN + 110 * HOUR

    days.hours(BEGIN + 45 * HOUR, 65)
    assert days.reminded(patient) == []
    lift(patient, therapist, free, INTAKE.key)
    days.hours(free, 30)

    assert days.reminded(patient) == [free + HOUR]
    states = Message.objects.filter(is_reminder=True, audience="patient").order_by("id")
    assert list(states.values_list("state", "last_error")) == [
        ("cancelled", "newer_reminder"),
        ("cancelled", "newer_reminder"),
        ("sent", ""),
    ]


# --- at night -------------------------------------------------------------------------------------

ZONES: Final = ["", "America/New_York", "Asia/Kolkata", "Pacific/Auckland"]
NIGHTS_FROM: Final = BEGIN + timedelta(days=2)  # so that the clocks change between two reminders
HALF_HOUR: Final = 30 * MINUTE
A_DAY: Final = 24 * HOUR


@pytest.mark.soak
def test_nobody_is_reminded_at_night_wherever_they_live_and_whenever_they_began(
    retreat, therapist, days
):
    """From 21:00 to 08:00 on the patient's clock nothing goes; then the reminder, a day apart."""
    Organization.objects.filter(pk=retreat.pk).update(settings={})
    patients = {
        (zone, since): somebody(retreat, since, timezone=zone, therapist=therapist)
        for zone in ZONES
        for since in (NIGHTS_FROM + hour * HOUR for hour in range(0, 24, EVERY_AT_NIGHT))
    }

    for half_hour in range(2 * 46, 2 * (24 + 96 + 24)):
        now = NIGHTS_FROM + half_hour * HALF_HOUR
        if now.minute == 0:
            days.look(now)
        days.deliver(now)

    for (zone, since), patient in patients.items():
        place = ZoneInfo(zone or retreat.timezone)
        reminded = days.reminded(patient)
        assert reminded == mornings(steps_of(since), place)
        assert all(8 <= when.astimezone(place).hour < 21 for when in reminded)
        assert all(later - one >= A_DAY for one, later in pairwise(reminded))
    assert len(days.mails) == 3 * len(patients)


def mornings(steps: list[datetime], place: ZoneInfo) -> list[datetime]:
    """When a reminder of each step goes: awake, and not within a day of the one before."""
    gone: list[datetime] = []
    for step in steps:
        when = max([step, *(before + A_DAY for before in gone[-1:])])
        while not 8 <= when.astimezone(place).hour < 21:
            when += HALF_HOUR
        gone.append(when)
    return gone


def test_who_pays_in_the_night_finds_no_reminder_in_the_morning(retreat, days):
    Organization.objects.filter(pk=retreat.pk).update(settings={})
    evening = BEGIN + 22 * HOUR  # 23:00 in Madrid
    patient = somebody(retreat, evening)
    due = evening + 48 * HOUR
    days.tick(due)
    assert (days.mails, Message.objects.get().last_error) == ([], "quiet_hours")

    tell(patient, "PAYMENT_SUCCEEDED", journey_key=RETREAT.key)
    days.hours(due, 25)

    assert days.reminded(patient) == []
    assert [(when - due) // HOUR for when, _to, _subject in days.mails] == [9]  # the receipt


# --- the scheduler was stopped --------------------------------------------------------------------


@pytest.mark.parametrize("first", ["the schedule", "the beat"])
@pytest.mark.usefixtures("committed_db")
def test_after_five_hours_without_scheduler_one_check_catches_up_without_a_flood(first):
    """A ladder of one hour, so that five steps were missed by each of three people."""
    now = timezone.now()
    practice = OrganizationFactory()
    with tenancy.scope(practice):
        a_template(practice)
        place = {"journey_key": "intake", "stage": "SCREENING_PENDING"}
        a_rule(practice, "JOURNEY_STAGE_TIMEOUT", task(), max_hours=48, repeat_hours=1, **place)
        for _number in range(3):
            patient = PatientFactory(organization=practice)
            stands(patient, "SCREENING_PENDING", now - 53 * HOUR - 30 * MINUTE, "intake")
    with tenancy.every_organization():
        monitor.check(clock=lambda: now - 5 * HOUR)
    schedules.keep(now=now - 6 * HOUR)
    stopped_at = now.replace(minute=0, second=0, microsecond=0) - 5 * HOUR
    Schedule.objects.filter(name="kura.monitor").update(next_run=stopped_at)
    OrmQ.objects.all().delete()

    if first == "the beat":
        tasks.beat()
    for _look in range(3):
        scheduler(broker=AtMostOnce("kura"))
    called = [one.task["func"] for one in OrmQ.objects.all()]
    for name in called:
        module, function = name.rsplit(".", 1)
        getattr(import_module(module), function)()

    assert called.count("automation.tasks.check_stale_journeys") == 1
    with tenancy.every_organization():
        events = SystemEventLog.objects.filter(event_type="JOURNEY_STAGE_TIMEOUT").order_by("id")
        said = [event.payload_row.payload["occurrence"] for event in events]
    assert said == [1, 1, 1, 6, 6, 6]
    next_run = Schedule.objects.get(name="kura.monitor").next_run
    assert timezone.now() < next_run <= timezone.now() + HOUR
