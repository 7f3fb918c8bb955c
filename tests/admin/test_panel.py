"""The first page: decisions first, the same numbers everywhere, and what automation does."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from automation.models import StaffTask
from automation.models.heartbeat import CLUSTER, MONITOR, Heartbeat
from kura import tenancy
from kura.accounts.models import User
from kura.standing.attention import attention
from kura.standing.limits import limits_at
from kura.standing.panel import panel_of
from kura.standing.summary import summary_of
from tests.admin import people
from tests.admin.conftest import Practice, logged_in

INDEX = "admin:index"
MOST_QUERIES = 15  # in all: session, and the person with practice and permissions, among them


def page_of(user: User) -> str:
    return logged_in(user).get(reverse(INDEX)).content.decode()


def blocked_people(practice: Practice, number: int) -> None:
    for n in range(number):
        someone = people.patient(practice.organization, f"Persona {n}")
        people.enrolled(someone, practice.template, "AWAITING_PAYMENT", "BLOCKED")


def a_task(practice: Practice, someone: object, **fields: object) -> None:
    with tenancy.scope(practice.organization):
        StaffTask.objects.create(
            organization=practice.organization, patient=someone, kind="rule", **fields
        )


def section(page: str, title: str) -> str:
    return page.split(f'aria-labelledby="{title}"')[1].split("</section>", maxsplit=1)[0]


# --- decisions ----------------------------------------------------------------------------------


def test_whoever_is_blocked_stands_first_with_the_reason_and_one_button(ours):
    rows = section(page_of(ours.therapist), "decisions-title").split("<li")[1:]

    assert "Nuria Om" in rows[0]
    assert "Retiro Om" in rows[0]
    assert "Bloqueado" in rows[0]
    assert reverse("admin:journeys_enrollment_unblock", args=[ours.blocked.pk]) in rows[0]
    assert all(row.count('class="button') == 1 for row in rows)


def test_at_most_six_are_shown_and_the_link_says_how_many_there_are(ours):
    blocked_people(ours, 8)

    shown = section(page_of(ours.manager), "decisions-title")

    total = logged_in(ours.manager).get(reverse(INDEX)).context["views"]["NEEDS_DECISION"]
    assert total >= 9
    assert shown.count("<li") == 6
    assert "?view=action_required" in shown
    assert f"Ver los {total}" in shown or f"See all {total}" in shown


def test_a_viewer_reads_everything_and_has_no_button(ours):
    page = page_of(ours.viewer)

    assert "Nuria Om" in page
    assert 'class="button' not in page.split('id="content-main"')[1].split("</main>")[0]


def test_the_same_number_in_the_sidebar_on_the_panel_and_in_the_list(ours):
    blocked_people(ours, 3)
    a_task(ours, people.patient(ours.organization, "Tomás Sin Journey"), text="Llamar")
    client = logged_in(ours.manager)

    panel = client.get(reverse(INDEX))
    listed = client.get(reverse("admin:patients_patient_changelist"), {"view": "action_required"})

    number = panel.context["views"]["NEEDS_DECISION"]
    in_sidebar = re.search(r'class="count">(\d+)<', panel.content.decode())
    assert in_sidebar is not None
    assert int(in_sidebar[1]) == number == listed.context["cl"].result_count
    elsewhere = client.get(reverse("admin:journeys_enrollment_changelist"))
    for page in (listed, elsewhere):
        assert re.search(r'class="count">(\d+)<', page.content.decode())[1] == in_sidebar[1]


# --- the parts agree with the read side -------------------------------------------------------


def test_the_panel_says_what_the_read_side_says(ours):
    blocked_people(ours, 4)
    a_task(ours, ours.patient, text="Llamar")
    with tenancy.scope(ours.organization):
        limits = limits_at(timezone.now())
        panel, told, numbers = panel_of(limits), attention(limits), summary_of(limits, recent=5)

    assert panel.people == told.people
    assert (panel.numbers, panel.by_journey) == (numbers.numbers, numbers.by_journey)
    assert panel.recent == numbers.recent


def test_moves_say_their_cause_and_lead_to_why(ours):
    shown = section(page_of(ours.manager), "moves-title")

    assert "Marta Om" in shown
    assert reverse("admin:journeys_journeylog_changelist") in shown
    assert "Interesada en la salida" in shown


def test_bars_are_numbers_too_and_their_parts_fit(ours):
    blocked_people(ours, 2)
    response = logged_in(ours.manager).get(reverse(INDEX))

    [bar] = response.context["bars"]
    assert (bar.active, bar.blocked) == (4, 3)
    assert bar.on_time + bar.stuck + bar.blocked == bar.active
    assert sum(float(part.width) for part in bar.parts) == pytest.approx(100, abs=0.1)
    assert "3" in section(response.content.decode(), "bars-title")


# --- automation ---------------------------------------------------------------------------------


def beat(name: str, minutes: int) -> None:
    then = timezone.now() - timedelta(minutes=minutes)
    detail = {
        "started_at": then.isoformat(),
        "finished_at": then.isoformat(),
        "stale": 0,
        "counts": {},
        "errors": [],
    }
    Heartbeat.objects.update_or_create(name=name, defaults={"at": then, "detail": detail})


@pytest.mark.parametrize(
    ("cluster", "monitor", "kind"), [(1, 10, False), (10, 10, True), (1, 100, True)]
)
def test_silence_and_lateness_are_told_with_what_to_do(ours, cluster, monitor, kind):
    beat(CLUSTER, cluster)
    beat(MONITOR, monitor)

    page = page_of(ours.viewer)

    assert ('class="banner"' in page) is kind
    assert ("badge-failed" in section(page, "automation-title")) is kind


# --- nothing to show ----------------------------------------------------------------------------


def test_a_quiet_practice_reads_that_nobody_waits(db):
    organization = people.practice()
    journey = people.journey(organization)
    people.enrolled(people.patient(organization), journey)

    response = logged_in(people.person(organization, "manager")).get(reverse(INDEX))

    assert response.context["decisions"] == []
    assert 'class="count"' not in response.content.decode()
    assert "first-title" not in response.content.decode()


def test_a_new_practice_reads_three_steps_with_links_for_who_may_take_them(db):
    organization = people.practice()

    manager, viewer = (page_of(people.person(organization, one)) for one in ("manager", "viewer"))

    assert section(manager, "first-title").count("<li>") == 3
    assert reverse("admin:journeys_journeytemplate_add") in section(manager, "first-title")
    assert "<a " not in section(viewer, "first-title")


def test_who_is_no_part_of_a_practice_reads_the_list_of_pages(db):
    response = logged_in(people.person(None, "", is_superuser=True)).get(reverse(INDEX))

    assert response.status_code == 200


def test_nothing_of_another_practice_is_on_the_panel(ours, theirs):
    blocked_people(theirs, 7)

    page = page_of(ours.manager)

    assert "FOREIGN" not in page
    assert "Persona" not in page


# --- cost ---------------------------------------------------------------------------------------


def queries(client: Client) -> int:
    with CaptureQueriesContext(connection) as counted:
        assert client.get(reverse(INDEX)).status_code == 200
    return len(counted)


def test_the_panel_costs_the_same_for_few_and_for_many(ours):
    client = logged_in(ours.manager)
    client.get(reverse(INDEX))
    few = queries(client)

    blocked_people(ours, 30)
    yoga = people.journey(ours.organization, "yoga", "Yoga", moves=())
    for n in range(10):
        someone = people.patient(ours.organization, f"Otra {n}", therapist=ours.therapist)
        people.enrolled(someone, yoga, by=ours.therapist)
        a_task(ours, someone, text=f"Llamar {n}", journey_key="yoga")

    assert queries(client) == few
    assert few <= MOST_QUERIES
