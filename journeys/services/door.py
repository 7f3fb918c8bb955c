"""Append rows to the journey log: the one statement that moves patients.

One statement whatever the number of rows, notes included. The database fills and checks
(`journeys/sql/journey_door.sql`); its refusals arrive here as errors with words.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.db import connection

from journeys.cause import Cause
from journeys.models.log import JourneyLog
from journeys.selectors.positions import Position
from journeys.signals import transitioned
from kura.errors import database_refusals
from kura.prepared import prepared_cursor

_FILLED: Final = [field.attname for field in JourneyLog._meta.concrete_fields]
_COLUMNS: Final = ", ".join(str(field.column) for field in JourneyLog._meta.concrete_fields)

# One cause for all rows. What differs by patient comes as one JSON text: psycopg takes longer to
# write arrays, or a thousand rows of placeholders, than the database to move one patient.
APPEND: Final = f"""
INSERT INTO journey_logs (
    patient_id, enrollment_id, seq, from_stage, to_stage, journey_key, changed_at,
    actor_kind, actor_id, rule_id, trigger_event_id, reason_code, via, request_id)
SELECT patient_id, enrollment_id, seq, from_stage, to_stage,
    %s, %s::timestamptz, %s, %s::uuid, %s::uuid, %s::uuid, %s, %s, %s
FROM json_to_recordset(%s) AS moves (
    patient_id uuid, enrollment_id uuid, seq integer, from_stage text, to_stage text)
RETURNING {_COLUMNS}
"""  # noqa: S608  column names of the model, no outside text

# A statement of its own: most moves have no reason in words, and need not plan for one.
_APPEND_WITH_NOTE: Final = f"""
WITH appended AS ({APPEND}), noted AS (
    INSERT INTO journey_log_notes (log_id, body) SELECT id, %s FROM appended
)
SELECT * FROM appended
"""  # noqa: S608


@dataclass(frozen=True, slots=True)
class Step:
    """A decided move. `position` is what the decision saw: the database refuses if it moved on."""

    position: Position
    to_stage: str


def append(
    steps: Sequence[Step], *, journey_key: str, cause: Cause, changed_at: datetime | None
) -> list[JourneyLog]:
    """Append one row per step, in one statement, and announce them. Needs a transaction.

    The patients' locks are held by then. Raises StageMoved, TimeOrder, OneOrganization,
    UnblockNeedsPerson: all rows are refused with the first one that is.
    """
    with database_refusals(journey_key=journey_key), prepared_cursor() as cursor:
        parameters = [*_cause(journey_key, cause, changed_at), _moves(steps)]
        if cause.reason:
            cursor.execute(_APPEND_WITH_NOTE, [*parameters, cause.reason])
        else:
            cursor.execute(APPEND, parameters)
        rows = cursor.fetchall()
    logs = [JourneyLog.from_db(connection.alias, _FILLED, row) for row in rows]
    transitioned.send(sender=JourneyLog, logs=logs)
    return logs


def _cause(journey_key: str, cause: Cause, changed_at: datetime | None) -> tuple[Any, ...]:
    return (
        journey_key,
        changed_at,
        str(cause.actor_kind),
        cause.actor_id,
        cause.rule_id,
        cause.trigger_event_id,
        cause.reason_code or None,
        cause.via or None,
        cause.request_id or None,
    )


def _moves(steps: Sequence[Step]) -> str:
    moves = [_expected(step.position) | {"to_stage": step.to_stage} for step in steps]
    return json.dumps(moves)


def _expected(position: Position) -> dict[str, Any]:
    """Compare-and-set: the enrollment, the number of this move in it, and where it starts."""
    if not position.is_open:
        return {"patient_id": str(position.patient_id), "seq": 1}
    return {
        "patient_id": str(position.patient_id),
        "enrollment_id": str(position.enrollment_id),
        "seq": (position.seq or 0) + 1,
        "from_stage": position.stage,
    }
