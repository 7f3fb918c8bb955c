"""What a therapist reads. Spanish templates live in the catalogue; here they stay English."""

import pytest
from django.utils import translation

from kura.conditions import (
    OPERATORS,
    Field,
    Leaf,
    Part,
    asked_parts,
    describe,
    describe_leaf,
    describe_unmet,
    evaluate,
    leaf_parts,
)

AMOUNT = Field("amount", "number", {"es": "importe", "en": "amount"})
RISK = Field(
    "risk",
    "string",
    {"es": "riesgo", "en": "risk"},
    choices={"HIGH": {"es": "alto", "en": "high"}, "LOW": {"es": "bajo", "en": "low"}},
)
PAID = Field(
    "paid",
    "integer",
    {"es": "pagos", "en": "payments"},
    claim={"es": "pago recibido", "en": "payment received"},
)
CONSENT = Field(
    "consent",
    "boolean",
    {"es": "consentimiento", "en": "consent"},
    claim={"es": "consentimiento firmado", "en": "consent signed"},
)
FIELDS = {field.path: field for field in (AMOUNT, RISK, PAID, CONSENT)}


@pytest.fixture(autouse=True)
def english():
    with translation.override("en"):
        yield


def leaf(field, op, value, **more):
    return {"field": field, "op": op, "value": value, **more}


@pytest.mark.parametrize(
    ("op", "value", "words"),
    [
        ("eq", 100, "amount is 100"),
        ("ne", 2.5, "amount is not 2.5"),
        ("in", [1, 2.5], "amount is one of: 1; 2.5"),
        ("not_in", [1], "amount is none of: 1"),
        ("gt", 100, "amount is greater than 100"),
        ("gte", 100, "amount is at least 100"),
        ("lt", 100, "amount is less than 100"),
        ("lte", 100, "amount is at most 100"),
        ("contains", "50 %(x)s", "amount contains 50 %(x)s"),
        ("exists", True, "amount is known"),
        ("exists", False, "amount is not known"),
        ("before", "2026-01-31T09:00:00+01:00", "amount is before Jan. 31, 2026, 9 a.m."),
        ("after", "2026-01-31T09:30:00Z", "amount is after Jan. 31, 2026, 9:30 a.m."),
    ],
)
def test_operator_reads_as_a_sentence(op, value, words):
    assert describe_leaf(Leaf("", "amount", op, value), AMOUNT) == words


def test_there_are_twelve_operators_each_with_its_sentence():
    numbers, texts, times = {"gt", "gte", "lt", "lte"}, {"contains"}, {"before", "after"}

    assert set(OPERATORS) == {"eq", "ne", "in", "not_in", "exists"} | numbers | texts | times
    assert all("%(field)s" in str(each.sentence) for each in OPERATORS.values())


def test_values_go_by_their_names():
    assert describe_leaf(Leaf("", "risk", "eq", "HIGH"), RISK) == "risk is high"
    assert describe_leaf(Leaf("", "risk", "in", ["HIGH", "X"]), RISK) == "risk is one of: high, X"
    assert describe_leaf(Leaf("", "consent", "eq", False), CONSENT) == "consent is no"


@pytest.mark.parametrize(
    ("field", "op", "value", "words"),
    [
        (PAID, "gte", 1, "payment received"),
        (PAID, "gt", 0, "payment received"),
        (PAID, "gte", 2, "payments is at least 2"),
        (PAID, "in", [1], "payments is one of: 1"),
        (CONSENT, "eq", True, "consent signed"),
        (CONSENT, "ne", False, "consent signed"),
        (CONSENT, "ne", True, "consent is not yes"),
    ],
)
def test_leaf_that_asks_what_its_field_claims_reads_as_the_claim(field, op, value, words):
    assert describe_leaf(Leaf("", field.path, op, value), field) == words


def test_label_of_the_leaf_wins():
    asked = Leaf("", "paid", "gte", 1, {"es": "ya pagó", "en": "has paid"})

    assert describe_leaf(asked, PAID) == "has paid"
    assert describe_leaf(asked, PAID, "es") == "ya pagó"


@pytest.mark.parametrize(
    ("language", "words"), [("es", "ya pagó"), ("es-es", "ya pagó"), ("en", "ya pagó")]
)
def test_words_fall_back_to_spanish(language, words):
    assert describe_leaf(Leaf("", "paid", "gte", 1, {"es": "ya pagó"}), PAID, language) == words


def test_words_without_an_active_language_are_spanish():
    with translation.override(None):
        assert describe_leaf(Leaf("", "paid", "gte", 1), PAID) == "pago recibido"


def test_words_in_the_only_language_there_is_beat_silence():
    assert describe_leaf(Leaf("", "x", "gte", 1, {"en": "paid"}), None, "es") == "paid"


def test_unknown_field_goes_by_its_path():
    assert describe_leaf(Leaf("", "a.b", "gt", 1), None) == "a.b is greater than 1"


@pytest.mark.parametrize("op", OPERATORS)
@pytest.mark.parametrize("path", [*FIELDS, "unknown.field"])
@pytest.mark.parametrize("language", ["en", "es"])
def test_the_pieces_of_a_condition_join_to_its_sentence(op, path, language):
    value = {"in": ["LOW", "HIGH"], "not_in": ["LOW"], "exists": False}.get(op, 1)
    one = Leaf("", path, op, "2026-01-07T08:12:00+01:00" if op in {"before", "after"} else value)

    with translation.override(language):
        pieces, whole = leaf_parts(one, FIELDS.get(path)), describe_leaf(one, FIELDS.get(path))

    assert "".join(part.text for part in pieces) == whole


def test_a_claim_is_one_piece_and_what_is_asked_can_still_be_read():
    one = Leaf("", "paid", "gte", 1)

    assert leaf_parts(one, PAID) == (Part("words", "payment received"),)
    assert asked_parts(one, PAID) == (
        Part("field", "payments"), Part("words", " is at least "), Part("value", "1")
    )  # fmt: skip


def test_tree_reads_as_one_sentence():
    tree = {
        "all": [
            leaf("amount", "gt", 100),
            {"any": [leaf("paid", "gte", 1), leaf("risk", "eq", "LOW")]},
            {"any": [leaf("consent", "eq", True)]},
        ]
    }

    assert describe(tree, FIELDS) == (
        "amount is greater than 100 and (payment received or risk is low) and consent signed"
    )


@pytest.mark.parametrize("tree", [None, {}])
def test_empty_tree_reads_as_always(tree):
    assert describe(tree, FIELDS) == "always"


def test_what_is_unmet_reads_as_what_is_needed():
    tree = {
        "all": [
            leaf("amount", "gt", 100),
            {"any": [leaf("paid", "gte", 1), leaf("risk", "eq", "LOW")]},
            leaf("consent", "eq", True),
        ]
    }

    missing = evaluate(tree, {"amount": 5, "risk": 3, "consent": True}).unmet()

    assert describe_unmet(missing, FIELDS.get) == (
        "amount is greater than 100 and "
        "(payment received (no data) or risk is low (the data is of another kind))"
    )
