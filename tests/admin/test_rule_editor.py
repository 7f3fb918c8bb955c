"""A manager builds and edits any rule in its three nodes; nothing is lost, nothing live changes."""

from __future__ import annotations

import re

import pytest
from django.test import Client
from django.urls import reverse

from automation.models import AutomationRule, RuleVersion
from automation.services.rules import archive, create_rule, publish, save_draft
from kura import tenancy
from tests.admin import people
from tests.admin.automated import CONFIRM, HIGH, NAMED, REMIND, STAGE, rule
from tests.admin.conftest import logged_in
from tests.admin.rule_forms import NEW, Editor, again, edit_url, page_of
from tests.admin.test_pages import queries

MEDICATED = {"field": "event.payload.medication_active", "op": "eq", "value": True}
HALF = '{"field": "event.payload.risk_score", "op": "gte", "value": 3, "label": {"en": "\\ud800"}}'
DEEP = {"all": [{"any": [HIGH, {"all": [MEDICATED, NAMED]}]}, STAGE]}


@pytest.fixture
def manager(ours):
    return people.person(ours.organization, "manager", "Eva Ruiz", language="en")


@pytest.fixture
def client(manager) -> Client:
    return logged_in(manager)


def a_rule(ours, trigger="RISK_ANALYSIS_COMPLETED", *actions, **fields) -> AutomationRule:
    with tenancy.scope(ours.organization):
        definition = {
            "name": "Regla", "trigger_event": trigger, "actions": list(actions) or [CONFIRM],
        }  # fmt: skip
        return create_rule(
            organization=ours.organization, definition=definition | fields, user=ours.manager
        )


def named(name: str) -> AutomationRule:
    with tenancy.every_organization():
        return AutomationRule.objects.get(name=name)


# --- rows ---------------------------------------------------------------------------------------


def test_the_middle_one_of_three_conditions_goes_and_the_others_keep_their_values(client, ours):
    said = {"all": [HIGH, MEDICATED, STAGE]}
    editor = Editor(client, edit_url(a_rule(ours, conditions=said)))

    editor.press("condition-remove:0:1", g__0__0__value="CRITICAL")

    assert editor.value("g-0-0-value") == "CRITICAL"
    assert editor.value("g-0-1-field") == "journeys.retreat"
    assert editor.value("g-0-1-value") == "AWAITING_PAYMENT"
    assert "g-0-2-field" not in editor.fields
    assert "Condition 1.2 is removed." in editor.html
    assert (
        'id="id_g-0-1-field" autofocus'
        in " ".join(editor.html.replace("autofocus>", "autofocus >").split())
        or autofocused(editor.html) == "g-0-1-field"
    )


def autofocused(html: str) -> str:
    """The name, or the value of the button, of the element that takes the focus."""
    at = html.index(" autofocus")
    tag = html[html.rindex("<", 0, at) : html.index(">", at)]
    for word in ("value", "name"):
        if f'{word}="' in tag and (word == "name" or tag.startswith("<button")):
            return tag.split(f'{word}="')[1].split('"')[0]
    return tag


@pytest.mark.parametrize(
    ("act", "focus", "said"),
    [
        ("group-add", "g-1-0-field", "New group 2, joined by “or”."),
        ("condition-add:0", "g-0-2-field", "New condition 1.3."),
        ("condition-remove:0:0", "g-0-0-field", "Condition 1.1 is removed."),
        ("condition-remove:0:1", "g-0-0-field", "Condition 1.2 is removed."),
        ("group-remove:0", "group-add", "Group 1 is removed."),
        ("action-add", "a-2-type", "New action 3."),
        ("action-down:0", "action-up:1", "The action is now number 2 of 2."),
        ("action-remove:0", "a-0-type", "Action 1 is removed."),
        ("action-remove:1", "a-0-type", "Action 2 is removed."),
    ],
)
def test_a_button_says_what_it_did_and_the_focus_goes_there(client, ours, act, focus, said):
    one = a_rule(
        ours, "RISK_ANALYSIS_COMPLETED", CONFIRM, REMIND, conditions={"all": [HIGH, STAGE]}
    )
    editor = Editor(client, edit_url(one))

    editor.press(act)

    status = editor.html[editor.html.index('id="rule-said"') :][:300]
    assert said in status
    assert autofocused(editor.html) == focus


@pytest.mark.parametrize(
    "act", ["", "nonsense", "action-up:0", "action-down:9", "condition-remove:7:7", "put:9:x:y",
            "group-remove:-1", "condition-add:x", "action-remove"],
)  # fmt: skip
def test_a_button_that_is_none_changes_nothing(client, ours, act):
    editor = Editor(client, edit_url(a_rule(ours, conditions={"all": [HIGH, STAGE]})))
    before = editor.fields

    editor.press(act)

    assert editor.fields == before


def test_actions_change_places_with_all_that_they_hold(client, ours):
    editor = Editor(client, edit_url(a_rule(ours, "PAYMENT_SUCCEEDED", REMIND, CONFIRM)))

    editor.press("action-down:0")

    assert (editor.value("a-0-type"), editor.value("a-1-type")) == (
        "update_journey_status", "send_email",
    )  # fmt: skip
    assert editor.value("a-1-subject-es") == "Tu plaza en {journey.name}"


# --- what follows a choice ----------------------------------------------------------------------


def test_stages_follow_the_chosen_journey(client, ours):
    people.journey(ours.organization, "yoga", "Yoga", moves=())
    one = a_rule(ours, "PAYMENT_SUCCEEDED", journey_key="retreat", stage="AWAITING_PAYMENT")
    editor = Editor(client, edit_url(one))

    editor.type(journey="yoga", a__0__key="")

    assert editor.value("stage") == "AWAITING_PAYMENT"  # both have it
    assert editor.value("a-0-status") == ""


def test_another_field_brings_its_own_operators_and_an_empty_value(client, ours):
    editor = Editor(client, edit_url(a_rule(ours, conditions=HIGH)))

    editor.type(g__0__0__field="event.payload.risk_score")

    assert editor.value("g-0-0-op") == "eq"
    assert editor.value("g-0-0-value") == ""
    assert 'inputmode="decimal"' in editor.html


@pytest.mark.parametrize(
    ("field", "op", "widget"),
    [
        ("event.payload.risk_level", "eq", '<select name="g-0-0-value"'),
        ("event.payload.risk_level", "in", 'type="checkbox" name="g-0-0-value"'),
        ("event.payload.medication_active", "eq", '<select name="g-0-0-value"'),
        ("event.payload.risk_score", "gte", 'inputmode="decimal"'),
        ("patient.created_at", "before", 'type="datetime-local"'),
        ("patient.email", "contains", '<input type="text" name="g-0-0-value"'),
        ("patient.email", "in", '<textarea name="g-0-0-value"'),
        ("journey.hours_in_stage", "gt", "Value (hours)"),
        ("patient.phone", "exists", '<option value="false"'),
    ],
)
def test_the_value_has_the_widget_of_its_type_and_its_unit(client, ours, field, op, widget):
    editor = Editor(client, edit_url(a_rule(ours, conditions=HIGH)))
    editor.type(g__0__0__field=field)

    editor.type(g__0__0__op=op)

    assert widget in editor.html


def test_an_action_has_the_form_of_its_schema(client, ours):
    editor = Editor(client, edit_url(a_rule(ours)))

    editor.press("action-add")
    editor.type(a__1__type="create_task")

    assert editor.value("a-1-audience") == "therapist"
    assert {"a-1-text-es", "a-1-text-en", "a-1-due_in_hours"} <= set(editor.fields)


def test_a_new_rule_asks_for_its_action_and_says_nothing_of_it(client, ours):
    editor = Editor(client, reverse(NEW))

    assert editor.value("a-0-type") == ""
    assert "written by a program" not in editor.html
    editor.press("save", name="Empieza")
    assert "written by a program" not in Editor(client, edit_url(named("Empieza"))).html


def test_a_mail_of_a_time_limit_is_not_asked_whether_it_is_a_reminder(client, ours):
    """Each of them is one; unticked it would read as if it went out to somebody on hold."""
    pressing = {**REMIND, "params": {**REMIND["params"], "reminder": True}}
    editor = Editor(client, edit_url(a_rule(ours, "PAYMENT_SUCCEEDED", pressing, REMIND)))
    assert editor.html.count("It is a reminder") == 2

    editor.type(trigger="JOURNEY_STAGE_TIMEOUT")
    assert "It is a reminder" not in editor.html
    editor.type(trigger="PAYMENT_SUCCEEDED")

    assert editor.value("a-0-reminder") == "true"
    assert "a-1-reminder" not in editor.fields


def test_a_placeholder_is_put_at_the_end_of_a_text(client, ours):
    editor = Editor(client, edit_url(a_rule(ours, "PAYMENT_SUCCEEDED", REMIND)))

    editor.press("put:0:body-es:stage.name", a__0__body__es="Hola:")

    assert editor.value("a-0-body-es") == "Hola: {stage.name}"


def test_a_mail_is_shown_as_it_would_be_read_in_both_languages_escaped(client, ours):
    editor = Editor(
        client, edit_url(a_rule(ours, "PAYMENT_SUCCEEDED", REMIND, journey_key="retreat"))
    )

    editor.type(a__0__body__en="<b>Hello</b> {patient.first_name}, {practice.name}")

    preview = editor.html[editor.html.index('id="preview-1"') :]
    assert "Your place in Retiro Om" in preview
    assert "&lt;b&gt;Hello&lt;/b&gt; Marta, Clínica Om" in preview


# --- drafts -------------------------------------------------------------------------------------


def test_a_draft_is_kept_with_its_errors_and_changes_nothing_live(client, ours):
    one = a_rule(ours)
    editor = Editor(client, edit_url(one))

    answer = editor.press("save", name="", a__0__status="")

    kept = again(one)
    assert answer["Location"] == edit_url(one)
    assert kept.draft["name"] == ""
    assert (kept.version, kept.name, kept.actions) == (1, "Regla", [CONFIRM])
    reopened = Editor(client, edit_url(one))
    assert set(reopened.errors) == {"name", "a-0-status"}
    assert "2 errors to correct before it can be published" in reopened.html
    assert 'aria-invalid="true"' in reopened.html
    assert 'id="id_name_error"' in reopened.html


def test_published_and_draft_stand_side_by_side_with_what_differs(client, ours):
    one = a_rule(ours, journey_key="retreat")
    editor = Editor(client, edit_url(one))

    editor.press("action-add", name="Otra")
    editor.type(a__1__type="emit_event")
    editor.type(a__1__event_type="ready")

    assert "The name “Regla” becomes “Otra”." in editor.html
    assert "New: record the event “Ready”." in editor.html
    assert "Published: version 1" in editor.html


def test_a_draft_that_says_what_is_published_is_no_draft(client, ours):
    one = a_rule(ours, conditions={"all": [HIGH, STAGE]})

    Editor(client, edit_url(one)).press("save")

    assert again(one).draft is None


def test_a_new_rule_is_kept_before_it_can_run(client, ours):
    editor = Editor(client, reverse(NEW))

    answer = editor.press("save", name="Empieza")

    kept = named("Empieza")
    assert answer["Location"] == edit_url(kept)
    assert (kept.version, kept.is_active) == (0, False)
    with tenancy.every_organization():
        assert not RuleVersion.objects.filter(rule=kept).exists()
    assert "Not published yet" in Editor(client, edit_url(kept)).html
    assert client.get(page_of(kept)).status_code == 200


def test_the_same_click_twice_keeps_one_new_rule(client, ours):
    editor = Editor(client, reverse(NEW))
    posted = {**editor.fields, "name": "Empieza", "act": "save"}

    answers = [client.post(reverse(NEW), posted) for _ in range(2)]

    assert answers[0]["Location"] == answers[1]["Location"] == edit_url(named("Empieza"))


# --- publishing ---------------------------------------------------------------------------------


def published(editor: Editor, **typed):
    """Through the question, with what its page carries."""
    question = editor.press("publish", **typed)
    assert question.status_code == 200
    return editor.press("publish")


def test_publishing_says_what_changes_and_makes_the_next_version(client, ours, manager):
    one = a_rule(ours, conditions=HIGH)
    editor = Editor(client, edit_url(one))

    question = editor.press("publish", g__0__0__value="CRITICAL")
    nothing_yet = again(one).version
    answer = editor.press("publish")

    assert "What changes" in question.content.decode()
    assert nothing_yet == 1
    assert answer["Location"] == page_of(one)
    changed = again(one)
    assert (changed.version, changed.draft) == (2, None)
    assert changed.conditions == {**HIGH, "value": "CRITICAL"}
    with tenancy.scope(ours.organization):
        assert RuleVersion.objects.get(rule=one, version=2).published_by == manager


def test_a_new_rule_is_published_as_version_1_and_runs(client, ours):
    editor = Editor(client, reverse(NEW))
    editor.type(name="Pagado", trigger="PAYMENT_SUCCEEDED", journey="retreat")
    editor.type(a__0__type="update_journey_status")
    published(editor, a__0__status="CONFIRMED")

    made = named("Pagado")
    assert (made.version, made.is_active, made.journey_key) == (1, True, "retreat")
    assert made.actions == [CONFIRM]


def test_a_kept_new_rule_is_switched_on_by_its_first_publication(client, ours):
    editor = Editor(client, reverse(NEW))
    editor.press("save", name="Pagado", trigger="PAYMENT_SUCCEEDED")
    one = named("Pagado")
    editor = Editor(client, edit_url(one))
    editor.type(a__0__type="update_journey_status", journey="retreat")
    published(editor, a__0__key="retreat", a__0__status="CONFIRMED")

    assert (again(one).version, again(one).is_active) == (1, True)


def test_a_rule_with_errors_is_not_published_and_says_why(client, ours):
    one = a_rule(ours, conditions={"all": [HIGH, STAGE]})
    editor = Editor(client, edit_url(one))

    editor.press("publish", name=" ", g__0__1__value="")

    assert "It cannot be published yet" in editor.html
    assert list(editor.errors) == ["name", "g-0-1-value"]
    assert again(one).version == 1


def why_not_published(html: str) -> tuple[bool, str]:
    """Whether the button is shown as one that cannot, and the words beside it."""
    [button] = re.findall(r'<button[^>]* id="publish"[^>]*>', html)
    words = re.sub(r"<[^>]+>", "", html.split('id="publish-why">')[1].split("</p>", maxsplit=1)[0])
    is_off = 'aria-disabled="true"' in button
    assert is_off == ('aria-describedby="publish-why"' in button)
    return is_off, " ".join(words.split())


def test_what_is_not_complete_cannot_be_published_and_says_what_is_missing(client, ours):
    editor = Editor(client, reverse(NEW))

    told = why_not_published(editor.html)

    assert told == (True, "To publish it, fill in or correct: Name of the rule, Event, Action 1")
    assert '<a href="#id_a-0-type">Action 1</a>' in editor.html


def test_errors_and_nothing_new_are_reasons_as_well(client, ours):
    editor = Editor(client, edit_url(a_rule(ours, conditions={"all": [HIGH, STAGE]})))
    nothing = why_not_published(editor.html)
    editor.press("publish", name=" ", g__0__1__value="")
    wrong = why_not_published(editor.html)
    editor.type(name="Otra", g__0__1__value="AWAITING_PAYMENT")

    assert nothing == (True, "It says what is published: there is nothing to publish.")
    assert wrong == (True, "2 errors to correct before it can be published")
    assert why_not_published(editor.html) == (False, "")


def test_what_is_missing_names_its_row_and_the_rest_is_counted(client, ours):
    editor = Editor(client, edit_url(a_rule(ours, conditions={"all": [HIGH, STAGE]})))

    editor.type(name="", priority="x", g__0__1__value="", a__0__type="create_task")

    _off, words = why_not_published(editor.html)
    assert words.startswith("To publish it, fill in or correct: Name of the rule, Priority, ")
    assert "Condition 1.2 (Value)" in words
    assert re.search(r" and \d more$", words)


def test_errors_stay_marked_until_they_are_corrected(client, ours):
    editor = Editor(client, edit_url(a_rule(ours)))
    editor.press("publish", name="", priority="x")

    editor.type(name="Otra")

    assert list(editor.errors) == ["priority"]


@pytest.mark.parametrize(
    ("typed", "field", "words"),
    [
        ({"g__0__0__op": "like"}, "g-0-0-op", "Use one of"),
        ({"priority": "99999"}, "priority", "at most 32767"),
        ({"stage": "NOWHERE"}, "stage", "is no stage of"),
        ({"trigger": "NOTHING"}, "trigger", "is no kind of event"),
        ({"a__0__status": "BLOCKED_X"}, "a-0-status", "is no stage of"),
        ({"a__0__type": ""}, "a-0-type", "This field is required"),
    ],
)
def test_each_problem_of_the_api_stands_beside_its_field(client, ours, typed, field, words):
    one = a_rule(ours, conditions=HIGH, journey_key="retreat")
    editor = Editor(client, edit_url(one))

    editor.press("publish", **typed)

    assert any(words in one for one in editor.errors[field]), editor.errors
    assert again(one).version == 1


def test_a_thousand_that_could_be_one_is_asked_about(client, ours):
    said = {"field": "event.payload.risk_score", "op": "gte", "value": 3}
    editor = Editor(client, edit_url(a_rule(ours, conditions=said)))

    editor.press("publish", g__0__0__value="1,000")

    assert "Write a thousand as 1000" in editor.errors["g-0-0-value"][0]


def test_a_chain_without_end_is_told_before_it_is_published(client, ours):
    pong = {"type": "emit_event", "params": {"event_type": "CUSTOM.pong"}}
    a_rule(ours, "CUSTOM.ping", pong, name="Uno")
    other = a_rule(ours, "CUSTOM.pong", CONFIRM, name="Dos")
    editor = Editor(client, edit_url(other))
    editor.type(a__0__type="emit_event")

    question = editor.press("publish", a__0__event_type="ping")
    answer = client.post(edit_url(other), {**editor.fields, "act": "publish", "confirmed": "1"})

    assert "call each other without end" in question.content.decode()
    assert 'value="publish"' not in question.content.decode()
    assert "call each other without end" in answer.content.decode()
    assert again(other).version == 1


def test_back_leads_to_the_form_with_everything_that_was_typed(client, ours):
    editor = Editor(client, edit_url(a_rule(ours, "PAYMENT_SUCCEEDED", REMIND)))
    editor.press("publish", name="Otra", a__0__body__es='Uno\r\n"Dos" <b>')

    editor.press("look")

    assert editor.value("name") == "Otra"
    assert editor.form["a-0-body-es"].value() == 'Uno\r\n"Dos" <b>'


def test_a_rule_that_is_switched_off_stays_off(client, ours):
    one = a_rule(ours)
    with tenancy.scope(ours.organization):
        AutomationRule.objects.filter(pk=one.pk).update(is_active=False)
    answer = published(Editor(client, edit_url(one)), name="Otra")

    assert (again(one).version, again(one).is_active) == (2, False)
    assert "does nothing until it is switched on" in client.get(answer["Location"]).content.decode()


# --- dry run ------------------------------------------------------------------------------------


def test_a_dry_run_tries_what_stands_in_the_form_and_keeps_it(client, ours):
    one = a_rule(ours, conditions=HIGH)
    editor = Editor(client, edit_url(one))
    posted = {**editor.fields, "name": "Otra", "g-0-0-value": "LOW", "dry_run": "1"}

    editor.answer = client.post(edit_url(one), posted)

    assert "<b>0</b> of <b>1</b> event would have set it off" in editor.html
    assert "No longer: 1 (patients: 1)" in editor.html
    assert (editor.value("name"), editor.value("g-0-0-value")) == ("Otra", "LOW")
    assert (again(one).draft, again(one).version) == (None, 1)


def test_a_new_rule_is_tried_before_anything_is_kept(client, ours):
    editor = Editor(client, reverse(NEW))
    editor.type(name="Prueba", trigger="RISK_ANALYSIS_COMPLETED", a__0__type="emit_event")
    posted = {**editor.fields, "a-0-event_type": "ready", "dry_run": "1"}

    answer = client.post(reverse(NEW), posted)

    assert "<b>1</b> of <b>1</b> event would have set it off" in answer.content.decode()
    with tenancy.every_organization():
        assert not AutomationRule.objects.filter(name="Prueba").exists()


def test_a_dry_run_of_a_rule_with_errors_names_them(client, ours):
    one = a_rule(ours)
    posted = {**Editor(client, edit_url(one)).fields, "name": "", "dry_run": "1"}

    answer = client.post(edit_url(one), posted)

    assert "1 problem has to be corrected first." in answer.content.decode()


def test_a_dry_run_leads_to_the_fields_that_are_wrong(client, ours):
    one = a_rule(ours, conditions={"all": [HIGH, STAGE]})
    typed = {"g-0-1-value": "NOWHERE", "a-0-type": ""}
    posted = {**Editor(client, edit_url(one)).fields, **typed, "dry_run": "1"}

    html = client.post(edit_url(one), posted).content.decode()

    assert "2 problems have to be corrected first." in html
    assert '<a href="#id_g-0-1-value">Condition 1.2 (Value)</a>: ' in html
    assert '<a href="#id_a-0-type">Action 1</a>: This field is required.' in html


@pytest.mark.parametrize("act", ["save", "publish", "look"])
@pytest.mark.parametrize("typed", ["1e999", "9" * 400, "\x00", HALF, '{"a": NaN}'])
def test_whatever_is_typed_is_kept_or_refused_and_never_fails(client, ours, typed, act):
    said = {"field": "event.payload.risk_score", "op": "gte", "value": 3}
    one = a_rule(ours, "RISK_ANALYSIS_COMPLETED", REMIND, conditions=said)
    names = ("name", "priority", "g-0-0-value", "g-0-0-kept", "a-0-body-es", "a-0-kept")
    posted = Editor(client, edit_url(one)).fields | dict.fromkeys(names, typed) | {"act": act}
    if typed == HALF:
        posted |= {"g-0-0-value": "3", "priority": "100"}

    answer = client.post(edit_url(one), posted)

    assert answer.status_code in {200, 302}
    assert again(one).version == 1


@pytest.mark.parametrize("typed", ["1e999", "\x00"])
def test_a_new_rule_that_cannot_be_kept_is_not_begun(client, ours, typed):
    posted = Editor(client, reverse(NEW)).fields | {"name": "Rara", "priority": typed}

    answer = client.post(reverse(NEW), posted | {"act": "save"})

    assert answer.status_code == 200
    assert "The rule cannot be saved" in answer.content.decode()
    with tenancy.every_organization():
        assert not AutomationRule.objects.filter(version=0).exists()


# --- two editors --------------------------------------------------------------------------------


@pytest.mark.parametrize("act", ["save", "publish"])
def test_the_second_of_two_editors_is_told_and_loses_nothing(client, ours, act):
    one = a_rule(ours)
    editor = Editor(client, edit_url(one))
    with tenancy.scope(ours.organization):
        publish(rule_id=one.pk, user=ours.manager, expected_version=1,
                definition=one.definition | {"name": "Suya"})  # fmt: skip

    answer = editor.press(act, name="Mía")

    assert answer.status_code == 409
    assert editor.value("name") == "Mía"
    assert "The name “Suya” becomes “Mía”." in editor.html
    assert (again(one).name, again(one).draft) == ("Suya", None)


def test_who_looked_at_the_conflict_may_keep_theirs_after_all(client, ours):
    one = a_rule(ours)
    editor = Editor(client, edit_url(one))
    with tenancy.scope(ours.organization):
        save_draft(rule_id=one.pk, definition=one.definition | {"name": "Suya"})
    editor.press("save", name="Mía")

    answer = editor.press("save")

    assert answer["Location"] == edit_url(one)
    assert again(one).draft["name"] == "Mía"


@pytest.mark.parametrize("act", ["save", "publish"])
def test_the_same_click_twice_is_no_conflict(client, ours, act):
    one = a_rule(ours)
    editor = Editor(client, edit_url(one))
    if act == "publish":
        editor.press("publish", name="Otra")
    posted = {**editor.fields, "name": "Otra", "act": act}

    answers = [client.post(edit_url(one), posted) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [302, 302]
    assert again(one).version == (2 if act == "publish" else 1)


def test_an_archived_rule_is_not_edited(client, ours):
    one = a_rule(ours)
    with tenancy.scope(ours.organization):
        archive(rule_id=one.pk, user=ours.manager)

    assert client.get(edit_url(one)).status_code == 409


# --- what the form cannot show ------------------------------------------------------------------


def test_a_deeper_tree_is_shown_whole_kept_and_never_flattened(client, ours):
    one = a_rule(ours, conditions=DEEP)
    editor = Editor(client, edit_url(one))
    published(editor, name="Otra")

    assert again(one).conditions == DEEP
    assert again(one).name == "Otra"
    shown = Editor(client, edit_url(one)).html
    assert "At least one of these:" in shown
    assert "takes medication is yes" in shown
    assert "They stay as they are" in shown


def test_a_deeper_tree_gives_way_only_when_asked(client, ours):
    editor = Editor(client, edit_url(a_rule(ours, conditions=DEEP)))

    editor.press("tree-remove")

    assert "tree" not in editor.fields
    assert autofocused(editor.html) == "group-add"


def test_words_of_its_own_stay_until_the_condition_changes(client, ours):
    label = {"es": "riesgo alto", "en": "at risk indeed"}
    one = a_rule(ours, conditions={"all": [HIGH | {"label": label}, STAGE]})
    editor = Editor(client, edit_url(one))
    shown = editor.html

    editor.press("save", g__0__1__value="CONFIRMED")
    kept = again(one).draft["conditions"]["all"]
    editor = Editor(client, edit_url(one))
    editor.press("save", g__0__0__value="LOW")

    assert "at risk indeed" in shown
    assert kept == [HIGH | {"label": label}, STAGE | {"value": "CONFIRMED"}]
    assert again(one).draft["conditions"]["all"][0] == HIGH | {"value": "LOW"}


def test_a_draft_of_any_shape_can_be_opened(client, ours):
    one = a_rule(ours)
    for draft in (
        {}, {"name": 5, "actions": "x", "conditions": [1]}, {"actions": [None, {"type": 3}]},
        {"trigger_event": ["x"], "priority": {}, "conditions": {"any": []}},
        {"actions": [{"type": "send_email", "params": {"subject": 7, "body": {"es": 1}}}]},
        {"conditions": {"all": [{"field": 3}]}, "stage": "GONE", "journey_key": "gone"},
    ):  # fmt: skip
        with tenancy.scope(ours.organization):
            save_draft(rule_id=one.pk, definition=draft)

        Editor(client, edit_url(one)).press("look")


# --- who ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("role", ["viewer", "therapist"])
def test_who_may_not_change_rules_gets_neither_buttons_nor_pages(ours, role):
    client, one = logged_in(getattr(ours, role)), ours.automated.rule
    posted = {"name": "x", "act": "save", "groups": "0", "actions": "0"}

    answers = [client.post(edit_url(one), posted), client.post(reverse(NEW), posted)]

    assert [answer.status_code for answer in answers] == [403, 403]
    assert edit_url(one) not in client.get(page_of(one)).content.decode()
    listed = client.get(reverse("admin:automation_automationrule_changelist")).content.decode()
    assert reverse(NEW) not in listed
    assert again(one).draft is None


def test_another_practices_manager_edits_nothing(ours, theirs):
    one = ours.automated.rule

    answer = logged_in(theirs.manager).post(edit_url(one), {"name": "x", "act": "save"})

    assert answer.status_code == 404
    assert again(one).draft is None


def test_journeys_of_another_practice_are_neither_offered_nor_taken(client, ours, theirs):
    people.journey(theirs.organization, "secret", "FOREIGN secret", moves=())
    one = a_rule(ours)
    editor = Editor(client, edit_url(one))
    shown = editor.html

    editor.press("publish", journey="secret", a__0__key="secret")

    assert "FOREIGN" not in shown + editor.html
    assert set(editor.errors) == {"journey", "a-0-status"}
    posted = {**editor.fields, "a-0-status": "CONFIRMED", "act": "publish", "confirmed": "1"}
    assert set(client.post(editor.url, posted).context["form"].errors) == {"journey", "a-0-key"}
    assert again(one).version == 1


def test_platform_staff_has_no_practice_to_make_a_rule_in(db):
    staff = people.person(None, "", is_superuser=True)

    assert logged_in(staff).get(reverse(NEW)).status_code == 403


@pytest.mark.parametrize(
    "typed", [{"groups": "9999"}, {"groups": "x"}, {"actions": "-1"}, {"g-0-count": "999"}]
)
def test_what_no_page_of_ours_sends_is_refused(client, ours, typed):
    editor = Editor(client, edit_url(a_rule(ours, conditions=HIGH)))

    assert client.post(editor.url, {**editor.fields, **typed}).status_code == 400


# --- size ---------------------------------------------------------------------------------------


def test_fifty_conditions_and_ten_actions_are_edited_like_one(client, ours):
    leaves = [STAGE | {"value": ["AWAITING_PAYMENT", "BLOCKED"], "op": "in"} for _ in range(10)]
    tree = {"any": [{"all": list(leaves)} for _ in range(5)]}
    one = a_rule(ours, "PAYMENT_SUCCEEDED", *[CONFIRM] * 5, *[REMIND] * 5, conditions=tree)
    editor = Editor(client, edit_url(one))
    sent = sum(len(values) for values in editor.fields.values())

    published(editor, name="Grande")

    assert again(one).conditions == tree
    assert sent < 900  # Django reads 1000 fields of a form


def test_the_number_of_queries_does_not_grow_with_the_rule(client, ours):
    small = edit_url(a_rule(ours, conditions=HIGH))
    few = queries(client, small)
    for number in range(12):
        rule(ours.organization, f"más {number}", "PAYMENT_SUCCEEDED", CONFIRM)
    people.journey(ours.organization, "yoga", "Yoga", moves=())
    tree = {"any": [{"all": [HIGH, STAGE] * 5} for _ in range(5)]}
    actions = [CONFIRM] * 5 + [REMIND] * 5
    large = edit_url(a_rule(ours, "RISK_ANALYSIS_COMPLETED", *actions, conditions=tree))

    assert queries(client, large) == few <= 10
