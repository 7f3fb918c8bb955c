"""One JSON value as the text of a field, and the text of a field as a JSON value.

What cannot be read stays the text it is: the validation says what is wrong with it, and a draft
keeps it.
"""

from __future__ import annotations

import re
from datetime import datetime, tzinfo
from typing import Any, Final

from django.utils import timezone

from kura.conditions.values import instant

YES: Final = "true"
NO: Final = "false"
_WHOLE: Final = re.compile(r"[+-]?[0-9]{1,30}")
_DECIMAL: Final = re.compile(r"[+-]?[0-9]{0,30}\.?[0-9]{1,30}(?:e[+-]?[0-9]{1,3})?", re.IGNORECASE)
_THOUSANDS: Final = re.compile(r"[1-9][0-9]{0,2}([.,])[0-9]{3}")
_MINUTES: Final = "%Y-%m-%dT%H:%M"
_SECONDS: Final = "%Y-%m-%dT%H:%M:%S"


def shown(value: object, point: str) -> str:
    """`point`: the reader's decimal sign."""
    if isinstance(value, bool):
        return YES if value else NO
    if isinstance(value, int | float):
        return repr(value).replace(".", point)
    return "" if value is None else str(value)


def number_of(text: str, point: str) -> int | float | str:
    """A number is written with a point or a comma; one that could be a thousand is none."""
    plain = text.strip().replace(",", ".")
    if is_unclear(text, point):
        return text
    if _WHOLE.fullmatch(plain):
        return int(plain)
    return float(plain) if _DECIMAL.fullmatch(plain) else text


def is_unclear(text: str, point: str) -> bool:
    """Whether "1.000" is one or a thousand depends on who reads it."""
    found = _THOUSANDS.fullmatch(text.strip())
    return found is not None and found[1] != point


def flag_of(text: str) -> bool | str:
    return {YES: True, NO: False}.get(text, text)


def lines(text: str) -> str:
    """Browsers send the end of a line as two characters."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


def entries_of(texts: tuple[str, ...]) -> list[str]:
    """Values of a list: one a line, or one a box that is ticked."""
    each = "\n".join(map(lines, texts)).split("\n")
    return [one.strip() for one in each if one.strip()]


# --- moments ------------------------------------------------------------------------------------


def wall_clock(value: object) -> str:
    """As a field for a moment shows it: the clock that its author wrote, without the offset."""
    when = instant(value)
    if when is None:
        return shown(value, ".")
    return when.strftime(_SECONDS if when.second else _MINUTES)


def moment_of(text: str, zone: tzinfo | None = None) -> str:
    """With the offset of the practice's clock at that moment; unreadable text stays."""
    try:
        wall = datetime.fromisoformat(text)
    except ValueError:
        return text
    if wall.tzinfo is not None:
        return text
    return wall.replace(tzinfo=zone or timezone.get_current_timezone()).isoformat()


def as_hours(value: object, point: str) -> str:
    """Of a time limit: without the zeros that the column adds."""
    text = shown(value, ".")
    if "." in text and text.replace(".", "", 1).isdigit():
        text = text.rstrip("0").rstrip(".") or "0"
    return text.replace(".", point)


def hours_of(text: str, point: str) -> Any:
    """Text, so that no digit is lost; None for nothing. What is unclear is left unreadable."""
    plain = text.strip()
    if not plain:
        return None
    return f"{plain}?" if is_unclear(plain, point) else plain.replace(",", ".")
