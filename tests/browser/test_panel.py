"""The first page and the list of patients by keyboard, narrow, empty, and in both themes."""

from __future__ import annotations

import pytest
from django.urls import reverse

from automation.models.heartbeat import CLUSTER, MONITOR
from tests.admin import people
from tests.admin.test_panel import beat, blocked_people
from tests.browser.conftest import tab_to
from tests.browser.test_every_page import overflow, violations, watch
from tests.sizes import AT_FULL_SIZE

pytestmark = pytest.mark.browser
LIST = "admin:patients_patient_changelist"
LONG = "Maximiliana Aurora de los Santos Inocentes Fernández-Villaverde y Rodríguez de la Cuadra"


def names(page) -> list[str]:
    return page.locator("#result_list .field-person a").all_inner_texts()


def test_the_list_is_filtered_by_keyboard(open_page, ours):
    people.patient(ours.organization, "Álvaro Núñez")
    page = open_page(ours.therapist)
    page.goto(reverse(LIST))

    page.keyboard.press("/")
    page.keyboard.type("nunez")
    page.keyboard.press("Enter")
    page.wait_for_url("**q=nunez**")
    found = names(page)
    page.keyboard.press("Shift+/")  # as a Spanish keyboard has it
    page.keyboard.type("nadie así")
    page.keyboard.press("Enter")
    page.wait_for_selector("p.empty[role=status]")
    nobody = names(page)
    tab_to(page, "p.empty a")
    page.keyboard.press("Enter")
    page.wait_for_selector("#result_list")
    everybody = names(page)
    tab_to(page, "a.chip[href='?view=blocked']")
    page.keyboard.press("Enter")
    page.wait_for_selector("a.chip[href='?view=blocked'][aria-current]")

    assert (found, nobody, len(everybody)) == (["Álvaro Núñez"], [], 3)
    assert names(page) == ["Nuria Om"]


@pytest.mark.parametrize("scripts", [True, False])
def test_a_patient_is_found_from_any_page(open_page, ours, scripts):
    people.patient(ours.organization, "Álvaro Núñez")
    page = open_page(ours.viewer, width=390, java_script_enabled=scripts)
    page.goto(reverse("admin:journeys_journeylog_changelist"))

    if scripts:
        page.keyboard.press("/")
    else:
        tab_to(page, "#find-patient")
    page.keyboard.type("nunez")
    page.keyboard.press("Enter")
    page.wait_for_url("**q=nunez**")

    assert names(page) == ["Álvaro Núñez"]


def test_a_block_is_opened_from_the_panel_and_the_focus_comes_back(open_page, ours):
    page = open_page(ours.therapist)

    tab_to(page, ".decision a[data-dialog]")
    page.keyboard.press("Enter")
    page.wait_for_selector("#dialog[open] #sheet")
    inside = page.evaluate("document.activeElement.closest('#dialog') !== null")
    page.keyboard.press("Escape")
    page.wait_for_selector("#dialog:not([open])", state="attached")

    assert inside
    assert page.locator(".decision a[data-dialog]:focus").count() == 1


def test_narrow_the_pages_are_one_link_away(open_page, ours):
    page = open_page(ours.viewer, width=390)

    tab_to(page, "a.to-pages")
    page.keyboard.press("Enter")

    assert page.locator("#pages").is_visible()
    assert page.evaluate("document.getElementById('pages').getBoundingClientRect().top") < 900


@pytest.mark.parametrize(
    ("theme", "width"),
    [("light", 1320), ("dark", 320), pytest.param("light", 390, marks=AT_FULL_SIZE)],
)
def test_both_pages_are_accessible_when_full_long_late_empty_and_new(open_page, ours, theme, width):
    organization = people.practice()
    newcomer = people.person(organization, "manager")
    blocked_people(ours, 7)
    people.enrolled(people.patient(ours.organization, LONG), ours.template, "AWAITING_PAYMENT")
    page = open_page(ours.manager, width=width, color_scheme=theme)
    complaints = watch(page)
    problems: dict[str, list[str]] = {}

    def look(name: str, url: str) -> None:
        complaints.clear()
        page.goto(url)
        problems[name] = [*complaints, *violations(page)]
        if overflow(page) > 0:
            problems[name].append(f"scrolls sideways by {overflow(page)} px")

    look("late", reverse("admin:index"))
    assert page.locator(".banner").count() == 1
    beat(CLUSTER, 1)
    beat(MONITOR, 10)
    look("full", reverse("admin:index"))
    assert page.locator(".banner").count() == 0
    look("list", reverse(LIST))
    look("with a journey", f"{reverse(LIST)}?view=active&journey=retreat&q=om")
    look("nobody", f"{reverse(LIST)}?q=nadie")
    page = open_page(newcomer, width=width, color_scheme=theme)
    complaints = watch(page)
    look("new", reverse("admin:index"))
    look("new list", reverse(LIST))

    assert problems == {name: [] for name in problems}
    assert len(problems) == 7
