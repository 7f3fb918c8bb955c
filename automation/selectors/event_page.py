"""An event as a person reads it: who told us, which rules listened, why they ran or not, and what
came of it. Names are read for all rows at once, however many rules and effects there are.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.db.models import QuerySet
from django.utils.text import capfirst
from django.utils.translation import get_language

from automation.actions.base import Practice
from automation.models.dispatch import DispatchDecision, DispatchStatus, EventDispatch
from automation.models.message import Message
from automation.models.rule import RuleVersion
from automation.models.run import RuleRun, RunStatus
from automation.models.staff_task import StaffTask
from automation.selectors.named_fields import label_of, named_fields, value_words
from automation.selectors.rule_words import RuleWords, action_words, rule_words
from automation.services.decisions import LINKED
from automation.wording import error_words
from journeys.event_types import event_type
from journeys.models.event import SystemEventLog
from journeys.models.log import JourneyLog
from journeys.selectors.history import HistoryLine, history_lines, readable
from kura.conditions import Leaf, describe_leaf

MOST: Final = 50  # rows of one kind on a page; the budget of a chain is smaller
_TOLD: Final = ("event.payload.", "events.")  # facts that are contents of events


@dataclass(frozen=True, kw_only=True, slots=True)
class Sight:
    """What the reader may see: `values` of patients, `contents` of events."""

    values: bool
    contents: bool

    def of(self, path: str) -> bool:
        return self.values and (self.contents or not path.startswith(_TOLD))


@dataclass(frozen=True, kw_only=True, slots=True)
class ConditionLine:
    """`value`: what it was at that moment; None when the reader may not see it."""

    words: str
    name: str
    result: bool | None
    value: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class ActionLine:
    """`why`: what was said then, or else what its code says in the reader's language."""

    number: int
    words: str
    status: str
    why: str
    move: HistoryLine | None
    event_id: str


@dataclass(frozen=True, kw_only=True, slots=True)
class RunLine:
    """`unmet`: the first condition that kept the rule from running."""

    run: RuleRun
    rule: RuleWords
    conditions: list[ConditionLine]
    unmet: ConditionLine | None
    actions: list[ActionLine]
    error: str

    @property
    def took_part(self) -> bool:
        return self.run.status in {RunStatus.DONE, RunStatus.REFUSED, RunStatus.FAILED}


@dataclass(frozen=True, kw_only=True, slots=True)
class Told:
    """One member of the payload that its type names."""

    name: str
    value: str


@dataclass(frozen=True, kw_only=True)
class EventPage:
    """`place` is None for an event that nobody was to process.

    `contents` is None when they were erased, and when the reader may not see them.
    """

    event: SystemEventLog
    place: EventDispatch | None
    journey: str
    runs: list[RunLine]
    moves: list[HistoryLine]
    messages: list[Message]
    tasks: list[StaffTask]
    decisions: list[DispatchDecision]
    before: list[SystemEventLog]
    children: list[SystemEventLog]
    sees_contents: bool
    contents: list[Told] | None
    payload: Mapping[str, Any]
    subject: Mapping[str, str]

    @property
    def ran(self) -> int:
        return sum(line.took_part for line in self.runs)

    @property
    def actions(self) -> list[tuple[RunLine, list[ActionLine]]]:
        return [(line, line.actions) for line in self.runs if line.actions]

    @property
    def is_refused(self) -> bool:
        return any(line.run.status == RunStatus.REFUSED for line in self.runs)

    @property
    def may_be_replayed(self) -> bool:
        """There is something that a replay could change."""
        place = self.place
        if place is None or place.last_error in {LINKED, "loop_budget"}:
            return False
        if place.status == DispatchStatus.SKIPPED:
            return True
        return place.status == DispatchStatus.DONE and self.is_refused


def whole_events() -> QuerySet[SystemEventLog]:
    """Events with what their page needs of each."""
    return SystemEventLog.objects.select_related(
        "organization", "patient", "payload_row", "dispatch"
    )


def event_page(event: SystemEventLog, sight: Sight) -> EventPage:
    """`event` is one of `whole_events()`."""
    practice = Practice(organization=event.organization)
    logs = readable(JourneyLog.objects.filter(trigger_event=event)).order_by("id")[:MOST]
    moves = history_lines(list(logs))
    journey = practice.journeys.get(event.journey_key or "")
    contents = getattr(event, "payload_row", None)
    return EventPage(
        event=event,
        place=getattr(event, "dispatch", None),
        journey=journey.name if journey else (event.journey_key or ""),
        runs=_runs(event, practice, sight, {line.log.pk: line for line in moves}),
        moves=moves,
        messages=list(Message.objects.filter(event=event).order_by("created_at")[:MOST]),
        tasks=list(StaffTask.objects.filter(event=event).order_by("created_at")[:MOST]),
        decisions=list(
            DispatchDecision.objects.filter(event=event).select_related("decided_by")[:MOST]
        ),
        before=_before(event),
        children=_children(event),
        sees_contents=sight.contents,
        contents=_told(event, practice) if sight.contents and contents else None,
        payload=contents.payload if sight.contents and contents else {},
        subject=contents.subject if sight.contents and contents else {},
    )


def _before(event: SystemEventLog) -> list[SystemEventLog]:
    """The chain of causes above the event, the first cause first."""
    if event.parent_event_id is None:
        return []
    chain = {row.pk: row for row in _of_root(event).filter(depth__lt=event.depth)}
    found: list[SystemEventLog] = []
    cause: uuid.UUID | None = event.parent_event_id
    while cause is not None and cause in chain:
        found.insert(0, chain[cause])
        cause = chain[cause].parent_event_id
    return found


def _children(event: SystemEventLog) -> list[SystemEventLog]:
    below = _of_root(event).filter(depth=event.depth + 1, parent_event_id=event.pk)
    return list(below.select_related("dispatch").order_by("id")[:MOST])


def _of_root(event: SystemEventLog) -> QuerySet[SystemEventLog]:
    """Through the index, which covers what has a cause; the root itself by its key."""
    root = event.root_event_id or event.pk
    caused = SystemEventLog.objects.filter(root_event_id=root, depth__gt=0)
    return caused | SystemEventLog.objects.filter(pk=root)


def _told(event: SystemEventLog, practice: Practice) -> list[Told]:
    payload = event.payload_row.payload
    field_at = named_fields(event.event_type, practice.journeys, event.journey_key or "")
    named = [name for name in event_type(event.event_type).payload if name in payload]
    fields = [(name, field_at(f"event.payload.{name}")) for name in named]
    return [
        Told(name=capfirst(label_of(field, name)), value=value_words(payload[name], field))
        for name, field in fields
    ]


# --- runs ---------------------------------------------------------------------------------------


def _runs(
    event: SystemEventLog, practice: Practice, sight: Sight, moves: Mapping[int, HistoryLine]
) -> list[RunLine]:
    """What ran first, then what did not match."""
    runs = list(RuleRun.objects.filter(event=event).select_related("rule"))
    ran_as = _definitions(runs)
    lines = [_run(run, ran_as[run.pk], practice, sight, moves) for run in runs]
    return sorted(lines, key=lambda line: (not line.took_part, line.run.started_at))


def _definitions(runs: Sequence[RuleRun]) -> dict[uuid.UUID, dict[str, Any]]:
    """By run: the version that it ran, or what the rule is now if that was never published."""
    ran = RuleVersion.objects.filter(
        rule__in={run.rule_id for run in runs}, version__in={run.rule_version for run in runs}
    )
    kept = {(one.rule_id, one.version): one.definition for one in ran}
    return {
        run.pk: kept.get((run.rule_id, run.rule_version)) or run.rule.definition for run in runs
    }


def _run(
    run: RuleRun,
    definition: dict[str, Any],
    practice: Practice,
    sight: Sight,
    moves: Mapping[int, HistoryLine],
) -> RunLine:
    conditions = [_condition(leaf, definition, practice, sight) for leaf in run.conditions]
    unmet = (one for one in conditions if one.result is not True)
    return RunLine(
        run=run,
        rule=rule_words(definition, practice),
        conditions=conditions,
        unmet=next(unmet, None) if run.matched is not True else None,
        actions=_actions(run, definition, practice, moves),
        error=error_words(run.error),
    )


def _condition(
    leaf: dict[str, Any], definition: dict[str, Any], practice: Practice, sight: Sight
) -> ConditionLine:
    key = definition.get("journey_key") or ""
    field = named_fields(definition["trigger_event"], practice.journeys, key)(leaf["field"])
    asked = Leaf(leaf["pointer"], leaf["field"], leaf["op"], leaf["expected"])
    return ConditionLine(
        words=capfirst(describe_leaf(asked, field)),
        name=capfirst(label_of(field, leaf["field"])),
        result=leaf["result"],
        value=value_words(leaf["actual"], field) if sight.of(leaf["field"]) else None,
    )


def _actions(
    run: RuleRun,
    definition: dict[str, Any],
    practice: Practice,
    moves: Mapping[int, HistoryLine],
) -> list[ActionLine]:
    wanted = definition["actions"] or []
    return [
        ActionLine(
            number=place + 1,
            words=action_words(wanted[place] if place < len(wanted) else None, practice),
            status=told["status"],
            why=_why(told, practice),
            move=moves.get(told.get("log_id", 0)),
            event_id=told.get("event_id", ""),
        )
        for place, told in enumerate(run.actions)
    ]


def _why(told: dict[str, Any], practice: Practice) -> str:
    """The words of that moment know more (which condition, which stage), in one language."""
    said: str = told.get("words", "")
    if said and (get_language() or "").startswith(practice.organization.language):
        return said
    return error_words(told.get("error_code") or "")
