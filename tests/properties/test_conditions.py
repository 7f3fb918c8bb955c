"""Invariants of the condition tree under random trees and random, partly hostile, facts."""

import json
from datetime import UTC, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kura.conditions import (
    OPERATORS,
    Field,
    InvalidCondition,
    Leaf,
    describe,
    describe_unmet,
    evaluate,
    parse,
    paths,
    unmet,
    validate,
)
from kura.conditions.tree import leaves

TEXT = st.one_of(
    st.sampled_from(["a", "b", "ab", ""]),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=5),
)
NUMBERS = st.one_of(
    st.sampled_from([-1, 0, 1, 2, 1.0, -0.0, 0.1, 0.3]),
    st.integers(-(10**15), 10**15),
    st.floats(-1e15, 1e15),
)
ZONES = st.sampled_from([UTC, timezone(timedelta(hours=14)), timezone(-timedelta(hours=12))])
INSTANTS = st.datetimes(timezones=ZONES)
TIMESTAMPS = INSTANTS.map(lambda when: when.isoformat())
LISTS = st.sampled_from([TEXT, NUMBERS]).flatmap(
    lambda kind: st.lists(kind, min_size=1, max_size=4)
)

# Facts that mostly have the type their name promises, so that leaves do get answers.
PROMISED = {
    "number": NUMBERS,
    "text": TEXT,
    "flag": st.booleans(),
    "when": st.one_of(INSTANTS, TIMESTAMPS),
    "list": st.lists(TEXT, max_size=3),
}
ANSWERABLE = {
    **dict.fromkeys(["eq", "ne"], (["number", "text", "flag"], st.one_of(TEXT, NUMBERS))),
    **dict.fromkeys(["in", "not_in"], (["number", "text"], LISTS)),
    **dict.fromkeys(["gt", "gte", "lt", "lte"], (["number"], NUMBERS)),
    **dict.fromkeys(["before", "after"], (["when"], TIMESTAMPS)),
    "contains": (["text", "list"], TEXT.filter(bool)),
    "exists": ([*PROMISED], st.booleans()),
}
PREFIXES = ["", "", "deep.", "deep.er.", "CUSTOM.x."]


def leaves_of(op):
    names, values = ANSWERABLE[op]
    usual = st.tuples(st.sampled_from(PREFIXES), st.sampled_from(names)).map("".join)
    strange = st.sampled_from(["deep", "deep.number.more", "CUSTOM", "no-where", *PROMISED])
    leaf = {
        "field": st.one_of(usual, usual, usual, strange),
        "op": st.just(op),
        "value": st.one_of(values, st.booleans()) if op in {"eq", "ne"} else values,
    }
    return st.fixed_dictionaries(leaf, optional={"label": st.just({"es": "palabras"})})


def leaves_with(operators):
    return st.sampled_from(sorted(operators)).flatmap(leaves_of)


def trees_of(leaf):
    def grouped(nodes):
        return st.tuples(
            st.sampled_from(["all", "any"]), st.lists(nodes, min_size=1, max_size=3)
        ).map(lambda group: {group[0]: group[1]})

    tree = leaf
    for _ in range(3):
        tree = st.one_of(leaf, grouped(tree))
    return st.one_of(tree, st.sampled_from([None, {}]))


TREES = trees_of(leaves_with(OPERATORS))
TREES_WITHOUT_EXISTS = trees_of(leaves_with(set(OPERATORS) - {"exists"}))

EXTREMES = st.sampled_from(
    [10**400, float("nan"), float("-inf"), Decimal("sNaN"), Decimal("1E+99999")]
)
WILD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.decimals(),
    st.text(max_size=5),
    st.characters(categories=["Cs"]),
    TIMESTAMPS,
    INSTANTS,
    st.datetimes(),
    st.dates(),
    st.binary(max_size=3),
)
KEYS = st.one_of(st.text(max_size=3), st.integers(), st.sampled_from(["deep.er", "CUSTOM", "x"]))
NESTED = st.recursive(
    WILD,
    lambda deeper: st.one_of(
        st.lists(deeper, max_size=3), st.dictionaries(KEYS, deeper, max_size=3)
    ),
    max_leaves=6,
)


def facts_of(otherwise):
    """Names with the promised values, or with `otherwise`; the same again in nested facts."""
    absent = st.none()
    named = {
        name: st.one_of(values, values, values, otherwise, absent)
        for name, values in PROMISED.items()
    }
    flat = st.fixed_dictionaries(named)
    deep = st.fixed_dictionaries({**named, "er": st.one_of(flat, otherwise)})
    nested = {"deep": st.one_of(deep, deep, otherwise), "CUSTOM.x": st.one_of(flat, absent)}
    return st.fixed_dictionaries({**named, **nested})


FACTS = st.builds(
    lambda facts, more: more | facts,
    facts_of(st.one_of(EXTREMES, WILD, NESTED)),
    st.dictionaries(KEYS, NESTED, max_size=2),
)
PLAIN_FACTS = facts_of(st.one_of(TEXT, NUMBERS))

JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5)),
    lambda deeper: st.one_of(
        st.lists(deeper, max_size=3),
        st.dictionaries(
            st.sampled_from(["all", "any", "field", "op", "value", "label", "es", "x"]), deeper
        ),
    ),
    max_leaves=15,
)


def kleene(node, results):
    """The verdict, computed again from the listed leaves alone."""
    if isinstance(node, Leaf):
        return results[node.pointer]
    answers = [kleene(part, results) for part in node.parts]
    decisive = node.kind == "any"
    if decisive in answers:
        return decisive
    return None if None in answers else not decisive


def accepted(check):
    try:
        check()
    except InvalidCondition:
        return False
    return True


@given(TREES, FACTS)
def test_no_facts_make_a_valid_tree_raise(tree, facts):
    verdict = evaluate(tree, facts)

    json.dumps(verdict.as_json(), allow_nan=False).encode()
    describe(tree, {})


@given(TREES, FACTS)
def test_trace_adds_up_to_the_verdict(tree, facts):
    node = parse(tree)

    verdict = evaluate(tree, facts)

    results = {leaf.pointer: leaf.result for leaf in verdict.leaves}
    assert [leaf.leaf for leaf in verdict.leaves] == ([] if node is None else list(leaves(node)))
    assert verdict.result is (True if node is None else kleene(node, results))
    assert all((leaf.result is None) == (leaf.note is not None) for leaf in verdict.leaves)


@given(TREES, FACTS)
def test_pointers_lead_to_their_leaves(tree, facts):
    for leaf in evaluate(tree, facts).leaves:
        node = tree
        for step in leaf.pointer.split("/")[1:]:
            node = node[int(step)] if step.isdigit() else node[step]

        assert (node["field"], node["op"]) == (leaf.field, leaf.op)


@given(TREES, FACTS)
def test_unmet_holds_exactly_the_leaves_in_the_way(tree, facts):
    verdict = evaluate(tree, facts)

    missing = unmet(tree, facts)

    assert (missing is None) == verdict.holds
    if missing is not None:
        assert describe_unmet(missing, {})
        assert none_is_true(missing)


def none_is_true(outcome):
    parts = getattr(outcome, "parts", ())
    return outcome.result is not True and all(none_is_true(part) for part in parts)


@given(TREES, FACTS)
def test_making_unmet_leaves_true_makes_the_verdict_true(tree, facts):
    verdict = evaluate(tree, facts)
    missing = verdict.unmet()

    pointers = set() if missing is None else set(pointers_of(missing))

    node = parse(tree)
    results = {leaf.pointer: leaf.result or leaf.pointer in pointers for leaf in verdict.leaves}
    assert node is None or kleene(node, results) is True


def pointers_of(outcome):
    if not hasattr(outcome, "parts"):
        yield outcome.pointer
        return
    for part in outcome.parts:
        yield from pointers_of(part)


# --- information --------------------------------------------------------------------------------


def with_less(draw, value):
    """The same facts, with some of them forgotten."""
    if isinstance(value, dict):
        return {
            key: with_less(draw, item) for key, item in value.items() if draw(st.integers(0, 5))
        }
    if isinstance(value, list):
        return [with_less(draw, item) for item in value]
    return value if draw(st.integers(0, 5)) else None


@given(TREES_WITHOUT_EXISTS, PLAIN_FACTS, st.data())
def test_more_facts_never_turn_an_answer_round(tree, facts, data):
    fewer = with_less(data.draw, facts)

    before, after = evaluate(tree, fewer), evaluate(tree, facts)

    assert before.result in {None, after.result}
    for early, late in zip(before.leaves, after.leaves, strict=True):
        assert early.result in {None, late.result}


# --- validation and evaluation agree --------------------------------------------------------------


@given(st.one_of(JSON, TREES))
def test_evaluate_understands_exactly_what_the_parser_accepts(tree):
    assert accepted(lambda: evaluate(tree, {})) == accepted(lambda: parse(tree))


@given(st.one_of(JSON, TREES))
def test_validate_accepts_nothing_that_the_parser_refuses(tree):
    fields = [
        lambda path, type_=type_: Field(path, type_, {})
        for type_ in ("string", "number", "integer", "boolean", "datetime", "list")
    ]

    for field_of in fields:
        assert not accepted(lambda of=field_of: validate(tree, of)) or accepted(lambda: parse(tree))


FITTING = {
    "string": TEXT,
    "number": st.one_of(NUMBERS, st.decimals(allow_nan=False, allow_infinity=False)),
    "integer": st.integers(),
    "boolean": st.booleans(),
    "datetime": st.one_of(INSTANTS, TIMESTAMPS),
    "list": st.lists(TEXT, max_size=4),
}


@given(leaves_with(OPERATORS), st.sampled_from(sorted(FITTING)), st.data())
def test_leaf_that_fits_its_field_compares_with_every_value_of_it(leaf, type_, data):
    field = Field(leaf["field"], type_, {"es": "campo"})
    actual = data.draw(FITTING[type_])
    facts = {leaf["field"]: actual}

    if accepted(lambda: validate(leaf, {field.path: field})):
        assert evaluate(leaf, facts).result in {True, False}


@given(leaves_with(OPERATORS))
def test_every_leaf_that_parses_fits_some_type_of_field(leaf):
    assert any(
        accepted(lambda t=type_: validate(leaf, lambda path: Field(path, t, {})))
        for type_ in FITTING
    )


@given(TREES)
def test_paths_are_enough_to_evaluate(tree):
    assert paths(tree) == {leaf.field for leaf in evaluate(tree, {}).leaves}


# --- order and size -------------------------------------------------------------------------------


@given(TREES, FACTS, st.randoms(use_true_random=False))
def test_order_inside_groups_does_not_matter(tree, facts, random):
    assert evaluate(tree, facts).result is evaluate(shuffled(tree, random), facts).result


def shuffled(node, random):
    for kind in ("all", "any"):
        if node and kind in node:
            parts = [shuffled(part, random) for part in node[kind]]
            return {kind: random.sample(parts, len(parts))}
    return node


@given(st.integers(1, 12), st.sampled_from(["all", "any"]))
def test_depth_has_a_limit(depth, kind):
    tree = {"field": "a", "op": "eq", "value": 1}
    for _ in range(depth):
        tree = {kind: [tree]}

    assert accepted(lambda: parse(tree)) == (depth <= 5)


@given(st.lists(st.integers(1, 30), min_size=1, max_size=4))
def test_leaves_are_limited_over_the_whole_tree(sizes):
    leaf = {"field": "a", "op": "eq", "value": 1}
    tree = {"all": [{"any": [leaf] * size} for size in sizes]}

    assert accepted(lambda: parse(tree)) == (sum(sizes) <= 50)


@pytest.mark.parametrize("depth", [10, 1_000, 20_000])
@given(st.lists(st.sampled_from(["list", "all", "any", "label"]), min_size=1, max_size=4))
def test_nesting_of_any_kind_is_refused_and_never_recursed(depth, wrappers):
    tree = 1
    for level in range(depth):
        wrapper = wrappers[level % len(wrappers)]
        tree = [tree] if wrapper == "list" else {wrapper: [tree]}

    assert not accepted(lambda: parse(tree))
