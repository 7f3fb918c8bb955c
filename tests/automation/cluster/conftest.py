"""Real clusters on the test's database, each findable by a mark in its environment."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from django.db import connection

from journeys.services.transitions import enroll
from kura import tenancy
from kura.accounts.models import Organization
from patients.models import Patient
from tests.factories import OrganizationFactory, PatientFactory, a_template, system
from tests.sizes import FULL

ROOT = Path(__file__).resolve().parents[3]
QUICK = {} if FULL else {"TEST_GRACE": "0.3"}  # the full size waits as long as the product does


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """One worker runs them all: they would take the two cores from each other."""
    if config.pluginmanager.hasplugin("xdist"):
        for item in items:
            if Path(__file__).parent in item.path.parents:
                item.add_marker(pytest.mark.xdist_group("cluster"))


def test_database_url() -> str:
    return urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{database_name()}").geturl()


test_database_url.__test__ = False


def database_name() -> str:
    return str(connection.settings_dict["NAME"])


class Process:
    """A manage.py command, and every process that comes of it."""

    def __init__(self, log: Path, *words: str, **env: str) -> None:
        self.mark, self.log = f"KURA_MARK={secrets.token_hex(8)}", log
        own = dict([self.mark.split("=")])
        own |= {"DATABASE_URL": test_database_url(), "PYTHONUNBUFFERED": "1"}
        own |= {"DJANGO_SETTINGS_MODULE": "tests.automation.cluster.settings"}
        with log.open("wb") as output:
            self.popen = subprocess.Popen(
                [sys.executable, "manage.py", *words],
                cwd=ROOT,
                env={**os.environ, **QUICK, **own, **env},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def output(self) -> str:
        return self.log.read_text()

    def processes(self) -> list[int]:
        names = [path.name for path in Path("/proc").iterdir()]
        return [pid for pid in map(int, filter(str.isdigit, names)) if self.owns(pid)]

    def owns(self, pid: int) -> bool:
        with contextlib.suppress(OSError):
            return self.mark.encode() in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
        return False

    def workers(self) -> list[int]:
        ready = map(int, re.findall(r"ready for work at (\d+)", self.output()))
        return [pid for pid in dict.fromkeys(ready) if self.owns(pid)]

    def leader(self) -> int:
        return int(re.findall(r"cluster started, process (\d+)", self.output())[-1])

    def kill(self, pid: int, number: int = signal.SIGKILL) -> None:
        assert self.owns(pid)
        os.kill(pid, number)

    def leaves_nothing(self, seconds: float = 5) -> bool:
        return within(seconds, lambda: not self.processes())

    def stop(self) -> int:
        self.popen.terminate()
        return self.popen.wait(30)

    def clear(self) -> None:
        for pid in self.processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.popen.wait(10)


def within(seconds: float, condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


@pytest.fixture
def start(committed_db: None, tmp_path: Path) -> Iterator[Callable[..., Process]]:
    """Starts a command; at the end each that still runs is ended, and has to leave nothing.

    The full size asks them to stop; the reduced one kills the first process of each.
    """
    started: list[Process] = []

    def start(*words: str, **env: str) -> Process:
        started.append(Process(tmp_path / f"log-{len(started)}", *words, **env))
        return started[-1]

    try:
        yield start
        for process in started:
            if FULL and process.popen.poll() is None:
                assert process.stop() == 0, process.output()
            process.popen.kill()
            assert process.leaves_nothing(), process.output()
    finally:
        for process in started:
            process.clear()


@pytest.fixture
def start_cluster(start: Callable[..., Process]) -> Callable[..., Process]:
    """A supervised cluster of two workers that are ready."""

    def start_cluster(*words: str, **env: str) -> Process:
        quick = () if FULL else ("--beat", "0.3")
        cluster = start("run_cluster", *quick, *words, KURA_WORKERS="2", **env)
        assert within(40, lambda: len(cluster.workers()) == 2), cluster.output()
        return cluster

    return start_cluster


@pytest.fixture
def practice(committed_db: None) -> Iterator[Organization]:
    organization = OrganizationFactory()
    a_template(organization)
    with tenancy.scope(organization):
        yield organization


def patients_in(practice: Organization, count: int) -> list[Patient]:
    made = [PatientFactory(organization=practice) for _ in range(count)]
    for patient in made:
        enroll(patient_id=patient.pk, journey_key="intake", cause=system())
    return made
