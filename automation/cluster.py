"""The supervisor of django-q2's cluster: starts it, asks whether it works, replaces it when silent.

Watched is the only thing that counts: work done. When a cluster has shown no sign of life for
`beat` seconds, a task is put into its own queue; the worker that runs it writes the sign
(services/heartbeats.py). No sign for `silence` seconds ends the whole process group. One cause of
silence is known and ends the cluster at once: see `Watchful`.

A database that does not answer is not a silent cluster: then nothing is killed, and the time of
silence begins anew once it answers. Ending a cluster in the middle of its work does no harm
(dispatch.py). On Linux no process outlives its parent, whoever is killed with -9.
"""

from __future__ import annotations

import contextlib
import ctypes
import logging
import multiprocessing
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from django.conf import settings
from django.db import connection
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created
from django.utils import timezone
from django_q import cluster as django_q_cluster
from django_q.models import OrmQ
from django_q.signals import post_spawn
from django_q.tasks import async_task

from automation import schedules
from automation.broker import OWN_QUEUE
from automation.models.heartbeat import OF_ONE, SWEEP, Heartbeat
from automation.services import heartbeats

logger = logging.getLogger(__name__)

SUPERVISOR: Final = "KURA_CLUSTER_SUPERVISOR"  # environment variable: whose child the cluster is
LOOK: Final = 0.5  # seconds between two looks at the database
TICK: Final = 0.2  # seconds between two looks at the process
UNANSWERED: Final = 10.0  # seconds; a database that hangs for so long counts as down
SHORT_LIFE: Final = 60.0  # seconds; who ends earlier is started again later and later
LONGEST_WAIT: Final = 30.0  # seconds
FAREWELL: Final = 2.0  # seconds for taking back what was written about this cluster
LOCK_WAIT: Final = "10s"  # whoever holds a patient for minutes must not hold a worker as well
PR_SET_PDEATHSIG: Final = 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """Seconds. `silence` has to be longer than any task, `stop` shorter than who stops us waits."""

    beat: float = 5.0
    silence: float = 45.0
    start: float = 45.0  # until the first sign
    schedules: float = 180.0  # without a sweep, which comes each minute
    stop: float = 25.0  # to finish what is in hand


def instance_name() -> str:
    """At most 60 characters, and another one after each start."""
    return f"{OF_ONE}{socket.gethostname()[:40]}:{os.getpid()}"


# --- what the database knows ----------------------------------------------------------------------


@dataclass(slots=True)
class Seen:
    """The newest time of one heartbeat, and when we saw it change by our own clock."""

    at: datetime | None = None
    changed: float = 0.0

    def look(self, at: datetime | None) -> None:
        if at is not None and at != self.at:
            self.at, self.changed = at, time.monotonic()


class Pulse(threading.Thread):
    """Asks the database on a thread of its own: one that hangs must not stop the supervisor."""

    def __init__(self, name: str, limits: Limits) -> None:
        super().__init__(name="pulse", daemon=True)
        self.cluster, self.limits = name, limits
        self.work, self.sweep = Seen(), Seen()
        self.answered = 0.0
        self.failure = ""  # kind of the last error, until the next answer
        self.back = 0.0  # since when it answers
        self.is_asking = threading.Event()
        self.is_leaving = threading.Event()

    def run(self) -> None:
        is_new = True
        while not self.is_leaving.wait(LOOK):
            is_new = not self._look(self._begin if is_new else self._ask) and is_new
        self._look(self._leave)
        connection.close()

    def _look(self, ask: Callable[[], None]) -> bool:
        try:
            ask()
        except Exception as error:  # noqa: BLE001  the edge: a pulse that ends would blind us
            self.failure = type(error).__name__
            with contextlib.suppress(Exception):
                connection.close()
            return False
        now = time.monotonic()
        if not self.is_answering:
            self.back = now
        self.answered, self.failure = now, ""
        return True

    @property
    def is_answering(self) -> bool:
        """It may fail, which shows at once, or hang, which takes a while to be sure of."""
        is_recent = self.answered > 0 and time.monotonic() - self.answered < UNANSWERED
        return is_recent and not self.failure

    def _begin(self) -> None:
        """A name can come again with a process number: what it left is not ours."""
        heartbeats.leave(self.cluster)
        schedules.keep(now=timezone.now())

    def _ask(self) -> None:
        names = [self.cluster, SWEEP]
        found = dict(Heartbeat.objects.filter(name__in=names).values_list("name", "at"))
        self.work.look(found.get(self.cluster))
        self.sweep.look(found.get(SWEEP))
        is_due = time.monotonic() - self.work.changed >= self.limits.beat
        if self.is_asking.is_set() and is_due:
            self._ask_for_a_sign()

    def _ask_for_a_sign(self) -> None:
        if not OrmQ.objects.filter(key=self.cluster).exists():
            options = {"task_name": "beat", "cluster": self.cluster}
            async_task("automation.tasks.beat", q_options=options)

    def _leave(self) -> None:
        heartbeats.leave(self.cluster)


# --- the processes --------------------------------------------------------------------------------


@dataclass(slots=True)
class Supervisor:
    """`run()` until `stop` is set, by a signal or by whoever holds it."""

    limits: Limits = field(default_factory=Limits)
    stop: threading.Event = field(default_factory=threading.Event)
    name: str = field(default_factory=instance_name)
    child: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    start_at: float = 0.0
    short_lives: int = 0
    was_answering: bool = True

    def run(self) -> None:
        pulse = Pulse(self.name, self.limits)
        pulse.start()
        self.started = time.monotonic()
        logger.info("cluster supervised as %s", self.name)
        try:
            while not self.stop.wait(TICK):
                self._watch(pulse)
        finally:
            self._end_child(patience=self.limits.stop)
            pulse.is_leaving.set()
            pulse.join(FAREWELL)
        logger.info("cluster stopped")

    def _watch(self, pulse: Pulse) -> None:
        self._tell_of_database(pulse)
        if self.child is None:
            if time.monotonic() >= self.start_at:
                self._start(pulse)
        elif self.child.poll() is not None:
            logger.error("the cluster has ended by itself (exit code %s)", self.child.returncode)
            self._replace(pulse, patience=0)
        elif why := self._silent(pulse):
            logger.error("the cluster is replaced: %s", why)
            self._replace(pulse, patience=self.limits.beat)

    def _tell_of_database(self, pulse: Pulse) -> None:
        """Once per change; nothing is known before the first answer, or the first failure."""
        is_answering = pulse.is_answering or not (pulse.answered or pulse.failure)
        if is_answering != self.was_answering:
            why = pulse.failure or "no reply"
            words = "answers again" if is_answering else f"does not answer ({why}): waiting for it"
            logger.warning("the database %s", words)
        self.was_answering = is_answering

    def _silent(self, pulse: Pulse) -> str:
        """Why it has to go; nothing while the database does not answer."""
        if not pulse.is_answering:
            return ""
        now, since = time.monotonic(), max(self.started, pulse.back)
        is_new = pulse.work.changed <= self.started
        patience = max(self.limits.start if is_new else 0, self.limits.silence)
        if now - max(since, pulse.work.changed) > patience:
            return f"no worker has done anything for {patience:.0f} s"
        if now - max(since, pulse.sweep.changed) > self.limits.schedules:
            return f"no schedule was called for {self.limits.schedules:.0f} s"
        return ""

    def _start(self, pulse: Pulse) -> None:
        """A session of its own: whatever becomes of the cluster can be ended as one group."""
        self.started = time.monotonic()
        command = [sys.executable, str(settings.BASE_DIR / "manage.py")]
        try:
            self.child = subprocess.Popen(  # noqa: S603  our own program
                [*command, "run_cluster", "--unsupervised"],
                env={**os.environ, OWN_QUEUE: self.name, SUPERVISOR: str(os.getpid())},
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        except OSError as error:  # no memory or no process left: that may pass
            logger.error("the cluster cannot be started: %s", error.strerror)  # noqa: TRY400
            self._wait_before_next()
            return
        pulse.is_asking.set()
        logger.info("cluster started, process %d", self.child.pid)

    def _replace(self, pulse: Pulse, *, patience: float) -> None:
        pulse.is_asking.clear()
        self._end_child(patience=patience)
        self._wait_before_next()

    def _wait_before_next(self) -> None:
        lived = time.monotonic() - self.started
        self.short_lives = self.short_lives + 1 if lived < SHORT_LIFE else 0
        wait = min(2.0 ** (self.short_lives - 1), LONGEST_WAIT) if self.short_lives else 0.0
        self.start_at = time.monotonic() + wait

    def _end_child(self, *, patience: float) -> None:
        """The leader is asked; then the whole group goes, with whatever did not listen."""
        if self.child is None:
            return
        if patience and self.child.poll() is None:
            self.child.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.child.wait(patience)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.child.pid, signal.SIGKILL)
        self.child.wait()
        self.child = None


def supervise(limits: Limits) -> None:
    """Until SIGTERM, SIGINT, or SIGHUP where it is not ignored. From the main thread."""
    supervisor = Supervisor(limits=limits)

    def stop(_number: int, _frame: Any) -> None:
        supervisor.stop.set()

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:  # nohup stays
            signal.signal(number, stop)
    supervisor.run()


# --- inside the cluster ---------------------------------------------------------------------------


def run_unsupervised() -> None:
    """django-q2's cluster itself, in this process."""
    supervisor = os.environ.get(SUPERVISOR)
    if supervisor:
        die_with(int(supervisor))
    let_no_child_outlive_its_parent()
    multiprocessing.set_start_method("fork", force=True)
    post_spawn.connect(_tell_of_worker)
    connection_created.connect(_limit_waiting)
    django_q_cluster.Sentinel = Watchful
    django_q_cluster.Cluster().start()


class Watchful(django_q_cluster.Sentinel):  # type: ignore[misc]  # django-q2 is not typed
    """Ends its cluster when a process dies that may have held the lock of a queue.

    A worker that waits for a task holds it, or waits for it; killed, it never gives it back, and
    django-q2 1.11 lets those that replace it wait for ever. Who died at work held none.
    """

    def reincarnate(self, process: Any) -> None:
        was_working = process in self.pool and process.timer.value > 0
        if not (process.is_alive() or process.exitcode == 0 or was_working):
            logger.error("a process died that others wait for: the cluster has to start anew")
            os.killpg(0, signal.SIGKILL)
        super().reincarnate(process)


def _tell_of_worker(**_signal: Any) -> None:
    logger.info("worker ready for work at %d", os.getpid())


def _limit_waiting(connection: BaseDatabaseWrapper, **_signal: Any) -> None:
    """An event that waits in vain is tried again later, like any that fails."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('lock_timeout', %s, FALSE)", [LOCK_WAIT])


def die_with(parent: int) -> None:
    """Linux kills this process when its parent is gone. Elsewhere nothing is promised."""
    if not sys.platform.startswith("linux"):
        return
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)


def let_no_child_outlive_its_parent() -> None:
    """For every process that is forked from here on: sentinel, workers, pusher, monitor."""
    parent: list[int] = [0]

    def remember() -> None:
        parent[0] = os.getpid()

    os.register_at_fork(before=remember, after_in_child=lambda: die_with(parent[0]))
