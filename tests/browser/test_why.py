"""Asking why in a browser: by keyboard, at 320 px with everything open, and without scripts."""

from __future__ import annotations

import pytest
from django.urls import reverse
from playwright.sync_api import Page, expect

from automation.services.rules import create_rule, save_draft
from kura import tenancy
from tests.admin.automated import process, tell
from tests.admin.test_rule_page import BLOCK, TASK, definition
from tests.browser.test_every_page import CODES, THEMES, overflow, violations, watch

pytestmark = pytest.mark.browser
LONG = "Bloquear a quien tenga un riesgo que la analista todavía no ha podido determinar " * 2
DEEP = {"any": [{"all": [
    {"field": "event.payload.risk_level", "op": "in", "value": ["HIGH", "CRITICAL"]},
    {"any": [{"field": "event.payload.medication_active", "op": "eq", "value": True}] * 2},
]}, {"field": "event.payload.cardiac_history", "op": "eq", "value": True}]}  # fmt: skip
CONFIRM = {"type": "update_journey_status", "params": {"key": "retreat", "status": "CONFIRMED"}}


@pytest.fixture
def asked(ours):
    """A rule with a draft and a deep tree, one that would have moved on, and an event for both."""
    with tenancy.scope(ours.organization):
        blocking = create_rule(
            organization=ours.organization, user=ours.manager,
            definition=definition(name=LONG[:190], conditions=DEEP, actions=[BLOCK, TASK]),
        )  # fmt: skip
        save_draft(rule_id=blocking.pk, definition=definition(name="Otro", conditions={}))
        create_rule(
            organization=ours.organization, user=ours.manager,
            definition=definition(name="Confirmar sin riesgo", actions=[CONFIRM]),
        )  # fmt: skip
    event = tell(ours.patient, "RISK_ANALYSIS_COMPLETED", "asked", {"risk_level": "LOW"})
    process()
    return blocking, event


def pages(ours, asked) -> dict[str, str]:
    rule, event = asked
    trace = reverse("admin:journeys_systemeventlog_change", args=[event.pk])
    return {
        "rule": reverse("admin:automation_automationrule_change", args=[rule.pk]),
        "trace": trace,
        "what if": f"{trace}?what_if={rule.pk}:published",
        "why not": reverse("admin:patients_patient_whynot", args=[ours.patient.pk]),
        "parts": reverse("admin:design_system"),
    }


def open_all(page: Page) -> None:
    page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true })")


@THEMES
def test_with_everything_open_they_fit_320_px_and_are_accessible(open_page, ours, asked, theme):
    page = open_page(ours.manager, width=320, color_scheme=theme)
    complaints = watch(page)
    problems: dict[str, list[str]] = {}

    for name, url in pages(ours, asked).items():
        complaints.clear()
        page.goto(url)
        open_all(page)
        told = [*complaints, *CODES.findall(page.inner_text("main"))]
        wide = [f"sideways by {overflow(page)}"] if overflow(page) > 0 else []
        problems[name] = [*told, *wide, *violations(page)]

    assert problems == {name: [] for name in problems}


def press_until(page: Page, selector: str) -> None:
    """Tab until the focus is there, and is seen."""
    for _ in range(90):
        page.keyboard.press("Tab")
        if page.evaluate("s => document.activeElement.matches(s)", selector):
            return
    raise AssertionError(selector)


def test_from_the_patient_to_the_condition_that_failed_by_keyboard(open_page, ours, asked):
    page = open_page(ours.therapist)
    page.goto(reverse("admin:patients_patient_change", args=[ours.patient.pk]))

    press_until(page, ".journey-foot a.why")
    page.keyboard.press("Enter")
    page.wait_for_url("**/why-not/?journey=retreat")
    nearest = page.locator("section[aria-labelledby=nearest]")
    assert "Confirmar sin riesgo" in nearest.inner_text()
    press_until(page, ".node a.why")
    page.keyboard.press("Enter")
    page.wait_for_url("**/systemeventlog/*/change/#run-*")
    run = page.locator("details.run:target")
    expect(run.locator("summary").first).to_contain_text("Confirmar sin riesgo")
    press_until(page, "details.run:target > summary")
    page.keyboard.press("Enter")

    expect(run.locator("table.conditions")).to_be_visible()
    assert "Nivel de riesgo" in run.inner_text()


@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without scripts"])
def test_a_rule_of_today_is_asked_about_what_happened_by_keyboard(open_page, ours, asked, scripts):
    rule, _event = asked
    page = open_page(ours.therapist, java_script_enabled=scripts)
    page.goto(pages(ours, asked)["trace"])
    page.select_option("#what-if-rule", f"{rule.pk}:draft")

    page.locator("#what-if-rule").press("Tab")
    page.keyboard.press("Enter")

    expect(page.locator(f"#what-if-result h3 a[href*='{rule.pk}']")).to_be_visible()
    assert page.locator("#what-if-result .dry-run-actions").count() == 1


def test_it_all_reads_without_scripts(open_page, ours, asked):
    page = open_page(ours.therapist, java_script_enabled=False)

    page.goto(pages(ours, asked)["why not"])
    page.click("section[aria-labelledby=nearest] a.why >> nth=0")

    assert "/change/#run-" in page.url
    assert "Confirmar sin riesgo" in page.inner_text("main")
