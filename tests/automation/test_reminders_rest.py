"""A patient is reminded of a journey once a day at most, however many rules would."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise

import pytest
from django.utils import timezone

from automation.models import Message
from journeys.services.transitions import enroll, transition
from tests.automation.messages import deliver, mail
from tests.automation.practice import a_rule, drain, tell
from tests.factories import a_template, a_user, system
from tests.sizes import sized

DAY = timedelta(hours=24)
LATER = timezone.now() + timedelta(hours=3)  # whenever in a long run these tests have their turn
FIRST, SECOND = "PAYMENT_FAILED", "BOOKING_CANCELLED"


@pytest.fixture
def enrolled(template, patient):
    patient.email = "lia@example.org"
    patient.save()
    enroll(patient_id=patient.pk, journey_key="intake", cause=system())
    return patient


@pytest.fixture
def rules(organization, enrolled):
    a_rule(organization, FIRST, mail(reminder=True))
    a_rule(organization, SECOND, mail(reminder=True))


def write(patient, trigger: str, key: str = "k-1", **how) -> Message:
    told = tell(patient, trigger, f"{trigger}-{key}", **how)
    drain()
    return Message.objects.get(event=told.event_id)


def deliver_at(moment: datetime) -> int:
    return deliver(clock=lambda: moment)


def state_of(message: Message) -> str:
    message.refresh_from_db()
    return message.state


def test_a_reminder_of_another_rule_waits_a_day(rules, enrolled):
    write(enrolled, FIRST)
    deliver_at(LATER)

    second = write(enrolled, SECOND)
    deliver_at(LATER + DAY - timedelta(minutes=1))

    assert (state_of(second), second.last_error) == ("queued", "reminded_recently")
    deliver_at(LATER + DAY + timedelta(minutes=1))
    assert state_of(second) == "sent"


def test_of_two_that_are_due_at_once_one_waits(rules, enrolled):
    both = [write(enrolled, FIRST), write(enrolled, SECOND)]

    assert deliver_at(LATER) == 1

    assert [state_of(one) for one in both] == ["sent", "queued"]


def test_a_waiting_reminder_is_dropped_when_the_patient_moves_on(rules, enrolled):
    write(enrolled, FIRST)
    deliver_at(LATER)
    second = write(enrolled, SECOND)
    deliver_at(LATER + timedelta(hours=1))
    transition(patient_id=enrolled.pk, journey_key="intake", to_stage="CONFIRMED", cause=system())

    deliver_at(LATER + DAY)

    assert (state_of(second), second.last_error) == ("cancelled", "left_stage")


def test_a_waiting_reminder_gives_way_to_a_newer_one_of_its_rule(rules, enrolled):
    write(enrolled, FIRST)
    deliver_at(LATER)
    older, newer = write(enrolled, SECOND), write(enrolled, SECOND, "k-2")

    deliver_at(LATER + DAY)

    assert [state_of(one) for one in (older, newer)] == ["cancelled", "sent"]


def test_a_reminder_in_a_later_stage_waits_for_the_day_as_well(rules, enrolled):
    write(enrolled, FIRST)
    deliver_at(LATER)
    transition(
        patient_id=enrolled.pk, journey_key="intake", to_stage="AWAITING_PAYMENT", cause=system()
    )

    second = write(enrolled, SECOND)
    deliver_at(LATER + timedelta(hours=1))

    assert state_of(second) == "queued"


@pytest.mark.parametrize(("repeat_hours", "sent_after"), [(1, 24), (24, 24), (48, 48)])
def test_a_rule_may_remind_less_often_but_not_more(
    organization, enrolled, repeat_hours, sent_after
):
    a_rule(organization, FIRST, mail(reminder=True), repeat_hours=repeat_hours)
    write(enrolled, FIRST)
    deliver_at(LATER)

    again = write(enrolled, FIRST, "k-2")
    deliver_at(LATER + timedelta(hours=sent_after, minutes=-1))

    assert state_of(again) == "queued"
    deliver_at(LATER + timedelta(hours=sent_after, minutes=1))
    assert state_of(again) == "sent"


def test_other_mail_is_no_reminder(organization, enrolled):
    a_rule(organization, FIRST, mail(reminder=True))
    a_rule(organization, SECOND, mail())
    both = [write(enrolled, FIRST), write(enrolled, SECOND)]

    deliver_at(LATER)

    assert [state_of(one) for one in both] == ["sent", "sent"]


def test_reminders_of_another_journey_do_not_count(organization, enrolled):
    a_template(organization, "retreat")
    enroll(patient_id=enrolled.pk, journey_key="retreat", cause=system())
    a_rule(organization, FIRST, mail(reminder=True))
    both = [write(enrolled, FIRST), write(enrolled, FIRST, "k-2", journey_key="retreat")]

    deliver_at(LATER)

    assert [state_of(one) for one in both] == ["sent", "sent"]


def test_the_team_is_reminded_by_each_rule(organization, enrolled):
    a_user(organization, "manager")
    for trigger in (FIRST, SECOND):
        a_rule(organization, trigger, mail("practice", reminder=True))
    both = [write(enrolled, FIRST), write(enrolled, SECOND)]

    deliver_at(LATER)

    assert [state_of(one) for one in both] == ["sent", "sent"]


# --- it keeps its time ----------------------------------------------------------------------------

SECONDS_LATE = (7, 2, 21, 0, 29, 3, 14, 1)  # of the monitor, day by day
DAYS = sized(reduced=16, full=200)


@pytest.mark.soak
@pytest.mark.parametrize("late_on_the_second_day", [timedelta(0), timedelta(minutes=10, seconds=4)])
def test_a_daily_reminder_does_not_come_later_each_day(rules, enrolled, late_on_the_second_day):
    """The queue looks when a message is written and some seconds after each full minute."""
    start = LATER.replace(second=0, microsecond=0)
    times = []
    for day in range(DAYS):
        seconds = timedelta(seconds=SECONDS_LATE[day % len(SECONDS_LATE)])
        due = start + day * DAY + seconds + (late_on_the_second_day if day == 1 else timedelta(0))
        message = write(enrolled, FIRST, f"day-{day}")
        Message.objects.filter(pk=message.pk).update(created_at=due, next_attempt_at=due)
        looks = [due, *(start + day * DAY + timedelta(minutes=n) + seconds for n in range(1, 13))]
        times.append(_sent_at(message, looks) - day * DAY - start)

    assert max(times) <= late_on_the_second_day + timedelta(minutes=1)
    pauses = [after + DAY - before for before, after in pairwise(times)]
    assert min(pauses) >= DAY - timedelta(minutes=1)


def _sent_at(message: Message, looks: list[datetime]) -> datetime:
    for look in looks:
        deliver_at(look)
        if state_of(message) == "sent":
            return look
    pytest.fail(f"not sent: {message.last_error} until {message.next_attempt_at}")
