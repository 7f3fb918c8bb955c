"""`manage.py verify_journeys` on a million log rows: seconds, and the memory of its process.

The rows are loaded with the guards off (through the door a million moves take five minutes and
more), as the owner of this throw-away database can, ten moves for each patient and in the order
of time, so that one patient's rows lie far apart. The command itself proves that they are what
the door would have written: a run that finds a violation is an error.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from django.db import connection, transaction

from automation.guard_catalog import GUARDS as AUTOMATION
from bench.commands import run_command
from bench.database import require_throw_away
from bench.figures import Figure, Target, single
from bench.practice import KEY, STAGES, Practice, settle
from journeys.guard_catalog import GUARDS

ROWS: Final = 1_000_000
MOVES: Final = 10  # of each patient
SECONDS: Final = Target(at_most=60)
MEGABYTES: Final = Target(at_most=500)


def measure(practice: Practice, *, rounds: int, rows: int = ROWS) -> Iterator[Figure]:
    load(practice, rows)
    runs = [_run() for _ in range(rounds)]
    name = f"verify {rows:,} log rows"
    yield single(name, unit="s", values=[seconds for seconds, _ in runs], target=SECONDS)
    yield single(
        f"{name}, memory",
        unit="MB (VmHWM)",
        values=[megabytes for _, megabytes in runs],
        target=MEGABYTES,
    )


def _run() -> tuple[float, float]:
    """Seconds and peak megabytes; a violation is an error."""
    ran = run_command("verify_journeys", "--json")
    said = json.loads(ran.out)
    if ran.code != 0:
        raise RuntimeError(f"{said.get('count')} violations, first: {said['violations'][:1]}")
    return ran.seconds, ran.megabytes


# --- loading ----------------------------------------------------------------------------------


def load(practice: Practice, rows: int) -> None:
    require_throw_away()
    fill(practice, rows)
    settle()


def fill(practice: Practice, rows: int) -> None:
    """The rows that the door would have written, with the guards off. Needs the tables' owner."""
    parameters: dict[str, Any] = {
        "organization": practice.organization.pk,
        "key": KEY,
        "stages": list(STAGES),
        "ring": len(STAGES),
        "patients": rows // MOVES,
        "moves": MOVES,
    }
    with transaction.atomic(), guards_off(), connection.cursor() as cursor:
        for statement in (_PATIENTS, _ENROLLMENTS, _LOGS):
            cursor.execute(statement, parameters)
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")


@contextmanager
def guards_off() -> Iterator[None]:
    with connection.cursor() as cursor:
        for guard in (*GUARDS, *AUTOMATION):
            cursor.execute(f"ALTER TABLE {guard.table} DISABLE TRIGGER {guard.trigger}")
    yield
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        for guard in (*GUARDS, *AUTOMATION):
            cursor.execute(f"ALTER TABLE {guard.table} ENABLE ALWAYS TRIGGER {guard.trigger}")


_PATIENTS: Final = """
INSERT INTO patients (
    id, organization_id, full_name, email, phone, language, timezone, journey_status)
SELECT kura_time_ordered_uuid(), %(organization)s, 'Verified ' || n, '', '', 'es', '',
    jsonb_build_object(%(key)s::text, (%(stages)s::text[])[(%(moves)s - 1) %% %(ring)s + 1])
FROM generate_series(1, %(patients)s) AS n
"""

# Patients begin a minute apart and move on once a day; the last move of each is in the past.
_ENROLLMENTS: Final = """
INSERT INTO journey_enrollments (
    id, organization_id, patient_id, template_id, journey_key, number,
    stage, status, entered_at, blocked_from, seq, opened_at, closed_at)
SELECT kura_time_ordered_uuid(), p.organization_id, p.id, t.id, t.key, 1,
    s.code, s.status, p.began + interval '1 day' * (%(moves)s - 1), NULL, %(moves)s, p.began, NULL
FROM (
    SELECT *, now() - interval '1 minute' * row_number() OVER (ORDER BY id DESC)
        - interval '1 day' * %(moves)s AS began
    FROM patients WHERE full_name LIKE 'Verified %%' AND organization_id = %(organization)s
) p
JOIN journey_templates t ON t.organization_id = p.organization_id AND t.key = %(key)s
JOIN journey_stages s ON s.template_id = t.id AND s.code = p.journey_status ->> t.key
"""

_LOGS: Final = """
INSERT INTO journey_logs (
    id, organization_id, patient_id, enrollment_id, journey_key, seq, from_stage, to_stage,
    changed_at, recorded_at, actor_kind, via, db_user, txid, first_reach, dwell)
SELECT nextval('journey_logs_id_seq'), ordered.* FROM (
    SELECT e.organization_id, e.patient_id, e.id, e.journey_key, nth,
        (%(stages)s::text[])[(nth - 2) %% %(ring)s + 1],
        (%(stages)s::text[])[(nth - 1) %% %(ring)s + 1],
        moved_at, moved_at, 'import', 'bench', current_user, 0, nth <= %(ring)s,
        CASE WHEN nth > 1 THEN interval '1 day' END
    FROM journey_enrollments e
    JOIN patients p ON p.id = e.patient_id AND p.full_name LIKE 'Verified %%'
        AND p.organization_id = %(organization)s
    CROSS JOIN generate_series(1, %(moves)s) AS moves (nth)
    CROSS JOIN LATERAL (SELECT e.opened_at + interval '1 day' * (nth - 1)) AS at (moved_at)
    ORDER BY moved_at
) ordered
"""
