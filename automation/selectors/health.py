"""How automation is doing: does the cluster work, what waits, what needs a person.

Heartbeats are the system's. The counts are of what is in scope: one organization, or every.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.db.models import Count, Q

from automation.models.dispatch import WAITING, DispatchStatus, EventDispatch
from automation.models.heartbeat import CLUSTER, OF_ONE, Heartbeat
from automation.models.message import Message, MessageState

SILENT_AFTER: Final = timedelta(minutes=3)  # by then a supervisor has replaced what was silent
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
    """Needs a scope. Five queries."""
    last_beat, clusters = _beats(now)
    for_people = _for_people()
    return Health(
        last_beat=last_beat,
        is_silent=last_beat is None or now - last_beat > SILENT_AFTER,
        clusters=clusters,
        waiting=EventDispatch.objects.filter(status__in=WAITING).count(),
        oldest_waiting_since=_oldest_waiting(),
        dead=for_people["dead"],
        unmatched=for_people["unmatched"],
        messages_failed=_failed_messages(now),
    )


def _beats(now: datetime) -> tuple[datetime | None, int]:
    beats = Heartbeat.objects.filter(Q(name=CLUSTER) | Q(name__startswith=OF_ONE))
    found = dict(beats.values_list("name", "at"))
    last = found.pop(CLUSTER, None)
    return last, sum(now - at <= SILENT_AFTER for at in found.values())


def _oldest_waiting() -> datetime | None:
    waiting = EventDispatch.objects.filter(status__in=WAITING).order_by("seq")
    return waiting.values_list("event__created_at", flat=True).first()


def _for_people() -> dict[str, int]:
    laid_aside = {DispatchStatus.DEAD, DispatchStatus.UNMATCHED}
    return EventDispatch.objects.filter(status__in=laid_aside).aggregate(
        dead=Count("pk", filter=Q(status=DispatchStatus.DEAD)),
        unmatched=Count("pk", filter=Q(status=DispatchStatus.UNMATCHED)),
    )


def _failed_messages(now: datetime) -> int:
    recent = Message.objects.filter(created_at__gte=now - RECENT)
    return recent.filter(state=MessageState.FAILED).count()
