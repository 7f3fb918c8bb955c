"""The trace of an event answers "why?" and "why not?", for as many rules as there are."""

from __future__ import annotations

import uuid
from dataclasses import fields, is_dataclass
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import translation

from automation import errors
from automation.models import RuleSwitch
from automation.selectors import trace as trace_module
from automation.selectors.listening import Why
from automation.selectors.trace import trace_of
from automation.services.decisions import replay
from automation.services.rules import archive, create_rule, publish, set_active
from automation.sources import MONITOR
from journeys.models import JourneyLog
from journeys.services.transitions import enroll
from kura import tenancy
from tests.automation.practice import a_definition, a_rule, drain, emit, move, tell
from tests.factories import a_template, system


@pytest.fixture
def enrolled(template, patient):
    enroll(patient_id=patient.pk, journey_key="intake", cause=system())
    return patient


@pytest.fixture(autouse=True)
def english():
    with translation.override("en"):
        yield


def make(organization, **fields):
    return create_rule(organization=organization, definition=a_definition(**fields), user=None)


def rich(amount):
    return {"field": "event.payload.amount_cents", "op": "gte", "value": amount}


def test_it_tells_what_happened_and_what_followed(organization, enrolled):
    rule = make(
        organization,
        conditions={"all": [rich(100), rich(50)]},
        actions=[move("intake", "CONFIRMED"), emit("CUSTOM.paid")],
    )
    told = tell(enrolled, "PAYMENT_SUCCEEDED", payload={"amount_cents": 200})
    drain()

    trace = trace_of(told.event_id)

    assert (trace.event.type, trace.event.status, trace.event.attempts) == (
        "PAYMENT_SUCCEEDED",
        "done",
        1,
    )
    [run] = trace.runs
    assert (run.rule_id, run.rule_name, run.version, run.status) == (rule.pk, "Paid", 1, "done")
    assert [(one.expected, one.actual, one.result) for one in run.conditions] == [
        (100, 200, True),
        (50, 200, True),
    ]
    assert run.conditions[0].words == "amount in cents is at least 100"
    assert run.failed_on is None
    assert [one.words for one in run.actions] == [
        "move to “Confirmed” in “Intake”",
        "record the event “Paid”",
    ]
    [moved] = trace.moves
    assert (moved.from_stage, moved.to_stage) == ("SCREENING_PENDING", "CONFIRMED")
    assert moved.log_id == run.actions[0].refs["log_id"] == JourneyLog.objects.latest("id").pk
    assert {one.type for one in trace.followed} == {"JOURNEY_STAGE_CHANGED", "CUSTOM.paid"}
    assert all(one.parent_id == told.event_id for one in trace.followed)


def test_a_rule_that_did_not_match_names_the_first_condition_that_failed(organization, enrolled):
    make(
        organization,
        stage="SCREENING_PENDING",
        conditions={"all": [rich(100), rich(500), rich(1000)]},
    )
    told = tell(enrolled, "PAYMENT_SUCCEEDED", payload={"amount_cents": 200})
    drain()

    [run] = trace_of(told.event_id).runs

    assert (run.matched, run.status) == (False, "not_matched")
    assert run.conditions[0].words == "stage in “Intake” is Screening pending"
    assert (run.failed_on.expected, run.failed_on.actual) == (500, 200)


def test_missing_data_is_said_to_be_missing(organization, enrolled):
    make(organization, conditions=rich(100))
    told = tell(enrolled, "PAYMENT_SUCCEEDED")
    drain()

    [run] = trace_of(told.event_id).runs

    assert run.matched is None
    assert (run.failed_on.result, run.failed_on.note) == (None, "no_data")


def test_a_refusal_is_told_in_words_and_by_its_code(organization, enrolled):
    make(organization, trigger_event="CUSTOM.block", actions=[move("intake", "BLOCKED_HIGH_RISK")])
    make(organization, actions=[move("intake", "CONFIRMED"), emit("CUSTOM.x")])
    tell(enrolled, "CUSTOM.block", "b")
    told = tell(enrolled, "PAYMENT_SUCCEEDED")
    drain()

    [run] = trace_of(told.event_id).runs

    assert run.status == "refused"
    assert [(one.status, one.error_code) for one in run.actions] == [
        ("refused", "journey_blocked"),
        ("skipped", "after_refusal"),
    ]
    assert run.actions[0].error_words


def test_rules_that_did_not_look_say_why(organization, enrolled, therapist):
    a_template(organization, key="yoga")
    off, later, archived, _elsewhere, on_later = (
        make(organization, name=name, journey_key=key, actions=[emit("CUSTOM.x")])
        for name, key in (
            ("off", "intake"),
            ("later off", "intake"),
            ("archived", "intake"),
            ("elsewhere", "yoga"),
            ("on later", "intake"),
        )
    )
    for rule in (off, on_later):
        set_active(rule_id=rule.pk, is_active=False, user=therapist)
    archive(rule_id=archived.pk, user=therapist)
    told = tell(enrolled, "PAYMENT_SUCCEEDED")
    waiting = {rule.rule_name: rule.why for rule in trace_of(told.event_id).silent}
    drain()
    set_active(rule_id=later.pk, is_active=False, user=therapist)
    set_active(rule_id=on_later.pk, is_active=True, user=therapist)
    make(organization, name="new", actions=[emit("CUSTOM.x")])

    trace = trace_of(told.event_id)

    assert waiting == {
        "off": Why.INACTIVE,
        "later off": Why.NOT_YET,
        "archived": Why.INACTIVE,
        "elsewhere": Why.OTHER_JOURNEY,
        "on later": Why.INACTIVE,
    }
    assert [run.rule_name for run in trace.runs] == ["later off"]
    assert {rule.rule_name: (rule.why, rule.is_active_now) for rule in trace.silent} == {
        "off": (Why.INACTIVE, False),
        "archived": (Why.INACTIVE, False),
        "elsewhere": (Why.OTHER_JOURNEY, True),
        "on later": (Why.INACTIVE, True),
        "new": (Why.LATER, True),
    }


def test_a_rule_that_was_off_then_names_who_switched_it_off_and_when(
    organization, enrolled, therapist
):
    rule = make(organization, actions=[emit("CUSTOM.x")])
    for is_active in (False, True, False):
        set_active(rule_id=rule.pk, is_active=is_active, user=therapist)
    told = tell(enrolled, "PAYMENT_SUCCEEDED")
    drain()
    off = RuleSwitch.objects.filter(rule=rule, kind="off").latest("switched_at")
    set_active(rule_id=rule.pk, is_active=True, user=None)
    publish(rule_id=rule.pk, user=None, expected_version=1, definition=a_definition(
        name="Renamed", actions=[emit("CUSTOM.x")],
    ))  # fmt: skip
    archive(rule_id=rule.pk, user=None)

    [silent] = trace_of(told.event_id).silent

    assert (silent.why, silent.rule_name) == (Why.INACTIVE, "Paid")
    assert (silent.since, silent.by) == (off.switched_at, str(therapist))


def test_what_a_rule_listened_to_then_counts_and_not_what_it_listens_to_now(
    organization, enrolled, therapist
):
    def rule_for(trigger, name):
        return make(organization, name=name, trigger_event=trigger, actions=[emit("CUSTOM.x")])

    away, here = rule_for("PAYMENT_SUCCEEDED", "away"), rule_for("CUSTOM.other", "here")
    set_active(rule_id=away.pk, is_active=False, user=therapist)
    told = tell(enrolled, "PAYMENT_SUCCEEDED")
    drain()
    for rule, trigger in ((away, "CUSTOM.other"), (here, "PAYMENT_SUCCEEDED")):
        changed = a_definition(name="x", trigger_event=trigger, actions=[emit("CUSTOM.y")])
        publish(rule_id=rule.pk, user=None, expected_version=1, definition=changed)

    silent = {rule.rule_name: rule.why for rule in trace_of(told.event_id).silent}

    assert silent == {"away": Why.INACTIVE, "here": Why.OTHER_TRIGGER}


def test_a_time_that_was_up_is_one_rules_and_no_others(organization, enrolled):
    limit = {"trigger_event": "JOURNEY_STAGE_TIMEOUT", "stage": "SCREENING_PENDING",
             "max_hours": 1, "actions": [emit("CUSTOM.x")]}  # fmt: skip
    mine, other = (make(organization, name=name, **limit) for name in ("mine", "other"))
    told = tell(
        enrolled,
        "JOURNEY_STAGE_TIMEOUT",
        source=MONITOR,
        payload={"rule_id": str(mine.pk), "stage": "SCREENING_PENDING"},
    )
    drain()

    trace = trace_of(told.event_id)

    assert [run.rule_id for run in trace.runs] == [mine.pk]
    assert [(rule.rule_id, rule.why) for rule in trace.silent] == [(other.pk, Why.OTHER_LIMIT)]


def test_a_replay_does_not_make_later_rules_look_like_earlier_ones(
    organization, enrolled, therapist
):
    make(organization, trigger_event="CUSTOM.block", actions=[move("intake", "BLOCKED_HIGH_RISK")])
    make(organization)
    tell(enrolled, "CUSTOM.block", "b")
    told = tell(enrolled, "PAYMENT_SUCCEEDED")
    drain()
    new = make(organization, name="new", actions=[emit("CUSTOM.x")])
    replay(event_id=told.event_id, user=therapist, reason="Se ha hablado con ella")
    drain()

    [silent] = trace_of(told.event_id).silent

    assert (silent.rule_id, silent.why) == (new.pk, Why.LATER)


def test_each_action_keeps_how_long_it_took(organization, enrolled):
    make(organization, actions=[move("intake", "CONFIRMED"), emit("CUSTOM.x")])
    told = tell(enrolled, "PAYMENT_SUCCEEDED")
    drain()

    [run] = trace_of(told.event_id).runs

    took = [one.took for one in run.actions]
    assert all(timedelta() <= one <= run.finished_at - run.started_at for one in took)
    assert all("took_ms" not in one.refs for one in run.actions)


def test_a_run_is_told_in_the_words_of_the_version_that_ran(organization, enrolled):
    rule = make(organization)
    told = tell(enrolled, "PAYMENT_SUCCEEDED")
    drain()
    publish(
        rule_id=rule.pk,
        user=None,
        expected_version=1,
        definition=a_definition(name="Renamed", actions=[emit("CUSTOM.x")]),
    )

    [run] = trace_of(told.event_id).runs

    assert (run.rule_name, run.version) == ("Paid", 1)
    assert run.actions[0].words == "move to “Confirmed” in “Intake”"


def test_a_broken_rule_is_told_as_well(organization, enrolled):
    a_rule(organization, "PAYMENT_SUCCEEDED", {"type": "no such action"}, name="broken")
    told = tell(enrolled, "PAYMENT_SUCCEEDED")
    drain()

    trace = trace_of(told.event_id)

    assert (trace.runs[0].status, trace.runs[0].error) == ("failed", "KeyError")
    assert (trace.event.status, trace.event.last_error) == ("queued", "KeyError")


def test_an_event_of_another_practice_is_not_found(organization, enrolled, other_organization):
    told = tell(enrolled, "PAYMENT_SUCCEEDED")

    with tenancy.scope(other_organization), pytest.raises(errors.EventNotFound):
        trace_of(told.event_id)
    with pytest.raises(errors.EventNotFound):
        trace_of(uuid.uuid4())


def cost_of_trace(event_id):
    with CaptureQueriesContext(connection) as asked:
        trace_of(event_id)
    return len(asked)


def test_it_costs_the_same_however_many_rules_listened(organization, enrolled):
    make(organization, actions=[emit("CUSTOM.x")])
    told = tell(enrolled, "PAYMENT_SUCCEEDED", "one")
    drain()
    one = cost_of_trace(told.event_id)
    for number in range(10):
        make(organization, name=f"{number}", actions=[emit("CUSTOM.x"), emit("CUSTOM.y")])
    told = tell(enrolled, "PAYMENT_SUCCEEDED", "many")
    drain()

    assert len(trace_of(told.event_id).runs) == 11
    assert cost_of_trace(told.event_id) == one


def test_everything_it_tells_is_frozen():
    told = [one for one in vars(trace_module).values() if is_dataclass(one)]

    assert told
    assert all(one.__dataclass_params__.frozen and fields(one) for one in told)
