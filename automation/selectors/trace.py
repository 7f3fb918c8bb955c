"""The trace of an event: what came in, which rules judged it and how, and what followed.

It answers "why?" and "why not?" alike: rules that did not match name the first condition that
failed, and rules that never looked say why they did not. Names are those of the version that ran.
A fixed number of queries, however many rules listened.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from automation import errors
from automation.actions.base import Practice
from automation.engine import BLOCKING_ACTIONS, readable_actions
from automation.models.dispatch import DispatchDecision
from automation.models.message import Message
from automation.models.rule import RuleVersion
from automation.models.run import RuleRun, RunStatus
from automation.models.staff_task import StaffTask
from automation.outline import Judged, Verdict, verdicts_of
from automation.selectors.listening import (
    SilentRule,
    listeners_of,
    looked_at,
)
from automation.sentences import action_words, if_words, readable_condition
from automation.vocabulary import practice_fields
from journeys.models.event import SystemEventLog
from journeys.models.log import JourneyLog
from journeys.selectors.history import event_label
from kura.conditions import FieldLookup

RECORDED_ONLY: Final = "done"  # an event without a place in the queue: nobody had to look at it


@dataclass(frozen=True, kw_only=True, slots=True)
class EventTold:
    """`status`: its place in the queue. No personal data: the payload is asked for by itself."""

    id: uuid.UUID
    type: str
    label: str
    source: str
    key: str
    journey_key: str
    patient_id: uuid.UUID | None
    occurred_at: datetime
    recorded_at: datetime
    depth: int
    parent_id: uuid.UUID | None
    root_id: uuid.UUID
    status: str
    attempts: int
    last_error: str
    finished_at: datetime | None


@dataclass(frozen=True, kw_only=True, slots=True)
class ConditionTold:
    """`result` None: no data, or not comparable (`note`). `words`: the condition as a sentence."""

    pointer: str
    field: str
    op: str
    expected: Any
    actual: Any
    result: bool | None
    note: str
    words: str


@dataclass(frozen=True, kw_only=True, slots=True)
class ActionTold:
    """`refs`: what it caused, by kind: log_id, event_id, task_id, message_ids.

    `took`: None of a run before this was kept.
    """

    index: int
    type: str
    words: str
    status: str
    error_code: str
    error_words: str
    refs: Mapping[str, Any]
    took: timedelta | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Reach:
    """Keys of journeys: those that a rule moves the patient on in, enrolls them in, or blocks."""

    moves: frozenset[str]
    enrolls: frozenset[str]
    blocks: frozenset[str]


@dataclass(frozen=True, kw_only=True, slots=True)
class RunTold:
    """One rule against the event. `failed_on`: the first condition that did not hold.

    `only_if`: all conditions of that version in one sentence, with their ands and ors; `place` and
    `judged`: in its tree, the stage it is narrowed to apart. `reach`: what its actions do to the
    patient's journeys.
    """

    id: uuid.UUID
    rule_id: uuid.UUID
    rule_name: str
    version: int
    status: str
    label: str
    matched: bool | None
    only_if: str
    conditions: tuple[ConditionTold, ...]
    place: Verdict | None
    judged: Judged | None
    failed_on: ConditionTold | None
    actions: tuple[ActionTold, ...]
    reach: Reach
    error: str
    started_at: datetime
    finished_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class MoveTold:
    log_id: int
    journey_key: str
    from_stage: str
    to_stage: str
    changed_at: datetime
    rule_id: uuid.UUID | None


@dataclass(frozen=True, kw_only=True, slots=True)
class MessageTold:
    id: uuid.UUID
    audience: str
    state: str
    rule_id: uuid.UUID


@dataclass(frozen=True, kw_only=True, slots=True)
class TaskTold:
    id: uuid.UUID
    kind: str
    is_done: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class DecisionTold:
    kind: str
    label: str
    reason: str
    decided_by: str
    decided_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Trace:
    event: EventTold
    runs: tuple[RunTold, ...]
    silent: tuple[SilentRule, ...]
    moves: tuple[MoveTold, ...]
    messages: tuple[MessageTold, ...]
    tasks: tuple[TaskTold, ...]
    followed: tuple[EventTold, ...]
    decisions: tuple[DecisionTold, ...]


def trace_of(event_id: uuid.UUID) -> Trace:
    """EventNotFound for an id that is none in scope. Needs a tenant scope."""
    known = SystemEventLog.objects.select_related("dispatch", "organization", "payload_row")
    event = known.filter(pk=event_id).first()
    if event is None:
        raise errors.EventNotFound
    hearing = hearing_of(event, Practice(organization=event.organization))
    return Trace(
        event=event_told(event),
        runs=hearing.runs,
        silent=hearing.silent,
        moves=tuple(_moves(event)),
        messages=tuple(_messages(event)),
        tasks=tuple(_tasks(event)),
        followed=followed_by(event),
        decisions=tuple(_decisions(event)),
    )


def event_told(event: SystemEventLog) -> EventTold:
    place = getattr(event, "dispatch", None)
    return EventTold(
        id=event.pk,
        type=event.event_type,
        label=event_label(event.event_type),
        source=event.source,
        key=event.idempotency_key,
        journey_key=event.journey_key or "",
        patient_id=event.patient_id,
        occurred_at=event.occurred_at,
        recorded_at=event.created_at,
        depth=event.depth,
        parent_id=event.parent_event_id,
        root_id=event.root_event_id or event.pk,
        status=place.status if place else RECORDED_ONLY,
        attempts=place.attempts if place else 0,
        last_error=place.last_error if place else "",
        finished_at=place.finished_at if place else event.created_at,
    )


# --- rules that ran -----------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class Hearing:
    """Who heard an event, and who did not."""

    runs: tuple[RunTold, ...]
    silent: tuple[SilentRule, ...]


def hearing_of(event: SystemEventLog, practice: Practice) -> Hearing:
    """`event` is read with its place in the queue and its contents."""
    runs = list(RuleRun.objects.filter(event=event).select_related("rule").order_by("started_at"))
    return Hearing(runs=tuple(runs_told(runs, practice)), silent=tuple(_silent(event, runs)))


def runs_told(runs: Sequence[RuleRun], practice: Practice) -> Iterator[RunTold]:
    """Read with their rules. One query for all of them."""
    versions = _versions(runs)
    for run in runs:
        said = versions.get((run.rule_id, run.rule_version), run.rule.definition)
        yield _run(run, said, practice)


def _silent(event: SystemEventLog, runs: Sequence[RuleRun]) -> Iterator[SilentRule]:
    first = min((run.started_at for run in runs), default=None)
    ran = {run.rule_id for run in runs}
    known = listeners_of(event.organization_id, [event.event_type], besides=ran)
    return known.silent(event, ran, looked_at(event, first))


def _versions(runs: Sequence[RuleRun]) -> dict[tuple[uuid.UUID, int], Mapping[str, Any]]:
    rows = RuleVersion.objects.filter(
        rule__in={run.rule_id for run in runs}, version__in={run.rule_version for run in runs}
    )
    return {(row.rule_id, row.version): row.definition for row in rows}


def _run(run: RuleRun, said: Mapping[str, Any], practice: Practice) -> RunTold:
    fields = practice_fields(said["trigger_event"], said.get("journey_key") or "", practice)
    conditions = tuple(_condition(one, fields) for one in run.conditions)
    failed = (one for one in conditions if one.result is not True)
    place, judged = verdicts_of(said, run.conditions, fields)
    return RunTold(
        id=run.pk,
        rule_id=run.rule_id,
        rule_name=said["name"],
        version=run.rule_version,
        status=run.status,
        label=str(RunStatus(run.status).label),
        matched=run.matched,
        only_if=if_words(said, practice),
        conditions=conditions,
        place=place,
        judged=judged,
        failed_on=None if run.matched else next(failed, None),
        actions=tuple(_actions(run, said, practice)),
        reach=_reach(said, practice),
        error=run.error,
        started_at=run.started_at,
        finished_at=run.finished_at,
    )


def _reach(said: Mapping[str, Any], practice: Practice) -> Reach:
    found: dict[str, set[str]] = {"moves": set(), "enrolls": set(), "blocks": set()}
    for kind, params in readable_actions(said.get("actions")):
        key, stage = params.get("key"), params.get("status") or ""
        if kind in BLOCKING_ACTIONS and isinstance(key, str):
            way = "enrolls" if kind == "enroll" else "moves"
            found["blocks" if practice.is_blocking(key, stage) else way].add(key)
    return Reach(**{way: frozenset(keys) for way, keys in found.items()})


def _condition(told: Mapping[str, Any], fields: FieldLookup) -> ConditionTold:
    return ConditionTold(
        pointer=told["pointer"],
        field=told["field"],
        op=told["op"],
        expected=told["expected"],
        actual=told["actual"],
        result=told["result"],
        note=told["note"] or "",
        words=readable_condition(told, fields),
    )


def _actions(run: RuleRun, said: Mapping[str, Any], practice: Practice) -> Iterable[ActionTold]:
    meant = said.get("actions") or []
    for index, told in enumerate(run.actions):
        params = meant[index].get("params", {}) if index < len(meant) else {}
        yield ActionTold(
            index=index,
            type=told["type"],
            words=action_words(told["type"], params, practice),
            status=told["status"],
            error_code=told.get("error_code") or "",
            error_words=told.get("words", ""),
            refs={name: value for name, value in told.items() if name not in _NO_REFS},
            took=timedelta(milliseconds=told["took_ms"]) if "took_ms" in told else None,
        )


_NO_REFS: Final = frozenset({"type", "status", "error_code", "words", "took_ms"})


# --- what followed --------------------------------------------------------------------------------


def _moves(event: SystemEventLog) -> Iterable[MoveTold]:
    for log in JourneyLog.objects.filter(trigger_event=event).order_by("id"):
        yield MoveTold(
            log_id=log.pk,
            journey_key=log.journey_key,
            from_stage=log.from_stage or "",
            to_stage=log.to_stage,
            changed_at=log.changed_at,
            rule_id=log.rule_id,
        )


def _messages(event: SystemEventLog) -> Iterable[MessageTold]:
    for row in Message.objects.filter(event=event).order_by("created_at", "id"):
        yield MessageTold(id=row.pk, audience=row.audience, state=row.state, rule_id=row.rule_id)


def _tasks(event: SystemEventLog) -> Iterable[TaskTold]:
    for row in StaffTask.objects.filter(event=event).order_by("created_at", "id"):
        yield TaskTold(id=row.pk, kind=row.kind, is_done=row.done_at is not None)


def followed_by(event: SystemEventLog) -> tuple[EventTold, ...]:
    """The events that it caused itself, the oldest first."""
    children = (
        SystemEventLog.objects.filter(
            root_event_id=event.root_event_id or event.pk, depth__gt=0, parent_event_id=event.pk
        )
        .select_related("dispatch")
        .order_by("created_at", "id")
    )
    return tuple(map(event_told, children))


def _decisions(event: SystemEventLog) -> Iterable[DecisionTold]:
    rows = DispatchDecision.objects.filter(event=event).select_related("decided_by")
    for row in rows.order_by("decided_at", "id"):
        yield DecisionTold(
            kind=row.kind,
            label=str(row.get_kind_display()),
            reason=row.reason,
            decided_by=str(row.decided_by),
            decided_at=row.decided_at,
        )
