"""The doorbell: tells the cluster that something waits in the queue.

Rung inside the transaction that stored the event, so it is heard if and only if there is
something to do. A bell that is lost does no harm: the sweep looks every minute.
"""

from __future__ import annotations

import time
from functools import partial
from typing import Final

from django.db import connection, transaction
from django_q.tasks import async_task

# A drain stays LINGER seconds (dispatch.py) at the door after the ring that called it, longer than
# this: an event that follows another of the same process so closely is seen by that drain.
QUIET: Final = 0.25  # seconds
_last_rung = 0.0


def ring() -> None:
    """Call a drain, unless this transaction or, just now, this process has called one."""
    now = time.monotonic()
    if not _is_ringing() and now - _last_rung >= QUIET:
        async_task("automation.tasks.drain", time.time(), q_options={"task_name": "drain"})
        transaction.on_commit(partial(_rung, now), robust=True)


def _is_ringing() -> bool:
    """A bell of this transaction waits for the commit; one in a savepoint undone does not count."""
    return any(getattr(row[1], "func", None) is _rung for row in connection.run_on_commit)


def _rung(at: float) -> None:
    """Counted from the ring, not from the commit: a long transaction has no quiet time left."""
    global _last_rung  # noqa: PLW0603  one process, one bell
    _last_rung = at
