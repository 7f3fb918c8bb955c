"""What a condition may ask about.

The catalogue of fields belongs to the floor that loads the facts. Many paths are patterns
(`events.<TYPE>.count`), so a catalogue is a function as often as a mapping: both are accepted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

FieldType = Literal["string", "number", "integer", "boolean", "datetime", "list"]
Labels = Mapping[str, str]  # language -> words: {"es": "importe", "en": "amount"}


@dataclass(frozen=True, slots=True)
class Field:
    """One thing that can be asked.

    `choices` closes the values of a string, or of a list's items: value -> its names.
    `says` is what such a value says by itself: "high risk" instead of "risk level: high".
    `claim` is what the field says when it affirms (a boolean is true, an integer at least 1):
    "payment received" instead of "payments is at least 1".
    """

    path: str
    type: FieldType
    labels: Labels
    choices: Mapping[str, Labels] | None = None
    claim: Labels | None = None
    says: Mapping[str, Labels] | None = None


FieldLookup = Callable[[str], Field | None]
Fields = Mapping[str, Field] | FieldLookup


def lookup(fields: Fields) -> FieldLookup:
    return fields if callable(fields) else fields.get
