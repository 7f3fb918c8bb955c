"""A manager builds rules from nothing by keyboard; two editors, errors, and no scripts at all."""

from __future__ import annotations

import pytest
from django.urls import reverse
from playwright.sync_api import Page

from automation.models import AutomationRule
from automation.services.rules import create_rule, publish
from kura import tenancy
from tests.admin.automated import CONFIRM, HIGH, STAGE, process, tell
from tests.admin.conftest import Practice
from tests.browser.conftest import tab_to

pytestmark = pytest.mark.browser
NEW = "admin:automation_automationrule_new"
MEDICATED = {"field": "event.payload.medication_active", "op": "eq", "value": True}
SCRIPTS = pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without scripts"])


def named(name: str) -> AutomationRule:
    with tenancy.every_organization():
        return AutomationRule.objects.get(name=name)


def a_rule(ours: Practice, **fields) -> AutomationRule:
    said = {"name": "Regla", "trigger_event": "RISK_ANALYSIS_COMPLETED", "actions": [CONFIRM]}
    with tenancy.scope(ours.organization):
        return create_rule(
            organization=ours.organization, definition=said | fields, user=ours.manager
        )


def edit_url(rule: AutomationRule) -> str:
    return reverse("admin:automation_automationrule_edit", args=[rule.pk])


class Hands:
    """The keyboard alone: Tab to a control, type into it, press it."""

    def __init__(self, page: Page, *, scripts: bool) -> None:
        self.page, self.scripts = page, scripts

    def to(self, name: str) -> None:
        if not self.page.locator(f"#id_{name}:focus").count():
            tab_to(self.page, f"#id_{name}")

    def write(self, name: str, text: str) -> None:
        self.to(name)
        self.page.keyboard.press("Control+A")
        self.page.keyboard.type(text)

    def choose(self, name: str, label: str, then: str = "") -> None:
        """By arrow, as in every list. `then`: a field that follows from it."""
        self.to(name)
        options = self.page.locator(f"#id_{name} option").all_inner_texts()
        self.page.keyboard.press("Home")
        for _ in range(options.index(label)):
            self.page.keyboard.press("ArrowDown")
        assert self.page.locator(f"#id_{name} option:checked").inner_text() == label
        if then and not self.scripts:
            self.refresh()
        if then:
            self.page.wait_for_selector(f"#id_{then}", state="attached")
            self.page.wait_for_selector(".htmx-request", state="detached")

    def refresh(self) -> None:
        tab_to(self.page, "button[value='look']")
        self.page.keyboard.press("Enter")

    def press(self, act: str, wait: str) -> None:
        tab_to(self.page, f"button[value='{act}']")
        self.page.keyboard.press("Enter")
        self.page.wait_for_selector(wait)


def open_new(open_page, ours, *, scripts: bool) -> Hands:
    page = open_page(ours.manager, java_script_enabled=scripts)
    page.goto(reverse("admin:automation_automationrule_changelist"))
    tab_to(page, f"a[href='{reverse(NEW)}']")
    page.keyboard.press("Enter")
    page.wait_for_url("**/new/")
    return Hands(page, scripts=scripts)


@SCRIPTS
def test_the_block_at_high_risk_is_built_from_nothing_by_keyboard(open_page, ours, scripts):
    """Spec 2.4: high risk and medication, or a cardiac history, hold the patient."""
    hands = open_new(open_page, ours, scripts=scripts)
    page = hands.page

    hands.write("name", "Bloquear riesgo alto")
    hands.choose("trigger", "Análisis de riesgo terminado")
    hands.choose("journey", "Retiro Om")
    hands.press("group-add", "#id_g-0-0-field:focus")
    hands.choose("g-0-0-field", "Nivel de riesgo", then="g-0-0-value")
    hands.choose("g-0-0-value", "Alto")
    hands.press("condition-add:0", "#id_g-0-1-field:focus")
    hands.choose("g-0-1-field", "Toma medicación", then="g-0-1-value")
    hands.choose("g-0-1-value", "Sí")
    hands.press("group-add", "#id_g-1-0-field:focus")
    hands.choose("g-1-0-field", "Antecedentes cardíacos", then="g-1-0-value")
    hands.choose("g-1-0-value", "Sí")
    hands.choose("a-0-type", "Mover de etapa", then="a-0-status")
    hands.choose("a-0-status", "Bloqueado")
    tab_to(page, "button[name=dry_run]")
    page.keyboard.press("Enter")
    page.wait_for_selector("#dry-run-result .dry-run-head")
    hands.press("publish", "h2.ask-title")
    hands.press("publish", "ul.messagelist .success")

    rule = named("Bloquear riesgo alto")
    assert (rule.version, rule.is_active, rule.journey_key) == (1, True, "retreat")
    assert rule.conditions == {
        "any": [{"all": [HIGH, MEDICATED]},
                {"all": [{**MEDICATED, "field": "event.payload.cardiac_history"}]}]
    }  # fmt: skip
    assert rule.actions == [
        {"type": "update_journey_status", "params": {"key": "retreat", "status": "BLOCKED"}}
    ]
    assert page.locator("h1").inner_text() == "Bloquear riesgo alto"
    risk = {"risk_level": "HIGH", "medication_active": True}
    event = tell(ours.patient, "RISK_ANALYSIS_COMPLETED", "after", risk)
    process()
    page.goto(reverse("admin:patients_patient_change", args=[ours.patient.pk]))
    page.click(f"a[href*='{event.pk}'] >> nth=0")
    page.wait_for_url(f"**/{event.pk}/**")
    assert "Bloquear riesgo alto" in page.inner_text("main")


@SCRIPTS
def test_the_payment_reminder_is_built_from_nothing_by_keyboard(open_page, ours, scripts):
    """Spec 2.4: 48 hours without a payment, a reminder each day, three times."""
    hands = open_new(open_page, ours, scripts=scripts)

    hands.write("name", "Recordar el pago")
    hands.choose("trigger", "Límite de la etapa superado", then="max_hours")
    hands.choose("journey", "Retiro Om", then="stage option:nth-child(5)")
    hands.choose("stage", "Pendiente de pago")
    hands.write("max_hours", "48")
    hands.write("repeat_hours", "24")
    hands.write("max_repeats", "3")
    hands.choose("a-0-type", "Enviar un correo", then="a-0-body-es")
    hands.write("a-0-subject-es", "Falta tu pago")
    hands.write("a-0-body-en", "Hello {patient.first_name}")
    hands.press("publish", "input[name=for_whom]")
    hands.press("publish", "ul.messagelist .success")

    rule = named("Recordar el pago")
    assert (rule.journey_key, rule.stage) == ("retreat", "AWAITING_PAYMENT")
    assert (rule.max_hours, rule.repeat_hours, rule.max_repeats) == (48, 24, 3)
    assert rule.visits_from is not None
    params = rule.actions[0]["params"]
    assert (params["subject"]["es"], params["body"]["en"]) == (
        "Falta tu pago", "Hello {patient.first_name}",
    )  # fmt: skip
    assert "{patient.first_name}" in params["body"]["es"]


@SCRIPTS
def test_the_middle_one_of_three_goes_and_the_others_keep_what_was_typed(open_page, ours, scripts):
    rule = a_rule(ours, conditions={"all": [HIGH, MEDICATED, STAGE]})
    page = open_page(ours.manager, java_script_enabled=scripts)
    page.goto(edit_url(rule))
    page.select_option("#id_g-0-0-value", "CRITICAL")

    page.click("button[value='condition-remove:0:1']")
    page.wait_for_selector("#id_g-0-1-field:focus")

    assert page.locator("#id_g-0-0-value").input_value() == "CRITICAL"
    assert page.locator("#id_g-0-1-field").input_value() == "journeys.retreat"
    assert page.locator("#id_g-0-1-value").input_value() == "AWAITING_PAYMENT"
    assert page.locator("#id_g-0-2-field").count() == 0
    assert "1.2" in page.locator("#rule-said").inner_text()


@SCRIPTS
def test_errors_stand_beside_their_fields_and_in_the_bar(open_page, ours, scripts):
    page = open_page(ours.manager, java_script_enabled=scripts)
    page.goto(edit_url(a_rule(ours)))
    page.fill("#id_name", "")
    page.fill("#id_priority", "primero")

    page.click("button[value='publish']", force=True)
    page.wait_for_selector("#refusal")

    told = page.locator("#id_name").get_attribute("aria-describedby")
    assert page.locator("[aria-invalid=true]").count() == 2
    assert page.locator(f"#{told}").is_visible()
    assert page.locator(".save-bar .field-error").inner_text().strip().startswith("2")
    assert page.locator("#id_priority").input_value() == "primero"


@SCRIPTS
def test_of_two_editors_the_second_is_told_and_keeps_what_was_typed(open_page, ours, scripts):
    rule = a_rule(ours)
    page = open_page(ours.manager, java_script_enabled=scripts)
    page.goto(edit_url(rule))
    with tenancy.scope(ours.organization):
        publish(rule_id=rule.pk, user=ours.manager, expected_version=1,
                definition=rule.definition | {"name": "Suya"})  # fmt: skip
    page.fill("#id_name", "Mía")

    page.click("button[value='publish']", force=True)
    page.wait_for_selector("#conflict")

    assert page.locator("#id_name").input_value() == "Mía"
    assert "Suya" in page.locator("#conflict").inner_text()
    assert named("Suya").version == 2


def test_what_is_typed_while_the_form_is_away_is_not_lost(open_page, ours):
    page = open_page(ours.manager)
    page.goto(edit_url(a_rule(ours, conditions=HIGH)))
    page.route("**/edit/", lambda route: (page.wait_for_timeout(600), route.continue_()))

    page.select_option("#id_g-0-0-field", "event.payload.risk_score")
    page.wait_for_timeout(300)
    page.fill("#id_name", "Escrito mientras tanto")

    page.wait_for_selector("#id_g-0-0-value[inputmode=decimal]")
    assert page.locator("#id_name").input_value() == "Escrito mientras tanto"


def test_the_preview_of_a_mail_follows_while_it_is_written(open_page, ours):
    page = open_page(ours.manager)
    page.goto(f"{reverse(NEW)}?kind=timeout")

    page.fill("#id_a-0-subject-es", "Tu plaza, {patient.first_name}")
    page.locator("#id_a-0-subject-es").press_sequentially(".")

    page.wait_for_selector("#preview-1 :text('Tu plaza, Marta.')")
    assert page.locator("#id_a-0-subject-es:focus").count() == 1


def test_what_the_rule_says_follows_what_is_written(open_page, ours):
    page = open_page(ours.manager)
    page.goto(edit_url(a_rule(ours, conditions=HIGH)))
    assert page.locator("#publish").get_attribute("aria-disabled") == "true"

    page.select_option("#id_g-0-0-value", "LOW")

    page.wait_for_selector("#rule-now:has-text('es bajo')")
    assert "bajo" in page.locator("#rule-differs").inner_text()
    assert page.locator("#publish").get_attribute("aria-disabled") is None
    assert page.locator("#publish-why").inner_text() == ""
    page.fill("#id_name", "Otro nombre")
    page.keyboard.press("Tab")
    page.wait_for_selector("#rule-differs:has-text('Otro nombre')")
    assert page.locator("#id_trigger:focus").count() == 1


def test_a_choice_that_brings_fields_is_not_lost_while_the_sentence_is_asked_for(open_page, ours):
    page = open_page(ours.manager)
    page.goto(edit_url(a_rule(ours, conditions=HIGH)))
    page.route("**/edit/", lambda route: (page.wait_for_timeout(500), route.continue_()))

    page.select_option("#id_stage", "AWAITING_PAYMENT")
    page.wait_for_timeout(500)  # the sentence is under way
    page.select_option("#id_g-0-0-field", "event.payload.risk_score")

    page.wait_for_selector("#id_g-0-0-value[inputmode=decimal]")
    assert page.locator("#id_stage").input_value() == "AWAITING_PAYMENT"


def test_what_is_changed_while_the_sentence_is_asked_for_is_told_as_well(open_page, ours):
    page = open_page(ours.manager)
    page.goto(edit_url(a_rule(ours, conditions=HIGH)))
    page.route("**/edit/", lambda route: (page.wait_for_timeout(600), route.continue_()))

    page.select_option("#id_stage", "AWAITING_PAYMENT")
    page.wait_for_timeout(700)  # its answer comes before the next change is asked about
    page.select_option("#id_g-0-0-value", "LOW")

    page.wait_for_selector("#rule-differs:has-text('es bajo')")


@pytest.mark.parametrize("answer", ["none", "400"])
def test_without_an_answer_the_form_stays_and_says_so(open_page, ours, answer):
    page = open_page(ours.manager)
    page.goto(edit_url(a_rule(ours)))
    page.fill("#id_name", "Escrito")
    refuse = {"none": lambda route: route.abort(), "400": lambda route: route.fulfill(status=400)}
    page.route("**/edit/", refuse[answer])

    page.click("button[value='save']")
    page.wait_for_selector("#rule-unsent:visible")
    page.unroute("**/edit/")
    page.click("button[value='save']")
    page.wait_for_selector("ul.messagelist .success")

    assert page.locator("#id_name").input_value() == "Escrito"


@SCRIPTS
def test_a_refusal_leads_to_the_first_field_that_is_wrong(open_page, ours, scripts):
    page = open_page(ours.manager, java_script_enabled=scripts)
    page.goto(edit_url(a_rule(ours)))
    page.fill("#id_priority", "primero")

    page.click("button[value='publish']", force=True)

    page.wait_for_selector("#id_priority:focus")
