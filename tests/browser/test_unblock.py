"""The therapist's most important act, with nothing but a keyboard: in the dialog, and without
scripts on the page behind it.
"""

from __future__ import annotations

import pytest
from django.urls import reverse

from tests.admin import people
from tests.admin.conftest import logs_of
from tests.browser.conftest import tab_to
from tests.browser.test_every_page import overflow, violations, watch

pytestmark = pytest.mark.browser
REASON = "Revisado con la doctora, puede seguir"


def patient_page(blocked) -> str:
    return reverse("admin:patients_patient_change", args=[blocked.patient_id])


@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without scripts"])
def test_unblock_by_keyboard_first_with_an_error_then_with_success(open_page, ours, scripts):
    page = open_page(ours.therapist, java_script_enabled=scripts)
    complaints = watch(page)
    page.goto(patient_page(ours.blocked))

    tab_to(page, ".banner a")
    page.keyboard.press("Enter")
    if scripts:
        page.wait_for_selector("#dialog[open] #sheet-title:focus")
    else:
        page.wait_for_url("**/unblock/")
    tab_to(page, "#id_reason_code")
    page.keyboard.type("Rev")
    tab_to(page, "#id_reason")
    page.keyboard.type("Ok")
    tab_to(page, "#sheet .submit-row input")
    page.keyboard.press("Enter")
    page.wait_for_selector("#id_reason:focus" if scripts else "#problems")

    field = page.locator("#id_reason")
    described = field.get_attribute("aria-describedby").split()
    assert field.get_attribute("aria-invalid") == "true"
    assert field.input_value() == "Ok"
    assert "id_reason_error" in described
    assert "al menos 10 caracteres" in page.locator("#id_reason_error").inner_text()

    if not scripts:
        tab_to(page, "#id_reason")
    page.keyboard.press("Control+A")
    page.keyboard.type(REASON)
    tab_to(page, "#sheet .submit-row input")
    page.keyboard.press("Enter")
    page.wait_for_selector("ul.messagelist .success")

    logs = logs_of(ours.blocked)
    assert page.url.endswith(f"{patient_page(ours.blocked)}#journey-{ours.blocked.pk}")
    assert "está ahora en «Pendiente de pago»" in page.inner_text("ul.messagelist")
    assert REASON in page.inner_text(".chart-history")
    assert len(logs) == 4
    assert (logs[-1].actor_id, logs[-1].reason_code) == (ours.therapist.pk, "reviewed_safe")
    assert complaints == []
    if scripts:
        assert page.evaluate("document.activeElement.id") == f"journey-{ours.blocked.pk}"


def test_the_dialog_keeps_the_focus_and_gives_it_back(open_page, ours):
    page = open_page(ours.therapist)
    page.goto(patient_page(ours.blocked))
    opener = page.locator(".banner a")
    opener.focus()
    page.keyboard.press("Enter")
    page.wait_for_selector("#dialog[open]")

    inside = (
        "document.activeElement === document.body || !!document.activeElement.closest('dialog')"
    )
    stayed = []
    for _ in range(25):
        page.keyboard.press("Tab")
        stayed.append(page.evaluate(inside))
    page.keyboard.press("Escape")

    assert all(stayed)
    assert page.locator("#dialog[open]").count() == 0
    assert opener.evaluate("link => link === document.activeElement")
    assert len(logs_of(ours.blocked)) == 3


def test_what_was_typed_survives_when_the_server_does_not_answer(open_page, ours):
    page = open_page(ours.therapist)
    page.goto(patient_page(ours.blocked))
    page.click(".banner a")
    page.fill("#id_reason", REASON)
    page.select_option("#id_reason_code", "reviewed_safe")

    page.context.set_offline(True)
    page.click("#sheet .submit-row input")
    page.wait_for_selector("[data-unsent]:not([hidden])")
    page.context.set_offline(False)
    kept = page.input_value("#id_reason")
    page.click("#sheet .submit-row input")
    page.wait_for_selector("ul.messagelist .success")

    assert kept == REASON
    assert len(logs_of(ours.blocked)) == 4


def test_a_session_that_ended_leads_to_the_log_in_and_back_to_the_form(open_page, ours):
    page = open_page(ours.therapist)
    page.goto(patient_page(ours.blocked))
    page.click(".banner a")
    page.wait_for_selector("#dialog[open]")
    page.context.clear_cookies(name="sessionid")

    page.click("#sheet .submit-row input")
    page.wait_for_url("**/login/**")
    page.fill("#id_username", ours.therapist.email)
    page.fill("#id_password", people.PASSWORD)
    page.keyboard.press("Enter")

    page.wait_for_url("**/unblock/")
    assert len(logs_of(ours.blocked)) == 3


def test_keeping_the_block_is_a_decision_too(open_page, ours):
    page = open_page(ours.therapist)
    page.goto(patient_page(ours.blocked))
    page.click(".banner a")
    page.fill("#id_reason", "Falta su médica")

    page.click("#sheet button[value=keep]")
    page.wait_for_selector("ul.messagelist .success")

    assert "lo revisó y mantuvo el bloqueo" in page.inner_text(".chart-history")
    assert "Falta su médica" in page.inner_text(".chart-history")


def test_a_slash_finds_the_search_unless_somebody_is_typing(open_page, ours):
    page = open_page(ours.viewer)
    page.goto(reverse("admin:patients_patient_changelist"))
    page.locator("h1").click()

    page.keyboard.press("/")
    found = page.locator("#searchbar:focus").count()
    page.keyboard.type("a/b")

    assert found == 1
    assert page.input_value("#searchbar") == "a/b"


@pytest.mark.parametrize(
    ("theme", "width"), [("light", 1320), ("dark", 1320), ("light", 390), ("dark", 390)]
)
def test_the_dialog_is_accessible_with_and_without_errors(open_page, ours, theme, width):
    page = open_page(ours.therapist, width=width, color_scheme=theme)
    complaints = watch(page)
    page.goto(patient_page(ours.blocked))

    page.click(".banner a")
    page.wait_for_selector("#dialog[open]")
    told = list(complaints)  # before axe, which puts styles into the page
    fresh = violations(page)
    complaints.clear()
    page.click("#sheet .submit-row input")
    page.wait_for_selector("#dialog #problems")
    told += complaints

    assert fresh == []
    assert violations(page) == []
    assert overflow(page) <= 0
    assert page.evaluate("dialog.scrollWidth <= dialog.clientWidth")
    assert told == []


def test_two_people_at_once_and_the_second_is_told_who_was_faster(open_page, ours):
    pages = [open_page(ours.manager), open_page(ours.therapist)]
    for page in pages:
        page.goto(reverse("admin:journeys_enrollment_unblock", args=[ours.blocked.pk]))
        page.select_option("#id_reason_code", "reviewed_safe")
        page.fill("#id_reason", REASON)

    for page in pages:
        page.click("#sheet .submit-row input")
        page.wait_for_load_state()

    text = pages[1].inner_text("main")
    assert "Manager Om ya movió a Nuria Om a «Pendiente de pago» hace un momento." in text
    assert REASON in text
    assert len(logs_of(ours.blocked)) == 4


def test_two_dialogs_at_once_and_the_second_is_told_there(open_page, ours):
    pages = [open_page(ours.manager), open_page(ours.therapist)]
    for page in pages:
        page.goto(patient_page(ours.blocked))
        page.click(".banner a")
        page.select_option("#id_reason_code", "reviewed_safe")
        page.fill("#id_reason", REASON)

    pages[0].click("#sheet .submit-row input")
    pages[0].wait_for_selector("ul.messagelist .success")
    pages[1].click("#sheet .submit-row input")
    pages[1].wait_for_selector("#dialog .problems:focus")

    assert "Manager Om ya movió a Nuria Om" in pages[1].inner_text("#dialog")
    assert REASON in pages[1].inner_text("#dialog")
    assert violations(pages[1]) == []
    assert len(logs_of(ours.blocked)) == 4
