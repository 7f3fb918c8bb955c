"""May this patient move there? Pure: a definition, a position, a cause and facts in; a yes or a
refusal with reasons out. `allowed_transitions`, the services and the admin all ask here.

Order of checks (the first failure is reported): closed, stage in template, same stage, blocked,
graph, permission, guard. Into an on-hold stage the graph and its guards never stand in the way:
a template that forgot an arrow must not keep a person at risk moving on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from journeys import errors
from journeys.cause import ENROLL, MOVE, UNBLOCK, Cause
from journeys.fields import guard_field
from journeys.models.template import StageStatus
from journeys.selectors.definitions import Definition, Move, Stage
from journeys.selectors.positions import Position
from kura.conditions import (
    GroupResult,
    InvalidCondition,
    LeafResult,
    Outcome,
    describe_unmet,
    evaluate,
    paths,
)
from kura.errors import KuraError

MINIMUM_REASON: Final = 10  # characters, after trimming (UI 03)
NO_FACTS: Final[Mapping[str, Any]] = {}


@dataclass(frozen=True, slots=True)
class Missing:
    """One unmet condition of a guard: the field it asks for, and the words."""

    field: str
    words: str


@dataclass(frozen=True, slots=True)
class Decision:
    """`refusal` is None when the move is allowed. `requires_reason`: of a person, in words."""

    to_stage: str
    refusal: KuraError | None = None
    requires_reason: bool = False
    missing: tuple[Missing, ...] = field(default=())

    @property
    def allowed(self) -> bool:
        return self.refusal is None

    @property
    def code(self) -> str | None:
        return self.refusal.code if self.refusal else None


def decide_move(
    definition: Definition,
    position: Position,
    to_stage: str,
    cause: Cause,
    facts: Mapping[str, Any] = NO_FACTS,
) -> Decision:
    """A patient who is (or was) enrolled moves on."""
    refusal = _place(definition, position, to_stage) or _standing(
        definition, position, to_stage, cause
    )
    if refusal:
        return Decision(to_stage, refusal)
    move = edge(definition, position, to_stage)
    if move is None:
        return Decision(to_stage, _no_edge(definition, position, to_stage))
    return _along(move, cause, facts, leaving_block=position.is_blocked)


def decide_entry(
    definition: Definition,
    position: Position,
    to_stage: str,
    cause: Cause,
    facts: Mapping[str, Any] = NO_FACTS,
) -> Decision:
    """A patient who is not in this journey now enters it in `to_stage`."""
    refusal = _entry(definition, position, to_stage, cause)
    if refusal:
        return Decision(to_stage, refusal)
    move = edge(definition, position, to_stage)
    if move is None:
        return Decision(to_stage, _no_entry(definition, position, to_stage))
    return _along(move, cause, facts, leaving_block=False)


# --- why --------------------------------------------------------------------------------------


def missing_reason(
    decision: Decision, cause: Cause, *, leaving_block: bool
) -> errors.ReasonRequired | errors.ReasonCodeRequired | None:
    """A person gives a reason in words; to lift a block, also a code (the database insists)."""
    if not (cause.is_person and decision.requires_reason):
        return None
    if visible_length(cause.reason) < MINIMUM_REASON:
        return errors.ReasonRequired(minimum=MINIMUM_REASON)
    if leaving_block and not cause.reason_code:
        return errors.ReasonCodeRequired()
    return None


def visible_length(text: str) -> int:
    """Characters that a reader sees: blanks at the ends and invisible ones do not count."""
    return len("".join(c for c in text if c.isprintable()).strip())


# --- how far ----------------------------------------------------------------------------------


class Leap(StrEnum):
    """A move that is allowed and still worth a second look by whoever makes it."""

    BACK = "back"
    OVER = "over"


def leap(definition: Definition, from_stage: str, to_stage: str) -> Leap | None:
    """Backwards, or over stages that lie between. Blocks and cancellations lie beside the way."""
    way = [code for code, stage in definition.allowed.items() if _is_on_the_way(stage)]
    if from_stage not in way or to_stage not in way:
        return None
    steps = way.index(to_stage) - way.index(from_stage)
    return Leap.BACK if steps < 0 else Leap.OVER if steps > 1 else None


def _is_on_the_way(stage: Stage) -> bool:
    return not stage.is_blocking and stage.status != StageStatus.CANCELLED


# --- where ------------------------------------------------------------------------------------


def _place(definition: Definition, position: Position, to_stage: str) -> KuraError | None:
    if not position.is_open:
        return errors.JourneyClosed(journey_key=definition.key)
    return _known_stage(definition, to_stage)


def _known_stage(definition: Definition, to_stage: str) -> KuraError | None:
    if to_stage in definition.allowed:
        return None
    return errors.StageNotAllowed(
        to_stage=to_stage, journey=definition.name, allowed_stages=list(definition.allowed)
    )


def _standing(
    definition: Definition, position: Position, to_stage: str, cause: Cause
) -> KuraError | None:
    if position.stage == to_stage:
        return errors.StageUnchanged(to_stage=to_stage, to_label=definition.label(to_stage))
    if position.is_blocked:
        return _leaving_block(definition, position, cause)
    return None if cause.may(MOVE) else errors.MoveNotPermitted(permission=MOVE)


def _leaving_block(definition: Definition, position: Position, cause: Cause) -> KuraError | None:
    if not cause.is_person:
        label = definition.label(position.stage)
        return errors.JourneyBlocked(from_stage=position.stage, from_label=label)
    if not cause.may(UNBLOCK):
        return errors.UnblockNotPermitted(from_stage=position.stage)
    colleague = cause.user is not None and cause.user.organization_id == position.organization_id
    return None if colleague else errors.UnblockNeedsPerson()


def _entry(
    definition: Definition, position: Position, to_stage: str, cause: Cause
) -> KuraError | None:
    if position.is_open:
        return errors.AlreadyEnrolled(journey=definition.name, journey_key=definition.key)
    if not definition.is_active:
        return errors.TemplateInactive(journey=definition.name, journey_key=definition.key)
    if not cause.may(ENROLL):
        return errors.MoveNotPermitted(permission=ENROLL)
    return _known_stage(definition, to_stage)


# --- along which edge -------------------------------------------------------------------------


def edge(definition: Definition, position: Position, to_stage: str) -> Move | None:
    """The edge of the graph that leads there; None where there is none.

    Without a graph every move is one. Into a block there always is one. Out of a block there
    always is the one back to where the patient stood, and into a journey the one to its
    initial stage: unless the template lists that edge, then what it says of it holds.
    """
    stage = definition.allowed.get(to_stage)
    if stage is None:
        return None
    from_stage = position.stage if position.is_open else None
    listed = definition.move(from_stage, to_stage)
    if stage.is_blocking:
        return _unguarded(from_stage, to_stage, listed)
    free = not definition.has_graph or to_stage == _way_back(definition, position)
    return listed or (_unguarded(from_stage, to_stage) if free else None)


def _way_back(definition: Definition, position: Position) -> str | None:
    if not position.is_open:
        return definition.initial_stage
    return way_back(definition, position) if position.is_blocked else None


def way_back(definition: Definition, position: Position) -> str | None:
    """Where a lifted block leads: the stage before it, or else the beginning of the journey.

    That stage may be gone, or be blocking itself: then the first stage that neither blocks nor
    closes, so that nobody is held for ever. None when there is no such stage.
    """
    wanted = (position.blocked_from, definition.initial_stage, *definition.allowed)
    open_ones = [code for code in wanted if code and _goes_on(definition, code)]
    return open_ones[0] if open_ones else None


def _goes_on(definition: Definition, code: str) -> bool:
    stage = definition.allowed.get(code)
    return stage is not None and not (stage.is_blocking or stage.is_closed)


def _unguarded(from_stage: str | None, to_stage: str, listed: Move | None = None) -> Move:
    return Move(from_stage, to_stage, {}, bool(listed and listed.requires_reason), "")


def _no_edge(definition: Definition, position: Position, to_stage: str) -> KuraError:
    return errors.TransitionNotPermitted(
        from_stage=position.stage,
        from_label=definition.label(position.stage),
        to_stage=to_stage,
        to_label=definition.label(to_stage),
        allowed_to=_ways(definition, position),
    )


def _no_entry(definition: Definition, position: Position, to_stage: str) -> KuraError:
    return errors.EntryNotPermitted(
        from_stage=None,
        to_stage=to_stage,
        to_label=definition.label(to_stage),
        allowed_to=_ways(definition, position),
    )


def _ways(definition: Definition, position: Position) -> list[str]:
    return [code for code in definition.allowed if _leads(definition, position, code)]


def _leads(definition: Definition, position: Position, code: str) -> bool:
    return code != position.stage and edge(definition, position, code) is not None


def asked_for(definition: Definition, position: Position, to_stage: str) -> set[str]:
    """The fields that the guard on the way there asks for, so that a loader fetches them."""
    move = edge(definition, position, to_stage)
    try:
        return paths(move.guard) if move and move.guard else set()
    except InvalidCondition:
        return set()


# --- on which conditions ----------------------------------------------------------------------


def _along(move: Move, cause: Cause, facts: Mapping[str, Any], *, leaving_block: bool) -> Decision:
    needs_reason = move.requires_reason or leaving_block
    if move.permission and not cause.may(move.permission):
        refusal = errors.MoveNotPermitted(permission=move.permission)
        return Decision(move.to_stage, refusal, needs_reason)
    try:
        unmet = evaluate(move.guard, facts).unmet() if move.guard else None
    except InvalidCondition as unreadable:  # written past the services: this edge alone is shut
        return Decision(move.to_stage, unreadable, needs_reason)
    if unmet is None:
        return Decision(move.to_stage, None, needs_reason)
    missing = _missing(unmet)
    return Decision(move.to_stage, _guard_failed(missing), needs_reason, missing)


def _guard_failed(missing: tuple[Missing, ...]) -> KuraError:
    words = [one.words for one in missing]
    return errors.GuardFailed(missing=words, missing_words="; ".join(words))


def _missing(unmet: Outcome) -> tuple[Missing, ...]:
    """In an `all`, each unmet part on its own; the alternatives of an `any` are one."""
    parts = unmet.parts if isinstance(unmet, GroupResult) and unmet.kind == "all" else (unmet,)
    return tuple(Missing(_first_field(part), describe_unmet(part, guard_field)) for part in parts)


def _first_field(outcome: Outcome) -> str:
    while not isinstance(outcome, LeafResult):
        outcome = outcome.parts[0]
    return outcome.field
