"""What a run keeps of its conditions adds up to its verdict, whatever the tree and the facts."""

from __future__ import annotations

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from automation.judging import judge
from automation.outline import leaves, needed, outline_of, verdicts_of
from kura.conditions import OPERATORS, every, parse
from kura.conditions.tree import leaves as leaves_of_tree
from tests.properties.test_conditions import FACTS, PLAIN_FACTS, TREES

STAGES = st.sampled_from(["", "a", "b"])


def no_field(_path):
    return None


def definition(tree, stage):
    return {
        "trigger_event": "PAYMENT_SUCCEEDED", "journey_key": "", "stage": stage,
        "conditions": tree,
    }  # fmt: skip


@settings(max_examples=1000)
@given(tree=TREES, stage=STAGES, facts=FACTS, here=STAGES)
def test_a_trace_adds_up_to_its_verdict(tree, stage, facts, here):
    rule = definition(tree, stage)
    judged = judge(rule, facts | {"journey": {"stage": here or None}})
    kept = json.loads(json.dumps(judged.trace))

    place, rest = verdicts_of(rule, kept, no_field)

    assert (place is None) == (not stage)
    results = [one.result for one in (place, rest) if one is not None]
    assert every(results) == judged.matched
    assert (not needed(place) and not needed(rest)) == (judged.matched is True)


@given(tree=TREES, facts=PLAIN_FACTS)
def test_the_values_that_were_kept_answer_again_as_they_did(tree, facts):
    for told in json.loads(json.dumps(judge(definition(tree, ""), facts).trace)):
        if told["actual"] is None:
            assert told["result"] is (not told["expected"] if told["op"] == "exists" else None)
        elif told["actual"] == "{…}":  # no value of any kind: told, and not looked into
            assert told["result"] is (told["expected"] if told["op"] == "exists" else None)
        else:
            test = OPERATORS[told["op"]].test
            assert test(told["actual"], told["expected"]) is told["result"]


@given(tree=TREES)
def test_no_condition_is_lost_or_moved(tree):
    outline, node = outline_of(tree, no_field), parse(tree)

    shown = [one.leaf for one in leaves(outline)] if outline else []

    assert shown == (list(leaves_of_tree(node)) if node else [])
