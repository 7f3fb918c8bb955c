"""Does this rule, with these facts, say yes? Pure: the same for production, dry run and trace.

The rule's own `stage` is a condition like any other and stands first in the trace.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from kura.conditions import InvalidCondition, Verdict, evaluate

TIMEOUT: Final = "JOURNEY_STAGE_TIMEOUT"


@dataclass(frozen=True, slots=True)
class Judgement:
    """`matched` is None when the data does not decide: the rule does not run then.

    `trace`: one entry a condition: pointer, field, op, expected, actual, result, note.
    """

    matched: bool | None
    trace: list[dict[str, Any]]

    @property
    def holds(self) -> bool:
        return self.matched is True


def judge(rule: Mapping[str, Any], facts: Mapping[str, Any]) -> Judgement:
    """`rule` is a definition (`AutomationRule.definition`). Raises InvalidCondition."""
    verdicts = [evaluate(_place(rule), facts), evaluate(rule["conditions"], facts)]
    return Judgement(_both(verdicts), [leaf for one in verdicts for leaf in one.as_json()])


def _place(rule: Mapping[str, Any]) -> dict[str, Any]:
    """The stage that the trigger narrows to, as a condition; `{}` where it does not."""
    stage, key = rule.get("stage"), rule.get("journey_key")
    if not stage:
        return {}
    if rule["trigger_event"] == TIMEOUT:
        return {"field": "event.payload.stage", "op": "eq", "value": stage}
    path = f"journeys.{key}" if key else "journey.stage"
    return {"field": path, "op": "eq", "value": stage}


def _both(verdicts: list[Verdict]) -> bool | None:
    results = {verdict.result for verdict in verdicts}
    return False if False in results else None if None in results else True


__all__ = ["InvalidCondition", "Judgement", "judge"]
