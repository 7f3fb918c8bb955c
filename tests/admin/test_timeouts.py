"""A time-out in the editor: its clock in words, and for whom it counts before it is published."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone, translation

from automation import monitor
from automation.admin.rule_form.hours import days_words
from automation.models import AutomationRule
from automation.selectors.stale import stale_visits
from automation.services.rules import publish
from kura import tenancy
from tests.admin import people
from tests.admin.automated import LOOK, WAIT, rule
from tests.admin.conftest import logged_in
from tests.admin.rule_forms import NEW, Editor, again, edit_url, page_of

NEW_LIMIT = "?kind=timeout"


@pytest.fixture
def manager(ours):
    return people.person(ours.organization, "manager", "Eva Ruiz", language="en")


@pytest.fixture
def client(manager) -> Client:
    return logged_in(manager)


def editor_of(client: Client, one: AutomationRule) -> Editor:
    return Editor(client, edit_url(one))


def saved(client: Client, one: AutomationRule, **typed: str) -> Editor:
    """Asked and answered with what the page proposes."""
    editor = editor_of(client, one)
    editor.press("publish", **typed)
    editor.press("publish")
    return editor


# --- the clock ----------------------------------------------------------------------------------


def test_hours_and_texts_become_the_next_version_and_the_rest_stays(client, ours):
    timeout = ours.automated.timeout

    saved(client, timeout, name="Pago", max_hours="96,5", repeat_hours="24", max_repeats="3",
          a__0__body__en="One\r\nTwo\r\n")  # fmt: skip

    changed = again(timeout)
    assert (changed.version, changed.name) == (2, "Pago")
    assert (changed.max_hours, changed.repeat_hours) == (Decimal("96.5"), Decimal(24))
    assert changed.max_repeats == 3
    assert changed.actions[0]["params"]["body"] == {
        "es": "Hola, {patient.first_name}", "en": "One\nTwo\n",
    }  # fmt: skip
    assert (changed.stage, changed.visits_from) == (timeout.stage, timeout.visits_from)


def test_one_text_for_both_languages_stays_one_until_they_differ(client, ours):
    one = rule(ours.organization, "texto", "JOURNEY_STAGE_TIMEOUT", LOOK, **WAIT)

    saved(client, one, a__0__text__es="Mira", a__0__text__en="Mira")
    same = again(one).actions[0]["params"]["text"]
    saved(client, one, a__0__text__en="Look")

    assert same == "Mira"
    assert again(one).actions[0]["params"]["text"] == {"es": "Mira", "en": "Look"}


@pytest.mark.parametrize(
    ("field", "typed", "words"),
    [
        ("max_hours", "", "This field is required"),
        ("max_hours", "soon", "Give hours greater than 0"),
        ("max_hours", "-1", "Give hours greater than 0"),
        ("max_hours", "1,000", "Write a thousand as 1000"),
        ("max_hours", "1000000", "Give hours greater than 0"),
        ("repeat_hours", "0,5", "repeat after 1 hour or more"),
        ("max_repeats", "many", "of the wrong kind"),
        ("max_repeats", "0", "must be at least 1"),
        ("stage", "", "This field is required"),
        ("journey", "", "This field is required"),
        ("a__0__subject__es", "", "This field is required"),
        ("a__0__subject__en", "{stage.name}", "may not stand in a subject"),
        ("a__0__body__es", "Hola {nobody}", "is no placeholder"),
        ("a__0__body__en", "   ", "This field is required"),
        ("a__0__body__es", "x" * 10_001, "at most 10000 characters"),
    ],
)
def test_each_problem_stands_beside_its_field_and_nothing_typed_is_lost(
    client, ours, field, typed, words
):
    editor = editor_of(client, ours.automated.timeout)

    editor.press("publish", **{"a__0__subject__en": "Other", "repeat_hours": "24", field: typed})

    name = field.replace("__", "-")
    assert words in editor.errors[name][0]
    assert f'id="id_{name}_error"' in editor.html
    assert editor.form[name].value() == typed
    assert again(ours.automated.timeout).version == 1


def test_a_number_of_times_without_hours_between_them_is_asked_for_them(client, ours):
    editor = editor_of(client, ours.automated.timeout)

    editor.press("publish", max_repeats="3")

    assert list(editor.errors) == ["repeat_hours"]


def test_hours_are_said_in_days_and_placeholders_are_listed(client, ours):
    words = editor_of(client, ours.automated.timeout).html

    assert "48 h (2 days)" in words
    assert "{patient.first_name}" in words
    assert "put:0:body-es:stage.name" in words
    assert "put:0:subject-es:stage.name" not in words


@pytest.mark.parametrize(
    ("hours", "words"),
    [
        ("48.000", "48 h (2 days)"),
        ("24", "24 h (1 day)"),
        ("36", "36 h (1 day 12 h)"),
        ("1,5", "1.5 h"),
        ("x", ""),
        (None, ""),
    ],
)
def test_hours_in_words(hours, words):
    with translation.override("en"):
        assert days_words(hours) == words


def test_only_stages_in_which_somebody_waits_are_offered(client, ours, theirs):
    editor = editor_of(client, ours.automated.timeout)

    codes = [value for value, _label in editor.form.fields["stage"].widget.choices]

    assert codes == ["", "AWAITING_SCREENING", "AWAITING_PAYMENT", "CONFIRMED", "BLOCKED"]


# --- new hours that would announce people at once -----------------------------------------------


@pytest.fixture
def waiting(ours):
    """Three who have been there for a day; the live rule announces only after two."""
    check()
    return [
        people.enrolled(people.patient(ours.organization, f"P {number}"), ours.template,
                        "AWAITING_PAYMENT", days_ago=2)
        for number in range(3)
    ]  # fmt: skip


def check() -> None:
    with tenancy.every_organization():
        monitor.check()


def due(one: AutomationRule) -> int:
    with tenancy.every_organization():
        return stale_visits(now=timezone.now(), limit=9, rule_id=one.pk).due


@pytest.mark.usefixtures("waiting")
def test_fewer_hours_first_say_how_many_people_the_next_check_announces(client, ours):
    editor = editor_of(client, ours.automated.timeout)

    editor.press("publish", max_hours="12")

    assert "With the new hours 3 more people are past a limit" in editor.html
    assert "4 people are in the stage now" in editor.html
    assert not any(choice.checked for choice in editor.answer.context["choices"])
    assert again(ours.automated.timeout).version == 1


@pytest.mark.parametrize(("chosen", "announced"), [("new", 0), ("waiting", 3)])
@pytest.mark.usefixtures("waiting")
def test_the_answer_decides_whom_the_next_check_announces(client, ours, chosen, announced):
    editor = editor_of(client, ours.automated.timeout)
    editor.press("publish", max_hours="12", a__0__body__es='Uno\r\n"Dos"')

    answer = editor.press("publish", for_whom=chosen)

    changed = again(ours.automated.timeout)
    assert answer["Location"] == page_of(changed)
    assert (changed.version, changed.max_hours) == (2, 12)
    assert changed.actions[0]["params"]["body"]["es"] == 'Uno\n"Dos"'
    assert (changed.visits_from is None) is (chosen == "waiting")
    assert due(changed) == announced


@pytest.mark.usefixtures("waiting")
def test_also_those_waiting_means_those_for_whom_it_counted(client, ours):
    since = timezone.now() - timedelta(hours=1)
    with tenancy.scope(ours.organization):
        AutomationRule.objects.filter(pk=ours.automated.timeout.pk).update(visits_from=since)

    saved(client, ours.automated.timeout, max_hours="12")

    assert again(ours.automated.timeout).visits_from == since


@pytest.mark.parametrize("typed", [{}, {"for_whom": "all"}])
@pytest.mark.usefixtures("waiting")
def test_without_an_answer_nothing_is_published_and_one_is_asked_for(client, ours, typed):
    editor = editor_of(client, ours.automated.timeout)
    editor.press("publish", max_hours="12")

    editor.press("publish", **typed)

    assert list(editor.errors) == ["for_whom"]
    assert 'aria-invalid="true"' in editor.html
    assert again(ours.automated.timeout).version == 1


@pytest.mark.parametrize(
    "typed", [{"max_hours": "49"}, {"name": "Otra"}, {"repeat_hours": "300", "max_repeats": "2"}]
)
@pytest.mark.usefixtures("waiting")
def test_what_announces_nobody_new_asks_for_nobody(client, ours, typed):
    editor = editor_of(client, ours.automated.timeout)

    editor.press("publish", **typed)

    assert editor.answer.context["form"] is None
    editor.press("publish")
    assert again(ours.automated.timeout).version == 2


@pytest.mark.usefixtures("waiting")
def test_a_repetition_that_is_added_asks_for_those_who_were_told_once(client, ours):
    editor = editor_of(client, ours.automated.timeout)

    editor.press("publish", repeat_hours="24")

    assert "With the new hours 1 more person is past a limit" in editor.html


@pytest.mark.usefixtures("waiting")
def test_a_rule_that_is_switched_off_announces_nobody_and_asks_nothing(client, ours):
    saved(client, ours.automated.asleep, max_hours="12")

    assert again(ours.automated.asleep).version == 2


@pytest.mark.usefixtures("waiting")
def test_a_limit_that_moves_to_another_stage_asks_for_whom_it_counts_there(client, ours):
    editor = editor_of(client, ours.automated.timeout)

    editor.press("publish", stage="AWAITING_SCREENING")

    assert 'value="new" checked' in editor.html
    editor.press("publish", for_whom="waiting")
    assert again(ours.automated.timeout).visits_from is None


@pytest.mark.usefixtures("waiting")
def test_of_two_people_the_second_is_told_at_the_question_as_well(client, ours):
    timeout = ours.automated.timeout
    editor = editor_of(client, timeout)
    editor.press("publish", max_hours="12")
    with tenancy.scope(ours.organization):
        said = timeout.definition | {"name": "Otra"}
        publish(rule_id=timeout.pk, user=ours.manager, expected_version=1, definition=said)

    answer = editor.press("publish", for_whom="new")

    assert answer.status_code == 409
    assert editor.value("max_hours") == "12"
    assert (again(timeout).version, again(timeout).name) == (2, "Otra")


@pytest.mark.usefixtures("waiting")
def test_the_question_costs_the_same_however_many_people_wait(client, ours):
    editor = editor_of(client, ours.automated.timeout)
    typed = {**editor.fields, "max_hours": "12", "act": "publish"}

    def asked() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert client.post(editor.url, typed).status_code == 200
        return len(captured)

    few = asked()
    for number in range(12):
        someone = people.patient(ours.organization, f"Q {number}")
        people.enrolled(someone, ours.template, "AWAITING_PAYMENT", days_ago=2)

    assert asked() == few <= 15


# --- a new one ----------------------------------------------------------------------------------


def new_limit(client: Client, **typed: str) -> Editor:
    editor = Editor(client, f"{reverse(NEW)}{NEW_LIMIT}")
    editor.type(name="Sin pagar", journey="retreat")
    editor.press("publish", stage="AWAITING_PAYMENT", max_hours="72", **typed)
    return editor


def made() -> AutomationRule | None:
    with tenancy.every_organization():
        return AutomationRule.objects.filter(name="Sin pagar").first()


def test_a_new_one_begins_with_a_reminder_that_can_be_sent(client):
    editor = Editor(client, f"{reverse(NEW)}{NEW_LIMIT}")

    assert editor.value("trigger") == "JOURNEY_STAGE_TIMEOUT"
    assert editor.value("a-0-type") == "send_email"
    assert "{patient.first_name}" in editor.value("a-0-body-en")


def test_a_new_one_is_made_after_the_question_for_whom(client, ours):
    editor = new_limit(client, repeat_hours="24", max_repeats="2")
    question, nothing_yet = editor.html, made()

    answer = editor.press("publish")

    assert nothing_yet is None
    assert "1 person is past the limit" in question
    assert 'value="new" checked' in question
    one = made()
    assert answer["Location"] == page_of(one)
    assert [action["type"] for action in one.actions] == ["send_email"]
    assert (one.stage, one.max_hours, one.is_active) == ("AWAITING_PAYMENT", 72, True)
    assert one.visits_from > timezone.now() - timedelta(minutes=1)


def test_a_new_one_counts_for_who_waits_when_somebody_asks_for_it(client, ours):
    new_limit(client).press("publish", for_whom="waiting")

    assert made().visits_from is None


def test_a_task_that_is_added_begins_with_words_that_can_be_given(client, ours):
    editor = Editor(client, f"{reverse(NEW)}{NEW_LIMIT}")

    editor.press("action-add")
    editor.type(a__1__type="create_task")

    assert "{patient.full_name} is still in" in editor.value("a-1-text-en")


def test_the_same_click_twice_makes_one_rule(client, ours):
    editor = new_limit(client)
    posted = {**editor.fields, "act": "publish"}

    answers = [client.post(reverse(NEW), posted) for _ in range(2)]

    assert answers[0]["Location"] == answers[1]["Location"] == page_of(made())
    with tenancy.every_organization():
        assert AutomationRule.objects.filter(name="Sin pagar").count() == 1


def test_a_stage_on_hold_says_that_mail_waits(client, ours):
    editor = Editor(client, edit_url(ours.automated.timeout))

    editor.press("publish", stage="BLOCKED")

    assert "This stage is on hold" in editor.html


def test_without_a_known_choice_nothing_is_made(client, ours):
    answer = new_limit(client).press("publish", for_whom="all")

    assert answer.status_code == 200
    assert made() is None
