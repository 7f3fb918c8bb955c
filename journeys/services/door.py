"""Append rows to the journey log: the one statement that moves patients.

One statement whatever the number of rows, notes included. The database fills and checks
(`journeys/sql/journey_door.sql`); its refusals arrive here as errors with words.
"""

from __future__ import annotations

import uuid
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

_FILLED: Final = [field.attname for field in JourneyLog._meta.concrete_fields]
_COLUMNS: Final = ", ".join(str(field.column) for field in JourneyLog._meta.concrete_fields)

# One cause for all rows; what differs by patient comes in arrays.
_APPEND: Final = f"""
WITH appended AS (
    INSERT INTO journey_logs (
        patient_id, enrollment_id, seq, from_stage, to_stage, journey_key, changed_at,
        actor_kind, actor_id, rule_id, trigger_event_id, reason_code, via, request_id)
    SELECT patient_id, enrollment_id, seq, from_stage, to_stage,
        %s, %s::timestamptz, %s, %s::uuid, %s::uuid, %s::uuid, %s, %s, %s
    FROM unnest(%s::uuid[], %s::uuid[], %s::int[], %s::text[], %s::text[])
        AS moves (patient_id, enrollment_id, seq, from_stage, to_stage)
    RETURNING {_COLUMNS}
), noted AS (
    INSERT INTO journey_log_notes (log_id, body)
    SELECT id, %s::text FROM appended WHERE %s::text <> ''
)
SELECT * FROM appended
"""  # noqa: S608  column names of the model, no outside text


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
    with database_refusals(journey_key=journey_key), connection.cursor() as cursor:
        cursor.execute(_APPEND, _parameters(steps, journey_key, cause, changed_at))
        rows = cursor.fetchall()
    logs = [JourneyLog.from_db(connection.alias, _FILLED, row) for row in rows]
    transitioned.send(sender=JourneyLog, logs=logs)
    return logs


def _parameters(
    steps: Sequence[Step], journey_key: str, cause: Cause, changed_at: datetime | None
) -> list[Any]:
    return [
        journey_key,
        changed_at,
        str(cause.actor_kind),
        cause.actor_id,
        cause.rule_id,
        cause.trigger_event_id,
        cause.reason_code or None,
        cause.via or None,
        cause.request_id or None,
        [step.position.patient_id for step in steps],
        *_expected([step.position for step in steps]),
        [step.to_stage for step in steps],
        cause.reason,
        cause.reason,
    ]


def _expected(
    positions: Sequence[Position],
) -> tuple[list[uuid.UUID | None], list[int], list[str | None]]:
    """Compare-and-set: the enrollment, the number of this move in it, and where it starts."""
    return (
        [one.enrollment_id if one.is_open else None for one in positions],
        [(one.seq or 0) + 1 if one.is_open else 1 for one in positions],
        [one.stage if one.is_open else None for one in positions],
    )
