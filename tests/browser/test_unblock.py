"""The therapist's most important act, with nothing but a keyboard."""

from __future__ import annotations

import pytest
from django.urls import reverse

from tests.admin.conftest import logs_of
from tests.browser.conftest import tab_to

pytestmark = pytest.mark.browser
REASON = "Revisado con la doctora, puede seguir"


@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without scripts"])
def test_unblock_by_keyboard_first_with_an_error_then_with_success(open_page, ours, scripts):
    page = open_page(ours.therapist, java_script_enabled=scripts)
    page.goto(reverse("admin:patients_patient_change", args=[ours.blocked.patient_id]))

    tab_to(page, ".banner a")
    page.keyboard.press("Enter")
    page.wait_for_url("**/unblock/")
    tab_to(page, "#id_reason_code")
    page.keyboard.type("Rev")
    tab_to(page, "#id_reason")
    page.keyboard.type("Ok")
    tab_to(page, ".submit-row input")
    page.keyboard.press("Enter")
    page.wait_for_selector("#problems")

    field = page.locator("#id_reason")
    described = field.get_attribute("aria-describedby").split()
    assert field.get_attribute("aria-invalid") == "true"
    assert field.input_value() == "Ok"
    assert "id_reason_error" in described
    assert "al menos 10 caracteres" in page.locator("#id_reason_error").inner_text()

    tab_to(page, "#id_reason")
    page.keyboard.press("Control+A")
    page.keyboard.type(REASON)
    tab_to(page, ".submit-row input")
    page.keyboard.press("Enter")
    page.wait_for_selector("ul.messagelist .success")

    logs = logs_of(ours.blocked)
    assert "está ahora en «Pendiente de pago»" in page.inner_text("ul.messagelist")
    assert REASON in page.inner_text(".history")
    assert len(logs) == 4
    assert (logs[-1].actor_id, logs[-1].reason_code) == (ours.therapist.pk, "reviewed_safe")


def test_two_people_at_once_and_the_second_is_told_who_was_faster(open_page, ours):
    pages = [open_page(ours.manager), open_page(ours.therapist)]
    for page in pages:
        page.goto(reverse("admin:journeys_enrollment_unblock", args=[ours.blocked.pk]))
        page.select_option("#id_reason_code", "reviewed_safe")
        page.fill("#id_reason", REASON)

    for page in pages:
        page.click(".submit-row input")
        page.wait_for_load_state()

    text = pages[1].inner_text("main")
    assert "Manager Om ya movió a Nuria Om a «Pendiente de pago» hace un momento." in text
    assert REASON in text
    assert len(logs_of(ours.blocked)) == 4
