"""The page of a rule reads as the rule is: sentence and nodes, draft, runs, versions, switches."""

from __future__ import annotations

import re
from datetime import timedelta
from html import unescape
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from automation.models import AutomationRule, RuleRun
from automation.services.rules import archive, create_rule, publish, save_draft, set_active
from kura import tenancy
from tests.admin import people
from tests.admin.automated import CONFIRM, NOTE, process, rule, tell
from tests.admin.conftest import Practice, logged_in

RISK = {"field": "event.payload.risk_level", "op": "in", "value": ["HIGH", "CRITICAL"]}
MEDICATION = {"field": "event.payload.medication_active", "op": "eq", "value": True}
CARDIAC = {"field": "event.payload.cardiac_history", "op": "eq", "value": True}
BLOCK = {"type": "update_journey_status", "params": {"key": "retreat", "status": "BLOCKED"}}
TASK = {"type": "create_task", "params": {"audience": "therapist", "text": "Llama"}}
CARDIAC_ONLY = {"risk_level": "LOW", "cardiac_history": True}
GROUPS = {"any": [{"all": [RISK, MEDICATION]}, {"all": [CARDIAC]}]}


def definition(**fields: Any) -> dict[str, Any]:
    return {
        "name": "Bloquear riesgo alto", "trigger_event": "RISK_ANALYSIS_COMPLETED",
        "journey_key": "retreat", "conditions": GROUPS, "actions": [BLOCK, TASK],
    } | fields  # fmt: skip


def make(ours: Practice, **fields: Any) -> AutomationRule:
    with tenancy.scope(ours.organization):
        return create_rule(
            organization=ours.organization, definition=definition(**fields), user=ours.manager
        )


@pytest.fixture
def reader(ours: Practice) -> Client:
    return logged_in(people.person(ours.organization, "viewer", language="en"))


@pytest.fixture
def manager(ours: Practice) -> Client:
    return logged_in(people.person(ours.organization, "manager", "Jon Salas", language="en"))


def page_of(client: Client, one: AutomationRule) -> str:
    url = reverse("admin:automation_automationrule_change", args=[one.pk])
    return client.get(url).content.decode()


def words_of(page: str) -> str:
    """As it is read: no tags, and no space that only a tag has left before a full stop."""
    words = " ".join(unescape(re.sub(r"<[^>]+>", " ", page)).split())
    return re.sub(r" ([.,:”])|(“) ", r"\1\2", words)


def node_of(page: str, name: str) -> str:
    [found] = re.findall(
        rf'<section class="node[^>]*labelledby="{name}">.*?</section>', page, re.DOTALL
    )
    return words_of(found)


def test_it_reads_as_one_sentence_and_as_three_nodes_of_the_same(reader, ours):
    page = page_of(reader, make(ours))

    assert (
        "When “risk analysis completed” happens in “Retiro Om”, if (risk level is one of: high, "
        "critical and takes medication is yes) or cardiac history is yes: block “Retiro Om” in "
        "“Blocked”, then give the therapist a task: “Llama”."
    ) in words_of(page)
    assert node_of(page, "rule-when").startswith("When Risk analysis completed AI event")
    assert node_of(page, "rule-if") == (
        "If At least one of the groups is met Group 1 · all are met "
        "Risk level is one of: high, critical Takes medication is yes "
        "or else Group 2 Cardiac history is yes"
    )
    assert node_of(page, "rule-then") == (
        "Then 2 actions, in order Move to a stage Blocked Block “Retiro Om” in “Blocked”. "
        "Create a task Give the therapist a task: “Llama”."
    )


def test_a_tree_made_deeper_through_the_api_is_shown_whole(reader, ours):
    deep = {"any": [MEDICATION, {"all": [CARDIAC, {"any": [RISK, MEDICATION]}]}]}

    page = page_of(reader, make(ours, conditions=deep))

    assert node_of(page, "rule-if") == (
        "If At least one of the groups is met Group 1 Takes medication is yes or else "
        "Group 2 · all are met Group 2.1 Cardiac history is yes Group 2.2 · at least one is met "
        "Risk level is one of: high, critical or else Takes medication is yes"
    )


def test_a_rule_written_past_the_services_is_shown_and_not_hidden(reader, ours):
    broken = rule(ours.organization, "mala", "BOOKING_CONFIRMED", {"type": "no such action"},
                  conditions={"field": "x"})  # fmt: skip

    page = page_of(reader, broken)

    assert "node-condition node-is-failed" in page
    assert "An action that cannot be read." in page


def test_a_draft_stands_beside_what_is_published_and_says_what_it_changes(reader, ours):
    one = make(ours)
    with tenancy.scope(ours.organization):
        save_draft(rule_id=one.pk, definition=definition(conditions=CARDIAC))

    page = page_of(reader, one)

    assert "It changes nothing until it is published. It says something else here: If." in (
        words_of(page)
    )
    assert node_of(page, "draft-if") == "If The condition is met Cardiac history is yes"
    assert "Group 2" in node_of(page, "rule-if")


def test_a_draft_that_cannot_be_published_says_why(reader, ours):
    one = make(ours)
    with tenancy.scope(ours.organization):
        save_draft(rule_id=one.pk, definition=definition(actions=[], name=""))

    page = page_of(reader, one)

    assert "cannot be published as it is" in page
    assert "draft-if" not in page


def test_runs_say_what_was_done_or_what_was_not_met_and_lead_to_why(reader, ours):
    one = make(ours, actions=[TASK])
    met = tell(ours.patient, "RISK_ANALYSIS_COMPLETED", "met", CARDIAC_ONLY)
    tell(ours.patient, "RISK_ANALYSIS_COMPLETED", "unmet", {"risk_level": "LOW"})
    process()

    page = page_of(logged_in(people.person(ours.organization, "therapist", language="en")), one)

    with tenancy.scope(ours.organization):
        run = RuleRun.objects.get(rule=one, event=met)
    url = reverse("admin:journeys_systemeventlog_change", args=[met.pk])
    assert f'href="{url}#run-{run.pk}">Why?<span class="visually-hidden"> Marta Om' in page
    assert "Give the therapist a task: “Llama”" in page
    assert "Not met: risk level is one of: high, critical" in page
    assert "it ran once in the last 30 days" in page
    assert "It was asked 2 times in the last 30 days." in page


def test_who_may_not_see_contents_learns_nothing_of_them_from_a_run(reader, ours):
    one = make(ours)
    tell(ours.patient, "RISK_ANALYSIS_COMPLETED", "unmet", {"risk_level": "LOW"})
    process()

    page = page_of(reader, one)

    assert "Does not match" in page
    assert "Not met:" not in page


def test_what_an_old_version_did_is_told_in_its_own_words(reader, ours):
    one = make(ours, actions=[TASK], conditions={})
    tell(ours.patient, "RISK_ANALYSIS_COMPLETED", "old", CARDIAC_ONLY)
    process()
    with tenancy.scope(ours.organization):
        new = {"type": "create_task", "params": {"audience": "therapist", "text": "Escribe"}}
        publish(rule_id=one.pk, user=ours.manager, expected_version=1,
                definition=definition(actions=[new], conditions={}))  # fmt: skip

    runs = page_of(reader, one).partition('id="runs-title"')[2].partition("</section>")[0]

    assert "Give the therapist a task: “Llama”" in runs


def test_versions_name_who_published_them_when_and_what_they_change(reader, ours):
    one = make(ours, conditions=CARDIAC)
    with tenancy.scope(ours.organization):
        publish(rule_id=one.pk, user=None, expected_version=1, definition=definition())
        publish(rule_id=one.pk, user=ours.manager, expected_version=2,
                definition=definition(name="Otro"))  # fmt: skip

    words = words_of(page_of(reader, one))

    assert re.search(r"Version 3 the one that runs Published [^·]+ · Manager Om · the name", words)
    assert re.search(r"Version 2 Published [^·]+ · Kura · changes: If", words)
    assert re.search(r"Version 1 Published [^·]+ · Manager Om When", words)


def test_who_switched_it_on_and_off_is_told_the_last_first(reader, ours):
    one = make(ours)
    with tenancy.scope(ours.organization):
        set_active(rule_id=one.pk, is_active=False, user=ours.manager)
        set_active(rule_id=one.pk, is_active=True, user=None)

    told = words_of(page_of(reader, one)).partition("Switched on and off")[2]

    assert re.findall(r"Switched (on|off) [^·]+ · (Kura|Manager Om)", told) == [
        ("on", "Kura"), ("off", "Manager Om"), ("on", "Manager Om"),
    ]  # fmt: skip


def test_ways_to_change_it_are_for_who_may_and_not_for_an_archived_rule(reader, manager, ours):
    one = make(ours)
    off = reverse("admin:automation_automationrule_off", args=[one.pk])

    seen = (off in page_of(reader, one), off in page_of(manager, one))
    with tenancy.scope(ours.organization):
        archive(rule_id=one.pk, user=ours.manager)
    archived = page_of(manager, one)

    assert seen == (False, True)
    assert off not in archived
    assert "Archived" in archived


def queries(client: Client, one: AutomationRule) -> int:
    page_of(client, one)
    with CaptureQueriesContext(connection) as counted:
        page_of(client, one)
    return len(counted)


def test_the_page_asks_the_same_queries_however_much_there_is_to_tell(manager, ours):
    one = make(ours)
    tell(ours.patient, "RISK_ANALYSIS_COMPLETED", "first", CARDIAC_ONLY)
    process()
    few = queries(manager, one)

    with tenancy.scope(ours.organization):
        for number in range(1, 9):
            other = {
                "type": "create_task",
                "params": {"audience": "therapist", "text": f"{number}"},
            }
            publish(rule_id=one.pk, user=ours.manager, expected_version=number,
                    definition=definition(actions=[BLOCK, other, CONFIRM, NOTE]))  # fmt: skip
            set_active(rule_id=one.pk, is_active=bool(number % 2), user=ours.manager)
        set_active(rule_id=one.pk, is_active=True, user=ours.manager)
    for number in range(9):
        tell(ours.patient, "RISK_ANALYSIS_COMPLETED", f"more-{number}", CARDIAC_ONLY)
    process()

    assert queries(manager, one) == few
    assert few <= 20
    with tenancy.scope(ours.organization):
        assert RuleRun.objects.filter(rule=one).count() == 10
        assert (
            RuleRun.objects.filter(started_at__lt=timezone.now() - timedelta(days=30)).count() == 0
        )
