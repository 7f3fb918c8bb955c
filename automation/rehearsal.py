"""What a rule would do: the engine itself runs it, in a transaction that is always undone.

So the answer is production's own: the same facts, guards, graph, blocks and texts, and the same
reasons for a refusal. Messages, tasks, events and bells are rows of that transaction and are gone
with it; nothing is sent before a commit. What remains are gaps in numbered ids.

The rule runs alone, as one that has never run. On a stored event it is judged by the facts kept
with it, and its actions meet the patient where they stand now, as in a replay.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from django.db import transaction

from automation import engine, intake
from automation.actions.base import Practice
from automation.definition import normal
from automation.errors import EventNotFound
from automation.intake import Subject
from automation.judging import TIMEOUT
from automation.models.message import Message
from automation.models.rule import AutomationRule
from automation.models.staff_task import StaffTask
from automation.selectors.trace import EventTold, MoveTold, RunTold, followed_by, trace_of
from automation.sources import Source, SourceKind
from automation.validation import require_valid
from journeys.errors import PatientNotFound
from journeys.models.event import SystemEventLog
from kura.accounts.models import Organization
from kura.ids import time_ordered_uuid

REHEARSAL: Final = Source(SourceKind.SYSTEM, "rehearsal")  # may assert whatever can happen


@dataclass(frozen=True, kw_only=True, slots=True)
class Supposed:
    """An event that has not happened."""

    event_type: str
    subject: Subject
    journey_key: str | None = None
    payload: Mapping[str, Any] = field(default_factory=dict)
    occurred_at: datetime | None = None


class Deaf(StrEnum):
    """Why the rule would not hear the event."""

    OTHER_EVENT = "other_event"
    OTHER_JOURNEY = "other_journey"


@dataclass(frozen=True, kw_only=True, slots=True)
class MessageMeant:
    audience: str
    language: str
    subject: str
    body: str
    is_reminder: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class TaskMeant:
    kind: str
    text: str
    assigned_to: str
    due_at: datetime | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Rehearsal:
    """`run` None: it would not hear the event (`deaf`). Ids in it belong to nothing any more."""

    deaf: Deaf | None = None
    run: RunTold | None = None
    moves: tuple[MoveTold, ...] = ()
    messages: tuple[MessageMeant, ...] = ()
    tasks: tuple[TaskMeant, ...] = ()
    followed: tuple[EventTold, ...] = ()


def rehearse(
    *,
    organization: Organization,
    definition: Mapping[str, Any],
    event: uuid.UUID | Supposed,
    now: datetime,
) -> Rehearsal:
    """InvalidRule, EventNotFound, PatientNotFound, and what `record_event` refuses.

    Needs the organization's tenant scope. Locks the patient for as long as it takes.
    """
    require_valid(definition, Practice(organization=organization))
    with transaction.atomic():
        rehearsal = _rehearsed(organization, definition, event, now)
        transaction.set_rollback(True)
    return rehearsal


def _rehearsed(
    organization: Organization,
    definition: Mapping[str, Any],
    asked: uuid.UUID | Supposed,
    now: datetime,
) -> Rehearsal:
    rule = AutomationRule(organization=organization, is_active=False, **normal(definition))
    rule.save(force_insert=True)
    event = _event(_supposed(organization, asked, rule) if isinstance(asked, Supposed) else asked)
    deaf = _deaf(rule, event)
    if deaf is not None:
        return Rehearsal(deaf=deaf)
    known = {child.id for child in followed_by(event)}
    engine.try_rule(rule, event, now=now)
    return _told(rule, event, known)


def _supposed(organization: Organization, asked: Supposed, rule: AutomationRule) -> uuid.UUID:
    recorded = intake.record_event(
        organization=organization,
        event_type=asked.event_type,
        source=REHEARSAL,
        idempotency_key=str(time_ordered_uuid()),
        subject=asked.subject,
        journey_key=asked.journey_key,
        payload=_payload(asked, rule),
        occurred_at=asked.occurred_at,
    )
    return recorded.event_id


def _payload(asked: Supposed, rule: AutomationRule) -> Mapping[str, Any]:
    """The monitor names rule and stage; who supposes a time-out need not."""
    if asked.event_type != TIMEOUT:
        return asked.payload
    return {"stage": rule.stage, **asked.payload, "rule_id": str(rule.pk)}


def _event(event_id: uuid.UUID) -> SystemEventLog:
    """About somebody: an event without a patient makes no rule run."""
    whole = SystemEventLog.objects.select_related("organization", "payload_row")
    event = whole.filter(pk=event_id).first()
    if event is None:
        raise EventNotFound
    if event.patient_id is None:
        raise PatientNotFound
    return event


def _deaf(rule: AutomationRule, event: SystemEventLog) -> Deaf | None:
    if rule.trigger_event != event.event_type:
        return Deaf.OTHER_EVENT
    if event.event_type == TIMEOUT:  # whose limit it was is not asked: the rule is new
        hears = rule.journey_key == event.journey_key
    else:
        hears = engine.concerns(rule, event, Practice(organization=event.organization))
    return None if hears else Deaf.OTHER_JOURNEY


def _told(rule: AutomationRule, event: SystemEventLog, known: set[uuid.UUID]) -> Rehearsal:
    trace = trace_of(event.pk)
    [run] = [run for run in trace.runs if run.rule_id == rule.pk]
    return Rehearsal(
        run=run,
        moves=tuple(move for move in trace.moves if move.rule_id == rule.pk),
        messages=tuple(map(_message, Message.objects.filter(rule=rule).order_by("id"))),
        tasks=tuple(map(_task, _tasks(rule, event))),
        followed=tuple(child for child in trace.followed if child.id not in known),
    )


def _tasks(rule: AutomationRule, event: SystemEventLog) -> list[StaffTask]:
    tasks = StaffTask.objects.filter(event=event, rule_id=rule.pk).select_related("assigned_to")
    return list(tasks.order_by("id"))


def _message(row: Message) -> MessageMeant:
    names = MessageMeant.__dataclass_fields__
    return MessageMeant(**{name: getattr(row, name) for name in names})


def _task(row: StaffTask) -> TaskMeant:
    person = str(row.assigned_to) if row.assigned_to else ""
    return TaskMeant(kind=row.kind, text=row.text, assigned_to=person, due_at=row.due_at)
