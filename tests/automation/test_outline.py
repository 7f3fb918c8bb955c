"""The outline of conditions: groups as they are written, and what came of each."""

from __future__ import annotations

import pytest
from django.utils import translation

from automation.fields import rule_fields
from automation.judging import judge
from automation.outline import needed, outline_of, takes_of, verdicts_of, what_it_takes

FIELDS = rule_fields("RISK_ANALYSIS_COMPLETED")


@pytest.fixture(autouse=True)
def english():
    with translation.override("en"):
        yield


def risk(level):
    return {"field": "event.payload.risk_level", "op": "eq", "value": level}


MEDICATION = {"field": "event.payload.medication_active", "op": "eq", "value": True}
PAID = {"field": "events.PAYMENT_SUCCEEDED.count", "op": "gte", "value": 1}
TWO_GROUPS = {"any": [{"all": [risk("HIGH"), MEDICATION]}, {"all": [PAID]}]}


@pytest.mark.parametrize(
    ("tree", "words"),
    [
        ({}, "Always"),
        (MEDICATION, "The condition is met"),
        ({"all": [MEDICATION, PAID]}, "All conditions are met"),
        ({"any": [MEDICATION, PAID]}, "At least one condition is met"),
        (TWO_GROUPS, "At least one of the groups is met"),
        ({"all": [TWO_GROUPS, PAID]}, "All groups are met"),
    ],
)
def test_it_says_how_its_parts_decide(tree, words):
    assert what_it_takes(outline_of(tree, FIELDS)) == words


def test_a_condition_is_told_in_pieces_and_as_what_is_expected_of_what():
    [group, other] = outline_of(TWO_GROUPS, FIELDS).parts

    assert takes_of(group.kind) == "all are met"
    assert [(one.name, one.expected) for one in group.parts] == [
        ("Risk level", "is high"), ("Takes medication", "is yes"),
    ]  # fmt: skip
    assert [part.text for part in group.parts[0].parts] == ["risk level", " is ", "high"]
    assert other.parts[0].expected == "is at least 1"
    assert "".join(part.text for part in other.parts[0].parts) == "payment received"


def rule(tree, stage=""):
    return {
        "trigger_event": "RISK_ANALYSIS_COMPLETED", "journey_key": "x", "stage": stage,
        "conditions": tree,
    }  # fmt: skip


def facts(**payload):
    return {"event": {"payload": payload}, "journeys": {"x": "A"}}


@pytest.mark.parametrize(
    ("payload", "unmet"),
    [
        ({"risk_level": "HIGH", "medication_active": True}, 0),
        ({"risk_level": "HIGH", "medication_active": False}, 1),
        ({"risk_level": "LOW", "medication_active": False}, 1),  # one payment would do
        ({}, 1),
    ],
)
def test_it_counts_what_would_have_to_turn_out_otherwise(payload, unmet):
    definition = rule(TWO_GROUPS)

    place, rest = verdicts_of(definition, judge(definition, facts(**payload)).trace, FIELDS)

    assert place is None
    assert len(needed(rest)) == unmet


def test_the_stage_that_a_rule_is_narrowed_to_stands_before_its_conditions():
    definition = rule({"all": [risk("HIGH"), MEDICATION]}, stage="B")

    place, rest = verdicts_of(definition, judge(definition, facts(risk_level="LOW")).trace, FIELDS)

    assert (place.asked.leaf.field, place.actual, place.result) == ("journeys.x", "A", False)
    assert [one.result for one in rest.parts] == [False, None]
    assert len(needed(place) + needed(rest)) == 3


def test_a_trace_that_does_not_fit_its_tree_is_told_whole():
    told = judge(rule(TWO_GROUPS), facts(risk_level="LOW")).trace

    _place, rest = verdicts_of(rule(MEDICATION), told, FIELDS)

    assert [one.asked.leaf.field for one in rest.parts] == [one["field"] for one in told]


def test_an_operator_that_is_gone_goes_by_its_name():
    told = [{"pointer": "", "field": "a.b", "op": "gone", "expected": 1, "actual": 2,
             "result": None, "note": ""}]  # fmt: skip

    _place, rest = verdicts_of(rule({}), told, FIELDS)

    assert [one.asked.parts[0].text for one in rest.parts] == ["a.b gone"]
