"""Clients that write at once to the real web server, also while its workers are killed."""

from __future__ import annotations

import http.client
import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from automation.models import EventDispatch
from journeys.models import JourneyLog, SystemEventLog
from journeys.services.transitions import enroll
from kura import tenancy
from kura.accounts.models import IntegrationKey
from tests.factories import OrganizationFactory, PatientFactory, a_template, system
from tests.http_server import Answer, Server, serving
from tests.sizes import sized

pytestmark = pytest.mark.soak
WRITERS = 8
KEYS = sized(reduced=20, full=500)
KILLS = sized(reduced=3, full=20)
PATIENCE = sized(reduced=60, full=600)  # seconds for one request, retries and all
STAGES = ["AWAITING_PAYMENT", "CONFIRMED"]
EVENTS = "/api/v1/events"
UNFINISHED = {409, 503}  # 409: the first one is still running


@pytest.fixture
def practice(committed_db):
    organization = OrganizationFactory()
    a_template(organization)
    with tenancy.scope(organization):
        yield organization


@pytest.fixture
def clinic(practice):
    """The headers of its key."""
    scopes = ["events:write", "journeys:write", "journeys:read"]
    made = {"organization": practice, "name": "clinic", "scopes": scopes}
    _key, text = IntegrationKey.objects.create_key(**made)
    return {"Authorization": f"Bearer {text}"}


@pytest.fixture
def server(practice, tmp_path):
    with serving(tmp_path / "web.log", "--workers", "2", KURA_RATE_INTEGRATION="off") as running:
        yield running


@pytest.fixture
def patients(practice):
    people = [PatientFactory(organization=practice) for _ in range(WRITERS)]
    for someone in people:
        enroll(patient_id=someone.pk, journey_key="intake", cause=system())
    return people


def at_once(work: Callable[[int], list[Any]], writers: int = WRITERS) -> list[list[Any]]:
    with ThreadPoolExecutor(writers) as pool:
        return list(pool.map(work, range(writers)))


def answered(ask: Callable[[], Answer]) -> Answer:
    """As a client does that wants to be sure: again, until there is a final answer."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        try:
            answer = ask()
        except (OSError, http.client.HTTPException):
            answer = None  # the worker died, or none was there
        if answer is not None and answer.status not in UNFINISHED:
            return answer
        time.sleep(0.05)
    raise AssertionError(answer)


def an_event(name: str, patient) -> dict[str, object]:
    return {"id": name, "event_type": "CUSTOM.same", "patient": {"id": str(patient.pk)}}


def test_writers_with_the_same_keys_record_each_event_once(server, clinic, patients):
    def write(_number: int) -> list[Answer]:
        return [
            answered(lambda: server.call("POST", EVENTS, an_event(f"k-{n}", patients[0]), **clinic))  # noqa: B023
            for n in range(KEYS)
        ]

    told = at_once(write)

    statuses = Counter(answer.status for answers in told for answer in answers)
    assert statuses == {202: KEYS, 200: (WRITERS - 1) * KEYS}
    for same in zip(*told, strict=True):
        assert len({answer.told["id"] for answer in same}) == 1
        assert all(answer.told["duplicate"] == (answer.status == 200) for answer in same)
    events = SystemEventLog.objects.filter(event_type="CUSTOM.same")
    assert events.count() == KEYS
    assert EventDispatch.objects.filter(event__in=events).count() == KEYS


def test_nothing_acknowledged_is_lost_and_nothing_doubled_when_workers_are_killed(
    server, clinic, patients
):
    over = threading.Event()

    def write(number: int) -> list[tuple[str, Answer, Answer]]:
        """Each key twice: the second time as one who has not heard the answer."""
        told, patient = [], patients[number]
        while not over.is_set():
            for kind, ask in calls(server, clinic, patient, number, len(told) // 2).items():
                told.append((kind, answered(ask), answered(ask)))
        return told

    with ThreadPoolExecutor(1) as killer:
        killed = killer.submit(kill_workers, server, over)
        told = at_once(write)

    assert killed.result() == KILLS
    for patient, answers in zip(patients, told, strict=True):
        events = [first for kind, first, _again in answers if kind == "event"]
        moves = [first for kind, first, _again in answers if kind == "move"]
        assert {answer.status for answer in events} == {202}
        assert {answer.status for answer in moves} == {200}
        assert all(first.raw == again.raw for _kind, first, again in answers)
        assert all("Idempotent-Replayed" in again.headers for *_, again in answers)
        kept = SystemEventLog.objects.filter(patient=patient, event_type="CUSTOM.same")
        assert {str(pk) for pk in kept.values_list("pk", flat=True)} == {
            answer.told["id"] for answer in events
        }
        log = JourneyLog.objects.filter(patient=patient, seq__gt=1).order_by("seq")
        assert [row.pk for row in log] == [answer.told["log"]["id"] for answer in moves]


def calls(
    server: Server, clinic: dict[str, str], patient, writer: int, turn: int
) -> dict[str, Callable[[], Answer]]:
    """The event's id is new each turn, so that only the Idempotency-Key makes a retry one."""
    keyed = clinic | {"Idempotency-Key": f"{writer}-{turn}"}
    event = an_event(f"{writer}-{turn}", patient)
    to_stage = {"journey_key": "intake", "to_stage": STAGES[turn % 2]}
    path = f"/api/v1/patients/{patient.pk}/journey"
    return {
        "event": lambda: server.call("POST", EVENTS, event, **keyed),
        "move": lambda: server.call("PATCH", path, to_stage, **keyed),
    }


def kill_workers(server: Server, over: threading.Event) -> int:
    """SIGKILL, each time another worker is there; then the writers may end."""
    dice, killed = random.Random(1), 0
    try:
        while killed < KILLS:
            time.sleep(dice.uniform(0.2, 0.8))
            if workers := workers_of(server):
                os.kill(dice.choice(workers), signal.SIGKILL)
                killed += 1
    finally:
        over.set()
    return killed


def workers_of(server: Server) -> list[int]:
    told = Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text()
    return [int(pid) for pid in told.split()]
