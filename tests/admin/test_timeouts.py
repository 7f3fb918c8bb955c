"""A time-out is edited and made on pages: problems beside their fields, nothing lost, no script."""

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
from automation.admin.timeout_forms import days_words
from automation.models import AutomationRule, RuleVersion
from automation.selectors.stale import stale_visits
from automation.services.rules import archive, publish, save_draft
from journeys.models.template import JourneyStage
from kura import tenancy
from tests.admin import people
from tests.admin.automated import LOOK, REMIND, WAIT, rule
from tests.admin.conftest import logged_in
from tests.admin.test_pages import queries

NEW = "admin:automation_automationrule_newtimeout"
SUBJECT = "action-0-subject-"
BODY = "action-0-body-"


@pytest.fixture
def manager(ours):
    return people.person(ours.organization, "manager", "Eva Ruiz", language="en")


@pytest.fixture
def client(manager) -> Client:
    return logged_in(manager)


def url(one: AutomationRule) -> str:
    return reverse("admin:automation_automationrule_timeout", args=[one.pk])


def page_of(one: AutomationRule) -> str:
    return reverse("admin:automation_automationrule_change", args=[one.pk])


def again(one: AutomationRule) -> AutomationRule:
    with tenancy.every_organization():
        return AutomationRule.objects.get(pk=one.pk)


def as_shown(client: Client, address: str) -> dict[str, str]:
    """What a browser would send if nothing was typed."""
    context = client.get(address).context
    fields = {field.html_name: field.value() for field in context["form"]}
    shown = {name: "" if value is None else str(value) for name, value in fields.items()}
    return shown | ({"seen": context["seen"]} if "seen" in context else {})


def save(client: Client, one: AutomationRule, **typed: str):
    return client.post(url(one), as_shown(client, url(one)) | typed)


def errors_of(answer) -> dict[str, list[str]]:
    return {name: list(words) for name, words in answer.context["form"].errors.items()}


# --- editing --------------------------------------------------------------------------------------


def test_hours_and_texts_become_the_next_version_and_the_rest_stays(client, ours, manager):
    timeout = ours.automated.timeout

    texts = {f"{SUBJECT}es": "Hola", f"{BODY}en": "One\r\nTwo\r\n"}
    clock = {"max_hours": "36,5", "repeat_hours": "24", "max_repeats": "3"}

    answer = save(client, timeout, name="Pago", **clock, **texts)

    changed = again(timeout)
    assert answer["Location"] == page_of(timeout)
    assert (changed.version, changed.name) == (2, "Pago")
    assert (changed.max_hours, changed.repeat_hours) == (Decimal("36.5"), Decimal(24))
    assert changed.max_repeats == 3
    params = changed.actions[0]["params"]
    assert params["subject"] == {"es": "Hola", "en": "Your place in {journey.name}"}
    assert params["body"] == {"es": "Hola, {patient.first_name}", "en": "One\nTwo\n"}
    assert params["audience"] == "patient"
    assert (changed.stage, changed.visits_from) == (timeout.stage, timeout.visits_from)
    with tenancy.scope(ours.organization):
        assert RuleVersion.objects.get(rule=timeout, version=2).published_by == manager


def test_what_says_nothing_new_is_no_new_version(client, ours):
    answer = save(client, ours.automated.timeout)

    assert answer["Location"] == page_of(ours.automated.timeout)
    assert again(ours.automated.timeout).version == 1
    assert "version 1 says the same already" in client.get(answer["Location"]).content.decode()


def test_one_text_for_both_languages_stays_one_until_they_differ(client, ours):
    one = rule(ours.organization, "texto", "JOURNEY_STAGE_TIMEOUT", LOOK, **WAIT)
    fields = ("action-0-text-es", "action-0-text-en")

    save(client, one, **dict.fromkeys(fields, "Mira"))
    same = again(one).actions[0]["params"]["text"]
    save(client, one, **{fields[1]: "Look"})

    assert same == "Mira"
    assert again(one).actions[0]["params"]["text"] == {"es": "Mira", "en": "Look"}


@pytest.mark.parametrize(
    ("field", "typed", "words"),
    [
        ("name", "", "This field is required"),
        ("max_hours", "", "This field is required"),
        ("max_hours", "soon", "Give hours greater than 0"),
        ("max_hours", "-1", "Give hours greater than 0"),
        ("max_hours", "1.000", "Write a thousand as 1000"),
        ("max_hours", "1000000", "Give hours greater than 0"),
        ("repeat_hours", "0,5", "repeat after 1 hour or more"),
        ("max_repeats", "many", "Enter a whole number"),
        ("max_repeats", "0", "must be at least 1"),
        (f"{SUBJECT}es", "", "This field is required"),
        (f"{SUBJECT}en", "{stage.name}", "may not stand in a subject"),
        (f"{BODY}es", "Hola {nobody}", "is no placeholder"),
        (f"{BODY}en", "   ", "Write what it shall say"),
        (f"{BODY}es", "x" * 10_001, "at most 10000 characters"),
        (f"{BODY}en", "a\x00b", "Null characters are not allowed"),
    ],
)
def test_each_problem_stands_beside_its_field_and_nothing_typed_is_lost(
    client, ours, field, typed, words
):
    typed_before = {f"{SUBJECT}es": "Otro", "repeat_hours": "24"}

    answer = save(client, ours.automated.timeout, **typed_before | {field: typed})

    assert list(errors_of(answer)) == [field]
    assert words in answer.content.decode()
    assert f'id="id_{field}_error"' in answer.content.decode()
    assert answer.context["form"][field].value() == typed
    assert again(ours.automated.timeout).version == 1


def test_a_number_of_times_without_hours_between_them_is_asked_for_them(client, ours):
    answer = save(client, ours.automated.timeout, max_repeats="3")

    assert list(errors_of(answer)) == ["repeat_hours"]
    assert "Say after how many hours" in answer.content.decode()


def test_all_problems_are_told_at_once(client, ours):
    answer = save(client, ours.automated.timeout, name="", max_hours="x", **{f"{BODY}es": "{"})

    assert set(errors_of(answer)) == {"name", "max_hours", f"{BODY}es"}


def test_what_is_wrong_elsewhere_stands_above_the_form(client, ours):
    with tenancy.scope(ours.organization):
        stage = JourneyStage.objects.get(template=ours.template, code="AWAITING_PAYMENT")
    orphan = rule(ours.organization, "sin etapa", "JOURNEY_STAGE_TIMEOUT", LOOK,
                  **WAIT | {"stage": f"{stage.code}_OLD"})  # fmt: skip

    answer = save(client, orphan, max_hours="24")

    assert list(errors_of(answer)) == ["__all__"]
    assert "is no stage of" in errors_of(answer)["__all__"][0]


def test_of_two_people_the_second_is_told_and_keeps_the_text(client, ours):
    timeout = ours.automated.timeout
    fields = as_shown(client, url(timeout)) | {f"{BODY}es": "Lo que yo escribí"}
    with tenancy.scope(ours.organization):
        said = timeout.definition | {"name": "Otra"}
        publish(rule_id=timeout.pk, user=ours.manager, expected_version=1, definition=said)

    answer = client.post(url(timeout), fields)

    assert answer.status_code == 409
    assert "Lo que yo escribí" in answer.content.decode()
    assert (again(timeout).version, again(timeout).name) == (2, "Otra")


def test_the_same_click_twice_publishes_one_version(client, ours):
    fields = as_shown(client, url(ours.automated.timeout)) | {"max_hours": "24"}

    answers = [client.post(url(ours.automated.timeout), fields) for _ in range(2)]

    assert [answer["Location"] for answer in answers] == [page_of(ours.automated.timeout)] * 2
    assert again(ours.automated.timeout).version == 2


def test_a_draft_is_named_before_it_is_discarded(client, ours):
    timeout = ours.automated.timeout
    with tenancy.scope(ours.organization):
        save_draft(rule_id=timeout.pk, definition=timeout.definition | {"name": "Borrador"})

    assert "the draft is discarded" in client.get(url(timeout)).content.decode()


def test_other_rules_and_archived_ones_are_not_edited_here(client, ours):
    with tenancy.scope(ours.organization):
        archive(rule_id=ours.automated.asleep.pk, user=ours.manager)

    assert client.get(url(ours.automated.rule)).status_code == 404
    assert client.get(url(ours.automated.asleep)).status_code == 409
    assert url(ours.automated.rule) not in client.get(page_of(ours.automated.rule)).content.decode()


def test_hours_are_said_in_days_and_placeholders_are_listed(client, ours):
    words = client.get(url(ours.automated.timeout)).content.decode()

    assert "48 h (2 days)" in words
    assert "{patient.first_name}" in words
    assert "not in a subject" in words


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


@pytest.mark.parametrize("role", ["viewer", "therapist"])
def test_who_may_not_change_rules_gets_neither_buttons_nor_pages(ours, role):
    client = logged_in(getattr(ours, role))
    listed = client.get(reverse("admin:automation_automationrule_changelist")).content.decode()

    answers = [client.post(url(ours.automated.timeout), {}), client.post(reverse(NEW), {})]

    assert [answer.status_code for answer in answers] == [403, 403]
    assert reverse(NEW) not in listed
    assert (
        url(ours.automated.timeout)
        not in client.get(page_of(ours.automated.timeout)).content.decode()
    )


def test_another_practices_manager_edits_nothing(ours, theirs):
    answer = logged_in(theirs.manager).post(url(ours.automated.timeout), {"name": "x"})

    assert answer.status_code == 404
    assert again(ours.automated.timeout).version == 1


# --- new hours that would announce people at once -------------------------------------------------


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


def shorter(client: Client, one: AutomationRule, **typed: str):
    """Answers the question, with what its page carries."""
    asked = save(client, one, max_hours="12", **{f"{BODY}es": 'Uno\r\n"Dos"'})
    hidden = {field.html_name: field.value() for field in asked.context["kept"]}
    return client.post(url(one), hidden | {"seen": asked.context["seen"], "asked": "1"} | typed)


@pytest.mark.usefixtures("waiting")
def test_fewer_hours_first_say_how_many_people_the_next_check_announces(client, ours):
    asked = save(client, ours.automated.timeout, max_hours="12")

    words = asked.content.decode()
    assert asked.status_code == 200
    assert "With the new hours 3 more people are past a limit" in words
    assert "4 people are in the stage now" in words
    assert not any(choice.checked for choice in asked.context["choices"])
    assert again(ours.automated.timeout).version == 1


@pytest.mark.parametrize(("chosen", "announced"), [("new", 0), ("waiting", 3)])
@pytest.mark.usefixtures("waiting")
def test_the_answer_decides_whom_the_next_check_announces(client, ours, chosen, announced):
    answer = shorter(client, ours.automated.timeout, for_whom=chosen)

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

    answer = save(client, ours.automated.timeout, max_hours="12")

    assert answer["Location"] == page_of(ours.automated.timeout)
    assert again(ours.automated.timeout).visits_from == since


@pytest.mark.parametrize("typed", [{}, {"for_whom": "all"}])
@pytest.mark.usefixtures("waiting")
def test_without_an_answer_nothing_is_published_and_one_is_asked_for(client, ours, typed):
    answer = shorter(client, ours.automated.timeout, **typed)

    assert list(errors_of(answer)) == ["for_whom"]
    assert 'aria-invalid="true"' in answer.content.decode()
    assert again(ours.automated.timeout).version == 1


@pytest.mark.usefixtures("waiting")
def test_back_leads_to_the_form_with_everything_that_was_typed(client, ours):
    answer = shorter(client, ours.automated.timeout, back="Back", for_whom="waiting")

    assert answer.context["form"]["max_hours"].value() == "12"
    assert answer.context["form"][f"{BODY}es"].value() == 'Uno\r\n"Dos"'
    assert again(ours.automated.timeout).version == 1


@pytest.mark.parametrize(
    "typed", [{"max_hours": "49"}, {"name": "Otra"}, {"repeat_hours": "300", "max_repeats": "2"}]
)
@pytest.mark.usefixtures("waiting")
def test_what_announces_nobody_new_is_published_without_a_question(client, ours, typed):
    save(client, ours.automated.timeout, **typed)

    assert again(ours.automated.timeout).version == 2


@pytest.mark.usefixtures("waiting")
def test_a_repetition_that_is_added_asks_for_those_who_were_told_once(client, ours):
    asked = save(client, ours.automated.timeout, repeat_hours="24")

    assert "With the new hours 1 more person is past a limit" in asked.content.decode()


def test_who_is_due_anyway_is_no_news(client, ours):
    save(client, ours.automated.timeout, max_hours="12")

    assert again(ours.automated.timeout).version == 2


@pytest.mark.usefixtures("waiting")
def test_a_rule_that_is_switched_off_announces_nobody_and_asks_nothing(client, ours):
    save(client, ours.automated.asleep, max_hours="12")

    assert again(ours.automated.asleep).version == 2


@pytest.mark.usefixtures("waiting")
def test_of_two_people_the_second_is_told_at_the_question_as_well(client, ours):
    timeout = ours.automated.timeout
    asked = save(client, timeout, max_hours="12")
    hidden = {field.html_name: field.value() for field in asked.context["kept"]}
    with tenancy.scope(ours.organization):
        said = timeout.definition | {"name": "Otra"}
        publish(rule_id=timeout.pk, user=ours.manager, expected_version=1, definition=said)

    seen = {"seen": asked.context["seen"], "asked": "1", "for_whom": "new"}
    answer = client.post(url(timeout), hidden | seen)

    assert answer.status_code == 409
    assert (again(timeout).version, again(timeout).visits_from) == (2, None)


def test_the_question_costs_the_same_for_many_people(client, ours, waiting):
    def asked() -> int:
        fields = as_shown(client, url(ours.automated.timeout)) | {"max_hours": "12"}
        with CaptureQueriesContext(connection) as found:
            client.post(url(ours.automated.timeout), fields)
        return len(found)

    few = asked()
    for number in range(9):
        someone = people.patient(ours.organization, f"Q {number}")
        people.enrolled(someone, ours.template, "AWAITING_PAYMENT", days_ago=2)

    assert asked() == few <= 15
    assert again(ours.automated.timeout).version == 1


# --- a new one ------------------------------------------------------------------------------------


def asked(client: Client, **typed: str) -> dict[str, str]:
    given = {"name": "Sin pagar", "place": "retreat:AWAITING_PAYMENT", "max_hours": "72"}
    return as_shown(client, reverse(NEW)) | given | typed


def made() -> AutomationRule | None:
    with tenancy.every_organization():
        return AutomationRule.objects.filter(name="Sin pagar").first()


def test_only_open_stages_of_ones_own_journeys_can_be_chosen(client, ours, theirs):
    choices = dict(client.get(reverse(NEW)).context["form"].fields["place"].choices)

    assert list(choices) == ["", "Retiro Om"]
    assert [code for code, _label in choices["Retiro Om"]] == [
        "retreat:AWAITING_SCREENING", "retreat:AWAITING_PAYMENT", "retreat:CONFIRMED",
        "retreat:BLOCKED",
    ]  # fmt: skip


def test_what_shall_happen_is_chosen_from_three_on_the_page(client):
    words = client.get(reverse(NEW)).content.decode()

    assert 'name="action" value="patient" checked' in words
    assert all(f'name="action" value="{one}"' in words for one in ("therapist", "both"))


@pytest.mark.parametrize(
    ("action", "kinds"),
    [
        ("patient", ["send_email"]),
        ("therapist", ["create_task"]),
        ("both", ["send_email", "create_task"]),
    ],
)
def test_a_new_one_is_made_after_the_question_for_whom(client, ours, action, kinds):
    fields = asked(client, action=action, repeat_hours="24", max_repeats="2")

    question = client.post(reverse(NEW), fields)
    nothing_yet = made()
    answer = client.post(reverse(NEW), fields | {"for_whom": "new"})

    assert nothing_yet is None
    assert "1 person is past the limit" in question.content.decode()
    assert 'value="new" checked' in question.content.decode()
    rule = made()
    assert answer["Location"] == page_of(rule)
    assert [one["type"] for one in rule.actions] == kinds
    assert (rule.stage, rule.max_hours, rule.is_active) == ("AWAITING_PAYMENT", 72, True)
    assert rule.visits_from > timezone.now() - timedelta(minutes=1)


def test_a_new_one_counts_for_who_waits_when_somebody_asks_for_it(client, ours):
    client.post(reverse(NEW), asked(client, for_whom="waiting"))

    assert made().visits_from is None


def test_the_question_carries_everything_that_was_typed(client, ours):
    fields = asked(client, action="patient", body_es='Uno\r\n"Dos" <b>&')

    question = client.post(reverse(NEW), fields)
    hidden = {field.html_name: field.value() for field in question.context["kept"]}
    back = client.post(reverse(NEW), hidden | {"for_whom": "new", "back": "Back"})

    assert 'name="body_es" value="Uno\r\n&quot;Dos&quot; &lt;b&gt;&amp;"' in (
        question.content.decode()
    )
    assert back.context["form"]["body_es"].value() == 'Uno\r\n"Dos" <b>&'
    assert made() is None


def test_the_same_click_twice_makes_one_rule(client, ours):
    fields = asked(client, for_whom="new")

    answers = [client.post(reverse(NEW), fields) for _ in range(2)]

    assert answers[0]["Location"] == answers[1]["Location"] == page_of(made())
    with tenancy.every_organization():
        assert AutomationRule.objects.filter(name="Sin pagar").count() == 1


@pytest.mark.parametrize(
    ("typed", "fields"),
    [
        ({"place": ""}, {"place"}),
        ({"place": "retreat:COMPLETED"}, {"place"}),
        ({"place": "nothing"}, {"place"}),
        ({"action": "emit"}, {"action", "__all__"}),
        ({"action": "patient", "subject_en": "", "text_es": ""}, {"subject_en"}),
        ({"action": "therapist", "subject_en": "", "text_es": "{x}"}, {"text_es"}),
        ({"action": "both", "body_es": "{", "text_en": " "}, {"body_es", "text_en"}),
        ({"max_repeats": "2"}, {"repeat_hours"}),
    ],
)
def test_problems_of_a_new_one_stand_beside_their_fields(client, ours, typed, fields):
    answer = client.post(reverse(NEW), asked(client, for_whom="new", **typed))

    assert set(errors_of(answer)) == fields
    assert made() is None


def test_a_stage_on_hold_says_that_mail_waits(client, ours):
    question = client.post(reverse(NEW), asked(client, place="retreat:BLOCKED"))

    assert "This stage is on hold" in question.content.decode()


def test_without_a_known_choice_nothing_is_made(client, ours):
    answer = client.post(reverse(NEW), asked(client, for_whom="all"))

    assert answer.status_code == 200
    assert made() is None


def test_platform_staff_has_no_practice_to_make_one_in(db):
    staff = people.person(None, "", is_superuser=True)

    assert logged_in(staff).get(reverse(NEW)).status_code == 403


def test_the_number_of_queries_does_not_grow_with_rules_and_people(client, ours):
    addresses = [url(ours.automated.timeout), reverse(NEW)]
    few = [queries(client, address) for address in addresses]

    for number in range(12):
        rule(ours.organization, f"más {number}", "JOURNEY_STAGE_TIMEOUT", REMIND, **WAIT)
        someone = people.patient(ours.organization, f"P {number}")
        people.enrolled(someone, ours.template, "AWAITING_PAYMENT")
    people.journey(ours.organization, "yoga", "Yoga", moves=())

    assert [queries(client, address) for address in addresses] == few
    assert max(few) <= 10
