"""Rules that call each other without end are found exactly where the rules prove it."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from automation.actions.base import Practice
from automation.graph import Listener, proven_cycle
from automation.models import RuleRun
from journeys.models.template import StageStatus
from journeys.selectors.definitions import Definition, Move, Stage
from journeys.services.transitions import enroll, transition
from tests.automation.practice import a_definition, a_rule, drain, emit, move
from tests.factories import a_template, system

STATUSES = {
    "A": StageStatus.ACTIVE,
    "B": StageStatus.ACTIVE,
    "C": StageStatus.PLANNED,
    "BLOCKED": StageStatus.ON_HOLD,
    "DONE": StageStatus.FINISHED,
}


def a_journey(key, *moves):
    stages = {
        code: Stage(code, place, status, code, code, "nobody", "", "", retired=False)
        for place, (code, status) in enumerate(STATUSES.items())
    }
    edges = tuple(Move(start, end, guard, False, "") for start, end, guard in moves)
    return Definition(None, None, key, key, "A", True, 1, stages, edges)


class _Practice(Practice):
    """Journeys without a database."""

    journeys: dict[str, Definition] = {}


def a_practice(*journeys):
    practice = _Practice(organization=None)
    practice.__dict__["journeys"] = {one.key: one for one in journeys}
    return practice


FREE = a_practice(a_journey("k"), a_journey("l"))


def a_listener(name, trigger, *actions, **fields):
    fields = {"journey_key": "k"} | fields
    return Listener(
        name, a_definition(name=name, trigger_event=trigger, actions=list(actions), **fields)
    )


def changed(name, stage, to_stage, **fields):
    """When somebody comes to `stage`, move them to `to_stage`."""
    return a_listener(name, "JOURNEY_STAGE_CHANGED", move("k", to_stage), stage=stage, **fields)


def names_of(cycle):
    return None if cycle is None else [rule.name for rule in cycle]


def cycle_through(rule, *others, practice=FREE):
    return names_of(proven_cycle(rule, others, practice))


def when(field, value, op="eq"):
    return {"conditions": {"field": field, "op": op, "value": value}}


def test_a_rule_that_calls_itself():
    assert cycle_through(a_listener("a", "CUSTOM.x", emit("CUSTOM.x"))) == ["a"]


def test_two_rules_that_call_each_other_by_events():
    a = a_listener("a", "CUSTOM.x", emit("CUSTOM.y"))
    b = a_listener("b", "CUSTOM.y", emit("CUSTOM.z"), emit("CUSTOM.x"))

    assert cycle_through(a, b) == ["a", "b"]
    assert cycle_through(b, a) == ["b", "a"]


def test_an_old_cycle_elsewhere_does_not_stop_a_new_rule():
    ping = a_listener("ping", "CUSTOM.x", emit("CUSTOM.y"))
    pong = a_listener("pong", "CUSTOM.y", emit("CUSTOM.x"))

    assert cycle_through(a_listener("new", "CUSTOM.z", emit("CUSTOM.x")), ping, pong) is None


def test_rules_of_different_journeys_do_not_hear_each_other():
    a = a_listener("a", "CUSTOM.x", emit("CUSTOM.y"))
    b = a_listener("b", "CUSTOM.y", emit("CUSTOM.x"), journey_key="l")
    of_any = a_listener("c", "CUSTOM.y", emit("CUSTOM.x"), journey_key="")

    assert cycle_through(a, b) is None
    assert cycle_through(a, b, of_any) == ["a", "c"]


def test_moves_to_and_fro():
    assert cycle_through(changed("a", "A", "B"), changed("b", "B", "A")) == ["a", "b"]


def test_the_stage_may_stand_in_the_conditions_instead():
    a = a_listener(
        "a",
        "JOURNEY_STAGE_CHANGED",
        move("k", "B"),
        conditions={"all": [{"field": "event.payload.to_stage", "op": "eq", "value": "A"}]},
    )

    assert cycle_through(a, changed("b", "B", "A")) == ["a", "b"]
    assert cycle_through(a, changed("b", "B", "C")) is None


def test_a_ladder_that_ends_is_no_cycle():
    ladder = [changed("a", "A", "B"), changed("b", "B", "C"), changed("c", "C", "DONE")]

    assert all(cycle_through(rule, *ladder) is None for rule in ladder)


def test_a_move_to_where_the_patient_is_causes_nothing():
    always = a_listener("a", "JOURNEY_STAGE_CHANGED", move("k", "B"))
    back = a_listener("b", "JOURNEY_STAGE_CHANGED", emit("CUSTOM.x"), stage="B")
    again = a_listener("c", "CUSTOM.x", move("k", "B"))

    assert cycle_through(always) is None
    assert cycle_through(back, again) is None


def test_nothing_leads_out_of_a_block_or_of_an_end():
    assert cycle_through(changed("a", "A", "BLOCKED"), changed("b", "BLOCKED", "A")) is None
    assert cycle_through(changed("a", "A", "DONE"), changed("b", "DONE", "A")) is None


def test_a_move_that_the_graph_or_a_guard_may_refuse_proves_nothing():
    there, back = changed("a", "A", "B"), changed("b", "B", "A")
    guard = {"field": "patient.language", "op": "eq", "value": "es"}

    for edges, proven in (
        ([("A", "B", {}), ("B", "A", {})], True),
        ([("A", "B", {}), ("B", "C", {})], False),
        ([("A", "B", {}), ("B", "A", guard)], False),
    ):
        practice = a_practice(a_journey("k", *edges))
        assert (cycle_through(there, back, practice=practice) is not None) == proven


def test_who_finishes_and_is_enrolled_again_and_again():
    finish = a_listener("finish", "JOURNEY_ENROLLED", move("k", "DONE"))
    again = a_listener(
        "again",
        "JOURNEY_STAGE_CHANGED",
        {"type": "enroll", "params": {"key": "k"}},
        stage="DONE",
    )

    assert cycle_through(finish, again) == ["finish", "again"]


def across(name, key, stage, to_key, to_stage):
    return a_listener(
        name, "JOURNEY_STAGE_CHANGED", move(to_key, to_stage), journey_key=key, stage=stage
    )


def test_a_chain_through_another_journey_is_followed():
    chain = [
        across("a", "k", "A", "l", "C"),
        across("b", "l", "C", "k", "B"),
        across("c", "k", "B", "l", "A"),
        across("d", "l", "A", "k", "A"),
    ]

    assert cycle_through(*chain) == ["a", "b", "c", "d"]
    assert cycle_through(*chain[:3]) is None
    back_too_early = across("d", "l", "A", "k", "B")  # there the patient is already
    assert cycle_through(*chain[:3], back_too_early) is None


def test_what_is_proven_is_what_the_engine_would_do(organization, patient):
    """The same chain written past the services: it comes round, and the budget stops it there."""
    chain = [
        across("a", "k", "A", "l", "C"),
        across("b", "l", "C", "k", "B"),
        across("c", "k", "B", "l", "A"),
        across("d", "l", "A", "k", "A"),
    ]
    for key in ("k", "l"):
        a_template(organization, key=key, codes=["A", "B", "C", "COMPLETED"])
        enroll(patient_id=patient.pk, journey_key=key, to_stage="B", cause=system())
    for rule in chain:
        said = rule.definition
        a_rule(
            organization,
            said["trigger_event"],
            *said["actions"],
            name=rule.name,
            journey_key=said["journey_key"],
            stage=said["stage"],
        )

    transition(patient_id=patient.pk, journey_key="k", to_stage="A", cause=system())
    drain()

    runs = RuleRun.objects.filter(matched=True).order_by("started_at", "id")
    assert [(run.rule.name, run.status) for run in runs] == [
        ("a", "done"),
        ("b", "done"),
        ("c", "done"),
        ("d", "done"),
        ("a", "loop"),
    ]


@pytest.mark.parametrize(
    "condition",
    [
        when("patient.language", "es"),
        when("events.PAYMENT_SUCCEEDED.count", 1, "gte"),
        when("journeys.l", "A"),
        when("event.payload.word", "no"),
        when("patient.phone", False, "exists"),
        {"conditions": {"field": "nonsense"}},
    ],
)
def test_a_condition_that_may_fail_proves_nothing(condition):
    a = a_listener("a", "CUSTOM.x", emit("CUSTOM.y", word="yes"))
    b = a_listener("b", "CUSTOM.y", emit("CUSTOM.x"), **condition)

    assert cycle_through(a, b) is None


@pytest.mark.parametrize(
    "condition",
    [
        when("event.payload.word", "yes"),
        when("event.payload.word", True, "exists"),
        when("event.type", "CUSTOM.y"),
        when("event.journey_key", "k"),
        when("event.source", "system:rules"),
    ],
)
def test_a_condition_that_the_chain_itself_meets_proves_it(condition):
    a = a_listener("a", "CUSTOM.x", emit("CUSTOM.y", word="yes"))
    b = a_listener("b", "CUSTOM.y", emit("CUSTOM.x"), **condition)

    assert cycle_through(a, b) == ["a", "b"]


def test_actions_after_one_that_may_be_refused_are_not_counted_on():
    a = a_listener("a", "CUSTOM.x", move("k", "GONE"), emit("CUSTOM.x"))

    assert cycle_through(a) is None


# --- against brute force ------------------------------------------------------------------------


def closure(size, edges):
    """Warshall: who is reached from whom."""
    reached = [[(a, b) in edges for b in range(size)] for a in range(size)]
    for via, a, b in product(range(size), repeat=3):
        reached[a][b] |= reached[a][via] and reached[via][b]
    return reached


EVENTS = ["CUSTOM.a", "CUSTOM.b", "CUSTOM.c", "CUSTOM.d"]
CALLS = st.lists(
    st.tuples(
        st.sampled_from(EVENTS),
        st.sampled_from(["", "k", "l"]),
        st.lists(st.sampled_from(EVENTS), min_size=1, max_size=2),
    ),
    min_size=1,
    max_size=7,
)


@settings(max_examples=300)
@given(CALLS)
def test_calls_by_events_agree_with_brute_force(calls):
    rules = [
        a_listener(str(n), trigger, *map(emit, events), journey_key=key)
        for n, (trigger, key, events) in enumerate(calls)
    ]

    found = proven_cycle(rules[0], rules[1:], FREE)

    loops = []
    for journey in ("", "k", "l"):
        hear = [n for n, (_, key, _) in enumerate(calls) if key in ("", journey)]
        edges = {(a, b) for a in hear for b in hear if calls[b][0] in calls[a][2]}
        loops.append(closure(len(calls), edges)[0][0])
    assert (found is not None) == any(loops)
    if found:
        pairs = zip(found, [*found[1:], found[0]], strict=True)
        assert all(b.trigger in [p["event_type"] for _, p in a.actions] for a, b in pairs)


MOVES = st.lists(
    st.tuples(st.sampled_from([*STATUSES]), st.sampled_from([*STATUSES])), min_size=1, max_size=7
)


@settings(max_examples=300)
@given(MOVES)
def test_calls_by_moves_agree_with_brute_force(moves):
    rules = [changed(str(n), stage, target) for n, (stage, target) in enumerate(moves)]

    found = proven_cycle(rules[0], rules[1:], FREE)

    goes_on = {"A", "B", "C"}
    edges = {
        (a, b)
        for a, (stage, target) in enumerate(moves)
        for b, (other, _) in enumerate(moves)
        if stage in goes_on and target not in (stage, None) and other == target
    }
    assert (found is not None) == closure(len(moves), edges)[0][0]


def test_a_wide_web_is_looked_at_in_bounded_time():
    web = [
        a_listener(f"{n}", f"CUSTOM.e{n % 20}", *(emit(f"CUSTOM.e{m}") for m in range(20)))
        for n in range(1, 60)
    ]
    quiet = a_listener("quiet", "CUSTOM.none", emit("CUSTOM.e1"))

    assert cycle_through(quiet, *web) is None
