"""The doorbell: tells the cluster that something waits in the queue.

Rung inside the transaction that stored the event, so it is heard if and only if there is
something to do. A bell that is lost does no harm: the sweep looks every minute.
"""

from __future__ import annotations

import time
from typing import Final

from django.db import transaction
from django_q.tasks import async_task

# A drain stays LINGER seconds at the door (dispatch.py), longer than this: an event that follows
# another of the same process so closely is seen by the drain that the first one called.
QUIET: Final = 0.25  # seconds
_last_rung = 0.0


def ring() -> None:
    """Call a drain, unless this process has just called one."""
    if time.monotonic() - _last_rung >= QUIET:
        async_task("automation.tasks.drain", q_options={"task_name": "drain", "save": False})
        transaction.on_commit(_rung, robust=True)


def _rung() -> None:
    global _last_rung  # noqa: PLW0603  one process, one bell
    _last_rung = time.monotonic()
