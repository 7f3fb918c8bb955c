"""How far the monitor has come, written by the monitor and forgotten when the visit has ended."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from django.db import connection

from automation.selectors.stale import StaleVisit

# An older monitor that comes late does not set the step back.
_NOTE: Final = """
INSERT INTO stage_timers AS t
    (organization_id, rule_id, enrollment_id, stage_seq, occurrence, due_at, announced_at)
SELECT organization_id, rule_id, enrollment_id, stage_seq, occurrence, due_at, %(now)s
FROM json_to_recordset(%(timers)s) AS said (
    organization_id uuid, rule_id uuid, enrollment_id uuid, stage_seq integer,
    occurrence integer, due_at timestamptz)
ON CONFLICT ON CONSTRAINT stage_timer_once DO UPDATE
    SET occurrence = excluded.occurrence, due_at = excluded.due_at,
        announced_at = excluded.announced_at
    WHERE t.occurrence < excluded.occurrence
"""

_FORGET: Final = """
DELETE FROM stage_timers t WHERE NOT EXISTS (
    SELECT FROM journey_enrollments e
    WHERE e.id = t.enrollment_id AND e.seq = t.stage_seq AND e.closed_at IS NULL)
"""
_FIELDS: Final = (
    "organization_id", "rule_id", "enrollment_id", "stage_seq", "occurrence", "due_at",
)  # fmt: skip


def note_announced(visits: Sequence[StaleVisit], *, now: datetime) -> None:
    """Needs a transaction: that of the events."""
    timers = [{name: getattr(visit, name) for name in _FIELDS} for visit in visits]
    with connection.cursor() as cursor:
        cursor.execute(_NOTE, {"timers": json.dumps(timers, default=str), "now": now})


def forget_ended() -> int:
    """The number of timers whose visit is over."""
    with connection.cursor() as cursor:
        cursor.execute(_FORGET)
        return int(cursor.rowcount)
