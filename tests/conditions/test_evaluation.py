"""What a verdict says of the facts, and what it says when the facts say nothing."""

import json
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from kura.conditions import InvalidCondition, LeafResult, evaluate, unmet

NOON = "2026-01-31T12:00:00+01:00"


def leaf(field="x", op="eq", value=1):
    return {"field": field, "op": op, "value": value}


def answer(op, value, actual):
    return evaluate(leaf("x", op, value), {"x": actual}).result


@pytest.mark.parametrize("tree", [None, {}])
def test_empty_tree_always_holds(tree):
    verdict = evaluate(tree, {})

    assert verdict.holds
    assert verdict.leaves == ()
    assert verdict.unmet() is None


@pytest.mark.parametrize(
    ("op", "value", "actual", "expected"),
    [
        ("eq", "HIGH", "HIGH", True),
        ("eq", "HIGH", "high", False),
        ("eq", 1, 1.0, True),
        ("eq", 0.1, Decimal("0.10"), True),
        ("eq", True, True, True),
        ("eq", True, False, False),
        ("ne", "a", "b", True),
        ("ne", 1, 1, False),
        ("in", ["a", "b"], "b", True),
        ("in", [1, 2], Decimal(2), True),
        ("in", ["a"], "b", False),
        ("not_in", ["a"], "b", True),
        ("not_in", ["a"], "a", False),
        ("gt", 100, 100, False),
        ("gt", 100, 10**400, True),
        ("gt", 100, Decimal("1E+999999999"), True),
        ("gte", 100, Decimal("100.00"), True),
        ("lt", 0.3, 0.1 + 0.2, False),
        ("lt", 0, -5e-324, True),
        ("lte", 2, 2, True),
        ("contains", "una", "sauna", True),
        ("contains", "Una", "sauna", False),
        ("contains", "a", ["a", 1, None], True),
        ("contains", "a", ("b",), False),
        ("contains", "a", [], False),
        ("exists", True, 0, True),
        ("exists", True, "", True),
        ("exists", False, [], False),
        ("before", NOON, "2026-01-31T10:59:59Z", True),
        ("before", NOON, "2026-01-31T11:00:00Z", False),
        ("before", NOON, datetime(2026, 1, 31, 10, tzinfo=UTC), True),
        ("after", NOON, datetime(2026, 1, 31, 12, 1, tzinfo=ZoneInfo("Europe/Madrid")), True),
        ("after", NOON, datetime.max.replace(tzinfo=timezone(-timedelta(hours=14))), True),
    ],
)
def test_operator_answers(op, value, actual, expected):
    assert answer(op, value, actual) is expected


@pytest.mark.parametrize(
    ("op", "value", "actual"),
    [
        ("eq", 1, "1"),
        ("eq", 1, True),
        ("eq", True, 1),
        ("ne", "a", 1),
        ("ne", "a", ["a"]),
        ("eq", "a", {"a": 1}),
        ("in", ["1"], 1),
        ("not_in", [1], "1"),
        ("gt", 1, "2"),
        ("gt", 0, True),
        ("gt", 0, float("nan")),
        ("gt", 0, float("inf")),
        ("gt", 0, Decimal("NaN")),
        ("gt", 0, Decimal("sNaN")),
        ("lt", 0, Decimal("-Infinity")),
        ("contains", "a", {"a": 1}),
        ("contains", "1", 1),
        ("contains", "a", ["b", 1]),
        ("contains", "a", [None]),
        ("before", NOON, datetime(2026, 1, 1)),  # noqa: DTZ001 - naive on purpose
        ("before", NOON, date(2026, 1, 1)),
        ("before", NOON, "2026-01-01"),
        ("before", NOON, "2026-01-01T00:00:00"),
        ("after", NOON, 1_900_000_000),
        ("eq", NOON, datetime(2026, 1, 31, 11, tzinfo=UTC)),
        ("eq", 1, object()),
    ],
)
def test_what_cannot_be_compared_is_neither_true_nor_false(op, value, actual):
    (result,) = evaluate(leaf("x", op, value), {"x": actual}).leaves

    assert result.result is None
    assert result.note == "not_comparable"


@pytest.mark.parametrize("facts", [{}, {"x": None}, {"x": {"y": None}}, {"x": "text"}, {"x": []}])
@pytest.mark.parametrize(
    ("op", "value"),
    [("eq", 1), ("ne", 1), ("in", [1]), ("not_in", [1]), ("lt", 1), ("contains", "a")],
)
def test_missing_field_proves_nothing(facts, op, value):
    verdict = evaluate(leaf("x.y", op, value), facts)

    assert verdict.result is None
    assert not verdict.holds
    assert verdict.leaves[0].note == "no_data"


def test_only_exists_answers_on_a_missing_field():
    assert answer("exists", False, None) is True
    assert answer("exists", True, None) is False
    assert evaluate(leaf("a.b", "exists", True), {"a": 5}).result is False


@pytest.mark.parametrize(
    ("kind", "facts", "expected"),
    [
        ("all", {"a": 1, "b": 1}, True),
        ("all", {"a": 1, "b": 2}, False),
        ("all", {"a": 1}, None),
        ("all", {"a": 2}, False),
        ("any", {"a": 2, "b": 1}, True),
        ("any", {"a": 2, "b": 2}, False),
        ("any", {"a": 2}, None),
        ("any", {"a": 1}, True),
    ],
)
def test_groups_combine_with_no_data_in_between(kind, facts, expected):
    assert evaluate({kind: [leaf("a"), leaf("b")]}, facts).result is expected


def test_every_leaf_is_listed_although_the_first_decides():
    tree = {"any": [leaf("a"), {"all": [leaf("b"), leaf("c")]}]}

    verdict = evaluate(tree, {"a": 1, "b": 2})

    assert verdict.holds
    assert [(leaf.pointer, leaf.result) for leaf in verdict.leaves] == [
        ("/any/0", True),
        ("/any/1/all/0", False),
        ("/any/1/all/1", None),
    ]


@pytest.mark.parametrize(
    ("path", "facts"),
    [
        ("events.PAYMENT_SUCCEEDED.count", {"events": {"PAYMENT_SUCCEEDED": {"count": 1}}}),
        ("events.CUSTOM.sauna_done.count", {"events": {"CUSTOM.sauna_done": {"count": 1}}}),
        ("events.CUSTOM.sauna_done.count", {"events": {"CUSTOM": {"sauna_done": {"count": 1}}}}),
        ("events.CUSTOM.a.b.last.x.y", {"events": {"CUSTOM.a.b": {"last": {"x.y": 1}}}}),
        ("journeys.retiro-ibiza_2025", {"journeys": {"retiro-ibiza_2025": 1}}),
        ("a.b.c", {"a.b.c": 1, "a": {"b": {"c": 2}}}),
        ("a.b.c", {"a.b": {"c": 1}, "a": {"b.c": 2}}),
        ("a.b.c", {"a.b": {"c": None}, "a": {"b.c": 1}}),
        ("a.b.c", {"a.b": "text", "a": {"b": {"c": 1}}}),
        ("a.b", {1: 2, None: 3, ("a", "b"): 4, "a": {5: 6, "b": 1}}),
    ],
)
def test_path_is_read_with_the_longest_keys_that_arrive(path, facts):
    assert evaluate(leaf(path), facts).holds


@pytest.mark.parametrize(
    "tree", [[], "x", {"all": []}, {"none": []}, leaf(op="matches"), leaf(op="gt", value="1")]
)
def test_tree_that_is_none_is_refused_rather_than_answered(tree):
    with pytest.raises(InvalidCondition):
        evaluate(tree, {"x": 1})


def test_number_too_long_to_print_is_compared_and_stored():
    verdict = evaluate(leaf("x", "gt", 1), {"x": 10**5000})

    assert verdict.holds
    assert verdict.as_json()[0]["actual"] == "1.000000e+5000"


def test_deep_facts_are_just_another_value():
    deep = []
    for _ in range(20_000):
        deep = [deep]
    nested = {"x": 1}
    for _ in range(20_000):
        nested = {"x": nested}

    for op, value in [("eq", "a"), ("in", ["a"]), ("contains", "a"), ("exists", True)]:
        assert json.dumps(evaluate(leaf("x", op, value), {"x": deep}).as_json())
        assert json.dumps(evaluate(leaf("x.x", op, value), nested).as_json())


# --- unmet ------------------------------------------------------------------------------------


def pointers(outcome):
    if isinstance(outcome, LeafResult):
        return [outcome.pointer]
    return [pointer for part in outcome.parts for pointer in pointers(part)]


def test_verdict_that_holds_has_nothing_unmet():
    assert unmet({"any": [leaf("a"), leaf("b")]}, {"a": 1}) is None


def test_unmet_leaves_out_what_is_met():
    tree = {"all": [leaf("a"), leaf("b"), leaf("c")]}

    missing = unmet(tree, {"a": 1, "b": 2})

    assert missing.kind == "all"
    assert pointers(missing) == ["/all/1", "/all/2"]


def test_failed_any_gives_all_its_leaves_as_alternatives():
    tree = {"all": [leaf("a"), {"any": [leaf("b"), {"all": [leaf("a"), leaf("c")]}]}]}

    missing = unmet(tree, {"a": 1})

    assert missing.kind == "any"
    assert pointers(missing) == ["/all/1/any/0", "/all/1/any/1/all/1"]


def test_single_unmet_leaf_stands_alone():
    missing = unmet({"all": [leaf("a"), {"any": [leaf("b")]}]}, {"a": 1, "b": 3})

    assert (missing.pointer, missing.actual, missing.result) == ("/all/1/any/0", 3, False)


# --- trace ------------------------------------------------------------------------------------


def test_trace_says_what_was_expected_and_what_was_found():
    verdict = evaluate({"all": [leaf("a", "gt", 100)]}, {"a": Decimal("12.50")})

    assert verdict.as_json() == [
        {
            "pointer": "/all/0",
            "field": "a",
            "op": "gt",
            "expected": 100,
            "actual": 12.5,
            "result": False,
            "note": None,
        }
    ]


@pytest.mark.parametrize(
    ("actual", "stored"),
    [
        (None, None),
        (True, True),
        (7, 7),
        (0.1, 0.1),
        (10**400, "1.000000e+400"),
        (Decimal("3.00"), 3),
        (Decimal("0.12345678901234567890123"), "0.12345678901234567890123"),
        (Decimal("1E+999999999"), "1.000000e+999999999"),
        (float("nan"), None),
        (float("-inf"), None),
        (Decimal("sNaN"), None),
        ("x" * 201, "x" * 200 + "…"),
        ("a\x00b\ud800", "a\ufffdb?"),
        (datetime(2026, 1, 31, 12, tzinfo=timezone(timedelta(hours=1))), "2026-01-31T11:00:00Z"),
        (datetime(2026, 1, 31, 12), "2026-01-31T12:00:00"),  # noqa: DTZ001 - naive on purpose
        (
            datetime.max.replace(tzinfo=timezone(-timedelta(hours=1))),
            "9999-12-31T23:59:59.999999-01:00",
        ),
        (["a", 1, None, [1], {"b": 2}], ["a", 1, None, "[…]", "{…}"]),
        (list(range(21)), [*range(20), "…"]),
        ({"secret": "x"}, "{…}"),
        (date(2026, 1, 31), "<date>"),
    ],
)
def test_trace_is_json_that_can_be_stored(actual, stored):
    (result,) = evaluate(leaf("x", "exists", True), {"x": actual}).as_json()

    assert result["actual"] == stored
    assert json.loads(json.dumps(result, allow_nan=False)) == result
