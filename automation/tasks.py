"""What django-q2 calls. Thin edges: no arguments but times, ids and our own address, no harm when
late, twice, lost.

Nothing but what this module defines is ever run (broker.py). Each task ends within half a minute,
so that a cluster that is merely busy is never taken for a dead one. The text of an error stays
here: it may quote a person's data, and django-q2 would keep and print it.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from functools import wraps
from typing import Any, Final

from django.contrib.sessions.models import Session
from django.db import DatabaseError
from django.urls import reverse
from django.utils import timezone
from django_q.models import Task

from automation import bell, dispatch, errors, monitor, outbox, schedules, verification
from automation.models.heartbeat import SWEEP
from automation.selectors.health import monitor_status
from automation.services import heartbeats, stage_timers
from kura import tenancy
from kura.accounts.access import link_parts, send_link
from kura.accounts.lockout import forget_failures
from kura.accounts.models import User
from kura.api import memory
from kura.errors import constraint_of
from patients.importing import forget_files

logger = logging.getLogger(__name__)

DRAIN: Final = 10.0  # seconds; who rings while a drain works is heard by it or by the next
DELIVERY: Final = 10.0  # seconds; a conversation that began before the end takes 13 s at most
BEAT_DRAIN: Final = 5.0  # seconds
CHECK: Final = 20.0  # seconds; a batch that began before the end takes less than one
FAILURES_KEPT: Final = 1000  # rows of django-q2's table
SIGN: Final = 1.0  # seconds between two signs of life of one worker

_signed_at = 0.0


class TaskFailed(Exception):
    """Says which kind of error ended a task, and nothing that the error said."""


def task(work: Callable[..., int]) -> Callable[..., int]:
    """An edge: a sign of life after the work, also after work that failed."""

    @wraps(work)
    def run(*args: Any) -> int:
        try:
            return work(*args)
        except Exception as error:  # noqa: BLE001  the edge of a task
            raise TaskFailed(_name_of(error)) from None
        finally:
            _show_life()

    return run


def _name_of(error: Exception) -> str:
    constraint = constraint_of(error) if isinstance(error, DatabaseError) else ""
    return f"{type(error).__name__} {constraint}".strip()


def _show_life() -> None:
    global _signed_at  # noqa: PLW0603  one worker, one clock
    if time.monotonic() - _signed_at < SIGN:
        return
    try:
        heartbeats.show_life()
    except DatabaseError as error:
        logger.warning("no sign of life could be written: %s", type(error).__name__)
    else:
        _signed_at = time.monotonic()


@task
def drain(rung_at: float = 0.0) -> int:
    """The bell was rung: process what waits, and stay at the door for who comes right after.

    `rung_at`: seconds since 1970. Who rang long ago has no followers left to wait for, so a
    thousand old bells are through in no time.
    """
    since = max(time.time() - rung_at, 0.0)
    return _drain(seconds=DRAIN, linger=max(dispatch.LINGER - since, 0.0))


@task
def deliver(rung_at: float = 0.0) -> int:
    """A message was written: send what waits. `rung_at` as above."""
    since = max(time.time() - rung_at, 0.0)
    return _deliver(seconds=DELIVERY, linger=max(outbox.LINGER - since, 0.0))


@task
def beat() -> int:
    """The supervisor asks for a sign of life; the answer is work that is useful anyway."""
    schedules.keep(now=timezone.now())
    return _drain(seconds=BEAT_DRAIN, linger=0)


@task
def sweep() -> int:
    """Each minute: whatever a lost bell left behind, and a check that the full hour has missed."""
    heartbeats.note(SWEEP)
    if monitor_status(now=timezone.now()).was_missed:
        bell.ring_monitor()
    return _drain(seconds=BEAT_DRAIN, linger=0) + _deliver(seconds=BEAT_DRAIN, linger=0)


@task
def check_stale_journeys(rung_at: float = 0.0) -> int:  # noqa: ARG001  the bell says when it rang
    """Each full hour: say who is stuck. Whom it has no time for, the next one says at once."""
    try:
        with tenancy.every_organization():
            report = monitor.check(seconds=CHECK)
    except errors.CheckInProgress:
        logger.info("another check is at work")
        return 0
    if report.unfinished:
        bell.ring_monitor()
    return report.emitted


@task
def verify_history(rung_at: float = 0.0) -> int:  # noqa: ARG001  the bell says when it rang
    """Each night: does the history still fit together? What it has no time for follows at once."""
    is_done = verification.verify(now=timezone.now(), seconds=CHECK)
    if not is_done:
        bell.ring_verification()
    return int(is_done)


@task
def send_access_link(user_id: str, site: str) -> int:
    """Whoever forgot the password asked for it; nobody has this id when the address was unknown.

    Lost with its worker, it is asked for again.
    """
    user = User.objects.select_related("organization").filter(pk=user_id, is_active=True).first()
    if user is None:
        return 0
    way = reverse("admin:choose_password", kwargs=link_parts(user))
    send_link(user=user, url=f"{site.rstrip('/')}{way}")
    return 1


@task
def tidy() -> int:
    """Each hour: what django-q2, a killed cluster, log-ins, unconfirmed imports and the HTTP edge
    leave behind.
    """
    now = timezone.now()
    heartbeats.forget_lost(now=now)
    stage_timers.forget_ended()
    memory.forget_old(now=now)
    forget_failures(now=now)
    forget_files(now=now)
    Session.objects.filter(expire_date__lt=now).delete()
    kept = Task.objects.order_by("-stopped").values("pk")[:FAILURES_KEPT]
    removed, _ = Task.objects.exclude(pk__in=kept).delete()
    return int(removed)


def _drain(*, seconds: float, linger: float) -> int:
    """Rings again when time was up before the work was done."""
    began = time.monotonic()
    tried = dispatch.drain(seconds=seconds, linger=linger)
    if tried and time.monotonic() - began >= seconds:
        bell.ring()
    return tried


def _deliver(*, seconds: float, linger: float) -> int:
    """Unless another worker is at it: slow mail must leave one for events. Rings again likewise."""
    with outbox.turn() as is_ours:
        sent = outbox.deliver(seconds=seconds, linger=linger) if is_ours else 0
    if is_ours and outbox.is_due(timezone.now()):
        bell.ring_mail()
    return sent
