"""What one practice sees of the stale journey monitor: whom the last check announced and what
followed from it, and who is stuck now.

The heartbeat counts all practices together, so nothing of it is shown but its times: the numbers
here are counted from the events of whoever is in scope.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any, Final

from django.db.models import Count, QuerySet

from automation.judging import TIMEOUT
from automation.models.message import Message
from automation.models.rule import AutomationRule
from automation.models.run import RuleRun
from automation.models.staff_task import StaffTask
from automation.selectors.health import MonitorStatus, monitor_status
from automation.selectors.reminders import most_of, writes_to_patient
from automation.selectors.stale import Found, Left, StaleVisit, left_by, stale_visits
from automation.selectors.withheld import Withheld, withheld_of
from automation.sources import MONITOR
from journeys.models.event import SystemEventLog
from journeys.selectors.definitions import Definition, Stage
from journeys.selectors.history import definitions_by_key
from kura.ids import first_uuid_of
from patients.models import Patient

SHOWN: Final = 25  # of those who were announced, and of those who are stuck, on one page


@dataclass(frozen=True, kw_only=True, slots=True)
class Announced:
    """One event of the last check. Nothing has followed yet while it waits to be processed."""

    event: SystemEventLog
    journey: str
    stage: Stage | None
    stage_code: str
    rule: AutomationRule | None
    occurrence: int
    runs: Sequence[RuleRun]
    messages: Sequence[Message]
    tasks: Sequence[StaffTask]


@dataclass(frozen=True, kw_only=True, slots=True)
class Stuck:
    """One visit past its limit. `most`: reminders in all, None without end.

    `next_due_at`: when the next reminder is due, past for one that the next check announces; None
    after the last one. `withheld`: None when its rule writes nothing to the patient.
    """

    visit: StaleVisit
    patient: Patient | None
    journey: str
    stage: Stage | None
    hours: float
    most: int | None
    next_due_at: datetime | None
    withheld: Withheld | None


@dataclass(frozen=True, kw_only=True)
class MonitorPage:
    """`messages`: how many mails followed from the last check, by their state.

    `left`: what the last check said nothing about; None when there was none.
    """

    status: MonitorStatus
    announced: Sequence[Announced]
    count_of_announced: int
    messages: Mapping[str, int]
    tasks: int
    stuck: Sequence[Stuck]
    count_of_stuck: int
    count_of_due: int
    left: Left | None
    number: int

    @cached_property
    def pages(self) -> int:
        return max(1, -(-self.count_of_stuck // SHOWN))


def monitor_page(*, now: datetime, number: int = 1) -> MonitorPage:
    """Needs a scope. `number`: the page of those who are stuck, from 1. Sixteen queries at most."""
    status = monitor_status(now=now)
    events = _events_since(status.started_at)
    newest = list(events.select_related("patient", "dispatch", "payload_row")[:SHOWN])
    found = stale_visits(now=now, limit=SHOWN, offset=(number - 1) * SHOWN, oldest_first=True)
    names = _Names.of(newest, found)
    held = _withheld(found, names, now, max(now, status.next_run or now))
    followed = Message.objects.filter(event__in=events.values("pk")).order_by()
    return MonitorPage(
        status=status,
        announced=_announced(newest, names),
        count_of_announced=events.count(),
        messages=dict(followed.values_list("state").annotate(Count("pk"))),
        tasks=StaffTask.objects.filter(event__in=events.values("pk")).count(),
        stuck=[_stuck(visit, names, held, now) for visit in found.visits],
        count_of_stuck=found.stale,
        count_of_due=found.due,
        left=left_by(status.started_at, now=now) if status.started_at else None,
        number=number,
    )


def _events_since(started_at: datetime | None) -> QuerySet[SystemEventLog]:
    """Those of a check by hand since then as well."""
    if started_at is None:
        return SystemEventLog.objects.none()
    since = SystemEventLog.objects.filter(pk__gte=first_uuid_of(started_at))
    return since.filter(event_type=TIMEOUT, source=str(MONITOR)).order_by("pk")


@dataclass(frozen=True, slots=True)
class _Names:
    """What the rows need of other tables, read once for all of them."""

    journeys: Mapping[tuple[uuid.UUID, str], Definition]
    rules: Mapping[uuid.UUID, AutomationRule]
    patients: Mapping[uuid.UUID, Patient]

    @classmethod
    def of(cls, events: Sequence[SystemEventLog], found: Found) -> _Names:
        visits = found.visits
        keys = {one.journey_key or "" for one in events} | {one.journey_key for one in visits}
        rules = {_said(one).get("rule_id") for one in events} | {one.rule_id for one in visits}
        return cls(
            definitions_by_key(keys),
            AutomationRule.objects.in_bulk([one for one in rules if one]),
            _patients([one.patient_id for one in visits]),
        )

    def stage(self, organization_id: uuid.UUID, key: str, code: str) -> tuple[str, Stage | None]:
        """The journey's name, and the stage unless the journey never had it."""
        journey = self.journeys.get((organization_id, key))
        return (journey.name, journey.stages.get(code)) if journey else (key, None)


def _patients(ids: Iterable[uuid.UUID]) -> dict[uuid.UUID, Patient]:
    """With the practice: its clock and its quiet hours."""
    return Patient.objects.select_related("organization").in_bulk(list(ids))


def _said(event: SystemEventLog) -> dict[str, Any]:
    """The contents, which may have been erased."""
    row = getattr(event, "payload_row", None)
    return row.payload if row else {}


def _announced(events: Sequence[SystemEventLog], names: _Names) -> list[Announced]:
    ids = [event.pk for event in events]
    runs = _by_event(RuleRun.objects.filter(event__in=ids).order_by("id"))
    messages = _by_event(Message.objects.filter(event__in=ids).order_by("id"))
    tasks = _by_event(StaffTask.objects.filter(event__in=ids).order_by("id"))
    lines = []
    for event in events:
        said = _said(event)
        code = said.get("stage", "")
        journey, stage = names.stage(event.organization_id, event.journey_key or "", code)
        line = Announced(
            event=event,
            journey=journey,
            stage=stage,
            stage_code=code,
            rule=names.rules.get(uuid.UUID(said["rule_id"])) if "rule_id" in said else None,
            occurrence=said.get("occurrence", 1),
            runs=runs.get(event.pk, []),
            messages=messages.get(event.pk, []),
            tasks=tasks.get(event.pk, []),
        )
        lines.append(line)
    return lines


def _by_event(rows: Iterable[Any]) -> dict[uuid.UUID, list[Any]]:
    found: dict[uuid.UUID, list[Any]] = {}
    for row in rows:
        found.setdefault(row.event_id, []).append(row)
    return found


def _withheld(
    found: Found, names: _Names, now: datetime, written_at: datetime
) -> dict[uuid.UUID, Withheld]:
    patients = {one.enrollment_id: names.patients.get(one.patient_id) for one in found.visits}
    standing = {enrollment: one for enrollment, one in patients.items() if one}
    return withheld_of(standing, now=now, written_at=written_at)


def _stuck(
    visit: StaleVisit, names: _Names, held: Mapping[uuid.UUID, Withheld], now: datetime
) -> Stuck:
    journey, stage = names.stage(visit.organization_id, visit.journey_key, visit.stage)
    rule = names.rules[visit.rule_id]
    return Stuck(
        visit=visit,
        patient=names.patients.get(visit.patient_id),
        journey=journey,
        stage=stage,
        hours=visit.hours_in_stage(now),
        most=most_of(rule),
        next_due_at=_next_due_at(visit, rule),
        withheld=held.get(visit.enrollment_id) if writes_to_patient(rule) else None,
    )


def _next_due_at(visit: StaleVisit, rule: AutomationRule) -> datetime | None:
    if visit.is_due:
        return visit.due_at
    is_last = rule.max_repeats is not None and visit.occurrence >= rule.max_repeats
    if rule.repeat_hours is None or is_last:
        return None
    return visit.due_at + timedelta(hours=float(rule.repeat_hours))
