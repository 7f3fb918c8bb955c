"""Rules are switched on and off with their consequences said first, once, and by managers alone."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from automation.models import AutomationRule
from automation.models.rule import RuleSwitch
from automation.selectors.stale import stale_visits
from automation.services.rules import archive, set_active
from kura import tenancy
from tests.admin import people
from tests.admin.automated import UNREADABLE, WAIT, rule
from tests.admin.conftest import logged_in
from tests.admin.test_pages import queries


@pytest.fixture
def manager(ours):
    return people.person(ours.organization, "manager", "Eva Ruiz", language="en")


@pytest.fixture
def client(manager) -> Client:
    return logged_in(manager)


def url(kind: str, one: AutomationRule) -> str:
    return reverse(f"admin:automation_automationrule_{kind}", args=[one.pk])


def page_of(one: AutomationRule) -> str:
    return reverse("admin:automation_automationrule_change", args=[one.pk])


def read(client: Client, address: str) -> str:
    return client.get(address).content.decode()


def seen(client: Client, address: str) -> str:
    return client.get(address).context["seen"]


def switch(client: Client, kind: str, one: AutomationRule, **fields: str):
    address = url(kind, one)
    return client.post(address, {"seen": seen(client, address)} | fields)


def again(one: AutomationRule) -> AutomationRule:
    with tenancy.every_organization():
        return AutomationRule.objects.get(pk=one.pk)


def switches(one: AutomationRule) -> list[RuleSwitch]:
    with tenancy.every_organization():
        return list(RuleSwitch.objects.filter(rule=one.pk).order_by("id"))


def stuck(one: AutomationRule) -> int:
    with tenancy.every_organization():
        return stale_visits(now=timezone.now(), limit=10, rule_id=one.pk).stale


def test_the_number_of_people_stands_beside_each_choice(client, ours):
    for days, stages in ((1, ("AWAITING_PAYMENT",)), (20, ("AWAITING_PAYMENT",))):
        someone = people.patient(ours.organization, f"Hace {days}")
        people.enrolled(someone, ours.template, *stages, days_ago=days)

    words = read(client, url("on", ours.automated.asleep))

    assert "3 people are in the stage now and are left alone" in words
    assert "2 people are past the limit" in words
    assert "1 more person is in the stage and follows" in words
    assert 'value="new" checked' in words


def test_a_time_out_begins_with_whoever_enters_from_now_on_unless_asked(client, ours, manager):
    asleep = ours.automated.asleep

    answer = switch(client, "on", asleep, for_whom="new")

    assert answer["Location"] == page_of(asleep)
    assert again(asleep).is_active
    assert again(asleep).visits_from > timezone.now() - timedelta(minutes=1)
    assert stuck(asleep) == 0
    assert [(one.kind, one.switched_by) for one in switches(asleep)] == [("on", manager)]
    assert "It counts for whoever has entered the stage since:" in read(client, page_of(asleep))


def test_a_time_out_counts_for_who_waits_already_when_somebody_asks_for_it(client, ours):
    asleep = ours.automated.asleep

    switch(client, "on", asleep, for_whom="waiting")

    assert again(asleep).visits_from is None
    assert stuck(asleep) == 1
    assert "It counts for everybody who is in the stage" in read(client, page_of(asleep))


@pytest.mark.parametrize("choice", ["", "everybody"])
def test_without_a_known_choice_nothing_is_switched(client, ours, choice):
    answer = switch(client, "on", ours.automated.asleep, for_whom=choice)

    assert answer.status_code == 200
    assert 'aria-invalid="true"' in answer.content.decode()
    assert not again(ours.automated.asleep).is_active


def test_looking_at_the_page_switches_nothing(client, ours):
    read(client, url("on", ours.automated.asleep))
    read(client, url("off", ours.automated.timeout))

    assert not again(ours.automated.asleep).is_active
    assert again(ours.automated.timeout).is_active


def test_another_rule_is_switched_after_a_plain_question(client, ours):
    noted = ours.automated.rule
    assert "for_whom" not in read(client, url("off", noted))

    switch(client, "off", noted)
    assert "for_whom" not in read(client, url("on", noted))
    switch(client, "on", noted)

    assert [one.kind for one in switches(noted)] == ["off", "on"]
    assert again(noted).is_active


def test_the_same_click_twice_switches_once(client, ours):
    asleep = ours.automated.asleep
    fields = {"seen": seen(client, url("on", asleep)), "for_whom": "new"}

    answers = [client.post(url("on", asleep), fields) for _ in range(2)]

    assert [answer["Location"] for answer in answers] == [page_of(asleep)] * 2
    assert len(switches(asleep)) == 1


def test_the_second_of_two_people_is_told_who_was_faster(client, ours):
    asleep = ours.automated.asleep
    fields = {"seen": seen(client, url("on", asleep)), "for_whom": "waiting"}
    with tenancy.scope(ours.organization):
        set_active(rule_id=asleep.pk, is_active=True, user=ours.manager)

    answers = [client.post(url("on", asleep), fields), client.get(url("on", asleep))]

    assert [answer.status_code for answer in answers] == [409, 409]
    assert "Manager Om switched this rule on" in answers[0].content.decode()
    assert again(asleep).visits_from is not None


@pytest.mark.parametrize("known", ["", "yesterday", "2020-01-01T00:00:00+00:00", "2020-01-01"])
def test_a_page_of_another_state_of_the_rule_switches_nothing(client, ours, known):
    timeout = ours.automated.timeout

    answer = client.post(url("off", timeout), {"seen": known})

    assert answer.status_code == 409
    assert again(timeout).is_active


def test_what_has_become_wrong_stays_off_and_says_why(client, ours):
    wrong = rule(ours.organization, "mal", "JOURNEY_STAGE_TIMEOUT", UNREADABLE, is_active=False,
                 **WAIT)  # fmt: skip

    words = switch(client, "on", wrong, for_whom="waiting").content.decode()

    assert "There is no action “no such action”" in words
    assert 'value="waiting" checked' in words
    assert not again(wrong).is_active


def test_an_archived_rule_is_not_switched_and_offers_nothing(client, ours):
    with tenancy.scope(ours.organization):
        archive(rule_id=ours.automated.asleep.pk, user=ours.manager)

    answer = client.get(url("on", ours.automated.asleep))

    assert answer.status_code == 409
    assert url("on", ours.automated.asleep) not in read(client, page_of(ours.automated.asleep))


@pytest.mark.parametrize("role", ["viewer", "therapist"])
def test_who_may_not_change_rules_gets_neither_button_nor_page(ours, role):
    client = logged_in(getattr(ours, role))

    answer = client.post(url("off", ours.automated.timeout), {"seen": "x"})

    assert answer.status_code == 403
    assert url("off", ours.automated.timeout) not in read(client, page_of(ours.automated.timeout))
    assert again(ours.automated.timeout).is_active


def test_another_practices_manager_switches_nothing(ours, theirs):
    client = logged_in(theirs.manager)
    fields = {"seen": again(ours.automated.timeout).updated_at.isoformat()}

    assert client.post(url("off", ours.automated.timeout), fields).status_code == 404
    assert again(ours.automated.timeout).is_active


def test_the_number_of_queries_does_not_grow_with_the_people(client, ours):
    address = url("on", ours.automated.asleep)
    few = queries(client, address)

    for number in range(12):
        someone = people.patient(ours.organization, f"P {number}")
        people.enrolled(someone, ours.template, "AWAITING_PAYMENT")

    assert queries(client, address) == few
    assert few <= 12
