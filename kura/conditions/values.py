"""What a JSON value is worth when it is compared, and how it is kept in a trace.

Two values compare only if they are of one kind. A boolean is no number, a naive time is no
instant, NaN is nothing: such a pair is "not comparable" rather than false, because a rule that
misreads its data should say so instead of deciding.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from math import isfinite
from typing import Any, Final

MAX_NUMBER: Final = 10**15  # beyond, JSON readers that use doubles lose whole cents
MAX_TRACE_TEXT: Final = 200  # characters of one value in a stored trace
MAX_TRACE_ITEMS: Final = 20  # items of one list in a stored trace

_RFC_3339: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?"
    r"([Zz]|[+-]([01][0-9]|2[0-3]):[0-5][0-9])"
)


def comparable(value: object) -> tuple[str, Any] | None:
    """("boolean" | "number" | "string", comparable value), or None for anything else."""
    if isinstance(value, bool):
        return "boolean", value
    if isinstance(value, str):
        return "string", value
    amount = number(value)
    return None if amount is None else ("number", amount)


def number(value: object) -> int | Decimal | None:
    """The number as it was written: the float 0.1 equals Decimal("0.1"), as both read "0.1"."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    if isinstance(value, float):
        return Decimal(float.__repr__(value)) if isfinite(value) else None
    return value if isinstance(value, Decimal) and value.is_finite() else None


def instant(value: object) -> datetime | None:
    """An aware datetime, or an RFC 3339 text with its offset; leap seconds are not understood."""
    if isinstance(value, str):
        return _parsed(value)
    if isinstance(value, datetime) and value.utcoffset() is not None:
        return value
    return None


def _parsed(text: str) -> datetime | None:
    if not _RFC_3339.fullmatch(text):
        return None
    try:
        return datetime.fromisoformat(text.upper())
    except ValueError:  # the 30th of February
        return None


def storable(value: object) -> Any:
    """The value as JSON that PostgreSQL takes, cut to a readable size; it never recurses.

    An aware datetime becomes UTC with `Z`, a non-finite number null, a nested object an ellipsis.
    """
    if isinstance(value, list | tuple):
        kept = [_storable_item(item) for item in value[:MAX_TRACE_ITEMS]]
        return kept if len(value) <= MAX_TRACE_ITEMS else [*kept, "…"]
    return _storable_item(value)


def _storable_item(value: object) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return storable_text(value)
    if isinstance(value, int | float | Decimal):
        return _storable_number(value)
    if isinstance(value, datetime):
        return _storable_time(value)
    if isinstance(value, list | tuple):
        return "[…]"
    return "{…}" if isinstance(value, Mapping) else f"<{type(value).__name__}>"


def _storable_number(value: float | Decimal) -> Any:
    """A JSON number where readers get the same number back, its text otherwise."""
    amount = number(value)
    if amount is None:
        return None
    if not -MAX_NUMBER <= amount <= MAX_NUMBER:
        return f"{Decimal(amount):.6e}"
    if amount == int(amount):
        return int(amount)
    rounded = float(amount)
    return rounded if number(rounded) == amount else storable_text(str(amount))


def _storable_time(value: datetime) -> str:
    if value.utcoffset() is None:
        return value.isoformat()
    try:
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    except OverflowError:  # the first or last hours of the calendar
        return value.isoformat()


def storable_text(text: str) -> str:
    """Without what jsonb refuses (NUL, lone surrogates), and cut with an ellipsis."""
    cut = text if len(text) <= MAX_TRACE_TEXT else f"{text[:MAX_TRACE_TEXT]}…"
    return cut.replace("\x00", "\ufffd").encode("utf-8", "replace").decode()
