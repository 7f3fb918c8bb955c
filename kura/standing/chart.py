"""Everything about one patient, for their own page: journeys, history, tasks, messages, events.

The same facts, steps and moves as everywhere here, read together in five statements, whatever
there is to read; the guards of the journeys ask for their facts besides. What is no move (a task, a
pause, a review of a block, a message, an event) is read as rows of one shape: `Beside`.
"""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, cast

from django.db.models import (
    DateTimeField,
    F,
    Field,
    IntegerField,
    OuterRef,
    QuerySet,
    Subquery,
    TextField,
    UUIDField,
    Value,
)
from django.db.models.functions import Cast, Coalesce, NullIf

from automation.models.message import Message
from automation.models.rule import AutomationRule
from automation.models.staff_task import StaffTask, TaskKind
from automation.selectors.pauses import PauseTold, open_pauses
from journeys.cause import Cause
from journeys.models.enrollment import Enrollment
from journeys.models.event import SystemEventLog
from journeys.models.log import JourneyLog
from journeys.models.review import BlockReview
from journeys.selectors.definitions import Definition, definitions
from journeys.selectors.history import HistoryLine, lines_among
from journeys.selectors.options import moves_open_to
from journeys.selectors.versions import versions_among
from kura.accounts.models import User
from kura.standing.journey import JourneyView, Surroundings, by_urgency, views_among
from kura.standing.limits import Limits
from kura.standing.moves import MoveTold, told_among
from kura.standing.steps_ahead import TaskTold

MESSAGES: Final = 500  # on the page, the newest; the list of messages has them all
EVENTS: Final = 5


class Kind(StrEnum):
    TASK = "task"
    PAUSE = "pause"
    REVIEW = "review"
    MESSAGE = "message"
    EVENT = "event"


@dataclass(frozen=True, kw_only=True, slots=True)
class Beside:
    """Something that moved nobody.

    `words`: a task's text, a review's note, a message's subject, an event's type. `state`: of a
    message or an event's dispatch; a task's kind. `about`: a message's audience. `by`: a name.
    `why`: a message's last error. `until`: a task's due time, a pause's end. `number`: 1 for a
    reminder; the number of the move that a review is about.
    """

    kind: str
    id: uuid.UUID
    at: datetime
    enrollment_id: uuid.UUID | None
    journey_key: str
    words: str
    state: str
    about: str
    by: str
    why: str
    event_id: uuid.UUID | None
    until: datetime | None
    number: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Told:
    """A move with all that its line says. `line` has the note and the reason apart."""

    line: HistoryLine
    move: MoveTold


@dataclass(frozen=True, kw_only=True, slots=True)
class Chart:
    """`journeys`: the newest enrollment of each journey, the most urgent first. `earlier`: those
    before it, by journey, the newest first. `moves`: all of them, in order of time.
    """

    journeys: Sequence[JourneyView]
    earlier: Mapping[str, Sequence[JourneyView]]
    enrollments: Mapping[uuid.UUID, Enrollment]
    moves: Sequence[Told]
    tasks: Sequence[TaskTold]
    pauses: Mapping[uuid.UUID, PauseTold]
    reviews: Sequence[Beside]
    messages: Sequence[Beside]
    events: Sequence[Beside]


def chart_of(patient_id: uuid.UUID, limits: Limits, *, reader: Cause | None = None) -> Chart:
    """`reader` None: whoever reads moves nobody, and the guards are not asked."""
    rows = _enrollments(patient_id)
    known = definitions({row.template_id for row in rows})
    moves = _moves(patient_id, known)
    beside = _beside(patient_id, limits.now)
    tasks = [_task(one, patient_id) for one in beside[Kind.TASK]]
    views = views_among(
        rows, _around(rows, limits, known=known, moves=moves, tasks=tasks, reader=reader)
    )
    newest, earlier = _newest_and_earlier(views)
    return Chart(
        journeys=by_urgency(newest),
        earlier=earlier,
        enrollments={row.pk: row for row in rows},
        moves=moves,
        tasks=tasks,
        pauses={one.enrollment_id: _pause(one) for one in beside[Kind.PAUSE] if one.enrollment_id},
        reviews=beside[Kind.REVIEW],
        messages=beside[Kind.MESSAGE],
        events=beside[Kind.EVENT],
    )


def _enrollments(patient_id: uuid.UUID) -> list[Enrollment]:
    return list(Enrollment.objects.filter(patient=patient_id).order_by("-entered_at", "id"))


def _newest_and_earlier(
    views: Iterable[JourneyView],
) -> tuple[list[JourneyView], dict[str, list[JourneyView]]]:
    by_key: dict[str, list[JourneyView]] = defaultdict(list)
    for view in sorted(views, key=lambda one: -one.number):
        by_key[view.journey_key].append(view)
    newest = sorted((some[0] for some in by_key.values()), key=_last_moved, reverse=True)
    return newest, {key: some[1:] for key, some in by_key.items()}


def _last_moved(view: JourneyView) -> datetime:
    return view.entered_at


# --- moves --------------------------------------------------------------------------------------


def _moves(patient_id: uuid.UUID, known: Mapping[uuid.UUID, Definition]) -> list[Told]:
    """With the names of people and rules, which the log keeps by their numbers alone."""
    logs = JourneyLog.objects.filter(patient=patient_id).select_related("note", "trigger_event")
    named = logs.annotate(
        person=Subquery(User.objects.filter(pk=OuterRef("actor_id")).values(named=_name(""))),
        rule_name=Subquery(AutomationRule.objects.filter(pk=OuterRef("rule_id")).values("name")),
    )
    read: list[Any] = list(named.order_by("changed_at", "id"))
    by_key = {(one.organization_id, one.key): one for one in known.values()}
    lines = lines_among(read, by_key, {log.actor_id: log.person for log in read if log.person})
    rules = {log.rule_id: log.rule_name for log in read if log.rule_name}
    both = zip(lines, told_among(lines, rules), strict=True)
    return [Told(line=line, move=move) for line, move in both]


def _around(
    rows: Sequence[Enrollment],
    limits: Limits,
    *,
    known: Mapping[uuid.UUID, Definition],
    moves: Sequence[Told],
    tasks: Sequence[TaskTold],
    reader: Cause | None,
) -> Surroundings:
    """Of the moves those that the row knows: one that came since would contradict it."""
    last = {row.pk: row.seq for row in rows}
    logs: dict[uuid.UUID, list[JourneyLog]] = defaultdict(list)
    last_moves: dict[uuid.UUID, MoveTold] = {}
    for told in sorted(moves, key=lambda one: one.move.seq):
        if told.move.seq <= last.get(told.move.enrollment_id, 0):
            logs[told.move.enrollment_id].append(told.line.log)
            last_moves[told.move.enrollment_id] = told.move
    of_journey: dict[uuid.UUID, list[TaskTold]] = defaultdict(list)
    for task in tasks:
        if task.enrollment_id:
            of_journey[task.enrollment_id].append(task)
    open_ones = [row for row in rows if row.is_open]
    return Surroundings(
        limits=limits,
        known=known,
        logs=logs,
        last_moves=last_moves,
        tasks=of_journey,
        decisions=moves_open_to(reader, open_ones, known) if reader and open_ones else {},
        versions=versions_among(rows, rows),
    )


# --- what is no move ----------------------------------------------------------------------------

_COLUMNS: Final[Mapping[str, Field[Any, Any]]] = {
    "kind": TextField(),
    "id": UUIDField(),
    "at": DateTimeField(),
    "enrollment_id": UUIDField(),
    "journey_key": TextField(),
    "words": TextField(),
    "state": TextField(),
    "about": TextField(),
    "by": TextField(),
    "why": TextField(),
    "event_id": UUIDField(),
    "until": DateTimeField(),
    "number": IntegerField(),
}
_EMPTY: Final = frozenset({"journey_key", "words", "state", "about", "by", "why"})  # "", not null


def _beside(patient_id: uuid.UUID, now: datetime) -> dict[str, list[Beside]]:
    """By kind. The newest first; tasks: what is due first."""
    parts = [
        _tasks(patient_id),
        _pauses(patient_id, now),
        _reviews(patient_id),
        _messages(patient_id),
        _events(patient_id),
    ]
    found: dict[str, list[Beside]] = {kind: [] for kind in Kind}
    for row in parts[0].union(*parts[1:], all=True):
        one = Beside(**dict(zip(_COLUMNS, row, strict=True)))
        found[one.kind].append(one)
    for rows in found.values():
        rows.sort(key=lambda one: (one.at, one.id), reverse=True)
    found[Kind.TASK].sort(key=lambda one: (one.until is None, one.until or one.at, one.at))
    return found


def _rows(rows: QuerySet[Any], kind: Kind, **given: Any) -> QuerySet[Any, Any]:
    asked = {"kind": Value(kind.value), "id": F("pk"), **given}
    return rows.values_list(*[_column(name, asked.get(name)) for name in _COLUMNS])


def _column(name: str, value: Any) -> Any:
    """None is null; of words it is "", of the number 0."""
    nothing = "" if name in _EMPTY else 0 if name == "number" else None
    told = Cast(Value(None) if value is None else value, _COLUMNS[name])
    if nothing is None:
        return told
    return Coalesce(told, Value(nothing), output_field=_COLUMNS[name])


def _name(path: str) -> Coalesce:
    """As people are called everywhere: by name, or else by address."""
    named = NullIf(F(f"{path}display_name"), Value(""), output_field=TextField())
    return Coalesce(named, F(f"{path}email"), output_field=TextField())


def _tasks(patient_id: uuid.UUID) -> QuerySet[Any, Any]:
    return _rows(
        StaffTask.objects.filter(done_at=None, patient=patient_id).order_by(),
        Kind.TASK,
        at=F("created_at"),
        enrollment_id=F("enrollment_id"),
        journey_key=F("journey_key"),
        words=F("text"),
        state=F("kind"),
        by=_name("assigned_to__"),
        event_id=F("event_id"),
        until=F("due_at"),
    )


def _pauses(patient_id: uuid.UUID, now: datetime) -> QuerySet[Any, Any]:
    return _rows(
        open_pauses(now).filter(enrollment__patient=patient_id).order_by(),
        Kind.PAUSE,
        at=F("created_at"),
        enrollment_id=F("enrollment_id"),
        by=_name("created_by__"),
        until=F("until"),
    )


def _reviews(patient_id: uuid.UUID) -> QuerySet[Any, Any]:
    return _rows(
        BlockReview.objects.filter(enrollment__patient=patient_id).order_by(),
        Kind.REVIEW,
        at=F("reviewed_at"),
        enrollment_id=F("enrollment_id"),
        journey_key=F("enrollment__journey_key"),
        words=F("note"),
        by=_name("reviewer__"),
        number=F("seq"),
    )


def _messages(patient_id: uuid.UUID) -> QuerySet[Any, Any]:
    return _rows(
        Message.objects.filter(patient=patient_id).order_by("-created_at", "-id")[:MESSAGES],
        Kind.MESSAGE,
        at=Coalesce("sent_at", "created_at"),
        enrollment_id=F("enrollment_id"),
        journey_key=F("journey_key"),
        words=F("subject"),
        state=F("state"),
        about=F("audience"),
        why=F("last_error"),
        event_id=F("event_id"),
        number=F("is_reminder"),
    )


def _events(patient_id: uuid.UUID) -> QuerySet[Any, Any]:
    events = SystemEventLog.objects.filter(patient=patient_id)
    return _rows(
        events.order_by("-occurred_at", "-id")[:EVENTS],
        Kind.EVENT,
        at=F("occurred_at"),
        journey_key=F("journey_key"),
        words=F("event_type"),
        state=F("dispatch__status"),
        event_id=F("pk"),
    )


def _task(one: Beside, patient_id: uuid.UUID) -> TaskTold:
    return TaskTold(
        id=one.id,
        patient_id=patient_id,
        enrollment_id=one.enrollment_id,
        journey_key=one.journey_key,
        kind=one.state,
        kind_label=str(TaskKind(one.state).label),
        text=one.words,
        event_id=one.event_id,
        assigned_to=one.by,
        created_at=one.at,
        due_at=one.until,
    )


def _pause(one: Beside) -> PauseTold:
    return PauseTold(cast("datetime", one.until), one.by)
