"""The page "Monitor": a practice's own numbers, who is stuck, and red when nobody looks."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django_q.models import Schedule

from automation import monitor
from automation.models import AutomationRule, Message
from automation.models.heartbeat import MONITOR
from automation.selectors.health import MONITOR_PLAN
from automation.services import heartbeats
from automation.services.pauses import pause_reminders
from kura import tenancy
from tests.admin import people
from tests.admin.automated import LOOK, REMIND, WAIT, process, rule, tell
from tests.admin.conftest import logged_in
from tests.admin.test_pages import queries

URL = "admin:automation_monitor"
NOBODY = "Nobody is stuck now"


@pytest.fixture
def client(ours) -> Client:
    return logged_in(people.person(ours.organization, "therapist", language="en"))


def read(client: Client, query: str = "") -> str:
    return client.get(reverse(URL) + query).content.decode()


def page_of(client: Client, query: str = ""):
    return client.get(reverse(URL) + query).context["page"]


def check() -> None:
    """As the schedule does: everybody, and the sign of life."""
    with tenancy.every_organization():
        monitor.check()


def looked(ago: timedelta) -> None:
    at = timezone.now() - ago
    times = {"started_at": at.isoformat(), "finished_at": at.isoformat()}
    heartbeats.note(MONITOR, at=at, **times, stale=7041, counts={"emitted": 7041}, errors=[])


def test_before_the_first_check_everybody_past_the_limit_is_named_and_nobody_announced(client):
    page = page_of(client)

    assert [one.patient.full_name for one in page.stuck] == ["Marta Om"]
    assert (page.count_of_stuck, page.count_of_due, page.announced) == (1, 1, [])
    words = read(client)
    assert "Regla plazo Om" in words
    assert "1 of 1" in words
    assert "at the next check" in words


def test_after_a_check_each_line_says_what_followed(client, ours):
    with tenancy.scope(ours.organization):
        type(ours.patient).objects.filter(pk=ours.patient.pk).update(email="m@example.org")
    rule(ours.organization, "llama", "JOURNEY_STAGE_TIMEOUT", LOOK, **WAIT)

    check()
    waiting = page_of(client)
    process()
    page, words = page_of(client), read(client)

    assert [line.runs for line in waiting.announced] == [[], []]
    assert page.count_of_announced == 2
    assert (page.messages, page.tasks) == ({"queued": 1}, 1)
    assert (page.count_of_stuck, page.count_of_due) == (2, 0)
    assert "it was the last one" in words
    assert reverse("admin:automation_stafftask_changelist") in words


def test_why_a_mail_is_withheld_is_said(client, ours):
    check()
    process()
    with tenancy.scope(ours.organization):
        [line] = page_of(client).announced
        Message.objects.create(
            organization=ours.organization, patient=ours.patient, event=line.event,
            rule=ours.automated.timeout, action_index=3, audience="patient",
            recipient="m@example.org", language="es", subject="x", body="x",
            last_error="on_hold", next_attempt_at=timezone.now(),
        )  # fmt: skip

    assert "Withheld: a journey of the patient is on hold" in read(client)


def test_the_numbers_of_all_practices_are_never_shown_as_ones_own(client, ours, theirs):
    check()
    looked(timedelta(minutes=3))

    page = page_of(client)

    assert page.count_of_announced == 1
    assert "7041" not in read(client)
    assert "FOREIGN" not in read(client)


def test_what_was_announced_before_the_last_check_is_not_counted_again(client, ours):
    check()
    looked(timedelta(seconds=-1))

    page = page_of(client)

    assert page.count_of_announced == 0
    assert "The last check announced nobody of this practice." in read(client)


@pytest.mark.parametrize(("minutes", "is_late"), [(89, False), (91, True)])
def test_the_page_is_red_when_nobody_has_looked_for_90_minutes(client, minutes, is_late):
    looked(timedelta(minutes=minutes))

    words = read(client)

    assert ("The monitor is late" in words) is is_late
    assert ('role="alert"' in words) is is_late
    assert ("badge-failed" in words) is is_late


def plan(next_run, **fields):
    made = Schedule.objects.create(name=MONITOR_PLAN, func="automation.tasks.check_stale_journeys",
                                   schedule_type=Schedule.CRON, cron="0 * * * *")  # fmt: skip
    Schedule.objects.filter(pk=made.pk).update(next_run=next_run, **fields)  # also in the past


def test_a_monitor_that_was_never_planned_is_late(client):
    words = read(client)

    assert 'role="alert"' in words
    assert "The monitor has not looked yet." in words


@pytest.mark.parametrize(
    ("minutes", "called", "is_late"),
    [(20, None, False), (-29, None, False), (-31, None, True), (20, "a task", True)],
    ids=["before its hour", "in its hour", "after its hour", "called and without a sign"],
)
def test_a_monitor_that_never_looked_is_late_once_it_should_have(client, minutes, called, is_late):
    plan(timezone.now() + timedelta(minutes=minutes), task=called)

    assert ('role="alert"' in read(client)) is is_late


def test_the_next_check_is_told_on_the_clock_of_the_practice(client, ours):
    ours.organization.timezone = "Asia/Tokyo"
    ours.organization.save(update_fields=["timezone"])
    at = timezone.now().replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    plan(at)

    there = at + timedelta(hours=9)

    assert f"{there:%H}:00</time>" in read(client)


def test_nobody_stuck_is_a_calm_page(client, ours):
    with tenancy.scope(ours.organization):
        AutomationRule.objects.filter(pk=ours.automated.timeout.pk).update(is_active=False)

    assert NOBODY in read(client)


def test_the_oldest_come_first_and_the_others_on_the_next_page(client, ours):
    for number in range(30):
        someone = people.patient(ours.organization, f"Persona {number:02}")
        people.enrolled(someone, ours.template, "AWAITING_PAYMENT", days_ago=40 - number)

    first, second = page_of(client), page_of(client, "?p=2")

    assert [one.patient.full_name for one in first.stuck[:2]] == ["Persona 00", "Persona 01"]
    assert (len(first.stuck), len(second.stuck), first.count_of_stuck) == (25, 6, 31)
    assert second.stuck[0].patient.full_name == "Persona 25"


@pytest.mark.parametrize("asked", ["0", "-1", "x", "²", "999999999999", "%00", "1e3"])
def test_a_page_that_is_none_is_the_first(client, asked):
    assert len(page_of(client, f"?p={asked}").stuck) == 1


def test_a_page_behind_the_last_leads_to_the_first(client):
    answer = client.get(reverse(URL) + "?p=9")

    assert answer["Location"] == reverse(URL)


def test_the_next_reminder_is_due_by_its_own_clock(client, ours):
    rule(ours.organization, "otra vez", "JOURNEY_STAGE_TIMEOUT", REMIND, repeat_hours=24,
         max_repeats=90, **WAIT)  # fmt: skip
    check()

    [again] = [one for one in page_of(client).stuck if one.most == 90]

    assert not again.visit.is_due
    assert again.next_due_at - again.visit.due_at == timedelta(hours=24)


# --- what the last check did in this practice -----------------------------------------------------


def left(client):
    page = page_of(client)
    return page.count_of_announced, page.left.said_before, page.left.missed


def test_what_was_said_now_what_before_and_what_not_are_told_apart(client, ours, theirs):
    check()
    looked(timedelta(seconds=-1))
    after_an_hour = left(client)
    late = people.patient(ours.organization, "Entered late")
    people.enrolled(late, ours.template, "AWAITING_PAYMENT", days_ago=9)
    with_a_late_entry = left(client)
    check()

    assert after_an_hour == (0, 1, 0)
    assert with_a_late_entry == (0, 1, 1)
    assert left(client) == (1, 1, 0)


def test_what_failed_is_counted_for_this_practice_and_explained(client):
    looked(timedelta(minutes=-1))

    assert left(client) == (0, 0, 1)
    assert "The next check tries again." in read(client)


def test_who_is_due_since_a_rule_was_changed_was_not_missed(client, ours):
    looked(timedelta(minutes=3))
    with tenancy.scope(ours.organization):
        ours.automated.timeout.save()

    assert left(client) == (0, 0, 0)
    assert "The next check tries again." not in read(client)


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.4, "It took less than a second"), (12.34, "It took 12.3 s")]
)
def test_the_duration_of_the_check_is_told(client, seconds, words):
    at = timezone.now()
    times = {"started_at": at - timedelta(seconds=seconds), "finished_at": at}
    heartbeats.note(MONITOR, at=at, stale=7041, counts={"failed": 7041}, errors=[],
                    **{name: time.isoformat() for name, time in times.items()})  # fmt: skip

    assert words in read(client)
    assert "7041" not in read(client)


def test_before_the_first_check_there_is_nothing_to_count(client):
    assert page_of(client).left is None
    assert "Announced before" not in read(client)


# --- what keeps mail from the patient -------------------------------------------------------------

PAUSED = "Reminders to the patient are paused until"
HELD = "A journey of the patient is on hold"
FAILED = "An event about the patient has failed"
NO_ADDRESS = "The patient has no e-mail address"
NIGHT = "Quiet hours: e-mail waits until"
KEPT = (PAUSED, HELD, FAILED, NO_ADDRESS, NIGHT)
NOON_UTC = timezone.now().replace(hour=12, minute=0, second=0, microsecond=0) + timedelta(days=1)


@pytest.fixture
def lena(ours):
    """Waits for her payment, at noon on her clock when the next check comes."""
    Schedule.objects.create(name=MONITOR_PLAN, func="automation.tasks.check_stale_journeys",
                            schedule_type=Schedule.HOURLY, next_run=NOON_UTC)  # fmt: skip
    lena = people.patient(ours.organization, "Lena", email="l@example.org", timezone="UTC")
    people.enrolled(lena, ours.template, "AWAITING_PAYMENT")
    return lena


def change(patient, **fields) -> None:
    with tenancy.every_organization():
        type(patient).objects.filter(pk=patient.pk).update(**fields)


def kept_of(client, name: str = "Lena") -> list[str]:
    """What her row says of it among those who are stuck."""
    row, *_announced = [row for row in read(client).split("<tr>") if f">{name}</a>" in row]
    return [words for words in KEPT if words in row]


def test_nothing_keeps_mail_from_a_patient_who_can_be_written_to(client, lena):
    assert kept_of(client) == []


@pytest.mark.parametrize(
    ("hours", "end"),
    [
        (3, f"{NOON_UTC + timedelta(days=1):%Y}, 15:00"),
        (12, f"{NOON_UTC + timedelta(days=2):%Y}"),  # midnight needs no hour
    ],
)
def test_a_pause_is_told_with_its_end(client, ours, lena, hours, end):
    ours.organization.timezone = "UTC"
    ours.organization.save(update_fields=["timezone"])
    with tenancy.scope(ours.organization):
        enrollment = lena.enrollments.get()
        pause_reminders(
            enrollment_id=enrollment.pk, until=NOON_UTC + timedelta(days=1, hours=hours),
            reason="Está de viaje esta semana", user=ours.therapist, now=timezone.now(),
        )  # fmt: skip

    assert kept_of(client) == [PAUSED]
    assert f"{end}." in read(client)
    assert "Está de viaje" not in read(client)


def test_a_block_in_another_journey_is_told(client, ours, lena):
    other = people.journey(ours.organization, "yoga", "Yoga")
    people.enrolled(lena, other, "BLOCKED")

    assert kept_of(client) == [HELD]


def test_a_failed_event_that_may_have_been_a_block_is_told(client, lena):
    tell(lena, "BOOKING_CANCELLED", "dead-lena", {"booking_id": "R-1"})
    process()

    assert kept_of(client) == [FAILED]


@pytest.mark.parametrize("address", ["", "not an address"])
def test_without_an_address_a_task_is_announced_instead(client, lena, address):
    change(lena, email=address)

    assert kept_of(client) == [NO_ADDRESS]


def test_after_the_last_reminder_no_task_is_announced(client, lena):
    change(lena, email="")
    check()

    assert kept_of(client) == []


@pytest.mark.parametrize("zone", ["Pacific/Auckland", "Asia/Tokyo"])
def test_at_night_on_the_patients_clock_mail_waits_for_the_morning(client, lena, zone):
    change(lena, timezone=zone)

    assert kept_of(client) == [NIGHT]


def test_a_practice_without_quiet_hours_writes_at_night(client, ours, lena):
    change(lena, timezone="Asia/Tokyo")
    ours.organization.settings = {"quiet_hours": None}
    ours.organization.save(update_fields=["settings"])

    assert kept_of(client) == []


def test_a_rule_that_only_gives_tasks_is_kept_back_by_nothing(client, ours, lena):
    with tenancy.scope(ours.organization):
        AutomationRule.objects.filter(pk=ours.automated.timeout.pk).update(actions=[LOOK])
    change(lena, email="", timezone="Asia/Tokyo")

    assert kept_of(client) == []


def test_every_role_finds_the_page_in_the_navigation(ours):
    for user in (ours.viewer, ours.therapist, ours.manager):
        page = logged_in(user).get(reverse("admin:index")).content.decode()
        assert f'href="{reverse(URL)}"' in page


def test_who_may_not_see_patients_sees_neither_link_nor_page(ours):
    nobody = people.person(ours.organization, "")
    client = logged_in(nobody)

    assert client.get(reverse(URL)).status_code == 403
    assert reverse(URL) not in client.get(reverse("admin:index")).content.decode()


def test_the_number_of_queries_does_not_grow_with_the_people(client, ours):
    check()
    process()
    few = queries(client, reverse(URL))

    for number in range(12):
        someone = people.patient(ours.organization, f"P {number}", email=f"p{number}@example.org")
        people.enrolled(someone, ours.template, "AWAITING_PAYMENT")
    rule(ours.organization, "llama", "JOURNEY_STAGE_TIMEOUT", LOOK, **WAIT)
    check()
    process()

    assert len(page_of(client).announced) == 13 + 12
    assert queries(client, reverse(URL)) == few
    assert few <= 24
