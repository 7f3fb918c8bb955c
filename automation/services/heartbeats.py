"""Signs of life, written by whoever has just done something.

Nothing is written by merely being there.
"""

from __future__ import annotations

import os
from datetime import datetime, timedelta
from typing import Any, Final

from django.utils import timezone
from django_q.models import OrmQ

from automation.broker import own_queue
from automation.models.heartbeat import CLUSTER, OF_ONE, Heartbeat

FORGOTTEN: Final = timedelta(hours=1)  # a cluster that was killed and never came back


def show_life(*, now: datetime | None = None) -> None:
    """A worker has done its work: its cluster lives."""
    now = now or timezone.now()
    detail = {"worker": os.getpid()}
    names = sorted({CLUSTER, own_queue() or CLUSTER})
    _write([Heartbeat(name=name, at=now, detail=detail) for name in names])


def note(name: str, *, at: datetime | None = None, **detail: Any) -> None:
    _write([Heartbeat(name=name, at=at or timezone.now(), detail=detail)])


def _write(beats: list[Heartbeat]) -> None:
    Heartbeat.objects.bulk_create(
        beats, update_conflicts=True, unique_fields=["name"], update_fields=["at", "detail"]
    )


def leave(name: str) -> None:
    """A cluster that has ended takes its sign and its queue with it."""
    Heartbeat.objects.filter(name=name).delete()
    OrmQ.objects.filter(key=name).delete()


def forget_lost(*, now: datetime) -> None:
    """Signs and queues of clusters that ended without leaving."""
    Heartbeat.objects.filter(name__startswith=OF_ONE, at__lt=now - FORGOTTEN).delete()
    OrmQ.objects.filter(key__startswith=OF_ONE, lock__lt=now - FORGOTTEN).delete()
