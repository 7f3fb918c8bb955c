"""The time zones a person may choose from: places, without the historical aliases.

And the clock that goes by such a name.
"""

from __future__ import annotations

import zoneinfo
from datetime import UTC, tzinfo
from functools import cache

from django import forms
from django.utils.translation import gettext_lazy as _

REGIONS = (
    "Africa/",
    "America/",
    "Asia/",
    "Atlantic/",
    "Australia/",
    "Europe/",
    "Indian/",
    "Pacific/",
)


@cache
def places() -> tuple[str, ...]:
    names = zoneinfo.available_timezones()
    return ("UTC", *sorted(name for name in names if name.startswith(REGIONS)))


def clock(*names: str) -> tzinfo:
    """Of the first name that is a time zone; UTC when none is. Whatever is stored, it answers."""
    for name in names:
        try:
            return zoneinfo.ZoneInfo(name)
        except (LookupError, ValueError, OSError):  # unknown, no name at all, a folder
            continue
    return UTC


def timezone_choices(current: str, *, empty: bool) -> list[tuple[str, str]]:
    """For a select. A value that is not in the list but in the row stays choosable."""
    names = [*places()] if current in places() or not current else [current, *places()]
    first = [("", str(_("The practice's own")))] if empty else []
    return first + [(name, name.replace("_", " ")) for name in names]


def as_select(field: forms.Field, current: str) -> forms.ChoiceField:
    """The same form field as a select."""
    return forms.ChoiceField(
        label=field.label,
        help_text=field.help_text,
        required=field.required,
        choices=timezone_choices(current, empty=not field.required),
        initial=field.initial,
    )
