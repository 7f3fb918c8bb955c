"""An event as its page shows it: the trace, with the names of people, stages and texts that a
person who may see them reads, and with what that person may decide.

`trace.py` tells why; here it gets names, for all rows at once, however many there are.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from django.db.models import QuerySet
from django.utils import formats, timezone
from django.utils.functional import Promise
from django.utils.text import capfirst
from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _

from automation.actions import ACTIONS
from automation.actions.base import Practice
from automation.models.dispatch import WAITING, DispatchDecision, DispatchStatus, EventDispatch
from automation.models.message import Message
from automation.models.run import RunStatus
from automation.models.staff_task import StaffTask
from automation.outline import Judged, Verdict, asked, takes_of
from automation.selectors.listening import SilentRule, Why
from automation.selectors.trace import (
    ActionTold,
    ConditionTold,
    EventTold,
    Hearing,
    RunTold,
    followed_by,
    hearing_of,
)
from automation.services.decisions import LINKED
from automation.values import label_of, value_words
from automation.vocabulary import practice_fields
from automation.wording import error_words, took_words
from journeys.event_types import event_type
from journeys.models.event import SystemEventLog
from journeys.models.log import JourneyLog
from journeys.selectors.history import HistoryLine, history_lines, readable
from kura.conditions import FieldLookup, Leaf

MOST: Final = 50  # rows of one kind on a page; the budget of a chain is smaller
_TOLD: Final = ("event.payload.", "events.")  # facts that are contents of events
_TOOK_PART: Final = frozenset({RunStatus.DONE, RunStatus.REFUSED, RunStatus.FAILED})
_WHY_SILENT: Final[Mapping[Why, Promise]] = {
    Why.INACTIVE: gettext_lazy("It was switched off then."),
    Why.LATER: gettext_lazy("It was made later."),
    Why.OTHER_TRIGGER: gettext_lazy("It listened to another event then."),
    Why.OTHER_JOURNEY: gettext_lazy("It is about another journey."),
    Why.OTHER_LIMIT: gettext_lazy("The time that was up is another rule's."),
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
    """`name` and `expected`: of what, and what of it. `value`: what it was at that moment.

    `hidden`: the reader may not know it; then the result is not told either, for it says the same.
    """

    words: str
    name: str
    expected: str
    result: bool | None
    value: str
    hidden: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class ConditionGroup:
    """Conditions that decide together. `title` "": there is no other group.

    `hidden`: the reader may not know what came of one of them.
    """

    title: str
    result: bool | None
    lines: Sequence[ConditionLine]

    @property
    def hidden(self) -> bool:
        return any(line.hidden for line in self.lines)


@dataclass(frozen=True, kw_only=True, slots=True)
class ActionLine:
    """`why`: what was said then, or else what its code says in the reader's language.

    `took`: "" of a run before that was kept. `messages`: what it wrote, with their attempts.
    """

    words: str
    status: str
    why: str
    move: HistoryLine | None
    took: str
    messages: Sequence[Message]


@dataclass(frozen=True, kw_only=True, slots=True)
class RunLine:
    """`unmet`: the first condition that kept the rule from running."""

    run: RunTold
    groups: list[ConditionGroup]
    unmet: ConditionLine | None
    actions: list[ActionLine]
    error: str
    took: str

    @property
    def took_part(self) -> bool:
        return self.run.status in _TOOK_PART

    @property
    def conditions(self) -> list[ConditionLine]:
        return [line for group in self.groups for line in group.lines]


@dataclass(frozen=True, kw_only=True, slots=True)
class SilentLine:
    rule: SilentRule
    why: str

    @property
    def is_elsewhere(self) -> bool:
        return self.rule.why in {Why.OTHER_JOURNEY, Why.OTHER_LIMIT}


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
    def waits(self) -> bool:
        return self.place is not None and self.place.status in WAITING

    @property
    def took(self) -> str:
        """From the moment it was recorded; "" until it is over."""
        finished = self.place.finished_at if self.place else None
        return took_words(finished - self.event.created_at) if finished else ""

    @property
    def worked(self) -> str:
        """The rules alone."""
        spent = (line.run.finished_at - line.run.started_at for line in self.runs)
        return took_words(sum(spent, timedelta())) if self.runs else ""

    @property
    def changed_something(self) -> bool:
        return bool(self.moves or self.messages or self.tasks or self.children)

    @property
    def done(self) -> int:
        """Actions that did what they say."""
        told = (action.status for line in self.runs for action in line.actions)
        return sum(status == "done" for status in told)

    @property
    def written(self) -> int:
        return sum(len(line.actions) for line in self.runs)

    @property
    def listening(self) -> list[SilentLine]:
        """Rules that had no say though the event was about what they are about."""
        return [line for line in self.silent if not line.is_elsewhere]

    @property
    def elsewhere(self) -> list[SilentLine]:
        return [line for line in self.silent if line.is_elsewhere]

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
    practice = Practice(organization=event.organization)
    hearing = hearing_of(event, practice)
    logs = readable(JourneyLog.objects.filter(trigger_event=event)).order_by("id")[:MOST]
    known = {(event.organization_id, one.key): one for one in practice.journeys.values()}
    moves = history_lines(list(logs), known)
    journey = practice.journeys.get(event.journey_key or "")
    contents = getattr(event, "payload_row", None)
    messages = list(Message.objects.filter(event=event).order_by("created_at")[:MOST])
    return EventPage(
        event=event,
        place=getattr(event, "dispatch", None),
        journey=journey.name if journey else (event.journey_key or ""),
        runs=_runs(
            event, hearing, practice, sight, Caused({line.log.pk: line for line in moves}, messages)
        ),
        silent=[SilentLine(rule=one, why=silent_words(one)) for one in hearing.silent],
        moves=moves,
        messages=messages,
        tasks=list(StaffTask.objects.filter(event=event).order_by("created_at")[:MOST]),
        decisions=list(
            DispatchDecision.objects.filter(event=event).select_related("decided_by")[:MOST]
        ),
        before=_before(event),
        children=followed_by(event),
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


def silent_words(rule: SilentRule) -> str:
    """Why it had no say, with the moment and the person where they are known."""
    told = {
        "when": formats.date_format(timezone.localtime(rule.since), "MOMENT") if rule.since else "",
        "who": rule.by or _("Kura"),
    }
    if rule.why == Why.INACTIVE and rule.since and rule.is_active_now:
        return _("It was switched off then, since %(when)s, by %(who)s. Now it is on.") % told
    if rule.why == Why.INACTIVE and rule.since:
        return _("It was switched off then, since %(when)s, by %(who)s.") % told
    if rule.why == Why.LATER and rule.since:
        return _("It was made later: %(when)s.") % told
    return str(_WHY_SILENT[rule.why])


# --- runs ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Caused:
    """What the event caused, for the actions that caused it."""

    moves: Mapping[int, HistoryLine]
    messages: Sequence[Message]

    def messages_of(self, ids: Collection[str]) -> list[Message]:
        return [one for one in self.messages if str(one.pk) in ids]


def _runs(
    event: SystemEventLog, hearing: Hearing, practice: Practice, sight: Sight, caused: Caused
) -> list[RunLine]:
    """What ran first, then what did not match."""
    fields = practice_fields(event.event_type, event.journey_key or "", practice)
    lines = [run_line(run, fields, practice, sight, caused) for run in hearing.runs]
    return sorted(lines, key=lambda line: not line.took_part)


def run_line(
    run: RunTold, fields: FieldLookup, practice: Practice, sight: Sight, caused: Caused
) -> RunLine:
    return RunLine(
        run=run,
        groups=list(condition_groups(run.place, run.judged, fields, sight)),
        unmet=_unmet(run.failed_on, fields, sight) if run.failed_on else None,
        actions=[_action(one, practice, caused) for one in run.actions],
        error=error_words(run.error),
        took=took_words(run.finished_at - run.started_at),
    )


def condition_groups(
    place: Verdict | None, judged: Judged | None, fields: FieldLookup, sight: Sight
) -> Iterator[ConditionGroup]:
    """The stage first, then the groups as they are written, those inside others by their number."""
    if place is not None:
        line = condition_line(place, fields, sight)
        yield ConditionGroup(title="", result=place.result, lines=[line])
    if judged is not None:
        yield from _grouped(judged, "", fields, sight)


def _grouped(
    judged: Judged, number: str, fields: FieldLookup, sight: Sight
) -> Iterator[ConditionGroup]:
    """A group of conditions alone is one; of others each part is one of its own."""
    parts = (judged,) if isinstance(judged, Verdict) else judged.parts
    kind = "all" if isinstance(judged, Verdict) else judged.kind
    if all(isinstance(part, Verdict) for part in parts):
        lines = [condition_line(one, fields, sight) for one in parts if isinstance(one, Verdict)]
        title = _title(number, kind, len(lines))
        yield ConditionGroup(title=title, result=judged.result, lines=lines)
        return
    for index, part in enumerate(parts, start=1):
        yield from _grouped(part, f"{number}.{index}" if number else f"{index}", fields, sight)


def _title(number: str, kind: str, conditions: int) -> str:
    """Of a group among others its number; of the only one, only what is not plain."""
    told = {"number": number, "takes": takes_of(kind) if conditions > 1 else ""}
    if not number:
        return capfirst(told["takes"]) if kind == "any" else ""
    if not told["takes"]:
        return _("Group %(number)s") % told
    return _("Group %(number)s: %(takes)s") % told


def condition_line(told: Verdict, fields: FieldLookup, sight: Sight) -> ConditionLine:
    asked, path = told.asked, told.asked.leaf.field
    words = capfirst("".join(part.text for part in asked.parts))
    known = sight.of(path)
    return ConditionLine(
        words=words,
        name=asked.name,
        expected=asked.expected,
        result=told.result if known else None,
        value=value_words(told.actual, fields(path)) if known else "",
        hidden=not known,
    )


def _unmet(told: ConditionTold, fields: FieldLookup, sight: Sight) -> ConditionLine:
    leaf = Leaf(told.pointer, told.field, told.op, told.expected)
    return condition_line(Verdict(asked(leaf, fields), told.actual, told.result), fields, sight)


def _action(told: ActionTold, practice: Practice, caused: Caused) -> ActionLine:
    is_known = told.type in ACTIONS and told.words != told.type
    return ActionLine(
        words=capfirst(told.words) if is_known else _("An action that cannot be read."),
        status=told.status,
        why=why_words(told, practice),
        move=caused.moves.get(told.refs.get("log_id", 0)),
        took=took_words(told.took) if told.took is not None else "",
        messages=caused.messages_of(told.refs.get("message_ids", ())),
    )


def why_words(told: ActionTold, practice: Practice) -> str:
    """The words of that moment know more (which condition, which stage), in one language."""
    same = (get_language() or "").startswith(practice.organization.language)
    return told.error_words if told.error_words and same else error_words(told.error_code)
