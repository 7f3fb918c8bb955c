"""What every action is: a name, a schema, checks at save, a sentence, an effect.

An effect happens inside the savepoint of its rule. What the door or another guard refuses is an
outcome; anything else that is raised undoes the whole rule and is tried again.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any, Final, Literal

from automation.models.rule import AutomationRule
from automation.problems import Problem
from automation.selectors.hearing import blocking_stages
from journeys.models.event import SystemEventLog
from journeys.models.template import JourneyTemplate
from journeys.selectors.definitions import Definition, definitions
from kura.accounts.models import Organization
from kura.conditions import Labels
from kura.errors import KuraError

Params = Mapping[str, Any]
Status = Literal["done", "unchanged", "refused", "skipped"]
AFTER_REFUSAL: Final = "after_refusal"


@dataclass(frozen=True, kw_only=True)
class Practice:
    """What a rule may speak of: the organization's journeys, read once and when asked for."""

    organization: Organization

    @cached_property
    def journeys(self) -> dict[str, Definition]:
        """By key. Needs the organization's tenant scope."""
        ids = JourneyTemplate.objects.filter(organization=self.organization).values_list("pk")
        return {one.key: one for one in definitions([pk for (pk,) in ids]).values()}

    @cached_property
    def blocking(self) -> frozenset[tuple[str, str]]:
        return blocking_stages(self.organization.pk)

    def is_blocking(self, journey_key: str, stage: str) -> bool:
        return (journey_key, stage) in self.blocking


@dataclass(frozen=True, kw_only=True, slots=True)
class Doing:
    """One action of one rule for one event. `facts`: what the rule saw."""

    event: SystemEventLog
    patient_id: uuid.UUID
    rule: AutomationRule
    index: int
    facts: Mapping[str, Any]
    practice: Practice
    now: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """What became of an action, as the run keeps it. `refused` stops the actions after it."""

    status: Status
    code: str = ""
    words: str = ""
    refs: Mapping[str, Any] = field(default_factory=dict)
    """log_id with journey_key and stage, message_ids, task_id, event_id: what it caused."""

    def as_json(self, action_type: str) -> dict[str, Any]:
        told = {"type": action_type, "status": self.status, "error_code": self.code or None}
        if self.words:
            told["words"] = self.words
        return told | {name: _plain(value) for name, value in self.refs.items()}


def done(**refs: Any) -> Outcome:
    return Outcome(status="done", refs=refs)


def refused(refusal: KuraError) -> Outcome:
    return Outcome(status="refused", code=refusal.code, words=str(refusal))


def _plain(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return str(value) if isinstance(value, uuid.UUID) else value


@dataclass(frozen=True, kw_only=True, slots=True)
class Action:
    """`problems` finds what a schema cannot: keys and stages that the practice does not have.

    Pointers in problems begin inside the params ("/status").
    """

    name: str
    labels: Labels
    schema: Mapping[str, Any]
    problems: Callable[[Params, Practice], Iterator[Problem]]
    sentence: Callable[[Params, Practice], str]
    perform: Callable[[Params, Doing], Outcome]
