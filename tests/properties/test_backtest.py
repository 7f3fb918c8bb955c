"""Random rules, random events: what a backtest says is what the engine did, and each trace adds up.

Rules and events go through the real engine, queue and all; then the same version is tried over the
same events.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import hypothesis.strategies as st
import pytest
from django.db import transaction
from django.utils import timezone
from hypothesis import HealthCheck, event, given, note, settings

from automation.actions.base import Practice
from automation.backtest import backtest
from automation.judging import place_of
from automation.models import AutomationRule, RuleRun
from automation.models.run import RunStatus
from automation.validation import problems_of
from journeys.services.transitions import enroll
from kura.conditions import evaluate
from tests.automation.practice import a_rule, drain, emit, move, tell
from tests.factories import STAGES, PatientFactory, a_template, system
from tests.sizes import sized

RISK, PAID, MOVED, OWN = (
    "RISK_ANALYSIS_COMPLETED", "PAYMENT_SUCCEEDED", "JOURNEY_STAGE_CHANGED", "CUSTOM.x",
)  # fmt: skip
TRIGGERS = [RISK, PAID, MOVED, OWN]
LEVELS = ["LOW", "MEDIUM", "HIGH"]


def leaf(field: str, op: str, values: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.builds(lambda value: {"field": field, "op": op, "value": value}, values)


STANDING = st.one_of(
    leaf("journey.stage", "eq", st.sampled_from(STAGES)),
    leaf("journey.status", "in", st.lists(st.sampled_from(["active", "onhold"]), min_size=1)),
    leaf("journey.hours_in_stage", "gte", st.integers(0, 2)),
    leaf("journeys.intake", "ne", st.sampled_from(STAGES)),
    leaf("journeys.yoga", "exists", st.booleans()),
    leaf("patient.language", "eq", st.sampled_from(["es", "en"])),
    leaf("patient.email", "exists", st.booleans()),
    leaf("events.PAYMENT_SUCCEEDED.count", "gte", st.integers(0, 3)),
    leaf("events.PAYMENT_SUCCEEDED.last.amount_cents", "lt", st.integers(0, 900)),
    leaf("events.CUSTOM.x.count", "eq", st.integers(0, 3)),
    leaf("event.source", "eq", st.sampled_from(["integration:clinic", "system:transitions"])),
    leaf("event.journey_key", "exists", st.booleans()),
)
OF_EVENT = {
    RISK: st.one_of(
        leaf("event.payload.risk_level", "eq", st.sampled_from(LEVELS)),
        leaf("event.payload.risk_level", "not_in", st.lists(st.sampled_from(LEVELS), min_size=1)),
        leaf("event.payload.risk_score", "gte", st.integers(0, 9)),
        leaf("event.payload.medication_active", "eq", st.booleans()),
    ),
    PAID: leaf("event.payload.amount_cents", "gte", st.integers(0, 900)),
    MOVED: leaf("event.payload.to_stage", "eq", st.sampled_from(STAGES)),
    OWN: leaf("event.payload.mood", "contains", st.sampled_from(["a", "b"])),
}


def trees(trigger: str) -> st.SearchStrategy[dict[str, Any]]:
    groups = st.recursive(
        st.one_of(STANDING, OF_EVENT[trigger]),
        lambda parts: st.builds(
            lambda kind, some: {kind: some},
            st.sampled_from(["all", "any"]),
            st.lists(parts, min_size=1, max_size=3),
        ),
        max_leaves=6,
    )
    return st.one_of(st.just({}), groups)


ACTIONS = st.lists(
    st.one_of(
        st.builds(move, st.just("intake"), st.sampled_from(STAGES)),
        st.builds(lambda key: {"type": "enroll", "params": {"key": key}}, st.just("yoga")),
        st.just(emit(OWN)),
        st.just({"type": "create_task", "params": {"audience": "practice", "text": "Look"}}),
    ),
    min_size=1,
    max_size=3,
)


@st.composite
def rules(draw: st.DrawFn, trigger: str = "") -> dict[str, Any]:
    trigger = trigger or draw(st.sampled_from(TRIGGERS))
    return {
        "trigger_event": trigger,
        "journey_key": draw(st.sampled_from(["", "intake"])),
        "stage": draw(st.sampled_from(["", "", STAGES[0], STAGES[1]])),
        "conditions": draw(trees(trigger)),
        "actions": draw(ACTIONS),
        "priority": draw(st.integers(1, 3)),
    }


@st.composite
def happenings(draw: st.DrawFn) -> dict[str, Any]:
    kind = draw(st.sampled_from([RISK, PAID, OWN]))
    payload: dict[str, Any] = {
        RISK: {"risk_level": draw(st.sampled_from(LEVELS))}
        | draw(st.sampled_from([{}, {"risk_score": 5}, {"medication_active": True}])),
        PAID: draw(st.sampled_from([{}, {"amount_cents": 500}])),
        OWN: draw(st.sampled_from([{}, {"mood": "a"}])),
    }[kind]
    return {
        "event_type": kind,
        "journey_key": draw(st.sampled_from(["intake", "intake", "yoga", None])),
        "payload": payload,
        "person": draw(st.integers(0, 1)),
    }


@contextmanager
def undone() -> Iterator[None]:
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


def lived(organization: Any, written: list[dict[str, Any]], told: list[dict[str, Any]]) -> Any:
    """The rules, after all that happened was processed in its order."""
    for key in ("intake", "yoga"):
        a_template(organization, key=key, codes=STAGES)
    people = [
        PatientFactory(organization=organization, language="es", email="a@example.org"),
        PatientFactory(organization=organization, language="en"),
    ]
    enroll(patient_id=people[0].pk, journey_key="intake", cause=system())
    made = [
        a_rule(organization, one["trigger_event"], *one["actions"], name=f"rule {number}",
               **{name: one[name] for name in ("journey_key", "stage", "conditions", "priority")})
        for number, one in enumerate(written)
    ]  # fmt: skip
    began = timezone.now() - timedelta(hours=1)
    for number, one in enumerate(told):
        tell(
            people[one["person"]],
            one["event_type"],
            f"h-{number}",
            journey_key=one["journey_key"],
            payload=one["payload"],
            occurred_at=began + timedelta(seconds=number),
        )
        while drain():
            pass
    return made


def tried(organization: Any, rule: AutomationRule) -> Any:
    now = timezone.now()
    return backtest(
        organization=organization,
        definition=rule.definition,
        published=rule,
        since=now - timedelta(days=1),
        until=now + timedelta(days=1),
        now=now,
    )


def is_publishable(organization: Any, rule: AutomationRule) -> bool:
    return not problems_of(rule.definition, Practice(organization=organization))


pytestmark = pytest.mark.soak

RANDOM = settings(
    max_examples=sized(reduced=25, full=600),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@RANDOM
@given(
    written=st.tuples(*map(rules, TRIGGERS)).map(list),
    told=st.lists(happenings(), min_size=2, max_size=5),
)
def test_a_backtest_says_what_the_engine_said(organization, written, told):
    with undone():
        for rule in lived(organization, written, told):
            runs = {run.event_id: run for run in RuleRun.objects.filter(rule=rule)}
            if not is_publishable(organization, rule) or len(runs) > 10:
                event("not comparable")
                continue

            found = tried(organization, rule)

            note((rule.definition, [run.conditions for run in runs.values()]))
            told_of = {case.id: case for case in found.sample}
            judged = {pk: run for pk, run in runs.items() if run.status != RunStatus.FAILED}
            assert {pk: told_of[pk].matched for pk in judged} == {
                pk: run.matched for pk, run in judged.items()
            }
            assert {pk: [one.as_json() for one in told_of[pk].leaves] for pk in judged} == {
                pk: run.conditions for pk, run in judged.items()
            }
            assert found.events == len(runs)
            assert found.difference.is_none
            event(f"matched {min(found.matched, 3)}")


@RANDOM
@given(written=rules(), told=st.lists(happenings(), min_size=3, max_size=6))
def test_alone_its_actions_did_what_a_backtest_foretells(organization, written, told):
    """One rule, no guard: nothing stands in the way that the facts do not tell of."""
    with undone():
        [rule] = lived(organization, [written], told)
        runs = list(RuleRun.objects.filter(rule=rule, matched=True))
        if not is_publishable(organization, rule) or any(run.status == "failed" for run in runs):
            event("not comparable")
            return

        found = tried(organization, rule)

        stopped = sum(run.status == RunStatus.LOOP for run in runs)
        for tally in found.effects.actions:
            outcomes = [run.actions[tally.index] for run in runs if run.actions]
            did = Counter(
                (one["status"], one["error_code"] or "")
                for one in outcomes
                if one["error_code"] != "duplicate"
            )
            foretold = Counter(
                {pair: number for pair, number in tally.codes.items() if pair[1] != "loop"}
            )
            plain = Counter({(status, ""): n for status, n in tally.statuses.items()})
            plain.subtract({(status, ""): n for (status, _code), n in tally.codes.items()})
            assert +did == +(foretold + +plain)
            assert tally.codes["skipped", "loop"] == stopped
        event(f"acted {min(len(runs), 3)}")


SEEN = Counter[str]()


@RANDOM
@given(
    written=st.tuples(*map(rules, [*TRIGGERS, RISK, PAID, OWN])).map(list),
    told=st.lists(happenings(), min_size=3, max_size=6),
)
def every_trace_adds_up(organization, written, told):
    with undone():
        by_id = {rule.pk: rule for rule in lived(organization, written, told)}
        for run in RuleRun.objects.exclude(status=RunStatus.FAILED):
            assert verdict_of_trace(run, by_id[run.rule_id].definition) == run.matched
            SEEN[str(run.matched)] += 1


def test_the_values_in_a_trace_reproduce_its_verdict(organization):
    """For so many runs, true, false and undecided ones among them."""
    SEEN.clear()

    every_trace_adds_up(organization)

    assert SEEN.total() >= sized(reduced=60, full=1000)
    assert set(SEEN) == {"True", "False", "None"}


def verdict_of_trace(run: RuleRun, definition: dict[str, Any]) -> bool | None:
    """The conditions of that version on nothing but what the trace kept."""
    recorded = {one["field"]: one["actual"] for one in run.conditions if one["actual"] is not None}
    asked = [evaluate(place_of(definition), recorded), evaluate(definition["conditions"], recorded)]
    leaves = [leaf.as_json() for one in asked for leaf in one.leaves]
    assert leaves == run.conditions
    results = {one.result for one in asked}
    return False if False in results else None if None in results else True
