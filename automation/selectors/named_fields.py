"""The fields of a rule with the practice's own names: journeys and stages instead of their keys."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Final

from django.utils import formats, timezone
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from automation.fields import rule_fields
from journeys.event_types import names
from journeys.models.log import ActorKind
from journeys.selectors.definitions import Definition
from kura.conditions import Field, FieldLookup, Labels
from kura.conditions.values import instant

Journeys = Mapping[str, Definition]  # by key
_STAGES: Final = frozenset(
    {
        "journey.stage",
        "event.payload.stage",
        "event.payload.from_stage",
        "event.payload.to_stage",
    }
)
_KEYS: Final = frozenset({"journey.key", "event.journey_key"})


def named_fields(trigger_event: str, journeys: Journeys, journey_key: str = "") -> FieldLookup:
    """`journey_key`: whose stages `journey.stage` and the payload speak of; '' for any."""
    plain = rule_fields(trigger_event)
    spoken_of = [journeys[journey_key]] if journey_key in journeys else list(journeys.values())

    def field_at(path: str) -> Field | None:
        field = plain(path)
        return field and _named(field, journeys, spoken_of)

    return field_at


def _named(field: Field, journeys: Journeys, spoken_of: Iterable[Definition]) -> Field:
    if field.path in _STAGES:
        return replace(field, choices=_stages(spoken_of))
    if field.path in _KEYS:
        return replace(field, choices={key: names(j.name, j.name) for key, j in journeys.items()})
    if field.path == "event.payload.actor_kind":
        return replace(field, choices={kind: _both(kind) for kind in ActorKind})
    journey = journeys.get(field.path.removeprefix("journeys."))
    if field.path.startswith("journeys.") and journey:
        labels = names(f"etapa en «{journey.name}»", f"stage in “{journey.name}”")
        return replace(field, labels=labels, choices=_stages([journey]))
    return field


def _stages(journeys: Iterable[Definition]) -> dict[str, Labels]:
    return {
        code: names(stage.label_es, stage.label_en)
        for journey in journeys
        for code, stage in journey.stages.items()
    }


def _both(kind: ActorKind) -> Labels:
    words = str(kind.label)  # in the reader's language, whichever it is
    return names(words, words)


def value_words(value: object, field: Field | None) -> str:
    """A fact as a person reads it: its name, yes or no, a local time."""
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
    if field is None or not field.labels:
        return path
    return _in_language(field.labels)


def _text_words(value: str, field: Field | None) -> str:
    if field and field.choices and value in field.choices:
        return _in_language(field.choices[value])
    when = instant(value) if field and field.type == "datetime" else None
    return value if when is None else formats.date_format(timezone.localtime(when), "j b Y, H:i")


def _in_language(labels: Labels) -> str:
    return labels["en" if (get_language() or "").startswith("en") else "es"]
