"""What the actions of a rule would have done, judged by the facts kept with an event. Pure.

The patient stands where the facts say that they stood; the journeys are asked as they are today,
by the same guards as every move, because the question is what the rule would do from now on to
people like these. Nothing but the event's own facts is read: ten thousand events are judged in the
time that the engine needs for twenty.

So it is less than a rehearsal (`automation.rehearsal`), and says so: what the facts do not tell
is `unknown`, never a refusal. What depends on the order of deliveries (`superseded`,
`block_pending`) and on what other rules did to the same event is not asked. A message is `done`
once it would be written: whether it may leave is decided when it would (`automation.withholding`).
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from automation.actions.base import AFTER_REFUSAL, Params, Practice
from automation.addressees import usable_address
from automation.engine import may_block
from automation.models.message import Audience
from journeys.cause import Cause, by_rule
from journeys.event_types import event_type
from journeys.fields import event_name
from journeys.guards import Decision, decide_entry, decide_move, edge
from journeys.selectors.definitions import Definition
from journeys.selectors.positions import Position
from kura.conditions import InvalidCondition, evaluate, paths

Facts = Mapping[str, Any]
MOVES: Final = frozenset({"update_journey_status", "enroll"})
_SOMEBODY: Final = uuid.UUID(int=0)
_OF_ANY_JOURNEY: Final = frozenset({"journey.key", "journey.stage", "journey.status"})


@dataclass(frozen=True, slots=True)
class Foretold:
    """What one action would have done. `code`: why it was refused, or what to know of it.

    `unknown`: the facts of that moment do not tell.
    """

    status: Literal["done", "unchanged", "refused", "skipped", "unknown"]
    code: str = ""


_DONE: Final = Foretold("done")
_UNKNOWN: Final = Foretold("unknown", "no_data")


@dataclass(slots=True)
class _Standing:
    """Where the patient stood, as the rule's own actions change it. `stages` None: not known."""

    facts: Facts
    key: str
    stages: dict[str, str] | None


@dataclass(frozen=True, kw_only=True)
class Hindsight:
    """The actions of one rule, to be judged for many events."""

    actions: Sequence[Mapping[str, Any]]
    practice: Practice
    rule_id: uuid.UUID
    _decided: dict[tuple[str, str, str, str], Foretold] = field(default_factory=dict)

    def foretell(self, facts: Facts, journey_key: str) -> tuple[Foretold, ...]:
        """In the order of the actions. `facts`: what the rule saw, `journey_key` the event's."""
        stages = facts.get("journeys")
        known = dict(stages) if isinstance(stages, Mapping) else None
        standing = _Standing(facts, journey_key, known)
        told: list[Foretold] = []
        for action in self.actions:
            told.append(self._after(told, action) or self._one(action, standing))
        return tuple(told)

    def _after(self, told: Sequence[Foretold], action: Mapping[str, Any]) -> Foretold | None:
        """As the engine: what is refused stops the actions after it, but no block."""
        statuses = {one.status for one in told}
        if not statuses & {"refused", "unknown"} or may_block([action], self.practice):
            return None
        return Foretold("skipped", AFTER_REFUSAL) if "refused" in statuses else _UNKNOWN

    def _one(self, action: Mapping[str, Any], standing: _Standing) -> Foretold:
        params = action.get("params", {})
        if action["type"] not in MOVES:
            return _mail(params, standing) if action["type"] == "send_email" else _DONE
        if standing.stages is None:
            return _UNKNOWN
        is_entry = action["type"] == "enroll"
        return self._enrolled(params, standing) if is_entry else self._moved(params, standing)

    # --- moves ------------------------------------------------------------------------------------

    def _moved(self, params: Params, standing: _Standing) -> Foretold:
        definition = self.practice.journeys.get(params["key"])
        if definition is None:
            return Foretold("refused", "unknown_journey")
        stage = (standing.stages or {}).get(definition.key, "")
        if stage and stage not in definition.stages:
            return _UNKNOWN
        if not _is_open(definition, stage):
            return Foretold("refused", "not_enrolled")
        if stage == params["status"]:
            return Foretold("unchanged", "stage_unchanged")
        return self._gone(definition, stage, params["status"], standing)

    def _enrolled(self, params: Params, standing: _Standing) -> Foretold:
        if self._is_held(standing):
            return Foretold("refused", "journey_blocked")
        definition = self.practice.journeys.get(params["key"])
        if definition is None:
            return Foretold("refused", "unknown_journey")
        stage = (standing.stages or {}).get(definition.key, "")
        if stage and stage not in definition.stages:
            return _UNKNOWN
        if _is_open(definition, stage):
            return Foretold("unchanged", "already_enrolled")
        return self._gone(
            definition, "", params.get("status") or definition.initial_stage, standing
        )

    def _is_held(self, standing: _Standing) -> bool:
        """In any journey, as in the action itself; a stage that has been retired holds too."""
        known = self.practice.journeys
        found = [
            known[key].stages.get(stage)
            for key, stage in (standing.stages or {}).items()
            if key in known
        ]
        return any(stage is not None and stage.is_blocking for stage in found)

    def _gone(
        self, definition: Definition, stage: str, to_stage: str, standing: _Standing
    ) -> Foretold:
        told = self._along(definition, stage, to_stage, standing)
        if told.status == "done":
            _stands(standing, definition, to_stage)
        return told

    def _along(
        self, definition: Definition, stage: str, to_stage: str, standing: _Standing
    ) -> Foretold:
        """Where no condition lies on the way, the stage decides alone: once for all patients."""
        position = _position(definition, stage)
        move = edge(definition, position, to_stage)
        guard = move.guard if move else {}
        if guard:
            return self._through(guard, definition, position, to_stage, standing)
        way = ("move" if stage else "enroll", definition.key, stage, to_stage)
        if way not in self._decided:
            self._decided[way] = _told(self._decide(definition, position, to_stage, {}))
        return self._decided[way]

    def _through(
        self,
        guard: Mapping[str, Any],
        definition: Definition,
        position: Position,
        to_stage: str,
        standing: _Standing,
    ) -> Foretold:
        """A guard is never met for lack of data that was there and was not kept."""
        facts = _facts_about(definition, position, standing)
        told = _told(self._decide(definition, position, to_stage, facts))
        if told.status == "refused" and told.code != "guard_failed":
            return told
        return told if _is_decided(guard, facts, standing.key == definition.key) else _UNKNOWN

    def _decide(
        self, definition: Definition, position: Position, to_stage: str, facts: Facts
    ) -> Decision:
        decide = decide_move if position.is_open else decide_entry
        return decide(definition, position, to_stage, self._cause, facts)

    @property
    def _cause(self) -> Cause:
        return by_rule(self.rule_id, trigger_event_id=None)


def _told(decision: Decision) -> Foretold:
    return Foretold("refused", decision.code or "") if decision.refusal else _DONE


def _is_open(definition: Definition, stage: str) -> bool:
    found = definition.stages.get(stage)
    return found is not None and not found.is_closed


def _position(definition: Definition, stage: str) -> Position:
    return Position(
        patient_id=_SOMEBODY,
        organization_id=definition.organization_id,
        template_id=definition.template_id,
        template_version=definition.version,
        template_settled=True,
        enrollment_id=_SOMEBODY if stage else None,
        number=None,
        stage=stage or None,
        status=definition.stages[stage].status if stage else None,
        entered_at=None,
        blocked_from=None,
        seq=None,
        closed_at=None,
    )


def _stands(standing: _Standing, definition: Definition, stage: str) -> None:
    if standing.stages is not None:
        standing.stages[definition.key] = stage
    if standing.key == definition.key:
        place = {"stage": stage, "status": definition.stages[stage].status, "hours_in_stage": 0}
        journey = {**standing.facts.get("journey", {}), **place}
        journey.pop("entered_at", None)
        standing.facts = {**standing.facts, "journey": journey}


# --- what a guard could see -----------------------------------------------------------------------


def _facts_about(definition: Definition, position: Position, standing: _Standing) -> Facts:
    """Facts are kept as the event's journey saw them; of another one they tell the stage."""
    if standing.key == definition.key:
        return standing.facts
    events = standing.facts.get("events", {})
    journey = {"key": definition.key, "stage": position.stage, "status": position.status}
    of_person = {name: told for name, told in events.items() if not event_type(name).per_journey}
    return {**standing.facts, "journey": journey, "events": of_person}


def _is_decided(guard: Mapping[str, Any], facts: Facts, is_own: bool) -> bool:
    """Would no fact that was not kept change what the guard says?"""
    try:
        missing = {path for path in paths(guard) if not _is_kept(path, facts, is_own)}
    except InvalidCondition:
        return True
    if not missing:
        return True
    verdict = evaluate(guard, facts)
    asks_whether = any(leaf.op == "exists" for leaf in verdict.leaves if leaf.field in missing)
    return verdict.result is not None and not asks_whether


def _is_kept(path: str, facts: Facts, is_own: bool) -> bool:
    root, _dot, name = path.partition(".")
    if root == "journey":
        taken = facts.get("journey", {})
        return path in _OF_ANY_JOURNEY or (is_own and (name != "reviewed_at" or name in taken))
    if root == "events":
        return event_name(path) in facts.get("events", {})
    return True


# --- messages -------------------------------------------------------------------------------------


def _mail(params: Params, standing: _Standing) -> Foretold:
    """To a patient without an address it becomes a task for a person."""
    patient = standing.facts.get("patient")
    if params.get("audience") != Audience.PATIENT or not isinstance(patient, Mapping):
        return _DONE
    return _DONE if usable_address(patient.get("email")) else Foretold("done", "no_address")
