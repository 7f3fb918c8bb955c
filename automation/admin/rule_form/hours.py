"""A number of hours as a person thinks of it: "48 h (2 days)"."""

from __future__ import annotations

from typing import Final

from django.utils import formats
from django.utils.translation import ngettext

from automation.definition import hours

DAY: Final = 24  # hours


def days_words(typed: object) -> str:
    """'' for what is no number of hours."""
    exact = hours(typed.strip().replace(",", ".") if isinstance(typed, str) else typed)
    if exact is None:
        return ""
    told = f"{shown_hours(exact)} h"
    days, rest = divmod(exact, DAY)
    if not days:
        return told
    words = ngettext("%(number)s day", "%(number)s days", int(days)) % {"number": int(days)}
    return f"{told} ({words} {shown_hours(rest)} h)" if rest else f"{told} ({words})"


def shown_hours(value: object) -> str:
    """As it is written in the reader's language: without zeros at the end."""
    exact = hours(value)
    if exact is None:
        return "" if value is None else str(value)
    if exact == int(exact):
        return str(int(exact))
    return str(formats.localize(exact.normalize(), use_l10n=True))
