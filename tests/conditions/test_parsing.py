"""What is a condition tree, and how everything else is refused."""

import json

import pytest
from django.utils import translation

from kura.conditions import Field, InvalidCondition, Leaf, parse, paths, validate

FIELDS = {
    "amount": Field("amount", "number", {"es": "importe", "en": "amount"}),
    "visits": Field("visits", "integer", {"es": "visitas", "en": "visits"}),
    "name": Field("name", "string", {"es": "nombre", "en": "name"}),
    "risk": Field(
        "risk",
        "string",
        {"es": "riesgo", "en": "risk"},
        choices={"HIGH": {"es": "alto", "en": "high"}, "LOW": {"es": "bajo", "en": "low"}},
    ),
    "consent": Field("consent", "boolean", {"es": "consentimiento", "en": "consent"}),
    "paid_at": Field("paid_at", "datetime", {"es": "pago", "en": "payment"}),
    "tags": Field(
        "tags",
        "list",
        {"es": "etiquetas", "en": "tags"},
        choices={"vip": {"es": "VIP"}, "new": {"es": "nueva"}},
    ),
}
NOON = "2026-01-31T12:00:00+01:00"


def leaf(field="amount", op="eq", value=1, **more):
    return {"field": field, "op": op, "value": value, **more}


def problems_of(tree, fields=FIELDS):
    with pytest.raises(InvalidCondition) as caught:
        validate(tree, fields)
    return [(problem.pointer, problem.code) for problem in caught.value.errors]


@pytest.mark.parametrize("tree", [None, {}])
def test_empty_tree_is_valid_and_asks_nothing(tree):
    validate(tree, FIELDS)

    assert parse(tree) is None
    assert paths(tree) == set()


@pytest.mark.parametrize(
    ("field", "op", "value"),
    [
        ("amount", "eq", 1.5),
        ("amount", "ne", 0),
        ("amount", "in", [1, 2.5]),
        ("amount", "not_in", [3]),
        ("amount", "gt", -1),
        ("amount", "gte", 0),
        ("amount", "lt", 10**15),
        ("amount", "lte", -(10**15)),
        ("amount", "exists", True),
        ("visits", "gte", 1),
        ("visits", "in", [1, 2]),
        ("visits", "eq", 2.0),
        ("name", "eq", ""),
        ("name", "ne", "Ñandú"),
        ("name", "in", ["a", "b"]),
        ("name", "not_in", ["a"]),
        ("name", "contains", "x"),
        ("name", "exists", False),
        ("risk", "eq", "HIGH"),
        ("risk", "in", ["HIGH", "LOW"]),
        ("risk", "contains", "HI"),
        ("consent", "eq", True),
        ("consent", "ne", False),
        ("consent", "exists", True),
        ("paid_at", "before", NOON),
        ("paid_at", "after", "2026-01-31t12:00:00.123456789z"),
        ("paid_at", "exists", False),
        ("tags", "contains", "vip"),
        ("tags", "exists", True),
    ],
)
def test_operator_that_fits_its_field_is_accepted(field, op, value):
    validate(leaf(field, op, value), FIELDS)


@pytest.mark.parametrize(
    ("field", "op", "value"),
    [
        ("name", "gt", 1),
        ("name", "before", NOON),
        ("amount", "contains", "1"),
        ("amount", "before", NOON),
        ("consent", "in", ["a"]),
        ("consent", "gt", 0),
        ("paid_at", "eq", NOON),
        ("paid_at", "gt", 5),
        ("tags", "eq", "vip"),
        ("tags", "in", ["vip"]),
    ],
)
def test_operator_that_does_not_fit_its_field_is_refused(field, op, value):
    assert problems_of(leaf(field, op, value)) == [("/op", "unfit_operator")]


@pytest.mark.parametrize(
    ("op", "value"),
    [
        ("eq", None),
        ("eq", [1]),
        ("eq", {"a": 1}),
        ("eq", "x" * 1001),
        ("eq", "nul \x00"),
        ("eq", "half \ud800"),
        ("eq", float("nan")),
        ("gt", float("inf")),
        ("gt", True),
        ("gt", "1"),
        ("lt", 10**15 + 1),
        ("in", "abc"),
        ("in", []),
        ("in", list(range(101))),
        ("contains", ""),
        ("contains", 1),
        ("exists", 1),
        ("exists", "true"),
        ("before", "2026-01-31"),
        ("before", "2026-01-31T12:00:00"),
        ("before", "2026-02-30T12:00:00Z"),
        ("before", "2026-01-31 12:00:00Z"),
        ("before", "٢٠٢٦-01-31T12:00:00Z"),
        ("after", "now-3d"),
        ("after", 1_700_000_000),
    ],
)
def test_value_of_the_wrong_shape_is_refused(op, value):
    with pytest.raises(InvalidCondition) as caught:
        parse(leaf(op=op, value=value))

    assert [(problem.pointer, problem.code) for problem in caught.value.errors] == [
        ("/value", "wrong_value")
    ]


@pytest.mark.parametrize(
    ("tree", "expected"),
    [
        (leaf("amount", "eq", "1"), [("/value", "unfit_value")]),
        (leaf("amount", "eq", True), [("/value", "unfit_value")]),
        (leaf("visits", "gte", 0.5), [("/value", "unfit_value")]),
        (leaf("visits", "in", [1, 1.5]), [("/value/1", "unfit_value")]),
        (leaf("consent", "eq", 1), [("/value", "unfit_value")]),
        (leaf("risk", "eq", "MEDIUM"), [("/value", "not_a_choice")]),
        (leaf("risk", "in", ["HIGH", "x"]), [("/value/1", "not_a_choice")]),
        (leaf("tags", "contains", "old"), [("/value", "not_a_choice")]),
        (leaf("name", "in", ["a", 1]), [("/value/1", "wrong_value")]),
        (leaf("amount", "in", [1, True, 2]), [("/value/1", "wrong_value")]),
    ],
)
def test_value_that_does_not_fit_its_field_is_refused_where_it_stands(tree, expected):
    assert problems_of(tree) == expected


@pytest.mark.parametrize("tree", [[], [{}], "x", 1, True, 0, ""])
def test_what_is_no_object_is_refused(tree):
    assert problems_of(tree) == [("", "not_a_condition")]


def test_unknown_members_are_refused_with_escaped_pointers():
    tree = {"all": [leaf(**{"a/b~c": 1, "regex": ".*"})], "comment": "x"}

    found = problems_of(tree)

    assert found == [
        ("/comment", "unknown_member"),
        ("/all/0/a~1b~0c", "unknown_member"),
        ("/all/0/regex", "unknown_member"),
    ]


def test_all_and_any_in_one_group_are_refused():
    assert problems_of({"all": [leaf()], "any": [leaf()]}) == [("/any", "unknown_member")]


@pytest.mark.parametrize("parts", [[], {}, None, "x", leaf()])
def test_group_without_a_list_of_conditions_is_refused(parts):
    assert problems_of({"any": parts}) == [("/any", "empty_group")]


def test_empty_object_holds_only_at_the_top():
    found = problems_of({"all": [{}]})

    assert found == [
        ("/all/0/field", "missing_member"),
        ("/all/0/op", "missing_member"),
        ("/all/0/value", "missing_member"),
    ]


def test_every_problem_is_reported_at_once():
    tree = {
        "all": [
            leaf("unknown", "like", 1),
            {"any": [leaf("amount", "gt", "1"), leaf("name", "lt", 3), 7]},
            {"field": 5, "op": ["eq"], "value": None},
            leaf(label={"fr": "x", "es": " "}),
            leaf(label="words"),
        ]
    }

    found = problems_of(tree)

    assert found == [
        ("/all/0/op", "unknown_operator"),
        ("/all/0/field", "unknown_field"),
        ("/all/1/any/0/value", "wrong_value"),
        ("/all/1/any/1/op", "unfit_operator"),
        ("/all/1/any/2", "not_a_condition"),
        ("/all/2/field", "unknown_field"),
        ("/all/2/op", "unknown_operator"),
        ("/all/3/label/fr", "unknown_member"),
        ("/all/3/label/es", "wrong_label"),
        ("/all/4/label", "wrong_label"),
    ]


@pytest.mark.parametrize("label", [{"es": "pago"}, {"es": "pago", "en": "payment"}])
def test_label_is_kept_on_the_leaf(label):
    node = parse(leaf(label=label))

    assert node == Leaf("", "amount", "eq", 1, label)


@pytest.mark.parametrize("label", [{}, None, [], {"es": ""}, {"es": 1}, {"es": "x" * 1001}])
def test_label_without_words_is_refused(label):
    (found,) = problems_of(leaf(label=label))

    assert found[1] == "wrong_label"


@pytest.mark.parametrize("path", ["", 5, None, ["a"], "x" * 301, "a\x00"])
def test_what_cannot_be_a_path_is_refused(path):
    assert problems_of(leaf(path)) == [("/field", "unknown_field")]


def test_groups_stand_five_deep_and_no_deeper():
    tree = leaf()
    for _ in range(5):
        tree = {"all": [tree]}

    validate(tree, FIELDS)
    assert problems_of({"any": [tree]}) == [("/any/0/all/0/all/0/all/0/all/0", "too_deep")]


def test_fifty_leaves_are_accepted_and_one_more_is_refused_once():
    validate({"all": [leaf()] * 50}, FIELDS)

    found = problems_of({"any": [{"all": [leaf()] * 50}, *[leaf()] * 10]})

    assert found == [("/any/1", "too_many_leaves")]


def test_hostile_tree_gets_a_bounded_answer():
    assert len(problems_of({"all": [[]] * 100_000})) == 200
    assert len(problems_of(dict.fromkeys(map(str, range(100_000))))) == 200
    assert len(problems_of({"x" * 1_000_000: 1})[0][0]) < 400


def nested(wrap):
    value = wrap(1)
    for _ in range(20_000):
        value = wrap(value)
    return value


@pytest.mark.parametrize(
    "wrap", [lambda it: [it], lambda it: {"all": [it]}, lambda it: {"any": it}]
)
@pytest.mark.parametrize(
    "place",
    [
        lambda deep: deep,
        lambda deep: {"all": deep},
        lambda deep: {"all": [deep]},
        lambda deep: leaf(field=deep),
        lambda deep: leaf(op=deep),
        lambda deep: leaf(value=deep),
        lambda deep: leaf(op="in", value=deep),
        lambda deep: leaf(label=deep),
        lambda deep: leaf(label={"es": deep}),
        lambda deep: leaf(other=deep),
    ],
)
def test_hostile_nesting_is_refused_like_anything_else(place, wrap):
    tree = place(nested(wrap))

    assert problems_of(tree)
    with pytest.raises(InvalidCondition):
        parse(tree)


def test_fields_may_be_a_function_of_the_path():
    def field_of(path):
        kind, *rest = path.split(".")
        counts = kind == "events" and rest[-1] == "count"
        return Field(path, "integer", {"es": "veces"}) if counts else None

    validate(leaf("events.CUSTOM.sauna_done.count", "gte", 1), field_of)

    assert problems_of(leaf("events.X.last"), field_of) == [("/field", "unknown_field")]


def test_paths_are_the_fields_a_tree_asks_for():
    tree = {"all": [leaf("amount"), {"any": [leaf("name", "eq", "x"), leaf("amount", "gt", 2)]}]}

    assert paths(tree) == {"amount", "name"}


def test_refusal_is_a_translatable_error_for_the_api():
    with pytest.raises(InvalidCondition) as caught, translation.override("en"):
        validate(leaf("nope{0}", "eq", 1), FIELDS)

    error = caught.value
    assert (error.code, error.status) == ("invalid_condition", 400)
    with translation.override("en"):
        assert str(error.errors[0].message) == "There is no field nope{0}."
    assert json.dumps(str(error))
