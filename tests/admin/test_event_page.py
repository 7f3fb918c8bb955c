"""Page 07: from the event over the rules, conditions and actions to what came of it."""

from __future__ import annotations

import re
import uuid
from datetime import timedelta
from html import unescape
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from automation import dispatch
from automation.models import AutomationRule, Message
from automation.models.message import MessageState
from automation.services.rules import create_rule, publish, save_draft, set_active
from journeys.models import JourneyLog, SystemEventLog
from kura import tenancy
from patients.models import Patient
from tests.admin import people
from tests.admin.automated import CONFIRM, NOTE, REMIND, process, rule, tell
from tests.admin.conftest import Practice, logged_in
from tests.admin.test_pages import queries
from tests.api.test_rehearsals import everything

RISK = {"field": "event.payload.risk_level", "op": "eq", "value": "HIGH"}
MEDICATION = {"field": "event.payload.medication_active", "op": "eq", "value": True}
CARDIAC = {"field": "event.payload.cardiac_history", "op": "eq", "value": True}
GROUPS = {"any": [{"all": [RISK, MEDICATION]}, {"all": [CARDIAC]}]}
BLOCK = {"type": "update_journey_status", "params": {"key": "retreat", "status": "BLOCKED"}}


def make(ours: Practice, name: str, *actions: dict[str, Any], **fields: Any) -> AutomationRule:
    with tenancy.scope(ours.organization):
        definition = {
            "name": name, "trigger_event": "RISK_ANALYSIS_COMPLETED", "journey_key": "retreat",
            "actions": list(actions),
        } | fields  # fmt: skip
        return create_rule(organization=ours.organization, definition=definition, user=ours.manager)


@pytest.fixture(autouse=True)
def an_address(ours: Practice) -> None:
    with tenancy.scope(ours.organization):
        Patient.objects.filter(pk=ours.patient.pk).update(email="marta@example.org")


def analysed(ours: Practice, key: str = "risk", **payload: Any) -> SystemEventLog:
    return tell(ours.patient, "RISK_ANALYSIS_COMPLETED", key, {"risk_level": "HIGH"} | payload)


@pytest.fixture
def reader(ours: Practice) -> Client:
    return logged_in(people.person(ours.organization, "therapist", language="en"))


def page_of(client: Client, event: SystemEventLog) -> str:
    url = reverse("admin:journeys_systemeventlog_change", args=[event.pk])
    return client.get(url).content.decode()


def words_of(page: str) -> str:
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", page)).split())


def node_of(page: str, name: str) -> str:
    [found] = re.findall(rf'labelledby="{name}">(.*?)</section>', page, re.DOTALL)
    return words_of(found)


def test_its_title_is_the_question_and_its_head_says_what_moved(reader, ours):
    make(ours, "Bloquear", BLOCK)
    moved = analysed(ours)
    process()

    page = page_of(reader, moved)

    [head] = re.findall(r'<div class="page-head">(.*?)<div id="content-main"', page, re.DOTALL)
    assert words_of(head).startswith("Why did this happen? Marta Om · Retiro Om · ")
    assert "Retiro Om: Awaiting payment → moved to Blocked" in words_of(head)
    assert "<title>Why did this happen? Risk analysis completed |" in page


def test_nothing_happened_is_asked_as_such_and_what_waits_is_not_judged(reader, ours):
    quiet = tell(ours.patient, "BOOKING_CONFIRMED", "quiet")
    waits = tell(ours.patient, "BOOKING_CONFIRMED", "waits")

    before = page_of(reader, waits)
    process()

    assert "<h1>Why did nothing happen?</h1>" in page_of(reader, quiet)
    assert "<h1>What will happen?</h1>" in before
    assert "node-trigger node-is-pending" in before


def test_conditions_stand_in_their_groups_with_expected_and_actual(reader, ours):
    make(ours, "Bloquear", BLOCK, conditions=GROUPS)
    event = analysed(ours, medication_active=True, cardiac_history=False)
    process()

    rules = node_of(page_of(reader, event), "node-rules")

    assert (
        "Result Fact Expected Value at that moment "
        "Group 1: all are met Met "
        "Met Risk level is high Value at that moment: high "
        "Met Takes medication is yes Value at that moment: yes "
        "Group 2 Not met "
        "Not met Cardiac history is yes Value at that moment: no"
    ) in rules
    assert ": 2 ran" in rules  # this one, and the one that notes it


def test_a_groups_verdict_is_hidden_with_what_it_follows_from(ours):
    make(ours, "Bloquear", BLOCK, conditions=GROUPS)
    event = analysed(ours, medication_active=True)
    process()

    page = page_of(logged_in(people.person(ours.organization, "viewer", language="en")), event)
    [mine] = [one for one in page.split('<details class="run"') if "Bloquear" in one[:900]]

    assert "Group 1: all are met hidden from you Risk level" in words_of(mine)


def test_who_was_off_then_is_told_with_the_person_and_the_day(reader, ours):
    off = make(ours, "Avisar", NOTE)
    with tenancy.scope(ours.organization):
        set_active(rule_id=off.pk, is_active=False, user=ours.manager)
    event = analysed(ours)
    process()
    with tenancy.scope(ours.organization):
        set_active(rule_id=off.pk, is_active=True, user=ours.manager)

    rules = node_of(page_of(reader, event), "node-rules")

    assert re.search(
        r"Inactive Avisar It was switched off then, since [^.]+, by Manager Om\. Now it is on\.",
        rules,
    )


def test_rules_about_something_else_are_folded(reader, ours):
    people.journey(ours.organization, key="yoga", name="Yoga")
    make(ours, "Otro journey", NOTE, journey_key="yoga", trigger_event="PAYMENT_SUCCEEDED")
    event = tell(ours.patient, "PAYMENT_SUCCEEDED", "paid", {"currency": "EUR"})
    process()

    page = page_of(reader, event)

    folded = page.partition('<details class="elsewhere">')[2].partition("</details>")[0]
    assert "1 rule is about something else" in words_of(folded)
    assert "Otro journey It is about another journey." in words_of(folded)


def test_actions_say_how_long_they_took_and_how_many_attempts_a_mail_needed(reader, ours):
    make(ours, "Recordar", NOTE, REMIND)
    event = analysed(ours)
    process()
    now = timezone.now()
    with tenancy.scope(ours.organization):
        Message.objects.filter(event=event, rule__name="Recordar").update(
            state=MessageState.SENT, attempts=2, sent_at=now
        )

    actions = node_of(page_of(reader, event), "node-actions")

    assert re.search(r"Actions \d actions: \d done", actions)
    assert re.search(r"Record the event “Note” Done \d+ ms", actions)
    assert re.search(r"Patient: Sent attempt 2, [^·]+ · See the message", actions)


def test_a_mail_that_will_be_tried_again_says_when_and_why(reader, ours):
    make(ours, "Recordar", REMIND)
    event = analysed(ours)
    process()
    with tenancy.scope(ours.organization):
        Message.objects.filter(event=event, rule__name="Recordar").update(
            attempts=1, last_error="no_answer_to_data",
            next_attempt_at=timezone.now() + timedelta(hours=1),
        )  # fmt: skip

    actions = node_of(page_of(reader, event), "node-actions")

    assert re.search(r"Patient: Waiting , next attempt [^·]+ · The mail server took it", actions)


def test_an_event_that_will_be_tried_again_says_when(reader, ours):
    event = tell(ours.patient, "BOOKING_CANCELLED", "broken", {"booking_id": "R"})
    dispatch.drain(linger=0)

    page = page_of(reader, event)

    assert "node-trigger node-is-retrying" in page
    assert "Will be tried again" in node_of(page, "node-event")
    assert re.search(r'Next attempt</dt><dd><time datetime="20[^"]+">', page)


def test_an_event_that_failed_offers_a_retry(reader, ours):
    page = page_of(reader, ours.automated.dead)

    assert "node-trigger node-is-failed" in page
    assert "Failed for good" in node_of(page, "node-event")
    assert reverse("admin:journeys_systemeventlog_retry", args=[ours.automated.dead.pk]) in page


def test_the_summary_says_how_long_it_took_and_that_again_is_ignored(reader, ours):
    summary = words_of(
        page_of(reader, ours.automated.ran).partition('id="summary"')[2].partition("</section>")[0]
    )

    assert re.search(r"Duration [\d.]+ m?s \([\d.]+ m?s without waiting\)", summary)
    assert "If it comes again It is ignored" in summary


def test_a_trace_reads_the_version_that_ran_whatever_came_after(reader, ours):
    late = rule(ours.organization, "confirma", "BOOKING_CONFIRMED", CONFIRM, conditions=GROUPS)
    event = tell(ours.patient, "BOOKING_CONFIRMED", "one")
    process()
    with tenancy.scope(ours.organization):
        AutomationRule.objects.filter(pk=late.pk).update(conditions={}, version=2)

    assert "Group 2" in node_of(page_of(reader, event), "node-rules")


def test_each_line_message_and_task_leads_to_the_cause_and_names_what_it_is_about(reader, ours):
    make(ours, "Bloquear", BLOCK, REMIND, {
        "type": "create_task", "params": {"audience": "therapist", "text": "Llama hoy"},
    })  # fmt: skip
    event = analysed(ours)
    process()
    why = reverse("admin:journeys_systemeventlog_change", args=[event.pk])
    with tenancy.scope(ours.organization):
        log = JourneyLog.objects.get(trigger_event=event)
        message = Message.objects.get(event=event, rule__name="Bloquear")
        task = event.staff_tasks.get(kind="rule")

    def links(name: str, **args: Any) -> list[str]:
        page = reader.get(reverse(f"admin:{name}", **args)).content.decode()
        found = re.findall(rf'<a[^>]*href="{why}[^"]*"[^>]*>(.*?)</a>', page, re.DOTALL)
        return [words_of(one) for one in found]

    assert links("journeys_journeylog_change", args=[log.pk]) == [
        "Risk analysis completed", "Why? Marta Om: Blocked",
    ]  # fmt: skip
    assert "Why? Marta Om: Blocked" in links("journeys_journeylog_changelist")
    assert links("automation_message_change", args=[message.pk]) == [
        "Risk analysis completed", f"Why? {message.subject}",
    ]  # fmt: skip
    assert links("automation_stafftask_change", args=[task.pk]) == [
        "Risk analysis completed", "Why? Llama hoy",
    ]  # fmt: skip
    chart = links("patients_patient_change", args=[ours.patient.pk])
    assert any(re.fullmatch(r"Why\? Blocked, .+", one) for one in chart)
    assert "Why did this happen? (Retiro Om)" in chart


# --- what if ------------------------------------------------------------------------------------


def asked_again(client: Client, event: SystemEventLog, rule: AutomationRule, kind: str) -> str:
    url = reverse("admin:journeys_systemeventlog_change", args=[event.pk])
    page = client.get(f"{url}?what_if={rule.pk}:{kind}").content.decode()
    return plain(page[page.index('id="what-if-result"') :].split("</section>", 1)[0])


def plain(html: str) -> str:
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", "<p " + html)).split())


def test_an_event_is_judged_again_by_the_rule_of_today(reader, ours):
    one = make(ours, "Bloquear", BLOCK, conditions={"all": [RISK, MEDICATION]})
    event = analysed(ours)
    process()
    with tenancy.scope(ours.organization):
        publish(rule_id=one.pk, user=ours.manager, expected_version=1,
                definition=one.definition | {"conditions": RISK})  # fmt: skip

    told = asked_again(reader, event, one, "published")

    assert told.startswith("Bloquear, version 2 It would run. Then, with version 1: Does not match")
    assert "Met Risk level is high It was: high" in told
    assert re.search(r"What it would have done [^.]+Retiro Om[^.]+ would be done By what", told)


def test_a_draft_is_asked_too_and_says_why_it_would_not_run(reader, ours):
    one = make(ours, "Bloquear", BLOCK, conditions=RISK)
    event = analysed(ours, medication_active=False)
    process()
    with tenancy.scope(ours.organization):
        save_draft(rule_id=one.pk, definition=one.definition | {"conditions": MEDICATION})

    told = asked_again(reader, event, one, "draft")

    assert told.startswith(
        "Bloquear, draft It would not run. Then, with version 1: Ran "
        "Not met Takes medication is yes It was: no"
    )
    assert "What it would have done" not in told


def test_what_was_not_kept_does_not_decide_and_another_journey_is_not_heard(reader, ours):
    one = make(ours, "Medicada", NOTE, conditions=MEDICATION)
    yoga = people.journey(ours.organization, "yoga", "Yoga", moves=())
    other = make(ours, "Otra", NOTE, journey_key=yoga.key)
    event = analysed(ours)
    process()

    assert "It would not run: what was kept" in asked_again(reader, event, one, "published")
    assert "It would not hear this event" in asked_again(reader, event, other, "published")


def test_a_draft_with_mistakes_names_them(reader, ours):
    one = make(ours, "Bloquear", BLOCK, conditions=RISK)
    event = analysed(ours)
    unfit = RISK | {"value": "NONE"}
    with tenancy.scope(ours.organization):
        save_draft(rule_id=one.pk, definition=one.definition | {"conditions": unfit})

    told = asked_again(reader, event, one, "draft")

    assert "1 problem has to be corrected first. Condition 1.1 (Value) : " in told


@pytest.mark.parametrize("asked", ["", "nonsense", "x:published", f"{uuid.UUID(int=7)}:published"])
def test_what_is_no_question_is_not_answered(reader, ours, asked):
    make(ours, "Bloquear", BLOCK, conditions=RISK)
    url = reverse("admin:journeys_systemeventlog_change", args=[analysed(ours).pk])

    answer = reader.get(url, {"what_if": asked})

    assert answer.status_code == 200
    assert '<div id="what-if-result" role="status"></div>' in answer.content.decode()


def test_a_rule_of_another_practice_is_not_asked(reader, ours, theirs):
    make(ours, "Bloquear", BLOCK, conditions=RISK)
    event, foreign = analysed(ours), theirs.automated.rule

    assert "version" not in asked_again(reader, event, foreign, "published")
    assert foreign.name not in page_of(reader, event).split('id="what-if"')[1]


def test_what_the_conditions_ask_is_hidden_with_all_that_would_say_the_same(ours):
    one = make(ours, "Bloquear", BLOCK, conditions=RISK)
    event = analysed(ours)
    process()
    viewer = logged_in(people.person(ours.organization, "viewer", language="en"))

    told = asked_again(viewer, event, one, "published")

    assert told == "Bloquear, version 1 What the conditions ask about is hidden from you."


def test_nothing_is_written_by_asking_again(reader, ours):
    one = make(ours, "Bloquear", BLOCK, REMIND, conditions=RISK)
    event = analysed(ours)
    process()
    asked_again(reader, event, one, "published")
    before = everything()

    told = asked_again(reader, event, one, "published")

    assert "What it would have done" in told
    assert everything() == before


def test_asking_again_costs_as_many_queries_for_many_rules_as_for_one(reader, ours):
    one = make(ours, "Bloquear", BLOCK, conditions=RISK)
    event = analysed(ours)
    process()
    make(ours, "Una más", BLOCK, conditions=RISK)
    url = reverse("admin:journeys_systemeventlog_change", args=[event.pk])
    asked = f"{url}?what_if={one.pk}:published"
    few = queries(reader, asked)
    for number in range(10):
        make(ours, f"Regla {number}", BLOCK, conditions={"any": [RISK, MEDICATION]})

    assert queries(reader, asked) == few
    assert few <= queries(reader, url) + 8  # the journeys, one transaction that reads


def test_platform_staff_asks_rules_of_the_events_practice_alone(ours, theirs):
    make(ours, "Bloquear", BLOCK, conditions=RISK)
    make(theirs, "Ajena", BLOCK, conditions=RISK)
    event = analysed(ours)
    staff = logged_in(people.person(None, "", is_superuser=True, language="en"))

    asked = page_of(staff, event).split('id="what-if"')[1]

    assert "Bloquear, version 1" in asked
    assert "Ajena" not in asked
