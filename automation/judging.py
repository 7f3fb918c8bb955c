"""Does this rule, with these facts, say yes? Pure: the same for production, dry run and trace.

The rule's own `stage` is a condition like any other and stands first in the trace.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from kura.conditions import LeafResult, Node, Verdict, parse, verdict_of

TIMEOUT: Final = "JOURNEY_STAGE_TIMEOUT"


@dataclass(frozen=True, slots=True)
class Judgement:
    """`matched` is None when the data does not decide: the rule does not run then.

    `trace`: one entry a condition: pointer, field, op, expected, actual, result, note.
    """

    place: Verdict
    conditions: Verdict

    @property
    def matched(self) -> bool | None:
        results = {self.place.result, self.conditions.result}
        return False if False in results else None if None in results else True

    @property
    def holds(self) -> bool:
        return self.matched is True

    @property
    def leaves(self) -> tuple[LeafResult, ...]:
        return self.place.leaves + self.conditions.leaves

    @property
    def trace(self) -> list[dict[str, Any]]:
        return [leaf.as_json() for leaf in self.leaves]


@dataclass(frozen=True, slots=True)
class Question:
    """What a rule asks, read once to be asked of many facts. `None` always holds."""

    place: Node | None
    conditions: Node | None

    def asked_of(self, facts: Mapping[str, Any]) -> Judgement:
        return Judgement(verdict_of(self.place, facts), verdict_of(self.conditions, facts))


def question(rule: Mapping[str, Any]) -> Question:
    """`rule` is a definition (`AutomationRule.definition`). Raises InvalidCondition."""
    return Question(parse(place_of(rule)), parse(rule["conditions"]))


def judge(rule: Mapping[str, Any], facts: Mapping[str, Any]) -> Judgement:
    """Raises InvalidCondition."""
    return question(rule).asked_of(facts)


def place_of(rule: Mapping[str, Any]) -> dict[str, Any]:
    """The stage that the trigger narrows to, as a condition; `{}` where it does not."""
    stage, key = rule.get("stage"), rule.get("journey_key")
    if not stage:
        return {}
    if rule["trigger_event"] == TIMEOUT:
        return {"field": "event.payload.stage", "op": "eq", "value": stage}
    path = f"journeys.{key}" if key else "journey.stage"
    return {"field": path, "op": "eq", "value": stage}
