"""Everything that keeps a rule from being published: each with its pointer, all at once."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from automation.actions.base import Practice
from automation.definition import SCHEMA, hours, normal
from automation.validation import problems_of
from journeys.blueprints import Blueprint, StageDraft
from journeys.models.template import StageStatus
from journeys.selectors.definitions import Definition
from journeys.services.templates import create_template
from tests.automation.practice import a_definition, emit, move
from tests.factories import a_template

STALE = {
    "trigger_event": "JOURNEY_STAGE_TIMEOUT",
    "stage": "AWAITING_PAYMENT",
    "max_hours": 48,
}


@pytest.fixture
def practice(organization, template):
    return Practice(organization=organization)


def codes_of(problems):
    return [(problem.pointer, problem.code) for problem in problems]


def a_leaf(field, op="eq", value="x"):
    return {"field": field, "op": op, "value": value}


GOOD = {
    "the least": {},
    "everything": {
        "stage": "AWAITING_PAYMENT",
        "conditions": a_leaf("event.payload.amount_cents", "gte", 100),
        "priority": -5,
    },
    "a stale rule": STALE | {"repeat_hours": "24", "max_repeats": 3},
    "a stale rule that repeats for ever": STALE | {"repeat_hours": 1.5},
    "no journey": {"journey_key": ""},
    "no journey, null": {"journey_key": None, "stage": None},
    "a stage of any journey": {"journey_key": "", "stage": "CONFIRMED"},
    "an event of one's own": {"trigger_event": "CUSTOM.sauna"},
    "a block": {"actions": [move("intake", "BLOCKED_HIGH_RISK")]},
    "twenty actions": {"actions": [emit("CUSTOM.x")] * 20},
    "a stage in a condition": {"conditions": a_leaf("journeys.intake", "eq", "CONFIRMED")},
}

BAD = {
    "no name": ({"name": "   "}, "/name", "missing_member"),
    "an invisible name": ({"name": "\u200b"}, "/name", "missing_member"),
    "a long name": ({"name": "n" * 201}, "/name", "wrong_value"),
    "a name that is none": ({"name": 5}, "/name", "wrong_value"),
    "a name with NUL": ({"name": "a\x00"}, "", "wrong_value"),
    "a name with half a pair": ({"name": "a\ud800"}, "", "wrong_value"),
    "unknown event": ({"trigger_event": "PAID"}, "/trigger_event", "unknown_event_type"),
    "lower custom": ({"trigger_event": "custom.x"}, "/trigger_event", "unknown_event_type"),
    "event with a line break": (
        {"trigger_event": "CUSTOM.x\n"},
        "/trigger_event",
        "unknown_event_type",
    ),
    "unknown journey": ({"journey_key": "retreat"}, "/journey_key", "unknown_journey"),
    "unknown stage": ({"stage": "PAID"}, "/stage", "stage_not_allowed"),
    "unknown stage of any": (
        {"journey_key": "", "stage": "PAID"},
        "/stage",
        "stage_not_allowed",
    ),
    "a stage and nobody knows where": (
        {
            "trigger_event": "RISK_ANALYSIS_COMPLETED",
            "journey_key": "",
            "stage": "CONFIRMED",
        },
        "/journey_key",
        "missing_member",
    ),
    "unknown member": ({"enabled": True}, "/enabled", "unknown_member"),
    "unknown member with a slash": ({"a/b~": 1}, "/a~1b~0", "unknown_member"),
    "no stale stage": (STALE | {"stage": ""}, "/stage", "missing_member"),
    "no stale journey": (STALE | {"journey_key": ""}, "/journey_key", "missing_member"),
    "no stale hours": (STALE | {"max_hours": None}, "/max_hours", "missing_member"),
    "no time at all": (STALE | {"max_hours": 0}, "/max_hours", "wrong_value"),
    "negative hours": (STALE | {"max_hours": -1}, "/max_hours", "wrong_value"),
    "too many hours": (STALE | {"max_hours": 1_000_000}, "/max_hours", "wrong_value"),
    "too fine hours": (STALE | {"max_hours": 0.0001}, "/max_hours", "wrong_value"),
    "hours in words": (STALE | {"max_hours": "two"}, "/max_hours", "wrong_value"),
    "hours that are none": (STALE | {"max_hours": "NaN"}, "/max_hours", "wrong_value"),
    "hours that are a flag": (STALE | {"max_hours": True}, "/max_hours", "wrong_value"),
    "a repeat that no hourly monitor can keep": (
        STALE | {"repeat_hours": 0.5},
        "/repeat_hours",
        "wrong_value",
    ),
    "a stage in which nobody waits": (STALE | {"stage": "COMPLETED"}, "/stage", "unfit_value"),
    "no repeat": (STALE | {"repeat_hours": 0}, "/repeat_hours", "wrong_value"),
    "repeats without hours": (STALE | {"max_repeats": 3}, "/repeat_hours", "missing_member"),
    "no repeats": (
        STALE | {"repeat_hours": 24, "max_repeats": 0},
        "/max_repeats",
        "wrong_value",
    ),
    "too many repeats": (
        STALE | {"repeat_hours": 24, "max_repeats": 40_000},
        "/max_repeats",
        "wrong_value",
    ),
    "hours without a clock": ({"max_hours": 48}, "/max_hours", "unfit_value"),
    "repeat without a clock": ({"repeat_hours": 24}, "/repeat_hours", "unfit_value"),
    "repeats without a clock": ({"max_repeats": 2}, "/max_repeats", "unfit_value"),
    "priority too high": ({"priority": 32_768}, "/priority", "wrong_value"),
    "priority too low": ({"priority": -32_769}, "/priority", "wrong_value"),
    "priority in halves": ({"priority": 1.5}, "/priority", "wrong_value"),
    "priority that is a flag": ({"priority": True}, "/priority", "wrong_value"),
    "conditions as a list": ({"conditions": []}, "/conditions", "wrong_value"),
    "unknown field": (
        {"conditions": {"all": [a_leaf("event.payload.risk_level")]}},
        "/conditions/all/0/field",
        "unknown_field",
    ),
    "unfit operator": (
        {"conditions": a_leaf("event.payload.amount_cents", "contains")},
        "/conditions/op",
        "unfit_operator",
    ),
    "unknown operator": (
        {"conditions": a_leaf("event.type", "matches")},
        "/conditions/op",
        "unknown_operator",
    ),
    "unfit value": (
        {"conditions": a_leaf("event.payload.amount_cents", "gt", 1.5)},
        "/conditions/value",
        "unfit_value",
    ),
    "a stage that is none in a condition": (
        {"conditions": a_leaf("journeys.intake", "eq", "PAID")},
        "/conditions/value",
        "not_a_choice",
    ),
    "a stage that is none of this journey": (
        {"trigger_event": "JOURNEY_STAGE_CHANGED"}
        | {"conditions": a_leaf("event.payload.to_stage", "in", ["CONFIRMED", "PAID"])},
        "/conditions/value/1",
        "not_a_choice",
    ),
    "a journey that is none in a condition": (
        {"conditions": a_leaf("journeys.yoga", "eq", "CONFIRMED")},
        "/conditions/field",
        "unknown_field",
    ),
    "no actions": ({"actions": []}, "/actions", "wrong_value"),
    "actions that are none": ({"actions": {}}, "/actions", "wrong_value"),
    "too many actions": ({"actions": [emit("CUSTOM.x")] * 21}, "/actions", "wrong_value"),
    "an action that is none": ({"actions": ["x"]}, "/actions/0", "wrong_value"),
    "an action without a type": ({"actions": [{}]}, "/actions/0/type", "missing_member"),
    "an action with more": (
        {"actions": [emit("CUSTOM.x") | {"when": 1}]},
        "/actions/0/when",
        "unknown_member",
    ),
    "unknown action": ({"actions": [{"type": "pay"}]}, "/actions/0/type", "unknown_action"),
    "too few params": (
        {"actions": [emit("CUSTOM.x"), {"type": "enroll"}]},
        "/actions/1/params/key",
        "missing_member",
    ),
    "params that are none": (
        {"actions": [{"type": "enroll", "params": []}]},
        "/actions/0/params",
        "wrong_value",
    ),
    "unknown param": (
        {"actions": [{"type": "enroll", "params": {"key": "intake", "at": 1}}]},
        "/actions/0/params/at",
        "unknown_member",
    ),
    "unknown target journey": (
        {"actions": [move("retreat", "CONFIRMED")]},
        "/actions/0/params/key",
        "unknown_journey",
    ),
    "unknown target stage": (
        {"actions": [emit("CUSTOM.x"), move("intake", "PAID")]},
        "/actions/1/params/status",
        "stage_not_allowed",
    ),
    "a block that does not exist": (
        {"actions": [move("intake", "BLOCKED")]},
        "/actions/0/params/status",
        "stage_not_allowed",
    ),
    "a key with a line break": (
        {"actions": [move("intake\n", "CONFIRMED")]},
        "/actions/0/params/key",
        "wrong_value",
    ),
    "an event that only Kura records": (
        {"actions": [emit("PAYMENT_SUCCEEDED")]},
        "/actions/0/params/event_type",
        "wrong_value",
    ),
    "an event with a line break": (
        {"actions": [emit("CUSTOM.x\n")]},
        "/actions/0/params/event_type",
        "wrong_value",
    ),
    "a way out of a block": (
        {"stage": "BLOCKED_HIGH_RISK"},
        "/actions/0/params/status",
        "unblock_needs_person",
    ),
    "too long": (
        {"actions": [emit("CUSTOM.x", text="x" * 70_000)]},
        "",
        "wrong_value",
    ),
}


@pytest.mark.parametrize("fields", GOOD.values(), ids=GOOD)
def test_a_good_rule_has_no_problems(practice, fields):
    assert codes_of(problems_of(a_definition(**fields), practice)) == []


@pytest.mark.parametrize(("fields", "pointer", "code"), BAD.values(), ids=BAD)
def test_a_problem_is_named_with_its_place(practice, fields, pointer, code):
    problems = problems_of(a_definition(**fields), practice)

    assert codes_of(problems) == [(pointer, code)]
    assert str(problems[0].message).endswith(".")


@pytest.mark.parametrize("raw", [None, [], "rule", 5, {"name": {1, 2}}])
def test_what_is_no_rule_at_all_is_said_to_be_none(practice, raw):
    assert codes_of(problems_of(raw, practice)) == [("", "wrong_value")]


def test_what_is_missing_is_named_member_by_member(practice):
    assert codes_of(problems_of({}, practice)) == [
        ("/name", "missing_member"),
        ("/trigger_event", "missing_member"),
        ("/actions", "missing_member"),
    ]


def test_all_problems_are_told_at_once(practice):
    worst = {
        "name": " ",
        "trigger_event": "CUSTOM.x",
        "journey_key": "retreat",
        "max_hours": 5,
        "colour": "red",
        "conditions": {"all": [a_leaf("nowhere"), {"field": "event.type"}]},
        "actions": [move("retreat", "X"), {"type": "pay"}, move("intake", "PAID")],
    }

    assert {pointer for pointer, _ in codes_of(problems_of(worst, practice))} == {
        "/name",
        "/journey_key",
        "/max_hours",
        "/colour",
        "/conditions/all/0/field",
        "/conditions/all/1/op",
        "/conditions/all/1/value",
        "/actions/0/params/key",
        "/actions/1/type",
        "/actions/2/params/status",
    }


def test_a_block_that_holds_nobody_is_refused(organization):
    blueprint = Blueprint(
        key="odd",
        name="Odd",
        initial_stage="BEGIN",
        stages=[
            StageDraft(code="BEGIN", label_es="Inicio", label_en="Begin"),
            StageDraft(
                code="BLOCKED_SOFTLY",
                label_es="Aviso",
                label_en="Notice",
                status=StageStatus.ACTIVE,
            ),
        ],
        endless=True,
    )
    create_template(organization=organization, blueprint=blueprint)
    rule = a_definition(journey_key="odd", actions=[move("odd", "BLOCKED_SOFTLY")])

    problems = problems_of(rule, Practice(organization=organization))

    assert codes_of(problems) == [("/actions/0/params/status", "not_a_block")]


def test_journeys_of_another_practice_are_unknown(organization, other_organization):
    a_template(other_organization, key="intake")

    problems = problems_of(a_definition(), Practice(organization=organization))

    assert codes_of(problems) == [
        ("/journey_key", "unknown_journey"),
        ("/actions/0/params/key", "unknown_journey"),
    ]


def test_problems_cost_one_query_however_many(practice, django_assert_num_queries):
    many = a_definition(actions=[move("nowhere", "X")] * 20)

    with django_assert_num_queries(2):  # the templates' ids, and all of them
        assert len(problems_of(many, practice)) == 20


# --- whatever comes ---------------------------------------------------------------------------

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)
MEMBERS = dict.fromkeys(SCHEMA["properties"], JSON)
ALMOST = st.fixed_dictionaries({}, optional=MEMBERS).flatmap(
    lambda some: st.sampled_from([some, a_definition(**some)])
)


class _Nowhere(Practice):
    """A practice without journeys, and so without a database."""

    journeys: dict[str, Definition] = {}


@settings(max_examples=300)
@given(JSON | ALMOST)
def test_validation_never_raises_and_what_passes_can_be_kept(raw):
    practice = _Nowhere(organization=None)

    if not problems_of(raw, practice):
        once = normal(raw)
        assert problems_of(once, practice) == []
        assert normal(once) == once


@given(st.one_of(st.floats(), st.integers(), st.text(max_size=12), st.decimals()))
def test_hours_are_exact_or_none(value):
    found = hours(value)

    assert found is None or (0 < found < 1_000_000 and float(found) == float(str(value)))
