"""The shapes a leaf's `value` may have, and whether it fits the field it is compared with.

A shape alone makes a leaf evaluable; the field's type is a second, narrower question, asked when
a tree is saved. Bounds keep every stored tree small enough to print, sort and compare.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from django.utils.functional import Promise
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from kura.conditions.fields import Field
from kura.conditions.values import MAX_NUMBER, instant

MAX_TEXT: Final = 1000  # characters
MAX_ITEMS: Final = 100


class Flaw(NamedTuple):
    """What is wrong with a value; `within` is the JSON pointer inside it."""

    within: str
    code: str
    message: str | Promise


Shape = Callable[[object], Iterator[Flaw]]


def is_text(value: object) -> bool:
    """Text that PostgreSQL can store as jsonb: no NUL, no lone surrogate."""
    if not isinstance(value, str) or len(value) > MAX_TEXT:
        return False
    return "\x00" not in value and not any("\ud800" <= letter <= "\udfff" for letter in value)


def is_number(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return abs(value) <= MAX_NUMBER  # false for NaN and infinity too


def is_whole_number(value: object) -> bool:
    return isinstance(value, int | float) and is_number(value) and value == int(value)


def is_flag(value: object) -> bool:
    return isinstance(value, bool)


def scalar(value: object) -> Iterator[Flaw]:
    if not (is_text(value) or is_number(value) or is_flag(value)):
        yield _wrong(_("Give a text, a number, or true or false, within bounds."))


def amount(value: object) -> Iterator[Flaw]:
    if not is_number(value):
        yield _wrong(_("Give a number within bounds."))


def part(value: object) -> Iterator[Flaw]:
    """The empty text is part of every text, so asking for it would ask nothing."""
    if not is_text(value) or value == "":
        yield _wrong(_("Give a text that is not empty and within bounds."))


def flag(value: object) -> Iterator[Flaw]:
    if not is_flag(value):
        yield _wrong(_("Give true or false."))


def timestamp(value: object) -> Iterator[Flaw]:
    if not is_text(value) or instant(value) is None:
        yield _wrong(_("Give a date and time with its offset, such as 2026-01-31T09:00:00+01:00."))


def options(value: object) -> Iterator[Flaw]:
    """A list of texts or a list of numbers; mixed kinds would compare with nothing."""
    if not isinstance(value, list) or not 1 <= len(value) <= MAX_ITEMS:
        yield _wrong(format_lazy(_("Give a list of 1 to {most} values."), most=MAX_ITEMS))
        return
    fits = is_text if isinstance(value[0], str) else is_number
    for index, item in enumerate(value):
        if not fits(item):
            yield Flaw(f"/{index}", "wrong_value", _("Give texts only, or numbers only."))


def _wrong(message: str | Promise) -> Flaw:
    return Flaw("", "wrong_value", message)


_ITEM_FITS: Final[dict[str, tuple[Callable[[object], bool], Promise]]] = {
    "string": (is_text, _("This field is a text.")),
    "list": (is_text, _("This field is a list of texts.")),
    "number": (is_number, _("This field is a number.")),
    "integer": (is_whole_number, _("This field is a whole number.")),
    "boolean": (is_flag, _("This field is true or false.")),
}


def unfit(field: Field, value: object) -> Iterator[Flaw]:
    """What in a well-shaped value, or in its items, is not of the field's type."""
    fits, message = _ITEM_FITS[field.type]
    for within, item in _items(value):
        if not fits(item):
            yield Flaw(within, "unfit_value", message)


def unlisted(field: Field, value: object) -> Iterator[Flaw]:
    """What is none of the field's choices, where it has any."""
    for within, item in _items(value):
        if field.choices is not None and item not in field.choices:
            yield Flaw(within, "not_a_choice", _("This is none of the field's values."))


def _items(value: object) -> Iterator[tuple[str, object]]:
    if isinstance(value, list):
        yield from ((f"/{index}", item) for index, item in enumerate(value))
    else:
        yield "", value
