"""The twelve operators. Each is one unit: what it fits, what it takes, its sentence, its test.

A test gets the fact, which is never missing, and the expected value, whose shape was checked. It
answers True, False, or None for "not comparable", and never raises. Text is compared exactly:
case and accents count. Text has no greater and lesser (code points are not an order anyone
means), and instants have no equality (microseconds are not one anyone sees).
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from kura.conditions import shapes
from kura.conditions.fields import Field, FieldType
from kura.conditions.values import comparable, instant, number

Test = Callable[[Any, Any], bool | None]

_EVERY_TYPE: Final[frozenset[FieldType]] = frozenset(
    {"string", "number", "integer", "boolean", "datetime", "list"}
)
_NUMBERS: Final[frozenset[FieldType]] = frozenset({"number", "integer"})
_WORDS_AND_NUMBERS: Final[frozenset[FieldType]] = _NUMBERS | {"string"}
_SCALARS: Final[frozenset[FieldType]] = _WORDS_AND_NUMBERS | {"boolean"}


@dataclass(frozen=True, slots=True)
class Operator:
    """`denial` is the sentence for an expected `false`, where an operator has one."""

    name: str
    types: frozenset[FieldType]
    takes: shapes.Shape
    sentence: Promise
    test: Test
    denial: Promise | None = None

    def unfit(self, field: Field, value: object) -> Iterator[shapes.Flaw]:
        """What in a well-shaped value does not fit the field. The field's type fits already."""
        if self.takes in {shapes.flag, shapes.timestamp}:
            return
        yield from shapes.unfit(field, value)
        if self.takes is not shapes.part or field.type == "list":
            yield from shapes.unlisted(field, value)


def every(answers: Iterable[bool | None]) -> bool | None:
    """Kleene's AND: one False decides, otherwise one None leaves it open."""
    seen = set(answers)
    return False if False in seen else None if None in seen else True


def some(answers: Iterable[bool | None]) -> bool | None:
    """Kleene's OR: one True decides, otherwise one None leaves it open."""
    seen = set(answers)
    return True if True in seen else None if None in seen else False


def _negated(answer: bool | None) -> bool | None:
    return None if answer is None else not answer


def _equal(actual: object, wanted: object) -> bool | None:
    one, other = comparable(actual), comparable(wanted)
    if one is None or other is None or one[0] != other[0]:
        return None
    return bool(one[1] == other[1])


def _different(actual: object, wanted: object) -> bool | None:
    return _negated(_equal(actual, wanted))


def _one_of(actual: object, wanted: list[object]) -> bool | None:
    return some(_equal(actual, option) for option in wanted)


def _none_of(actual: object, wanted: list[object]) -> bool | None:
    return _negated(_one_of(actual, wanted))


def _contains(actual: object, wanted: str) -> bool | None:
    """A part of a text, or a member of a list; a list with unreadable members may still hold it."""
    if isinstance(actual, str):
        return wanted in actual
    if isinstance(actual, list | tuple):
        return some(_equal(member, wanted) for member in actual)
    return None


def _exists(actual: object, wanted: bool) -> bool:
    return (actual is not None) == wanted


def _by_number(compare: Callable[[Any, Any], bool]) -> Test:
    def test(actual: object, wanted: object) -> bool | None:
        one, other = number(actual), number(wanted)
        return None if one is None or other is None else compare(one, other)

    return test


def _by_instant(compare: Callable[[Any, Any], bool]) -> Test:
    def test(actual: object, wanted: object) -> bool | None:
        one, other = instant(actual), instant(wanted)
        return None if one is None or other is None else compare(one, other)

    return test


_ALL: Final = (
    Operator("eq", _SCALARS, shapes.scalar, _("%(field)s is %(value)s"), _equal),
    Operator("ne", _SCALARS, shapes.scalar, _("%(field)s is not %(value)s"), _different),
    Operator(
        "in", _WORDS_AND_NUMBERS, shapes.options, _("%(field)s is one of: %(value)s"), _one_of
    ),
    Operator(
        "not_in", _WORDS_AND_NUMBERS, shapes.options, _("%(field)s is none of: %(value)s"), _none_of
    ),
    Operator(
        "gt",
        _NUMBERS,
        shapes.amount,
        _("%(field)s is greater than %(value)s"),
        _by_number(operator.gt),
    ),
    Operator(
        "gte",
        _NUMBERS,
        shapes.amount,
        _("%(field)s is at least %(value)s"),
        _by_number(operator.ge),
    ),
    Operator(
        "lt",
        _NUMBERS,
        shapes.amount,
        _("%(field)s is less than %(value)s"),
        _by_number(operator.lt),
    ),
    Operator(
        "lte", _NUMBERS, shapes.amount, _("%(field)s is at most %(value)s"), _by_number(operator.le)
    ),
    Operator(
        "contains",
        frozenset({"string", "list"}),
        shapes.part,
        _("%(field)s contains %(value)s"),
        _contains,
    ),
    Operator(
        "exists",
        _EVERY_TYPE,
        shapes.flag,
        _("%(field)s is known"),
        _exists,
        denial=_("%(field)s is not known"),
    ),
    Operator(
        "before",
        frozenset({"datetime"}),
        shapes.timestamp,
        _("%(field)s is before %(value)s"),
        _by_instant(operator.lt),
    ),
    Operator(
        "after",
        frozenset({"datetime"}),
        shapes.timestamp,
        _("%(field)s is after %(value)s"),
        _by_instant(operator.gt),
    ),
)

OPERATORS: Final[dict[str, Operator]] = {each.name: each for each in _ALL}
