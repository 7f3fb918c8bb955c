"""The doorbell: tells the cluster that something waits in the queue, or in the outbox.

Rung inside the transaction that stored it, so it is heard if and only if there is something to
do. A bell that is lost does no harm: the sweep looks every minute.
"""

from __future__ import annotations

import time
import uuid
from functools import partial
from typing import Final

from django.db import connection, transaction
from django_q.tasks import async_task

# A drain and a delivery stay LINGER seconds (dispatch.py, outbox.py) at the door after the ring
# that called them, longer than this: what follows so closely in the same process is seen by them.
QUIET: Final = 0.25  # seconds
_last_rung: dict[str, float] = {}


def ring() -> None:
    """Call a drain, unless this transaction or, just now, this process has called one."""
    _call("drain")


def ring_mail() -> None:
    """Call a delivery of messages, likewise."""
    _call("deliver")


def ring_monitor() -> None:
    """Call the monitor again: it had no time for all whom it found."""
    _call("check_stale_journeys")


def ring_verification() -> None:
    """Call the reading of the history again: there is more of it."""
    _call("verify_history")


def send_access_link(user_id: uuid.UUID, *, site: str) -> None:
    """Each ring counts: it is for one person. `site`: where the front door is, ending in `/`."""
    async_task(
        "automation.tasks.send_access_link",
        str(user_id),
        site,
        q_options={"task_name": "send_access_link"},
    )


def _call(task: str) -> None:
    now = time.monotonic()
    if not _is_ringing(task) and now - _last_rung.get(task, 0.0) >= QUIET:
        async_task(f"automation.tasks.{task}", time.time(), q_options={"task_name": task})
        transaction.on_commit(partial(_rung, task, now), robust=True)


def _is_ringing(task: str) -> bool:
    """A bell of this transaction waits for the commit; one in a savepoint undone does not count."""
    callbacks = [row[1] for row in connection.run_on_commit]
    return any(
        isinstance(one, partial) and one.func is _rung and one.args[0] == task for one in callbacks
    )


def _rung(task: str, at: float) -> None:
    """Counted from the ring, not from the commit: a long transaction has no quiet time left."""
    _last_rung[task] = at
