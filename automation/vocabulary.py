"""What a rule of this practice may ask about: the fields, with the practice's journeys and stages.

`fields.py` knows the paths; here their values get names. A stage or a journey that the practice
does not have is then refused when the rule is saved, and shown by its name when it is read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Final

from automation.actions.base import Practice
from automation.fields import EVENT_FIELDS, rule_fields
from journeys.event_types import EVENT_TYPES, event_type
from journeys.fields import FIXED_FIELDS
from journeys.selectors.definitions import Definition
from kura.conditions import Field, FieldLookup, Labels

_OTHER_JOURNEY: Final = "journeys."
_JOURNEY_KEYS: Final = frozenset({"event.journey_key", "journey.key"})
_STAGES: Final = frozenset(
    {"journey.stage", "event.payload.to_stage", "event.payload.from_stage", "event.payload.stage"}
)
_UNITS: Final = {"hours_in_stage": "hours", "amount_cents": "cents"}  # by the end of a path
_KURAS_OWN: Final = "JOURNEY_"  # events of these types speak of stages; others may mean anything


def practice_fields(trigger_event: str, journey_key: str, practice: Practice) -> FieldLookup:
    """The catalogue for rules with this trigger, narrowed to this journey ("" for any)."""
    known = rule_fields(trigger_event)

    def field_at(path: str) -> Field | None:
        field = known(path)
        if field is None:
            return None
        if path.startswith(_OTHER_JOURNEY):
            return _in_journey(field, practice.journeys.get(path.removeprefix(_OTHER_JOURNEY)))
        if path in _JOURNEY_KEYS:
            return replace(field, choices=_journeys(practice))
        if path in _STAGES and _speaks_of_stages(path, trigger_event):
            return replace(field, choices=_stages(practice, journey_key))
        return field

    return field_at


def common_paths(practice: Practice) -> Iterator[str]:
    """What a rule of any trigger may ask about."""
    yield from EVENT_FIELDS
    yield from FIXED_FIELDS
    yield from (f"journeys.{key}" for key in practice.journeys)
    for kind in EVENT_TYPES.values():
        yield f"events.{kind.name}.count"
        yield from (f"events.{kind.name}.last.{name}" for name in kind.payload)


def payload_paths(trigger_event: str) -> list[str]:
    """What only the rules of this trigger may ask about; of an event of one's own, nothing is
    known beforehand.
    """
    return [f"event.payload.{name}" for name in event_type(trigger_event).payload]


def unit_of(path: str) -> str | None:
    """hours, cents."""
    return _UNITS.get(path.rpartition(".")[2])


def _speaks_of_stages(path: str, trigger_event: str) -> bool:
    return path == "journey.stage" or trigger_event.startswith(_KURAS_OWN)


def _in_journey(field: Field, journey: Definition | None) -> Field | None:
    """None for a journey that this practice does not have."""
    if journey is None:
        return None
    labels = {"es": f"etapa en «{journey.name}»", "en": f"stage in “{journey.name}”"}
    return replace(field, labels=labels, choices=_stages_of(journey))


def _journeys(practice: Practice) -> Mapping[str, Labels]:
    return {
        key: {"es": journey.name, "en": journey.name} for key, journey in practice.journeys.items()
    }


def _stages(practice: Practice, journey_key: str) -> Mapping[str, Labels]:
    """Of the journey that the rule is narrowed to, or else of all."""
    wanted = practice.journeys.get(journey_key)
    journeys = [wanted] if wanted else practice.journeys.values()
    return {code: labels for one in journeys for code, labels in _stages_of(one).items()}


def _stages_of(journey: Definition) -> Mapping[str, Labels]:
    """Retired ones too: a patient whose journey has ended may have ended there."""
    return {
        code: {"es": stage.label_es, "en": stage.label_en} for code, stage in journey.stages.items()
    }
