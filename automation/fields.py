"""What a rule may ask about: all that a guard may, and the event that called it.

`event.payload.<name>` is typed by the rule's trigger. Paths and types are also what the API's
vocabulary and the flow builder offer.
"""

from __future__ import annotations

from typing import Final

from journeys.event_types import EVENT_TYPES, EventType, event_type, names
from journeys.fields import guard_field
from kura.conditions import Field, FieldLookup

EVENT_FIELDS: Final = {
    known.path: known
    for known in (
        Field(
            "event.type",
            "string",
            names("evento", "event"),
            choices={name: kind.labels for name, kind in EVENT_TYPES.items()},
        ),
        Field("event.source", "string", names("origen del evento", "source of the event")),
        Field("event.journey_key", "string", names("journey del evento", "journey of the event")),
        Field("event.occurred_at", "datetime", names("momento del evento", "time of the event")),
    )
}
_PAYLOAD: Final = "event.payload."


def rule_fields(trigger_event: str) -> FieldLookup:
    """The catalogue for rules with this trigger."""
    kind = event_type(trigger_event)

    def field_at(path: str) -> Field | None:
        if path.startswith(_PAYLOAD):
            return _of_payload(kind, path)
        return EVENT_FIELDS.get(path) or guard_field(path)

    return field_at


def _of_payload(kind: EventType, path: str) -> Field | None:
    name = path.removeprefix(_PAYLOAD)
    part = kind.payload.get(name)
    if part is not None:
        return Field(path, part.type, part.labels, choices=part.choices, says=part.says)
    if kind.name in EVENT_TYPES or not name.isidentifier():
        return None
    return Field(path, "string", names(name, name))
