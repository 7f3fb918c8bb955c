"""A fact as a person reads it: by its name, as yes or no, at the local time."""

from __future__ import annotations

from django.utils import formats, timezone
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from kura.conditions import Field, Labels
from kura.conditions.values import instant


def value_words(value: object, field: Field | None) -> str:
    """`field` gives the names of its values; None where nobody knows the path any more."""
    if value is None:
        return _("no data")
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if isinstance(value, list | tuple):
        return ", ".join(value_words(item, field) for item in value) or _("empty")
    if isinstance(value, str):
        return _text_words(value, field)
    return str(formats.localize(value)) if isinstance(value, int | float) else str(value)


def label_of(field: Field | None, path: str) -> str:
    return in_language(field.labels) if field and field.labels else path


def _text_words(value: str, field: Field | None) -> str:
    if field and field.choices and value in field.choices:
        return in_language(field.choices[value])
    when = instant(value) if field and field.type == "datetime" else None
    return value if when is None else formats.date_format(timezone.localtime(when), "MOMENT")


def in_language(labels: Labels) -> str:
    """The reader's; Spanish is the other one."""
    return labels["en" if (get_language() or "").startswith("en") else "es"]
