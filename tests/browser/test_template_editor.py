"""A manager orders, adds and saves stages and moves with nothing but a keyboard."""

from __future__ import annotations

import pytest
from django.urls import reverse

from journeys.selectors.blueprints import blueprint_of
from journeys.selectors.definitions import definitions
from journeys.starts import STARTS
from tests.browser.conftest import tab_to
from tests.browser.test_every_page import overflow, violations

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without scripts"])
def test_stages_and_moves_are_edited_by_keyboard(open_page, ours, scripts):
    page = open_page(ours.manager, java_script_enabled=scripts)
    page.goto(reverse("admin:journeys_journeytemplate_change", args=[ours.template.pk]))

    tab_to(page, ".object-tools .primary")
    page.keyboard.press("Enter")
    page.wait_for_url("**/edit/")
    tab_to(page, "button[value='stage-down:0']")
    page.keyboard.press("Enter")
    page.wait_for_selector(".said")
    assert page.locator("button[value='stage-down:1']:focus").count() == 1

    tab_to(page, "button[value='stage-add:0']")
    page.keyboard.press("Enter")
    page.wait_for_selector("#id_stages-5-label_es:focus")
    page.keyboard.type("Seguimiento")
    page.keyboard.press("Tab")
    page.keyboard.type("Follow-up")

    page.keyboard.press("Enter")  # in a text field: refreshes the page, saves nothing
    page.wait_for_selector(".rows .badge:has-text('Seguimiento')")
    tab_to(page, ".on-this-page a[href='#moves-title']")
    page.keyboard.press("Enter")
    tab_to(page, "button[value='move-add:0']")
    with page.expect_navigation():
        page.keyboard.press("Enter")
    page.wait_for_selector("#id_moves-5-start:focus")
    page.keyboard.type("Conf")
    page.keyboard.press("Tab")
    page.keyboard.type("Seg")
    tab_to(page, "button[value='save']")
    page.keyboard.press("Enter")
    page.wait_for_selector("#confirmed:focus")

    page.keyboard.press("Space")
    tab_to(page, "button[value='save']")
    page.keyboard.press("Enter")
    page.wait_for_selector("ul.messagelist .success")

    saved = blueprint_of(definitions([ours.template.pk])[ours.template.pk])
    assert saved.codes == [
        "AWAITING_PAYMENT", "AWAITING_SCREENING", "CONFIRMED", "BLOCKED", "COMPLETED", "FOLLOW_UP",
    ]  # fmt: skip
    assert ("CONFIRMED", "FOLLOW_UP") in {(move.from_stage, move.to_stage) for move in saved.moves}


@pytest.mark.parametrize("width", [1320, 390])
def test_a_new_journey_is_begun_by_keyboard_and_told_what_is_wrong(open_page, ours, width):
    page = open_page(ours.manager, width=width)
    page.goto(reverse("admin:journeys_journeytemplate_add"))

    tab_to(page, "#choice-1")
    page.keyboard.press("ArrowUp")  # round to the last one: an own list
    page.keyboard.press("Enter")
    page.wait_for_selector("#problems")
    asked = page.locator("#id_allowed_stages").is_visible()
    found = [*violations(page), *([f"{overflow(page)} px too wide"] if overflow(page) > 0 else [])]
    tab_to(page, "#id_name")
    page.keyboard.type("Retiro de otoño")
    tab_to(page, f"#choice-{len(STARTS) + 1}")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    page.wait_for_url("**/edit/")

    assert asked
    assert found == []
    told = page.inner_text("ul.messagelist")
    assert "retiro_de_otono" in told
    assert page.locator(".rows .badge:has-text('Cuestionario completado')").count() >= 1
