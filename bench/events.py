"""Events per second from record to effect, and the time that one takes on an idle system.

Each event is about another patient and has one rule that matches and moves. What is measured is
`drain()` in processes of its own, as the cluster's workers run it, until the queue is empty; the
recording is not. Beside it, in the same rounds, as many plain `transition()` calls in one process.

Latency is measured through a real cluster (`manage.py run_cluster`): from the commit of
`record_event()` to the row in the log, one event at a time with a pause between.
"""

from __future__ import annotations

import multiprocessing
import random
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from statistics import median, quantiles
from typing import Any, Final

from django.conf import settings
from django.db import connection, connections, transaction

from automation import dispatch
from automation.intake import Subject, record_event
from automation.models import AutomationRule, EventDispatch
from automation.sources import Source, SourceKind
from bench.database import environment, require_throw_away
from bench.figures import Figure, Target, compared, single
from bench.practice import KEY, NEXT, Practice, enrolled_patients, settle
from journeys.cause import by_user
from journeys.models.log import JourneyLog
from journeys.services.transitions import transition
from kura import tenancy

EVENTS: Final = 500  # a round
SIZES: Final = (10_000, 1_000_000)  # events that are stored and done already
WORKERS: Final = (1, 2)
SAMPLES: Final = 60  # events one by one, for the latency
WARM_UP: Final = 30  # seconds for the cluster to come up
TOO_LONG: Final = 10  # seconds for one event
RATE: Final = Target(at_least=250)  # events/s with two workers
LATENCY: Final = Target(at_most=1.5)  # seconds, 95 in 100 events
FLAT: Final = Target(at_least=0.8)  # of the rate with few stored events, measured against moves
SOURCE: Final = Source(SourceKind.INTEGRATION, "bench")
_fork = multiprocessing.get_context("fork")


def measure(practice: Practice, *, rounds: int) -> Iterator[Figure]:
    _rule(practice)
    relative: dict[int, list[float]] = {}
    for size in SIZES:
        _load(practice, size)
        rates = _rounds(practice, rounds)
        yield from _figures(size, rates)
        relative[size] = [events / moves for events, moves in zip(rates[2], rates[0], strict=True)]
    few, many = (median(relative[size]) for size in SIZES)
    yield single(
        "events, 1,000,000 stored against 10,000, per plain move",
        unit="ratio",
        values=[many / few],
        target=FLAT,
    )
    yield from _latency(practice)


def _figures(size: int, rates: dict[int, list[float]]) -> Iterator[Figure]:
    for workers in WORKERS:
        yield single(
            f"events, {workers} worker{'s' if workers > 1 else ''}, {size:,} stored",
            unit="events/s",
            values=rates[workers],
            target=RATE if workers == max(WORKERS) else Target(at_least=0),
        )
    yield compared(
        f"events, 1 worker, {size:,} stored",
        unit="per second",
        service=rates[1],
        other=rates[0],
        against="plain moves",
        target=None,
    )


def _rule(practice: Practice) -> None:
    with tenancy.scope(practice.organization):
        AutomationRule.objects.create(
            organization=practice.organization,
            name="Bench",
            trigger_event="PAYMENT_SUCCEEDED",
            journey_key=KEY,
            conditions={"field": "event.payload.amount_cents", "op": "gte", "value": 1},
            actions=[{"type": "update_journey_status", "params": {"key": KEY, "status": NEXT}}],
        )


# --- rates --------------------------------------------------------------------------------------


def _rounds(practice: Practice, rounds: int) -> dict[int, list[float]]:
    """Per second, by number of workers; 0 stands for plain moves."""
    kinds = (0, *WORKERS)
    patients = iter(enrolled_patients(practice, rounds * len(kinds) * EVENTS))
    rates: dict[int, list[float]] = {kind: [] for kind in kinds}
    for _ in range(rounds):
        for kind in kinds:
            batch = [*islice(patients, EVENTS)]
            seconds = _drained(practice, batch, kind) if kind else _moved(practice, batch)
            rates[kind].append(EVENTS / seconds)
    return rates


def _drained(practice: Practice, patients: Sequence[uuid.UUID], workers: int) -> float:
    _record(practice, patients)
    seconds = _in_processes([_drain] * workers)
    with tenancy.every_organization():
        left = EventDispatch.objects.exclude(status="done")
        if left.exists():
            raise RuntimeError(f"{left.count()} events are not done")
    return seconds


def _moved(practice: Practice, patients: Sequence[uuid.UUID]) -> float:
    def move() -> None:
        with tenancy.scope(practice.organization):
            for patient_id in patients:
                transition(
                    patient_id=patient_id,
                    journey_key=KEY,
                    to_stage=NEXT,
                    cause=by_user(practice.therapist),
                )

    return _in_processes([move])


def _drain() -> None:
    dispatch.drain(seconds=600, linger=0)


def _in_processes(works: Sequence[Any]) -> float:
    """From a common start, with connections open, to the last one's end."""
    connections.close_all()  # a connection does not survive a fork
    start = _fork.Barrier(len(works) + 1)

    def run(work: Any) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        start.wait()
        work()
        connection.close()

    workers = [_fork.Process(target=run, args=(work,)) for work in works]
    for worker in workers:
        worker.start()
    start.wait()
    began = time.monotonic()
    for worker in workers:
        worker.join()
    if any(worker.exitcode for worker in workers):
        raise RuntimeError("a worker did not finish; its error is above")
    return time.monotonic() - began


def _record(practice: Practice, patients: Sequence[uuid.UUID]) -> None:
    with tenancy.scope(practice.organization), transaction.atomic():
        for patient_id in patients:
            record_one(practice, patient_id)


def record_one(practice: Practice, patient_id: uuid.UUID) -> uuid.UUID:
    return record_event(
        organization=practice.organization,
        event_type="PAYMENT_SUCCEEDED",
        source=SOURCE,
        idempotency_key=str(uuid.uuid4()),
        subject=Subject(id=patient_id),
        journey_key=KEY,
        payload={"amount_cents": 9_000, "currency": "EUR"},
    ).event_id


# --- latency ------------------------------------------------------------------------------------


def _latency(practice: Practice) -> Iterator[Figure]:
    patients = iter(enrolled_patients(practice, SAMPLES + 1))
    with _cluster():
        _seconds_until_moved(practice, next(patients), WARM_UP)
        spans = [_seconds_until_moved(practice, one, TOO_LONG) for one in patients]
    for name, value in (("p50", median(spans)), ("p95", quantiles(spans, n=20)[-1])):
        yield single(
            f"record to effect, idle, {name} of {SAMPLES}",
            unit="s",
            values=[value],
            target=LATENCY,
        )


@contextmanager
def _cluster() -> Iterator[None]:
    command = [sys.executable, "manage.py", "run_cluster"]
    name = connection.settings_dict["NAME"]
    with subprocess.Popen(  # noqa: S603  our own command line
        command, cwd=settings.BASE_DIR, env=environment(name), stdout=subprocess.DEVNULL
    ) as child:
        try:
            yield
        finally:
            child.terminate()


def _seconds_until_moved(practice: Practice, patient_id: uuid.UUID, patience: float) -> float:
    time.sleep(random.uniform(0.2, 1.0))  # noqa: S311  in no step with the cluster's poll
    with tenancy.scope(practice.organization):
        event_id = record_one(practice, patient_id)
        start = time.monotonic()
        while not JourneyLog.objects.filter(trigger_event=event_id).exists():
            if time.monotonic() - start > patience:
                raise RuntimeError(f"nothing happened for {patience} s")
            time.sleep(0.005)
        return time.monotonic() - start


# --- loading ------------------------------------------------------------------------------------


def _load(practice: Practice, size: int) -> None:
    """Fill up to `size` stored events that are done, in SQL: they are only there to be in the way.

    One patient has a hundred of them, as after years; their times are the database's own.
    """
    require_throw_away()
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM system_events")
        missing = size - cursor.fetchone()[0]
        if missing > 0:
            people = enrolled_patients(practice, -(-missing // 100))
            cursor.execute(_FILL, [practice.organization.pk, people, practice.organization.pk])
    settle()


_FILL: Final = """
WITH stored AS (
    INSERT INTO system_events (
        id, organization_id, event_type, patient_id, journey_key, source, idempotency_key,
        occurred_at, depth)
    SELECT kura_time_ordered_uuid(), %s, 'CUSTOM.filler', who, 'elsewhere', 'integration:filler',
        who || '-' || n, clock_timestamp(), 0
    FROM unnest(%s::uuid[]) AS who CROSS JOIN generate_series(1, 100) AS n
    RETURNING id, patient_id
), told AS (
    INSERT INTO system_event_payloads (event_id, payload, subject, facts)
    SELECT id, '{}', '{}', '{}' FROM stored
)
INSERT INTO event_dispatches (
    event_id, organization_id, patient_id, status, attempts, next_attempt_at, replay, last_error,
    finished_at)
SELECT id, %s, patient_id, 'done', 1, clock_timestamp(), FALSE, '', clock_timestamp() FROM stored
"""
