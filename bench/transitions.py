"""Moves per second: `transition()` against its own statement in plain psycopg.

`raw` is the INSERT of a service that has looked where the patient stands, with all its columns and
the row read back, in a process that knows beforehand what is in it. `shortest` is the least that
moves a patient: patient, journey, stage, actor, and nothing read back. Both commit each statement
by itself and let psycopg prepare it after five runs, the fastest that Python can do. The service
does what they do not:
permission, graph, the reason, where the patient stands, a transaction for what follows, the signal.

Each move is of another patient. The three take turns of 25 moves each, so that a noisy machine
disturbs all alike. Each client is a process with connections of its own; the clients wait for each
other before each turn, so that they only ever compete with their like.
"""

from __future__ import annotations

import multiprocessing
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from multiprocessing.synchronize import Barrier
from typing import Any, Final

from django.db import connection, connections

from bench.database import plain_connection
from bench.figures import Figure, Target, compared
from bench.practice import KEY, NEXT, Practice, enrolled_patients
from journeys.cause import by_user
from journeys.services import door
from journeys.services.transitions import transition
from kura import tenancy
from kura.accounts.models import User

TURN: Final = 25  # moves of each client
TURNS: Final = 20  # a round
PATIENCE: Final = 120  # seconds to wait for the others: one of them may have died
WARM_UP: Final = 50  # moves that are not counted: caches, plans, prepared statements
CLIENTS: Final = (1, 4)
TARGET: Final = Target(at_least=0.5)  # of raw, with one client

Move = Callable[[uuid.UUID], object]
Spans = list[tuple[float, float]]  # start and end of each turn
_fork = multiprocessing.get_context("fork")


def measure(practice: Practice, *, rounds: int) -> Iterator[Figure]:
    for clients in CLIENTS:
        runs = _runs(practice, rounds, clients)
        name = f"transitions, {clients} client{'s' if clients > 1 else ''}"
        for other in ("raw", "shortest"):
            is_judged = clients == 1 and other == "raw"
            yield compared(
                name,
                unit="moves/s",
                service=runs["service"],
                other=runs[other],
                against=other,
                target=TARGET if is_judged else None,
            )


def _runs(practice: Practice, rounds: int, clients: int) -> dict[str, list[float]]:
    """Moves per second of each kind in each round."""
    turns = rounds * TURNS
    share = len(KINDS) * (WARM_UP + turns * TURN)
    patients = enrolled_patients(practice, clients * share)
    spans = _in_processes(practice, [patients[number::clients] for number in range(clients)], turns)
    return {kind: _rates([one[kind] for one in spans], rounds) for kind in KINDS}


def _rates(spans: Sequence[Spans], rounds: int) -> list[float]:
    """A turn lasts from the first client's start to the last one's end."""
    if any(len(one) != rounds * TURNS for one in spans):
        raise RuntimeError("a client did not finish; its error is above")
    lasted = [
        max(end for _, end in turn) - min(start for start, _ in turn)
        for turn in zip(*spans, strict=True)
    ]
    moves = len(spans) * TURN * TURNS
    return [moves / sum(lasted[number::rounds]) for number in range(rounds)]


# --- the clients --------------------------------------------------------------------------


def _service(practice: Practice) -> Move:
    """One therapist, logged in once: who acts is loaded by the request, not by the service."""
    user = User.objects.get(pk=practice.therapist.pk)

    def move(patient_id: uuid.UUID) -> object:
        with tenancy.scope(practice.organization):
            return transition(
                patient_id=patient_id, journey_key=KEY, to_stage=NEXT, cause=by_user(user)
            )

    return move


def _raw(practice: Practice) -> Move:
    raw = plain_connection()
    cause = (KEY, None, "user", practice.therapist.pk, None, None, None, "service", None)

    def move(patient_id: uuid.UUID) -> object:
        moves = f'[{{"patient_id": "{patient_id}", "to_stage": "{NEXT}"}}]'
        return raw.execute(door.APPEND, (*cause, moves)).fetchall()

    return move


_SHORTEST: Final = """
INSERT INTO journey_logs (patient_id, journey_key, to_stage, actor_kind, actor_id)
VALUES (%s, %s, %s, 'user', %s)
"""


def _shortest(practice: Practice) -> Move:
    raw = plain_connection()

    def move(patient_id: uuid.UUID) -> object:
        return raw.execute(_SHORTEST, (patient_id, KEY, NEXT, practice.therapist.pk))

    return move


KINDS: Final[dict[str, Callable[[Practice], Move]]] = {
    "service": _service,
    "raw": _raw,
    "shortest": _shortest,
}


# --- processes --------------------------------------------------------------------------------


def _in_processes(
    practice: Practice, shares: Sequence[Sequence[uuid.UUID]], turns: int
) -> list[dict[str, Spans]]:
    """One process a share; what each measured."""
    connections.close_all()  # a connection does not survive a fork
    together, results = _fork.Barrier(len(shares)), _fork.SimpleQueue()
    workers = [
        _fork.Process(target=_work, args=(practice, iter(share), turns, together, results))
        for share in shares
    ]
    for worker in workers:
        worker.start()
    measured: list[dict[str, Spans]] = [results.get() for _ in workers]
    for worker in workers:
        worker.join()
    return measured


def _work(
    practice: Practice, patients: Iterator[uuid.UUID], turns: int, together: Barrier, results: Any
) -> None:
    spans: dict[str, Spans] = {kind: [] for kind in KINDS}
    try:
        moves = {kind: make(practice) for kind, make in KINDS.items()}
        for move in moves.values():
            _turn(move, islice(patients, WARM_UP))
        for _ in range(turns):
            for kind, move in moves.items():
                together.wait(PATIENCE)
                spans[kind].append(_turn(move, islice(patients, TURN)))
    finally:
        results.put(spans)  # of a client that failed too few, which the parent does not accept
        connection.close()


def _turn(move: Move, patients: Iterable[uuid.UUID]) -> tuple[float, float]:
    start = time.monotonic()
    for patient_id in patients:
        move(patient_id)
    return start, time.monotonic()
