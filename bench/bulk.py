"""Moving 10,000 patients: `transition_many()` against one INSERT of 10,000 rows in plain psycopg.

The plain statement is all or nothing; the service locks, decides and answers for each patient,
and commits a thousand at a time.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Final

from bench.database import plain_connection
from bench.figures import Figure, Target, compared
from bench.practice import KEY, NEXT, Practice, enrolled_patients
from journeys.cause import by_user
from journeys.services.bulk import transition_many
from kura import tenancy

PATIENTS: Final = 10_000
TARGET: Final = Target(at_most=3)  # times the plain statement


def measure(practice: Practice, *, rounds: int) -> Iterator[Figure]:
    patients = iter(enrolled_patients(practice, 2 * rounds * PATIENTS))
    served, plain = [], []
    for _ in range(rounds):
        served.append(_service(practice, [*islice(patients, PATIENTS)]))
        plain.append(_plain(practice, [*islice(patients, PATIENTS)]))
    yield compared(
        f"bulk of {PATIENTS:,}",
        unit="s",
        service=served,
        other=plain,
        against="raw",
        target=TARGET,
    )


def _service(practice: Practice, patients: Sequence[uuid.UUID]) -> float:
    start = time.monotonic()
    with tenancy.scope(practice.organization):
        results = transition_many(
            patient_ids=patients,
            journey_key=KEY,
            to_stage=NEXT,
            cause=by_user(practice.therapist),
        )
    seconds = time.monotonic() - start
    moved = sum(result.outcome == "moved" for result in results)
    if moved != len(patients):
        raise RuntimeError(f"only {moved} of {len(patients)} patients moved")
    return seconds


_INSERT: Final = """
INSERT INTO journey_logs (patient_id, journey_key, to_stage, actor_kind, actor_id, via)
SELECT id, %s, %s, 'user', %s, 'service' FROM unnest(%s::uuid[]) AS id
"""


def _plain(practice: Practice, patients: Sequence[uuid.UUID]) -> float:
    with plain_connection() as raw:
        start = time.monotonic()
        raw.execute(_INSERT, (KEY, NEXT, practice.therapist.pk, list(patients)))
        return time.monotonic() - start
