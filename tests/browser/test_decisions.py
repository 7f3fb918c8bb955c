"""A dead event is decided about with nothing but a keyboard, with and without scripts."""

from __future__ import annotations

import pytest
from django.urls import reverse

from automation.models import DispatchDecision
from kura import tenancy
from tests.browser.conftest import tab_to

pytestmark = pytest.mark.browser
REASON = "La reserva ya se canceló a mano"


@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without scripts"])
def test_skip_by_keyboard_first_with_an_error_then_with_success(open_page, ours, scripts):
    page = open_page(ours.therapist, java_script_enabled=scripts)
    page.goto(reverse("admin:journeys_systemeventlog_changelist"))

    tab_to(page, ".quick-links a")
    page.keyboard.press("Enter")
    page.wait_for_url("**/?state=dead")
    tab_to(page, "#result_list a")
    page.keyboard.press("Enter")
    page.wait_for_selector(".trace")
    tab_to(page, ".ways li:last-child a")
    page.keyboard.press("Enter")
    page.wait_for_url("**/skip/")
    tab_to(page, "#id_reason")
    page.keyboard.type("Ok")
    tab_to(page, ".submit-row input")
    page.keyboard.press("Enter")
    page.wait_for_selector("#id_reason_error")

    field = page.locator("#id_reason")
    assert field.get_attribute("aria-invalid") == "true"
    assert "id_reason_error" in field.get_attribute("aria-describedby").split()
    assert field.input_value() == "Ok"

    tab_to(page, "#id_reason")
    page.keyboard.press("Control+A")
    page.keyboard.type(REASON)
    tab_to(page, ".submit-row input")
    page.keyboard.press("Enter")
    page.wait_for_selector("ul.messagelist .success")

    assert REASON in page.inner_text(".beside")
    with tenancy.every_organization():
        kept = DispatchDecision.objects.get()
    assert (kept.kind, kept.decided_by_id) == ("skip", ours.therapist.pk)
