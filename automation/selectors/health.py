"""How automation is doing: does the cluster work, what waits, what needs a person.

Heartbeats are the system's. The counts are of what is in scope: one organization, or every.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from django.db.models import Count, Min, Q
from django_q.models import Schedule

from automation.models.dispatch import WAITING, DispatchStatus, EventDispatch
from automation.models.heartbeat import CLUSTER, MONITOR, OF_ONE, VERIFIED, Heartbeat
from automation.models.message import Message, MessageState
from automation.selectors.verified import Verified, verified_in

SILENT_AFTER: Final = timedelta(minutes=3)  # by then a supervisor has replaced what was silent
MISSED_AFTER: Final = timedelta(minutes=62)  # two sweeps after it should have come
HOUR: Final = timedelta(hours=1)
LATE_AFTER: Final = timedelta(minutes=90)  # the monitor looks each full hour
MONITOR_PLAN: Final = "kura.monitor"
RECENT: Final = timedelta(days=7)  # failed messages that are still worth a look


@dataclass(frozen=True, kw_only=True, slots=True)
class Health:
    """`last_beat`: the last work of any cluster. `clusters`: how many have worked lately.

    `oldest_waiting_since`: when the event was stored that waits longest. `messages_failed`: in the
    last seven days.
    """

    last_beat: datetime | None
    is_silent: bool
    clusters: int
    waiting: int
    oldest_waiting_since: datetime | None
    dead: int
    unmatched: int
    messages_failed: int


def automation_health(*, now: datetime) -> Health:
    """Needs a scope. Three queries."""
    return _health(_beats(), now)


@dataclass(frozen=True, kw_only=True, slots=True)
class Signs:
    """Everything that works by itself, for one page."""

    health: Health
    monitor: MonitorStatus
    verified: Verified


def signs_of(organization_id: uuid.UUID | None, *, now: datetime) -> Signs:
    """In four queries. Needs a scope; None: every practice."""
    beats = _beats()
    return Signs(
        health=_health(beats, now),
        monitor=_monitor(beats.get(MONITOR), now),
        verified=verified_in(beats.get(VERIFIED), now=now, organization_id=organization_id),
    )


def _health(beats: Mapping[str, Heartbeat], now: datetime) -> Health:
    last_beat = beats[CLUSTER].at if CLUSTER in beats else None
    lately = [one for name, one in beats.items() if name.startswith(OF_ONE)]
    places = _places()
    return Health(
        last_beat=last_beat,
        is_silent=last_beat is None or now - last_beat > SILENT_AFTER,
        clusters=sum(now - one.at <= SILENT_AFTER for one in lately),
        waiting=places["waiting"],
        oldest_waiting_since=places["oldest"],
        dead=places["dead"],
        unmatched=places["unmatched"],
        messages_failed=_failed_messages(now),
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class MonitorStatus:
    """The stale journey monitor: its last check of everybody, and when it looks again.

    `is_late`: the last one was more than 90 minutes ago, or there was none though one was due.
    `was_missed`: the full hour has passed without one; the sweep calls it then. `counts`: stage
    visits by what was done about them (`automation.monitor.VisitOutcome`).
    """

    last_run: datetime | None
    next_run: datetime | None
    is_late: bool
    was_missed: bool
    stale: int = 0
    counts: Mapping[str, int] = field(default_factory=dict)
    seconds: float = 0
    errors: Sequence[str] = ()
    started_at: datetime | None = None

    @property
    def emitted(self) -> int:
        return self.counts.get("emitted", 0)


def monitor_status(*, now: datetime) -> MonitorStatus:
    """The system's, not one practice's: numbers of all of them together. Two queries."""
    return _monitor(Heartbeat.objects.filter(name=MONITOR).first(), now)


def _monitor(beat: Heartbeat | None, now: datetime) -> MonitorStatus:
    plan = Schedule.objects.filter(name=MONITOR_PLAN).only("next_run", "task").first()
    planned = plan.next_run if plan else None
    if beat is None:
        is_late = not _is_to_begin(plan, now)
        return MonitorStatus(last_run=None, next_run=planned, is_late=is_late, was_missed=True)
    started, finished = (
        datetime.fromisoformat(beat.detail[name]) for name in ("started_at", "finished_at")
    )
    return MonitorStatus(
        last_run=beat.at,
        next_run=planned,
        is_late=now - beat.at > LATE_AFTER,
        was_missed=now - beat.at > MISSED_AFTER,
        stale=beat.detail["stale"],
        counts=beat.detail["counts"],
        seconds=(finished - started).total_seconds(),
        errors=beat.detail["errors"],
        started_at=started,
    )


def _is_to_begin(plan: Schedule | None, now: datetime) -> bool:
    """A new installation before its first full hour: nothing was called yet, so nothing failed."""
    return plan is not None and plan.task is None and now < plan.next_run + LATE_AFTER - HOUR


def _beats() -> dict[str, Heartbeat]:
    """Of clusters, the monitor and the last verification, by name."""
    named = Q(name__in=(CLUSTER, MONITOR, VERIFIED)) | Q(name__startswith=OF_ONE)
    return {beat.name: beat for beat in Heartbeat.objects.filter(named)}


def _places() -> dict[str, Any]:
    """The index holds those that are not done; the finished ones are never read."""
    waiting = Q(status__in=WAITING)
    laid_aside = Q(status__in={DispatchStatus.DEAD, DispatchStatus.UNMATCHED})
    return EventDispatch.objects.filter(waiting | laid_aside).aggregate(
        waiting=Count("pk", filter=waiting),
        oldest=Min("event__created_at", filter=waiting),
        dead=Count("pk", filter=Q(status=DispatchStatus.DEAD)),
        unmatched=Count("pk", filter=Q(status=DispatchStatus.UNMATCHED)),
    )


def _failed_messages(now: datetime) -> int:
    recent = Message.objects.filter(created_at__gte=now - RECENT)
    return recent.filter(state=MessageState.FAILED).count()
