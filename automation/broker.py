"""Where tasks wait for the cluster: django-q2's table, each row taken at most once.

django-q2 1.11 keeps a row until its task has ended and offers it again when the worker died, so a
task that kills its worker comes back without end. Here taking a row deletes it. A task may then be
lost with its worker, which does no harm: what has to be done stands in tables of our own, and
every beat and every sweep looks there.

A Schedule row may name any callable of Python. Only what `automation.tasks` defines is handed out.

A cluster listens to the queue of all and, before that, to one of its own name: there its
supervisor asks whether this cluster, and not its neighbour, is alive.
"""

from __future__ import annotations

import logging
import os
import random
import re
import time
from typing import Any, Final

from django.db import Error, connections
from django_q.brokers.orm import ORM
from django_q.conf import Conf
from django_q.signing import BadSignature, SignedPackage

logger = logging.getLogger(__name__)

OWN_QUEUE: Final = "KURA_CLUSTER"  # environment variable: the name of this process's cluster
TASK: Final = re.compile(r"automation\.tasks\.[a-z][a-z_]*")
SPREAD: Final = 0.3  # of the pause, either way: two clusters shall not poll in step for ever
AFTER_ERROR: Final = 1.0  # seconds until a database that failed is asked again

_TAKE: Final = """
WITH next AS MATERIALIZED (
    SELECT id FROM django_q_ormq WHERE key IN (%(everyones)s, %(own)s)
    ORDER BY key = %(own)s DESC, id LIMIT %(most)s
    FOR UPDATE SKIP LOCKED
)
DELETE FROM django_q_ormq WHERE id IN (SELECT id FROM next) RETURNING payload
"""


def own_queue() -> str:
    """The name of the cluster that this process belongs to, or nothing."""
    return os.environ.get(OWN_QUEUE, "")


class AtMostOnce(ORM):  # type: ignore[misc]  # django-q2 is not typed
    is_failing = False

    def dequeue(self) -> list[tuple[None, str]]:
        """Tasks without an acknowledgement id: there is nothing left to acknowledge."""
        try:
            taken = self._take()
        except Error as error:
            self._note_failure(error)
            return []
        self._note_success()
        if not taken:
            time.sleep(Conf.POLL * random.uniform(1 - SPREAD, 1 + SPREAD))  # noqa: S311
        return [(None, payload) for payload in taken if is_ours(payload)]

    def _take(self) -> list[str]:
        self.get_connection()  # replaces a connection that is too old or broken
        asked = {
            "everyones": self.list_key,
            "own": own_queue() or self.list_key,
            "most": Conf.BULK,
        }
        with connections[Conf.ORM].cursor() as cursor:
            cursor.execute(_TAKE, asked)
            return [payload for (payload,) in cursor.fetchall()]

    def _note_failure(self, error: Error) -> None:
        """Said once: a database that is down for an hour is one fact."""
        connections[Conf.ORM].close()
        if not self.is_failing:
            logger.warning("tasks cannot be fetched: %s", type(error).__name__)
        self.is_failing = True
        time.sleep(AFTER_ERROR)

    def _note_success(self) -> None:
        if self.is_failing:
            logger.info("tasks can be fetched again")
        self.is_failing = False

    def acknowledge(self, task_id: object) -> None:
        """Taken is gone already."""

    def fail(self, task_id: object) -> None:
        """Taken is gone already."""


def is_ours(payload: str) -> bool:
    """True for a task that `automation.tasks` defines, signed by us, with nothing to call after."""
    try:
        task: dict[str, Any] = SignedPackage.loads(payload)
        func, hook = task["func"], task.get("hook")
    except (BadSignature, TypeError, ValueError, KeyError) as error:
        logger.error("a task was dropped: it cannot be read (%s)", type(error).__name__)  # noqa: TRY400
        return False
    if isinstance(func, str) and TASK.fullmatch(func) and not hook:
        return True
    logger.error("a task was dropped: Kura has no task %.100r with hook %.100r", func, hook)
    return False
