"""The web server as operators run it, and clients that ask it over kept connections.

Clients are processes of their own and share the machine with server and database, which in
production they do not: their work is part of every rate, the same for all that is compared.
"""

from __future__ import annotations

import http.client
import multiprocessing
import os
import random
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import quantiles
from typing import Any, Final

from django.conf import settings
from django.db import connection, connections

from bench.database import environment

HOST: Final = "127.0.0.1"
WORKERS: Final = 2
THREADS: Final = 8  # of each worker
PATIENCE: Final = 60  # seconds for the server to come up, and for an answer
OK: Final = range(200, 300)
TICKS: Final = os.sysconf("SC_CLK_TCK")  # of /proc/…/stat, in a second
UNLIMITED: Final = "999999999/hour"  # counted like every request, and never refused
_fork = multiprocessing.get_context("fork")


@dataclass(frozen=True, kw_only=True, slots=True)
class Ask:
    method: str = "GET"
    path: str
    body: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Answered:
    """`cpu`: seconds of the server's processors, for all of it; the database's are not in it."""

    seconds: float
    latencies: list[float]
    cpu: float

    @property
    def rate(self) -> float:
        return len(self.latencies) / self.seconds

    @property
    def p95(self) -> float:
        return quantiles(self.latencies, n=20)[-1]


@dataclass(frozen=True, slots=True)
class Server:
    port: int
    pid: int

    def ask(self, asks: Sequence[Ask], *, clients: int, every: float = 0) -> Answered:
        """All of them, each client its share, from a common start. RuntimeError unless 2xx.

        With `every` a client asks once in that many seconds, at any moment of them; else as soon
        as it was answered.
        """
        connections.close_all()  # clients are forked, and a connection does not survive that
        start = _fork.Barrier(clients)
        before = self._cpu()
        with ProcessPoolExecutor(clients, _fork, _remember, (start,)) as pool:
            shares = [asks[number::clients] for number in range(clients)]
            same = [self.port] * clients, [every] * clients
            done = list(pool.map(_one_client, *same, shares))
        return Answered(
            seconds=max(end for _, end, _ in done) - min(begin for begin, _, _ in done),
            latencies=[latency for _, _, latencies in done for latency in latencies],
            cpu=self._cpu() - before,
        )

    def _cpu(self) -> float:
        """Of the workers; the master only watches."""
        workers = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text(encoding="ascii")
        return sum(_cpu_of(int(pid)) for pid in workers.split())


@contextmanager
def server() -> Iterator[Server]:
    """Production's settings without TLS; nothing of the demo."""
    port = _free_port()
    with subprocess.Popen(  # noqa: S603  our own command line
        _command(port), cwd=settings.BASE_DIR, env=_environment(), stderr=subprocess.DEVNULL
    ) as child:
        try:
            _wait_for(port, child)
            yield Server(port, child.pid)
        finally:
            child.terminate()


def _command(port: int) -> list[str]:
    threads = ["--worker-class", "gthread", "--threads", str(THREADS)]
    where = ["--bind", f"{HOST}:{port}", "--workers", str(WORKERS), "--no-control-socket"]
    return [sys.executable, "-m", "gunicorn", "bench.wsgi", *where, *threads]


def _environment() -> dict[str, str]:
    return environment(connection.settings_dict["NAME"]) | {
        "ALLOWED_HOSTS": HOST,
        "DEBUG": "off",
        "KURA_DEMO": "off",
        "SECURE_SSL_REDIRECT": "off",
        "KURA_RATE_USER": UNLIMITED,
        "KURA_RATE_INTEGRATION": UNLIMITED,
        "LOG_LEVEL": "ERROR",
    }


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def _wait_for(port: int, child: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + PATIENCE
    while child.poll() is None and time.monotonic() < deadline:
        try:
            _asked(http.client.HTTPConnection(HOST, port, timeout=5), Ask(path="/healthz"))
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise RuntimeError("the web server did not come up")


def _cpu_of(pid: int) -> float:
    stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(stat[11]) + int(stat[12])) / TICKS  # utime, stime


# --- a client -----------------------------------------------------------------------------------

_start: Any = None


def _remember(start: Any) -> None:
    global _start  # noqa: PLW0603  a barrier is inherited, never sent
    _start = start


def _one_client(port: int, every: float, asks: Sequence[Ask]) -> tuple[float, float, list[float]]:
    """When it began and ended, and how long each answer took; in seconds."""
    kept = http.client.HTTPConnection(HOST, port, timeout=PATIENCE)
    kept.connect()
    _start.wait()
    began, latencies = time.monotonic(), []
    for number, ask in enumerate(asks):
        at = began + (number + random.random()) * every  # noqa: S311  no secret
        time.sleep(max(0, at - time.monotonic()))
        asked = time.monotonic()
        _asked(kept, ask)
        latencies.append(time.monotonic() - asked)
    return began, time.monotonic(), latencies


def _asked(kept: http.client.HTTPConnection, ask: Ask) -> bytes:
    kept.request(ask.method, ask.path, ask.body, dict(ask.headers))
    response = kept.getresponse()
    told = response.read()
    if response.status not in OK:
        raise RuntimeError(f"{ask.method} {ask.path}: {response.status} {told[:300]!r}")
    return told
