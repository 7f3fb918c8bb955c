"""What a ready rule is, and the words they are written with (`library.py`, `ladders.py`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from kura.conditions import Labels

MOVE: Final = 100


@dataclass(frozen=True, kw_only=True, slots=True)
class ReadyRule:
    """`code` is its name for ever. `description`: why a practice would want it."""

    code: str
    names: Labels
    descriptions: Labels
    journey_key: str
    trigger: str
    actions: Sequence[Mapping[str, Any]]
    stage: str = ""
    conditions: Mapping[str, Any] = field(default_factory=dict)
    priority: int = MOVE
    clock: Mapping[str, Any] = field(default_factory=dict)
    """A time-out's max_hours, repeat_hours and max_repeats."""

    def definition(self, language: str) -> dict[str, Any]:
        """As `create_rule` takes it, named in that language."""
        return {
            "name": self.names.get(language, self.names["es"]),
            "trigger_event": self.trigger,
            "journey_key": self.journey_key,
            "stage": self.stage,
            "conditions": dict(self.conditions),
            "actions": [dict(action) for action in self.actions],
            "priority": self.priority,
            **self.clock,
        }


def said(es: str, en: str) -> Labels:
    return {"es": es, "en": en}


def to(key: str, stage: str) -> dict[str, Any]:
    return {"type": "update_journey_status", "params": {"key": key, "status": stage}}


def task(text: Labels, *, due_in_hours: int) -> dict[str, Any]:
    params = {"audience": "therapist", "text": dict(text), "due_in_hours": due_in_hours}
    return {"type": "create_task", "params": params}


def mail(subject: Labels, body: Labels, *, audience: str = "patient") -> dict[str, Any]:
    params = {"audience": audience, "subject": dict(subject), "body": dict(body)}
    return {"type": "send_email", "params": params}
