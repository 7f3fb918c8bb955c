"""An event as its page shows it: the trace, with the names of people, stages and texts that a
person who may see them reads, and with what that person may decide.

`trace.py` tells why; here it gets names, for all rows at once, however many there are.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from django.db.models import QuerySet
from django.utils.functional import Promise
from django.utils.text import capfirst
from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _

from automation.actions import ACTIONS
from automation.actions.base import Practice
from automation.models.dispatch import DispatchDecision, DispatchStatus, EventDispatch
from automation.models.message import Message
from automation.models.run import RunStatus
from automation.models.staff_task import StaffTask
from automation.selectors.trace import (
    ActionTold,
    ConditionTold,
    EventTold,
    RunTold,
    SilentRule,
    Trace,
    Why,
    trace_of,
)
from automation.services.decisions import LINKED
from automation.values import label_of, value_words
from automation.vocabulary import practice_fields
from automation.wording import error_words
from journeys.event_types import event_type
from journeys.models.event import SystemEventLog
from journeys.models.log import JourneyLog
from journeys.selectors.history import HistoryLine, history_lines, readable
from kura.conditions import FieldLookup

MOST: Final = 50  # rows of one kind on a page; the budget of a chain is smaller
_TOLD: Final = ("event.payload.", "events.")  # facts that are contents of events
_TOOK_PART: Final = frozenset({RunStatus.DONE, RunStatus.REFUSED, RunStatus.FAILED})
_WHY_SILENT: Final[Mapping[Why, Promise]] = {
    Why.INACTIVE: gettext_lazy("It was switched off then."),
    Why.LATER: gettext_lazy("It was made or switched on later."),
    Why.OTHER_JOURNEY: gettext_lazy("It is about another journey."),
    Why.NOT_YET: gettext_lazy("It has not been asked yet."),
    Why.UNHEARD: gettext_lazy("It was not asked then."),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Sight:
    """What the reader may see: `values` of patients, `contents` of events."""

    values: bool
    contents: bool

    def of(self, path: str) -> bool:
        return self.values and (self.contents or not path.startswith(_TOLD))


@dataclass(frozen=True, kw_only=True, slots=True)
class ConditionLine:
    """`value`: what it was at that moment.

    `hidden`: the reader may not know it; then the result is not told either, for it says the same.
    """

    words: str
    result: bool | None
    value: str
    hidden: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class ActionLine:
    """`why`: what was said then, or else what its code says in the reader's language."""

    words: str
    status: str
    why: str
    move: HistoryLine | None


@dataclass(frozen=True, kw_only=True, slots=True)
class RunLine:
    """`unmet`: the first condition that kept the rule from running."""

    run: RunTold
    conditions: list[ConditionLine]
    unmet: ConditionLine | None
    actions: list[ActionLine]
    error: str

    @property
    def took_part(self) -> bool:
        return self.run.status in _TOOK_PART


@dataclass(frozen=True, kw_only=True, slots=True)
class SilentLine:
    rule: SilentRule
    why: str


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
    silent: list[SilentLine]
    moves: list[HistoryLine]
    messages: list[Message]
    tasks: list[StaffTask]
    decisions: list[DispatchDecision]
    before: list[SystemEventLog]
    children: tuple[EventTold, ...]
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
    """`event` is one of `whole_events()`. Needs a tenant scope."""
    trace = trace_of(event.pk)
    practice = Practice(organization=event.organization)
    logs = readable(JourneyLog.objects.filter(trigger_event=event)).order_by("id")[:MOST]
    moves = history_lines(list(logs))
    journey = practice.journeys.get(event.journey_key or "")
    contents = getattr(event, "payload_row", None)
    return EventPage(
        event=event,
        place=getattr(event, "dispatch", None),
        journey=journey.name if journey else (event.journey_key or ""),
        runs=_runs(trace, practice, sight, {line.log.pk: line for line in moves}),
        silent=[SilentLine(rule=one, why=str(_WHY_SILENT[one.why])) for one in trace.silent],
        moves=moves,
        messages=list(Message.objects.filter(event=event).order_by("created_at")[:MOST]),
        tasks=list(StaffTask.objects.filter(event=event).order_by("created_at")[:MOST]),
        decisions=list(
            DispatchDecision.objects.filter(event=event).select_related("decided_by")[:MOST]
        ),
        before=_before(event),
        children=trace.followed,
        sees_contents=sight.contents,
        contents=contents_of(event, practice) if sight.contents and contents else None,
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


def _of_root(event: SystemEventLog) -> QuerySet[SystemEventLog]:
    """Through the index, which covers what has a cause; the root itself by its key."""
    root = event.root_event_id or event.pk
    caused = SystemEventLog.objects.filter(root_event_id=root, depth__gt=0)
    return caused | SystemEventLog.objects.filter(pk=root)


def contents_of(event: SystemEventLog, practice: Practice) -> list[Told]:
    """What its payload says of what its type names, in words. The event is of `whole_events()`."""
    payload = event.payload_row.payload
    field_at = practice_fields(event.event_type, event.journey_key or "", practice)
    named = [name for name in event_type(event.event_type).payload if name in payload]
    fields = [(name, field_at(f"event.payload.{name}")) for name in named]
    return [
        Told(name=capfirst(label_of(field, name)), value=value_words(payload[name], field))
        for name, field in fields
    ]


# --- runs ---------------------------------------------------------------------------------------


def _runs(
    trace: Trace, practice: Practice, sight: Sight, moves: Mapping[int, HistoryLine]
) -> list[RunLine]:
    """What ran first, then what did not match."""
    fields = practice_fields(trace.event.type, trace.event.journey_key, practice)
    lines = [_run(run, fields, practice, sight, moves) for run in trace.runs]
    return sorted(lines, key=lambda line: not line.took_part)


def _run(
    run: RunTold,
    fields: FieldLookup,
    practice: Practice,
    sight: Sight,
    moves: Mapping[int, HistoryLine],
) -> RunLine:
    return RunLine(
        run=run,
        conditions=[_condition(one, fields, sight) for one in run.conditions],
        unmet=_condition(run.failed_on, fields, sight) if run.failed_on else None,
        actions=[_action(one, practice, moves) for one in run.actions],
        error=error_words(run.error),
    )


def _condition(told: ConditionTold, fields: FieldLookup, sight: Sight) -> ConditionLine:
    words = capfirst(told.words)
    if not sight.of(told.field):
        return ConditionLine(words=words, result=None, value="", hidden=True)
    value = value_words(told.actual, fields(told.field))
    return ConditionLine(words=words, result=told.result, value=value)


def _action(told: ActionTold, practice: Practice, moves: Mapping[int, HistoryLine]) -> ActionLine:
    is_known = told.type in ACTIONS and told.words != told.type
    return ActionLine(
        words=capfirst(told.words) if is_known else _("An action that cannot be read."),
        status=told.status,
        why=_why(told, practice),
        move=moves.get(told.refs.get("log_id", 0)),
    )


def _why(told: ActionTold, practice: Practice) -> str:
    """The words of that moment know more (which condition, which stage), in one language."""
    same = (get_language() or "").startswith(practice.organization.language)
    return told.error_words if told.error_words and same else error_words(told.error_code)
