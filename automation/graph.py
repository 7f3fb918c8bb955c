"""Rules that call each other without end, as far as the rules themselves prove it.

Pure: definitions and a practice in, a cycle out. What is followed is the patient through the
rules: which event the last action certainly caused, in which journey, and where the patient is
known to stand by then. A rule B comes after a rule A when

- an action of A causes an event of B's trigger, in a journey that B listens to, and
- B's stage and conditions are certainly met by what is known: the event's contents and the stages
  that the rules before have set. A condition on anything else (an amount, the patient's language)
  may stop the chain, so it proves nothing, and the rule may be saved.

A cycle is proven when the same rule is reached again with the same knowledge. Two moves to the
same stage are none: the second changes nothing and causes no event. Neither is a move that the
template's graph or a guard may refuse, nor one out of a block. So a ladder that ends is never
refused, and a chain that only the data could stop is left to the budget (8 deep, 32 a root, a rule
once a root), which stops every chain whatever is proven here.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from automation.actions.base import Practice
from automation.engine import readable_actions
from automation.sources import RULES, TRANSITIONS
from journeys.event_types import is_custom
from journeys.selectors.definitions import Definition
from kura.conditions import Group, InvalidCondition, Leaf, Node, evaluate, parse

CHANGED: Final = "JOURNEY_STAGE_CHANGED"
ENROLLED: Final = "JOURNEY_ENROLLED"
NOWHERE: Final = ""  # the journey of an event that names none
MOST_STEPS: Final = 5_000  # looked at from one rule; a web beyond it proves nothing in time
_PAYLOAD: Final = "event.payload."

Stages = frozenset[tuple[str, str]]  # journey key and the stage where the patient is known to be


@dataclass(frozen=True, eq=False)
class Listener:
    """A rule as the graph sees it. Equal is only what is the same."""

    name: str
    definition: Mapping[str, Any]

    @property
    def trigger(self) -> str:
        return str(self.definition.get("trigger_event", ""))

    @property
    def journey_key(self) -> str:
        return self.definition.get("journey_key") or ""

    @property
    def stage(self) -> str:
        return self.definition.get("stage") or ""

    @cached_property
    def actions(self) -> list[tuple[str, dict[str, Any]]]:
        return readable_actions(self.definition.get("actions"))

    @cached_property
    def calls(self) -> set[str]:
        """The kinds of events that its actions may cause."""
        moved = {"update_journey_status": CHANGED, "enroll": ENROLLED}
        return {
            str(params.get("event_type")) if kind == "emit_event" else moved.get(kind, "")
            for kind, params in self.actions
        }


@dataclass(frozen=True, slots=True)
class _Caused:
    """An event that an action certainly causes."""

    type: str
    journey: str
    source: str
    payload: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class _Step:
    """A rule that runs, in the journey of its event, with what is known of the patient."""

    rule: Listener
    journey: str
    stages: Stages


Web = Mapping[str, Sequence[Listener]]  # by the event that they listen to


def proven_cycle(
    rule: Listener, others: Sequence[Listener], practice: Practice
) -> list[Listener] | None:
    """The shortest proven cycle through `rule`, from it and without it again at the end."""
    web = _web_around(rule, others)
    return next(
        (
            path
            for start in _reached(web, practice)
            if start.rule is rule and (path := _way_back(start, web, practice))
        ),
        None,
    )


def _web_around(rule: Listener, others: Sequence[Listener]) -> Web:
    """The rules that, by the kinds of events alone, can be called by this one and call it."""
    called = _spread({rule}, others, lambda one, other: other.trigger in one.calls)
    calling = _spread({rule}, others, lambda one, other: one.trigger in other.calls)
    web: dict[str, list[Listener]] = {}
    for one in [rule, *others]:
        if one in called and one in calling:
            web.setdefault(one.trigger, []).append(one)
    return web


def _spread(
    found: set[Listener],
    others: Sequence[Listener],
    is_next: Callable[[Listener, Listener], bool],
) -> set[Listener]:
    ahead = list(found)
    while ahead:
        one = ahead.pop()
        new = [other for other in others if other not in found and is_next(one, other)]
        found.update(new)
        ahead += new
    return found


def _reached(web: Web, practice: Practice) -> Iterator[_Step]:
    """Every step that some event from outside leads to, nearest first."""
    yield from _walk(list(_starts(web, practice)), web, practice, {})


def _way_back(start: _Step, web: Web, practice: Practice) -> list[Listener] | None:
    came_from: dict[_Step, _Step] = {}
    for step in _walk(list(_next(start, web, practice)), web, practice, came_from):
        if step == start:
            return _path(step, came_from, start)
    return None


def _walk(
    ahead: Sequence[_Step],
    web: Web,
    practice: Practice,
    came_from: dict[_Step, _Step],
) -> Iterator[_Step]:
    """Breadth first, each step once; `came_from` is filled on the way."""
    queue, seen = deque(ahead), set(ahead)
    for _ in range(MOST_STEPS):
        if not queue:
            return
        step = queue.popleft()
        yield step
        for following in _next(step, web, practice):
            if following not in seen:
                seen.add(following)
                came_from[following] = step
                queue.append(following)


def _path(end: _Step, came_from: Mapping[_Step, _Step], start: _Step) -> list[Listener]:
    steps = [end]
    while steps[-1] in came_from:
        steps.append(came_from[steps[-1]])
    return [start.rule, *(step.rule for step in reversed(steps[1:]))]


def _starts(web: Web, practice: Practice) -> Iterator[_Step]:
    """Only rules that a rule can call can be part of a cycle."""
    for rule in (one for listening in web.values() for one in listening):
        if not (is_custom(rule.trigger) or rule.trigger in (CHANGED, ENROLLED)):
            continue
        for journey in (NOWHERE, *practice.journeys):
            if _listens(rule, journey):
                key = rule.journey_key or journey
                known = {(key, rule.stage)} if rule.stage and key in practice.journeys else set()
                yield _Step(rule, journey, frozenset(known))


# --- from one rule to the next --------------------------------------------------------------------


def _next(step: _Step, web: Web, practice: Practice) -> Iterator[_Step]:
    caused, stages = _effects(step, practice)
    for event in caused:
        for rule in web.get(event.type, ()):
            if _is_met(rule, event, stages):
                yield _Step(rule, event.journey, stages)


def _is_met(rule: Listener, event: _Caused, stages: Stages) -> bool:
    """Certainly: of what is not known, nothing is asked."""
    if not _listens(rule, event.journey):
        return False
    place = (rule.journey_key or event.journey, rule.stage)
    return (not rule.stage or place in stages) and _holds(rule.definition, event, stages)


def _listens(rule: Listener, journey: str) -> bool:
    return rule.journey_key in ("", journey)


def _holds(definition: Mapping[str, Any], event: _Caused, stages: Stages) -> bool:
    """True with what is known stays true with more (kura.conditions), but for `exists`."""
    tree = definition.get("conditions")
    try:
        node = parse(tree)
        return not _asks_what_exists(node) and evaluate(tree, _facts(event, stages)).holds
    except InvalidCondition:
        return False  # it cannot be judged, so it does not run


def _asks_what_exists(node: Node | None) -> bool:
    if isinstance(node, Group):
        return any(map(_asks_what_exists, node.parts))
    return isinstance(node, Leaf) and node.op == "exists" and not node.field.startswith(_PAYLOAD)


def _facts(event: _Caused, stages: Stages) -> dict[str, Any]:
    known = dict(stages)
    told = {"type": event.type, "source": event.source, "payload": event.payload}
    facts: dict[str, Any] = {"event": told, "journeys": known}
    if event.journey:
        told["journey_key"] = event.journey
        facts["journey"] = {"key": event.journey}
        if event.journey in known:
            facts["journey"]["stage"] = known[event.journey]
    return facts


# --- what a rule certainly does -------------------------------------------------------------------


def _effects(step: _Step, practice: Practice) -> tuple[list[_Caused], Stages]:
    """What its actions cause, and where the patient stands afterwards.

    Unknown is how the patient stands at first: a move from there is taken to succeed, because for
    some patient it does. What the door may refuse ends the list, as it does in a run.
    """
    known = dict(step.stages)
    caused: list[_Caused] = []
    for kind, params in step.rule.actions:
        if kind == "emit_event":
            caused.append(_emitted(params, step.journey))
        elif kind in ("update_journey_status", "enroll"):
            moved = _moved(kind, params, known, practice)
            if moved is None:
                break
            caused += moved
    return caused, frozenset(known.items())


def _emitted(params: Mapping[str, Any], journey: str) -> _Caused:
    payload = params.get("payload")
    return _Caused(
        str(params.get("event_type", "")),
        journey,
        str(RULES),
        payload if isinstance(payload, Mapping) else {},
    )


def _moved(
    kind: str, params: Mapping[str, Any], known: dict[str, str], practice: Practice
) -> list[_Caused] | None:
    """The event of the move; none where nothing changes; None where the door may refuse."""
    journey = practice.journeys.get(params.get("key", ""))
    if journey is None:
        return None
    before = known.get(journey.key)
    stage = params.get("status") or journey.initial_stage
    enters = kind == "enroll"
    if before is not None and _changes_nothing(journey, before, stage, enters=enters):
        return []
    may = _may_enter(journey, stage, known, practice) if enters else _may(journey, before, stage)
    if not may:
        return None
    known[journey.key] = stage
    payload = {"to_stage": stage, "actor_kind": "rule"}
    if not enters and before is not None:
        payload["from_stage"] = before
    return [_Caused(ENROLLED if enters else CHANGED, journey.key, str(TRANSITIONS), payload)]


def _changes_nothing(journey: Definition, before: str, stage: str, *, enters: bool) -> bool:
    """Enrolled again, or moved to where they are: the patient stays, and nothing is logged."""
    return not _is_closed(journey, before) if enters else before == stage


def _may(journey: Definition, before: str | None, stage: str) -> bool:
    """Certainly allowed, or unknown only because the patient's stage is."""
    target = journey.allowed.get(stage)
    if target is None or (before is not None and not _goes_on(journey, before)):
        return False
    if before is None or target.is_blocking or not journey.has_graph:
        return True
    move = journey.move(before, stage)
    return move is not None and not move.guard


def _may_enter(
    journey: Definition, stage: str, known: Mapping[str, str], practice: Practice
) -> bool:
    """A rule enrolls nobody who is on hold anywhere."""
    target = journey.allowed.get(stage)
    if target is None or not journey.is_active:
        return False
    if any(_is_on_hold(practice.journeys[key], code) for key, code in known.items()):
        return False
    if target.is_blocking or not journey.has_graph or stage == journey.initial_stage:
        move = journey.move(None, stage)
        return target.is_blocking or move is None or not move.guard
    move = journey.move(None, stage)
    return move is not None and not move.guard


def _goes_on(journey: Definition, code: str) -> bool:
    stage = journey.stages.get(code)
    return stage is not None and not (stage.is_blocking or stage.is_closed)


def _is_on_hold(journey: Definition, code: str) -> bool:
    stage = journey.stages.get(code)
    return stage is not None and stage.is_blocking


def _is_closed(journey: Definition, code: str) -> bool:
    stage = journey.stages.get(code)
    return stage is not None and stage.is_closed
