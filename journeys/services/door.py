"""Append rows to the journey log: the one statement that moves patients.

One statement whatever the number of rows, notes included. The database fills and checks
(`journeys/sql/journey_door.sql`); its refusals arrive here as errors with words.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.db import connection

from journeys.cause import Cause
from journeys.models.log import JourneyLog
from journeys.selectors.positions import Position
from journeys.services.foresight import Foreseen
from journeys.signals import transitioned
from kura.errors import database_refusals
from kura.prepared import prepared_cursor

_FILLED: Final = [field.attname for field in JourneyLog._meta.concrete_fields]
_COLUMNS: Final = ", ".join(str(field.column) for field in JourneyLog._meta.concrete_fields)
_GIVEN: Final = """
    patient_id, enrollment_id, seq, from_stage, to_stage, journey_key, changed_at,
    actor_kind, actor_id, rule_id, trigger_event_id, reason_code, via, request_id"""
_CAUSE: Final = "%s, %s::timestamptz, %s, %s::uuid, %s::uuid, %s::uuid, %s, %s, %s"

# One cause for all rows. What differs by patient comes as one JSON text: psycopg takes longer to
# write arrays, or a thousand rows of placeholders, than the database to move one patient.
APPEND: Final = f"""
INSERT INTO journey_logs ({_GIVEN})
SELECT patient_id, enrollment_id, seq, from_stage, to_stage, {_CAUSE}
FROM json_to_recordset(%s) AS moves (
    patient_id uuid, enrollment_id uuid, seq integer, from_stage text, to_stage text)
RETURNING {_COLUMNS}
"""  # noqa: S608  column names of the model, no outside text

# Looks and appends in one statement. The function locks the patient before it reads; where it
# finds anything else than was foreseen, nothing is appended.
APPEND_FORESEEN: Final = f"""
INSERT INTO journey_logs ({_GIVEN})
SELECT here.patient_id, here.enrollment_id, here.seq + 1, here.stage, %s, {_CAUSE}
FROM kura_journey_position(%s::uuid, ARRAY[%s::uuid], %s) AS here
WHERE here.template_id = %s AND here.template_version = %s AND here.template_settled
    AND here.closed_at IS NULL AND here.status <> 'onhold' AND %s::jsonb ? here.stage
    AND here.seq = coalesce(%s::integer, here.seq)
    AND here.enrollment_id = coalesce(%s::uuid, here.enrollment_id)
RETURNING {_COLUMNS}
"""  # noqa: S608


def _with_note(append: str) -> str:
    """A statement of its own: most moves have no reason in words, and need not plan for one."""
    return f"""
WITH appended AS ({append}), noted AS (
    INSERT INTO journey_log_notes (log_id, body) SELECT id, %s FROM appended
)
SELECT * FROM appended
"""  # noqa: S608


_WITH_NOTE: Final = {append: _with_note(append) for append in (APPEND, APPEND_FORESEEN)}


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
    parameters = [*_cause(journey_key, cause, changed_at), _moves(steps)]
    return _appended(APPEND, parameters, journey_key, cause)


def append_foreseen(
    foreseen: Foreseen, *, patient_id: uuid.UUID, cause: Cause, changed_at: datetime | None
) -> JourneyLog | None:
    """Lock the patient, look, and append the move if all is as foreseen; None if it is not.

    Needs a transaction. Raises what `append` raises.
    """
    definition, expected = foreseen.definition, foreseen.expected
    parameters = [
        foreseen.to_stage,
        *_cause(definition.key, cause, changed_at),
        *(definition.organization_id, patient_id, definition.key),
        *(definition.template_id, definition.version, json.dumps(foreseen.from_stages)),
        *(expected.seq, expected.enrollment_id),
    ]
    logs = _appended(APPEND_FORESEEN, parameters, definition.key, cause)
    return logs[0] if logs else None


def _appended(
    statement: str, parameters: list[Any], journey_key: str, cause: Cause
) -> list[JourneyLog]:
    if cause.reason:
        statement, parameters = _WITH_NOTE[statement], [*parameters, cause.reason]
    with database_refusals(journey_key=journey_key), prepared_cursor() as cursor:
        cursor.execute(statement, parameters)
        rows = cursor.fetchall()
    logs = [JourneyLog.from_db(connection.alias, _FILLED, row) for row in rows]
    if logs:
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
