"""The dry run in a browser: with scripts and without, by keyboard, when no answer comes."""

from __future__ import annotations

import pytest
from django.urls import reverse
from playwright.sync_api import Page, Route, expect

from automation.services.rules import save_draft
from kura import tenancy
from tests.admin import people
from tests.admin.automated import HIGH, NOTE, STAGE, WAIT, process, rule, tell
from tests.browser.test_every_page import overflow, violations, watch
from tests.sizes import AT_FULL_SIZE

pytestmark = pytest.mark.browser
RISK = "RISK_ANALYSIS_COMPLETED"


@pytest.fixture
def english(ours):
    return people.person(ours.organization, "manager", "Eva Ruiz", language="en")


def url(one, **asked: object) -> str:
    page = reverse("admin:automation_automationrule_dryrun", args=[one.pk])
    return page + "?" + "&".join(f"{name}={value}" for name, value in asked.items())


def drafted(ours):
    """A draft of two groups that adds one event and loses none, and events of each kind."""
    medium = {"field": "event.payload.risk_level", "op": "eq", "value": "MEDIUM"}
    groups = {"any": [{"all": [HIGH, STAGE]}, medium]}
    for level in ("LOW", "MEDIUM"):
        tell(ours.patient, RISK, level, {"risk_level": level})
    process()
    with tenancy.every_organization():
        one = ours.automated.rule
        return save_draft(rule_id=one.pk, definition=one.definition | {"conditions": groups})


def result(page: Page):
    return page.locator("#dry-run-result")


def test_another_period_is_tried_in_its_place_and_by_keyboard(open_page, ours, english):
    page = open_page(english)
    complaints = watch(page)
    page.goto(url(ours.automated.rule))
    expect(result(page)).not_to_contain_text("would have")

    page.focus("#dry-run-days")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")

    expect(result(page)).to_contain_text("would have set it off")
    expect(page.locator("#dry-run button")).to_be_focused()
    assert result(page).get_attribute("role") == "status"
    assert page.locator("#dry-run").get_attribute("aria-busy") is None
    assert page.input_value("#dry-run-days") == "90"
    assert complaints == []


def test_while_it_works_it_says_so_and_cannot_be_asked_twice(open_page, ours, english):
    page = open_page(english)
    page.goto(url(ours.automated.rule))
    held: list[Route] = []
    page.route("**/dry-run/?*", lambda route: held.append(route))  # noqa: PLW0108  it is inspected

    page.click("#dry-run button")

    expect(page.locator("#dry-run")).to_have_attribute("aria-busy", "true")
    expect(page.locator("#dry-run button")).to_be_disabled()
    held[0].continue_()
    expect(result(page)).to_contain_text("would have set it off")
    expect(page.locator("#dry-run button")).to_be_enabled()


@pytest.mark.parametrize("answer", ["none", "error"])
def test_no_answer_is_said_and_nothing_is_lost(open_page, ours, english, answer):
    page = open_page(english)
    page.goto(url(ours.automated.rule, days=30))
    before = result(page).inner_text()
    page.route(
        "**/dry-run/?*",
        lambda route: (
            route.abort() if answer == "none" else route.fulfill(status=500, body="<p>Ups</p>")
        ),
    )

    page.click("#dry-run button")

    expect(page.locator("#dry-run [data-unsent]")).to_be_visible()
    assert result(page).inner_text() == before
    expect(page.locator("#dry-run button")).to_be_enabled()


def test_without_scripts_the_page_answers(open_page, ours, english):
    page = open_page(english, java_script_enabled=False)
    page.goto(url(ours.automated.rule))

    page.click("#dry-run button")

    expect(result(page)).to_contain_text("would have set it off")


@pytest.mark.parametrize(
    ("theme", "width"),
    [
        ("light", 1320),
        ("dark", 320),
        pytest.param("dark", 390, marks=AT_FULL_SIZE),
        pytest.param("light", 320, marks=AT_FULL_SIZE),
    ],
)
def test_results_of_every_kind_are_accessible(open_page, ours, english, theme, width):
    draft = drafted(ours)
    late = rule(ours.organization, "Om", "JOURNEY_STAGE_TIMEOUT", NOTE, **WAIT)
    quiet = rule(ours.organization, "Om", "CUSTOM.never", NOTE)
    broken = rule(ours.organization, "Om", "CUSTOM.never", {"type": "none"})
    page = open_page(english, width=width, color_scheme=theme)
    problems: dict[str, list[object]] = {}

    for name, one in [("groups", draft), ("late", late), ("quiet", quiet), ("broken", broken)]:
        page.goto(url(one, days=30))
        found = [*violations(page), overflow(page)] if overflow(page) > 0 else violations(page)
        if found:
            problems[name] = found
    page.goto(url(draft, days=30))
    page.locator("#dry-run-stale").evaluate("one => { one.hidden = false }")
    problems |= {"stale": stale} if (stale := violations(page)) else {}
    page.locator("#dry-run [data-unsent]").evaluate("one => { one.hidden = false }")
    problems |= {"unsent": unsent} if (unsent := violations(page)) else {}

    assert problems == {}
