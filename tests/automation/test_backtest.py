"""What a rule would have done: production's verdict, over what has happened, without an effect."""

from __future__ import annotations

import uuid
from datetime import timedelta

import pytest
from django.core import mail as outbox
from django.db import InternalError, connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from automation import backtest as module
from automation import errors
from automation.backtest import backtest, digest_of
from automation.engine import concerns
from automation.intake import Subject, record_event
from automation.models import AutomationRule, RuleRun
from automation.selectors import happened
from automation.services.rules import create_rule
from automation.telling import Telling
from journeys.blueprints import MoveDraft
from journeys.models import SystemEventLog
from journeys.services.transitions import enroll, transition
from kura import tenancy
from tests.api.test_rehearsals import everything
from tests.automation.practice import API, a_definition, a_rule, drain, emit, move, tell
from tests.automation.test_monitor import NOW, TASK, a_timeout, check, stuck
from tests.factories import PatientFactory, a_template, system

RISK = "RISK_ANALYSIS_COMPLETED"
LONG_AGO = timedelta(days=365)


def rich(amount):
    return {"field": "event.payload.amount_cents", "op": "gte", "value": amount}


def enrolled_in(organization, **fields):
    patient = PatientFactory(organization=organization, **fields)
    enroll(patient_id=patient.pk, journey_key="intake", cause=system())
    return patient


@pytest.fixture
def enrolled(organization, template):
    return enrolled_in(organization)


def tried(organization, definition, **asked):
    now = timezone.now()
    period = {"since": now - LONG_AGO, "until": now + timedelta(days=1), "now": now}
    return backtest(organization=organization, definition=definition, **(period | asked))


def paid(patient, amount, key=None, **fields):
    told = tell(
        patient,
        "PAYMENT_SUCCEEDED",
        key or str(uuid.uuid4()),
        payload={"amount_cents": amount},
        **fields,
    )
    drain()
    return told


def made(organization, **fields):
    return create_rule(organization=organization, definition=a_definition(**fields), user=None)


# --- the verdict ----------------------------------------------------------------------------------


def test_it_counts_events_and_people_and_says_which(organization, enrolled):
    other = enrolled_in(organization)
    paid(enrolled, 500)
    paid(enrolled, 600)
    paid(other, 100)

    told = tried(organization, a_definition(conditions=rich(500)))

    assert (told.there, told.events, told.matched, told.people) == (3, 3, 2, 1)
    assert [(case.patient_id, case.runs) for case in told.sample] == [
        (enrolled.pk, True),
        (enrolled.pk, True),
        (other.pk, False),
    ]
    [no] = [case for case in told.sample if not case.runs]
    assert (no.deciding.expected, no.deciding.actual, no.deciding.result) == (500, 100, False)


def test_what_is_not_kept_is_no_data_and_never_no(organization, enrolled):
    """Nobody listened, so no facts were kept: what the payload says is all that is known."""
    tell(enrolled, "PAYMENT_SUCCEEDED", payload={"amount_cents": 500})
    stage = {"field": "journey.stage", "op": "eq", "value": "SCREENING_PENDING"}

    told = tried(organization, a_definition(conditions={"all": [rich(1), stage]}))

    assert (told.events, told.matched, told.undecided) == (1, 0, 1)
    [case] = told.sample
    assert (case.matched, case.deciding.note) == (None, "no_data")
    assert case.deciding.field == "journey.stage"


def test_a_false_condition_is_the_reason_and_not_the_missing_one_before_it(organization, enrolled):
    tell(enrolled, "PAYMENT_SUCCEEDED", payload={"amount_cents": 5})
    stage = {"field": "journey.stage", "op": "eq", "value": "SCREENING_PENDING"}

    [case] = tried(organization, a_definition(conditions={"all": [stage, rich(500)]})).sample

    assert (case.matched, case.deciding.field) == (False, "event.payload.amount_cents")


def test_facts_are_those_of_that_moment(organization, enrolled):
    made(organization, actions=[emit("CUSTOM.x")])
    paid(enrolled, 1)
    transition(patient_id=enrolled.pk, journey_key="intake", to_stage="CONFIRMED", cause=system())

    then = tried(organization, a_definition(stage="SCREENING_PENDING"))
    today = tried(organization, a_definition(stage="CONFIRMED"))

    assert (then.matched, today.matched) == (1, 0)
    assert (then.conditions.place.held, today.conditions.place.failed) == (1, 1)


def test_each_group_is_counted_and_each_condition(organization, enrolled):
    for amount in (100, 500, 900):
        paid(enrolled, amount)
    groups = {"any": [{"all": [rich(500), rich(50)]}, rich(900)]}

    told = tried(organization, a_definition(conditions=groups))

    assert [group.held for group in told.conditions.groups] == [2, 1]
    assert told.conditions.leaves["/any/0/all/1"].held == 3
    assert told.matched == 2


def test_only_the_period_that_is_asked_for(organization, enrolled):
    now = timezone.now()
    paid(enrolled, 1, occurred_at=now - timedelta(days=40))
    paid(enrolled, 1, occurred_at=now - timedelta(days=20))

    told = tried(organization, a_definition(), since=now - timedelta(days=30), until=now)

    assert (told.events, told.is_partial) == (1, False)


def test_nobody_hears_an_event_about_nobody(organization, template):
    record_event(
        organization=organization, event_type="PAYMENT_SUCCEEDED", source=API,
        idempotency_key="x", subject=Subject(email="nobody@example.org"), journey_key="intake",
    )  # fmt: skip

    assert tried(organization, a_definition()).events == 0


@pytest.mark.parametrize("blocks", [True, False])
@pytest.mark.parametrize("key", ["", "intake", "yoga"])
@pytest.mark.parametrize("event_type", [RISK, "PAYMENT_SUCCEEDED", "CUSTOM.x"])
def test_what_is_read_is_what_the_engine_hears(organization, enrolled, event_type, key, blocks):
    a_template(organization, key="yoga")
    stage = "BLOCKED_HIGH_RISK" if blocks else "CONFIRMED"
    rule = a_rule(organization, event_type, move("intake", stage), journey_key=key)
    for place in ("intake", "yoga", None):
        payload = {"risk_level": "HIGH"} if event_type == RISK else {}
        tell(enrolled, event_type, str(place), journey_key=place, payload=payload)
    practice = Telling.of(rule, None, module.Practice(organization=organization)).practice
    heard = {
        event.pk
        for event in SystemEventLog.objects.filter(event_type=event_type)
        if concerns(rule, event, practice)
    }

    ear = happened.Ear.of(rule, may_block=blocks)
    now = timezone.now()
    read, _there = happened.events_heard(
        organization, [ear], since=now - LONG_AGO, until=now + LONG_AGO, most=100
    )

    assert {event.pk for event in read} == heard


# --- against the published version ----------------------------------------------------------------


def test_what_is_new_and_what_is_gone(organization, enrolled):
    other = enrolled_in(organization)
    rule = made(organization, conditions=rich(500), actions=[emit("CUSTOM.x")])
    paid(enrolled, 300)
    paid(enrolled, 600)
    paid(other, 900)
    at_most = {"field": "event.payload.amount_cents", "op": "lte", "value": 600}

    told = tried(organization, a_definition(conditions=at_most), published=rule)

    change = told.difference
    assert (change.version, change.matched, change.people) == (1, 2, 2)
    assert (change.added, change.added_people) == (1, 0)  # the same person, for another payment
    assert (change.removed, change.removed_people) == (1, 1)
    assert [case.change for case in told.sample] == ["removed", "added", ""]


def test_the_published_version_against_itself_differs_in_nothing(organization, enrolled):
    rule = made(organization, conditions=rich(500), actions=[emit("CUSTOM.x")])
    paid(enrolled, 600)

    told = tried(organization, rule.definition, published=rule)

    assert told.difference.is_none
    assert (told.matched, told.difference.matched) == (1, 1)


def test_where_a_version_has_no_data_nobody_calls_it_a_difference(organization, enrolled):
    """Nobody listened then, so what the published version asks is not known of that event."""
    tell(enrolled, "PAYMENT_SUCCEEDED", payload={"amount_cents": 500})
    stage = {"field": "journey.stage", "op": "eq", "value": "SCREENING_PENDING"}
    asks_more = made(organization, conditions={"all": [rich(1), stage]})

    told = tried(organization, a_definition(conditions=rich(1)), published=asks_more)
    turned = tried(organization, asks_more.definition, published=asks_more)

    change = told.difference
    assert (told.matched, change.added, change.removed, change.unknown) == (1, 0, 0, 1)
    assert [case.change for case in told.sample] == [""]
    assert (turned.undecided, turned.difference.is_none) == (1, True)


def test_another_trigger_loses_what_the_published_one_heard(organization, enrolled):
    rule = made(organization, actions=[emit("CUSTOM.x")])
    paid(enrolled, 600)
    tell(enrolled, "CUSTOM.y")

    told = tried(organization, a_definition(trigger_event="CUSTOM.y"), published=rule)

    assert (told.events, told.matched) == (1, 1)
    assert (told.difference.added, told.difference.removed) == (1, 1)
    gone = next(case for case in told.sample if case.change == "removed")
    assert (gone.is_heard, gone.runs, gone.leaves) == (False, False, ())


def test_a_published_version_that_nobody_can_read_is_not_compared(organization, enrolled):
    broken = a_rule(organization, "PAYMENT_SUCCEEDED", conditions={"field": 1})
    paid(enrolled, 600)

    told = tried(organization, a_definition(), published=broken)

    assert (told.matched, told.difference) == (1, None)


def test_a_digest_names_what_the_rule_does_and_not_what_it_is_called():
    first = digest_of(a_definition())

    assert first == digest_of(a_definition(name="Other", priority=5, max_repeats=None))
    assert first != digest_of(a_definition(conditions=rich(1)))
    assert first != digest_of(a_definition(actions=[move("intake", "COMPLETED")]))


# --- what the actions would have done -------------------------------------------------------------


def effects(organization, **fields):
    return tried(organization, a_definition(**fields)).effects


@pytest.fixture
def heard(organization, enrolled):
    """An event with its facts."""
    a_rule(organization, "PAYMENT_SUCCEEDED", emit("CUSTOM.heard"))
    paid(enrolled, 100)
    return enrolled


def test_a_move_that_the_graph_allows_would_be_made(organization, heard):
    told = effects(organization, actions=[move("intake", "CONFIRMED")])

    assert (told.would_move, dict(told.would_fail), told.unknown) == (1, {}, 0)


def test_a_move_that_the_graph_refuses_says_why_and_stops_what_follows(organization, patient):
    a_template(organization, moves=[MoveDraft(from_stage=None, to_stage="SCREENING_PENDING")])
    enroll(patient_id=patient.pk, journey_key="intake", cause=system())
    a_rule(organization, "PAYMENT_SUCCEEDED", emit("CUSTOM.heard"))
    paid(patient, 100)

    told = effects(
        organization,
        actions=[move("intake", "CONFIRMED"), TASK, move("intake", "BLOCKED_HIGH_RISK")],
    )

    assert dict(told.would_fail) == {"transition_not_permitted": 1}
    assert [dict(one.statuses) for one in told.actions] == [
        {"refused": 1}, {"skipped": 1}, {"done": 1},
    ]  # fmt: skip


PAYMENTS = "events.PAYMENT_SUCCEEDED.count"


@pytest.mark.parametrize(
    ("fact", "would_move", "why"),
    [
        ({"field": PAYMENTS, "op": "gte", "value": 1}, 1, {}),
        ({"field": PAYMENTS, "op": "gte", "value": 9}, 0, {"guard_failed": 1}),
        ({"field": "events.CUSTOM.unheard.count", "op": "gte", "value": 1}, 0, {}),
        ({"field": "journey.reviewed_at", "op": "exists", "value": False}, 0, {}),
    ],
)
def test_a_guard_is_asked_about_that_moment(organization, patient, fact, would_move, why):
    """What was not kept is unknown, and no refusal."""
    moves = [
        MoveDraft(from_stage=None, to_stage="SCREENING_PENDING"),
        MoveDraft(from_stage="SCREENING_PENDING", to_stage="CONFIRMED", guard=fact),
    ]
    a_template(organization, moves=moves)
    enroll(patient_id=patient.pk, journey_key="intake", cause=system())
    a_rule(organization, "PAYMENT_SUCCEEDED", emit("CUSTOM.heard"))
    paid(patient, 100)

    told = effects(organization)

    assert (told.would_move, dict(told.would_fail)) == (would_move, why)
    assert told.unknown == (0 if would_move or why else 1)


def test_who_is_on_hold_would_not_be_moved_or_enrolled(organization, enrolled):
    a_template(organization, key="yoga")
    transition(
        patient_id=enrolled.pk, journey_key="intake", to_stage="BLOCKED_HIGH_RISK", cause=system()
    )
    a_rule(organization, "PAYMENT_SUCCEEDED", emit("CUSTOM.heard"))
    paid(enrolled, 100)

    moved = effects(organization)
    enrolled_elsewhere = effects(
        organization, actions=[{"type": "enroll", "params": {"key": "yoga"}}]
    )

    assert dict(moved.would_fail) == {"journey_blocked": 1}
    assert dict(enrolled_elsewhere.would_fail) == {"journey_blocked": 1}


def test_a_rule_meets_the_patient_where_its_own_actions_left_them(organization, heard):
    told = effects(
        organization,
        actions=[
            move("intake", "CONFIRMED"),
            move("intake", "CONFIRMED"),
            {"type": "enroll", "params": {"key": "intake"}},
            move("intake", "COMPLETED"),
            move("intake", "CONFIRMED"),
        ],
    )

    assert [next(iter(one.statuses)) for one in told.actions] == [
        "done", "unchanged", "unchanged", "done", "refused",
    ]  # fmt: skip
    assert dict(told.would_fail) == {"not_enrolled": 1}


def test_a_blocking_rule_is_judged_before_its_own_block(organization, enrolled):
    """What its run changed for the other rules is kept with the event as well."""
    block = made(
        organization, trigger_event=RISK, journey_key="intake",
        actions=[move("intake", "BLOCKED_HIGH_RISK")],
    )  # fmt: skip
    tell(enrolled, RISK, payload={"risk_level": "HIGH"})
    drain()
    assert RuleRun.objects.get(rule=block).status == "done"

    told = tried(organization, block.definition, published=block).effects

    assert (told.would_move, dict(told.would_fail)) == (1, {})


def test_without_facts_nobody_knows_where_the_patient_stood(organization, enrolled):
    tell(enrolled, "PAYMENT_SUCCEEDED", payload={"amount_cents": 500})

    told = effects(organization, actions=[move("intake", "CONFIRMED"), TASK])

    assert (told.would_move, dict(told.would_fail), told.unknown) == (0, {}, 1)
    assert [dict(one.statuses) for one in told.actions] == [{"unknown": 1}] * 2


def test_a_mail_without_an_address_then_becomes_a_task(organization, template):
    patient = enrolled_in(organization, email="")
    a_rule(organization, "PAYMENT_SUCCEEDED", emit("CUSTOM.heard"))
    paid(patient, 100)
    params = {"audience": "patient", "subject": "Hi", "body": "There"}

    told = effects(organization, actions=[{"type": "send_email", "params": params}])

    assert dict(told.actions[0].codes) == {("done", "no_address"): 1}


def test_a_rule_runs_once_for_a_cause(organization, enrolled):
    """Its own event calls it again; the engine stops there, and so does hindsight."""
    rule = a_rule(
        organization, "CUSTOM.ping", emit("CUSTOM.ping"), journey_key="intake", name="ping"
    )
    tell(enrolled, "CUSTOM.ping")
    while drain():
        pass
    assert sorted(RuleRun.objects.values_list("status", flat=True)) == ["done", "loop"]

    told = tried(organization, rule.definition, published=rule)

    assert told.matched == 2
    assert dict(told.effects.would_fail) == {"loop": 1}


# --- nothing is written, and it ends --------------------------------------------------------------


def test_nothing_is_written_and_nothing_is_sent(organization, heard):
    before = everything()

    told = tried(organization, a_definition(actions=[move("intake", "CONFIRMED"), TASK]))

    assert told.effects.would_move == 1
    assert everything() == before
    assert outbox.outbox == []


def test_a_write_inside_is_refused_by_the_database(organization, patient):
    with pytest.raises(InternalError, match="read-only"), module._reading(5):
        patient.phone = "1"
        patient.save()

    patient.save()
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('transaction_read_only')")
        assert cursor.fetchone() == ("off",)
        cursor.execute("SELECT current_setting('statement_timeout')")
        assert cursor.fetchone() == ("0",)


def test_more_than_the_most_is_told_as_a_part_beginning_with_the_newest(organization, enrolled):
    now = timezone.now()
    for days in (3, 2, 1):
        paid(enrolled, days, occurred_at=now - timedelta(days=days))

    told = tried(organization, a_definition(), most=2)

    assert (told.there, told.looked_at, told.events, told.is_partial) == (3, 2, 2, True)
    assert [(now - case.at).days for case in told.sample] == [1, 2]


def test_when_time_is_up_what_was_judged_is_told(organization, enrolled, monkeypatch):
    for _ in range(3):
        paid(enrolled, 1)
    monkeypatch.setattr(module, "AT_ONCE", 1)
    ticks = iter([0.0, 0.0, 1.0, 1.0, 2.0, 2.0, 99.0, 99.0, 99.0])
    monkeypatch.setattr(module.time, "monotonic", lambda: next(ticks))

    told = tried(organization, a_definition(), seconds=5)

    assert 0 < told.looked_at < told.there == 3
    assert told.is_partial


def test_a_statement_that_takes_too_long_is_cut_off(organization, enrolled):
    paid(enrolled, 1)
    with pytest.raises(errors.BacktestTimeout), transaction.atomic():
        tried(organization, a_definition(), seconds=-1)


def test_a_statement_that_postgresql_cancels_ends_the_reading(organization):
    with module._reading(0.05) as patience:
        patience.bound()
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_sleep(5)")

    assert patience.ran_out
    assert AutomationRule.objects.count() == 0  # the connection is as good as before


def test_a_rule_with_problems_is_refused_as_everywhere(organization, template):
    with pytest.raises(errors.InvalidRule):
        tried(organization, a_definition(actions=[move("intake", "NOWHERE")]))


def test_another_practices_events_are_never_read(organization, enrolled, other_organization):
    paid(enrolled, 500)
    with tenancy.scope(other_organization):
        a_template(other_organization)

        told = tried(other_organization, a_definition())
        strange = tried_events(organization)

    assert (told.there, told.events) == (0, 0)
    assert strange == ([], 0)


def tried_events(organization):
    now = timezone.now()
    ear = happened.Ear("PAYMENT_SUCCEEDED", "", also_elsewhere=False)
    return happened.events_heard(
        organization, [ear], since=now - LONG_AGO, until=now + LONG_AGO, most=9
    )


@pytest.mark.parametrize("events", [1, 25])
def test_it_costs_as_many_queries_for_one_event_as_for_many(organization, enrolled, events):
    rule = made(organization, conditions=rich(5), actions=[emit("CUSTOM.x")])
    for _ in range(events):
        paid(enrolled, 9)
    tried(organization, a_definition(), published=rule)

    with CaptureQueriesContext(connection) as queries:
        tried(organization, a_definition(), published=rule)

    assert len(queries) == 11, [one["sql"] for one in queries]


# --- time-outs ------------------------------------------------------------------------------------


def a_clock(**fields):
    place = {"trigger_event": "JOURNEY_STAGE_TIMEOUT", "stage": "SCREENING_PENDING"}
    return a_definition(**(place | {"max_hours": "48", "actions": [TASK]} | fields))


def now_tried(organization, definition, **asked):
    return tried(organization, definition, now=NOW, **asked)


def test_a_time_out_tells_whom_it_would_remind_now(organization, template):
    late = stuck(organization, 50)
    stuck(organization, 10)

    told = now_tried(organization, a_clock())

    assert (told.events, told.matched, told.people) == (1, 1, 1)
    assert told.waiting.if_counted
    [case] = told.sample
    assert (case.patient_id, case.id, case.at) == (late.pk, None, NOW - timedelta(hours=50))


def test_nobody_past_the_limit_nobody_reminded(organization, template):
    stuck(organization, 10)

    told = now_tried(organization, a_clock())

    assert (told.events, told.matched, told.sample) == (0, 0, ())


def test_a_step_that_was_said_is_not_said_again(organization, template):
    rule = a_timeout(organization)
    stuck(organization, 50)
    check()

    told = now_tried(organization, rule.definition, published=rule)

    assert (told.events, told.matched) == (1, 0)
    assert (told.waiting.told, told.waiting.before, told.waiting.if_counted) == (1, 0, False)
    assert told.sample[0].withheld == "told"


def test_who_came_before_the_rule_counts_is_told_apart(organization, template):
    rule = a_timeout(organization, visits_from=NOW - timedelta(hours=60))
    stuck(organization, 50)
    stuck(organization, 70)

    told = now_tried(organization, rule.definition, published=rule)

    assert (told.events, told.matched, told.waiting.before) == (2, 1, 1)


def test_conditions_of_a_time_out_are_asked_about_now(organization, template):
    spanish = {"field": "patient.language", "op": "eq", "value": "es"}
    often = {"field": "event.payload.occurrence", "op": "gte", "value": 2}
    stuck(organization, 50, language="es")
    stuck(organization, 50, language="en")

    told = now_tried(organization, a_clock(conditions=spanish))
    later = now_tried(organization, a_clock(conditions=often))

    assert (told.events, told.matched, later.matched) == (2, 1, 0)


def test_shorter_hours_add_people(organization, template):
    rule = a_timeout(organization)
    stuck(organization, 50)
    stuck(organization, 30)

    told = now_tried(organization, a_clock(max_hours="24"), published=rule)

    assert (told.matched, told.difference.added, told.difference.removed) == (2, 1, 0)


def test_it_reminds_whom_the_monitor_then_announces(organization, template):
    rule = a_timeout(
        organization, conditions={"field": "patient.language", "op": "eq", "value": "es"}
    )
    for number in range(4):
        stuck(organization, 40 + number * 5, language=("es", "en")[number % 2])
    told = now_tried(organization, rule.definition, published=rule)

    check()
    drain()

    matched = set(RuleRun.objects.filter(matched=True).values_list("patient_id", flat=True))
    assert {case.patient_id for case in told.sample if case.runs} == matched
    assert told.events == RuleRun.objects.count()


@pytest.mark.parametrize("people", [1, 12])
def test_a_time_out_costs_as_many_queries_for_one_patient_as_for_many(
    organization, template, people
):
    rule = a_timeout(organization)
    for _ in range(people):
        stuck(organization, 50)
    now_tried(organization, a_clock(max_hours="24"), published=rule)

    with CaptureQueriesContext(connection) as queries:
        now_tried(organization, a_clock(max_hours="24"), published=rule)

    assert len(queries) == 18, [one["sql"] for one in queries]
