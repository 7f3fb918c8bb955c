"""The product behind its real web server, on the test's database: for what only HTTP shows."""

from __future__ import annotations

import http.client
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.db import connection

ROOT = Path(__file__).resolve().parent.parent
SECONDS = 30  # to start in


@dataclass(frozen=True)
class Answer:
    """`cookies`: those that it sets."""

    status: int
    headers: dict[str, str]
    raw: bytes
    cookies: dict[str, str]

    @property
    def told(self) -> Any:
        return json.loads(self.raw)


@dataclass(frozen=True)
class Server:
    """`pid`: of the process that starts the workers."""

    port: int
    pid: int

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        """One request on a connection of its own; JSON out, JSON back."""
        line = http.client.HTTPConnection("127.0.0.1", self.port, timeout=SECONDS)
        raw = None if body is None else json.dumps(body)
        said = headers | ({"Content-Type": "application/json"} if raw else {})
        try:
            line.request(method, path, raw, said)
            response = line.getresponse()
            cookies = SimpleCookie("; ".join(response.headers.get_all("Set-Cookie", [])))
            return Answer(
                response.status,
                dict(response.getheaders()),
                response.read(),
                {name: one.value for name, one in cookies.items()},
            )
        finally:
            line.close()


@contextmanager
def serving(log: Path, *words: str, **env: str) -> Iterator[Server]:
    """Gunicorn as `dev.py run` starts it; needs a database with real commits."""
    port = _free_port()
    command = [sys.executable, "-m", "gunicorn", "kura.wsgi", "--bind", f"127.0.0.1:{port}"]
    command += ["--worker-class", "gthread", "--threads", "16", "--no-control-socket", *words]
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**os.environ, **_environment(), **env},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        server = Server(port, process.pid)
        _wait_for(process, server, log)
        yield server
    finally:
        process.terminate()
        process.wait(SECONDS)


def _environment() -> dict[str, str]:
    name = str(connection.settings_dict["NAME"])
    url = urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{name}").geturl()
    return {"DATABASE_URL": url, "KURA_DEMO": "1", "ALLOWED_HOSTS": "127.0.0.1"}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_for(process: subprocess.Popen[bytes], server: Server, log: Path) -> None:
    deadline = time.monotonic() + SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        try:
            if server.call("GET", "/healthz").status == http.client.OK:
                return
        except OSError:
            time.sleep(0.1)
    raise AssertionError(log.read_text())
