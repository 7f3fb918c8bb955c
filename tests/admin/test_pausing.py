"""The pages that pause reminders: asked with a day and a reason, shown, and ended by a button."""

from __future__ import annotations

from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from automation import monitor
from automation.models import ReminderPause
from automation.models.stage_timer import StageTimer
from automation.services.pauses import pause_reminders
from kura import tenancy
from tests.admin import people
from tests.admin.automated import LOOK, REMIND, WAIT, rule
from tests.admin.conftest import logged_in

REASON = "Está de viaje hasta la semana que viene"
MADRID = ZoneInfo("Europe/Madrid")


@pytest.fixture
def client(ours) -> Client:
    return logged_in(ours.therapist)


def url(verb: str, enrollment) -> str:
    return reverse(f"admin:journeys_enrollment_{verb}", args=[enrollment.pk])


def patient_page(client, ours) -> str:
    page = client.get(reverse("admin:patients_patient_change", args=[ours.patient.pk]))
    return page.content.decode()


def enrollment_page(client, ours) -> str:
    return client.get(url("change", ours.enrollment)).content.decode()


def today():
    return timezone.localdate(timezone=MADRID)


def post(client, ours, day, reason=REASON):
    return client.post(url("pause", ours.enrollment), {"until": str(day), "reason": reason})


def pauses(ours) -> list[ReminderPause]:
    with tenancy.scope(ours.organization):
        return list(ReminderPause.objects.select_related("created_by"))


def test_the_form_proposes_a_week_and_leads_there_from_both_pages(client, ours):
    form = client.get(url("pause", ours.enrollment)).context["form"]

    assert form["until"].value() == today() + timedelta(days=7)
    for page in (patient_page(client, ours), enrollment_page(client, ours)):
        assert url("pause", ours.enrollment) in page


def test_a_pause_is_shown_with_its_day_and_its_author_and_ends_by_a_button(client, ours):
    day = today() + timedelta(days=5)

    answer = post(client, ours, day)

    assert answer.status_code == 302
    [made] = pauses(ours)
    assert (made.created_by, made.reason) == (ours.therapist, REASON)
    assert made.until.astimezone(MADRID).isoformat(" ").startswith(f"{day} 00:00:00")
    for page in (patient_page(client, ours), enrollment_page(client, ours)):
        assert "Therapist Om" in page
        assert f'action="{url("resume", ours.enrollment)}"' in page
    asked = client.get(url("resume", ours.enrollment)).content.decode()
    assert REASON in asked

    client.post(url("resume", ours.enrollment))

    [ended] = pauses(ours)
    assert ended.ended_by == ours.therapist
    assert url("resume", ours.enrollment) not in patient_page(client, ours)


def test_a_pause_says_what_it_means_and_what_was_announced_so_far(ours):
    client = logged_in(people.person(ours.organization, "therapist", language="en"))
    everyday = {"repeat_hours": 24, "max_repeats": 50} | WAIT
    rule(ours.organization, "cada día", "JOURNEY_STAGE_TIMEOUT", REMIND, **everyday)
    rule(ours.organization, "sin fin", "JOURNEY_STAGE_TIMEOUT", REMIND, repeat_hours=24, **WAIT)
    rule(ours.organization, "tarea", "JOURNEY_STAGE_TIMEOUT", LOOK, **WAIT)
    rule(ours.organization, "nueva", "JOURNEY_STAGE_TIMEOUT", REMIND, visits_from=timezone.now(),
         **WAIT)  # fmt: skip
    without = patient_page(client, ours)
    post(client, ours, today() + timedelta(days=5))
    before = patient_page(client, ours)
    with tenancy.every_organization():
        monitor.check()
        [day] = StageTimer.objects.filter(rule__name="Regla cada día")

    assert "announced so far" not in without
    assert "Rule “Regla cada día”: 0 of 50 announced so far." in before
    assert day.occurrence > 1
    for page in (patient_page(client, ours), enrollment_page(client, ours)):
        assert "No reminder about this journey goes to the patient until" in page
        assert "the time in the stage keeps counting" in page
        assert "Rule “Regla plazo Om”: 1 of 1 announced so far." in page
        assert f"Rule “Regla cada día”: {day.occurrence} of 50 announced so far." in page
        assert f"Rule “Regla sin fin”: {day.occurrence} announced so far, without end." in page
        assert "Regla tarea" not in page
        assert "Regla nueva" not in page


def test_a_second_click_on_resume_is_told_so(client, ours):
    post(client, ours, today() + timedelta(days=5))

    answers = [client.post(url("resume", ours.enrollment), follow=True) for _ in range(2)]

    levels = [[str(one.level_tag) for one in answer.context["messages"]] for answer in answers]
    assert levels[0][-1:] == ["success"]
    assert levels[1] == ["warning"]


@pytest.mark.parametrize("day", ["", "mañana", "0001-01-01", "9999-12-31", "2026-02-30"])
def test_an_impossible_day_is_refused_and_the_reason_kept(client, ours, day):
    answer = post(client, ours, day)

    assert answer.status_code == 200
    assert list(answer.context["form"].errors) == ["until"]
    assert REASON in answer.content.decode()
    assert pauses(ours) == []


@pytest.mark.parametrize("days", [0, -1, 92])
def test_today_is_too_early_and_three_months_are_too_late(client, ours, days):
    answer = post(client, ours, today() + timedelta(days=days))

    assert list(answer.context["form"].errors) == ["until"]
    assert pauses(ours) == []


def test_a_pause_needs_a_reason(client, ours):
    answer = post(client, ours, today() + timedelta(days=5), reason="  viaje ")

    assert list(answer.context["form"].errors) == ["reason"]


def test_a_closed_journey_offers_no_pause_and_refuses_one(client, ours):
    template = people.journey(ours.organization, key="short", name="Corto", moves=())
    closed = people.enrolled(ours.patient, template, "COMPLETED")

    answer = client.post(
        url("pause", closed), {"until": str(today() + timedelta(days=5)), "reason": REASON}
    )

    assert url("pause", closed) not in patient_page(client, ours)
    assert answer.context["form"].non_field_errors()
    assert pauses(ours) == []


@pytest.mark.parametrize("verb", ["pause", "resume"])
def test_who_only_reads_sees_the_pause_and_no_way_to_change_it(client, ours, verb):
    post(client, ours, today() + timedelta(days=5))
    viewer = logged_in(ours.viewer)
    fields = {"until": str(today() + timedelta(days=9)), "reason": REASON}

    assert "Therapist Om" in patient_page(viewer, ours)
    assert url(verb, ours.enrollment) not in patient_page(viewer, ours)
    assert viewer.post(url(verb, ours.enrollment), fields).status_code == 403
    assert [one.ended_at for one in pauses(ours)] == [None]


@pytest.mark.parametrize("verb", ["pause", "resume"])
def test_another_practice_changes_nothing_by_hand(client, ours, theirs, verb):
    post(client, ours, today() + timedelta(days=5))
    stranger = logged_in(theirs.manager)
    fields = {"until": str(today() + timedelta(days=9)), "reason": REASON}

    assert stranger.post(url(verb, ours.enrollment), fields).status_code == 404
    assert [one.ended_at for one in pauses(ours)] == [None]


def test_platform_staff_works_in_no_practice_and_pauses_nothing(ours):
    client = logged_in(people.person(None, "", is_superuser=True))

    assert client.get(url("pause", ours.enrollment)).status_code == 403
    assert client.get(url("change", ours.enrollment)).status_code == 200


def test_the_patients_page_asks_once_for_the_pauses_of_all_journeys(client, ours):
    with CaptureQueriesContext(connection) as one_journey:
        patient_page(client, ours)
    for number in range(4):
        template = people.journey(ours.organization, name=f"Otro {number}", key=f"other_{number}")
        enrollment = people.enrolled(ours.patient, template, "AWAITING_PAYMENT")
        with tenancy.scope(ours.organization):
            pause_reminders(
                enrollment_id=enrollment.pk, until=timezone.now() + timedelta(days=2),
                reason=REASON, user=ours.therapist, now=timezone.now(),
            )  # fmt: skip

    with CaptureQueriesContext(connection) as five_journeys:
        page = patient_page(client, ours)

    assert page.count("Therapist Om") >= 4
    asked = [
        [sum(table in query["sql"] for query in found) for found in (one_journey, five_journeys)]
        for table in ("reminder_pauses", "stage_timers")
    ]
    assert asked == [[1, 1], [0, 1]]
