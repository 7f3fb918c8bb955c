"""Whose time in a stage is over? Rules × enrollments through the index, never through the log.

Time is a property of the stage visit (`entered_at`): whoever moved on, came back or was back-dated
is judged by the visit they are in. Of a ladder only the current step is due: after an outage the
patient gets one reminder and not all that were missed. The next step counts from when the last one
that was said was due (`stage_timers`): new hours of a rule repeat no step and leave none out. Hours
are elapsed hours, whatever the clocks of a country do meanwhile. Spec 2.4, with the practices kept
apart.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from django.db import connection
from django.db.backends.utils import CursorWrapper

from automation.judging import TIMEOUT
from journeys.selectors.positions import as_array
from kura import tenancy

MOST_OCCURRENCES: Final = 1_000_000  # of a ladder without end

# Rows of `automation_rules`, or what stands in for them.
_RULES_AS_THEY_ARE: Final = "automation_rules"


def _past_limit(rules: str) -> str:
    """Every visit past the limit of one of these rules.

    OFFSET 0 keeps the planner from joining all enrollments: one walk through
    ix_enrollments_stage_entered for each rule, as far as the limit reaches. The erased are looked
    for in ix_patients_erased, which holds nobody else: the rows of patients are not read.
    """
    return f"""
SELECT
    r.id AS rule_id, r.organization_id, r.name AS rule_name, e.id AS enrollment_id, e.patient_id,
    e.journey_key, e.stage, e.seq AS stage_seq, e.entered_at, step.occurrence,
    last.due_at + (step.occurrence - last.occurrence) * coalesce(r.repeat_hours, 0)
        * interval '1 hour' AS due_at,
    step.occurrence > coalesce(timer.occurrence, 0) AS is_due,
    timer.announced_at,
    count(*) FILTER (WHERE step.occurrence > coalesce(timer.occurrence, 0)) OVER () AS all_due,
    count(*) OVER () AS all_stale
FROM {rules} r
JOIN journey_templates t ON t.organization_id = r.organization_id AND t.key = r.journey_key
CROSS JOIN LATERAL (
    SELECT v.id, v.patient_id, v.journey_key, v.stage, v.seq, v.entered_at
    FROM journey_enrollments v
    WHERE v.template_id = t.id AND v.stage = r.stage
        AND v.entered_at <= %(now)s - r.max_hours * interval '1 hour'
        AND v.entered_at >= coalesce(r.visits_from, '-infinity')
        AND v.closed_at IS NULL
        AND NOT EXISTS (
            SELECT FROM patients p WHERE p.id = v.patient_id AND p.erased_at IS NOT NULL)
    OFFSET 0
) e
LEFT JOIN stage_timers timer
    ON timer.enrollment_id = e.id AND timer.stage_seq = e.seq AND timer.rule_id = r.id
CROSS JOIN LATERAL (
    SELECT coalesce(timer.occurrence, 1) AS occurrence,
        greatest(timer.due_at, e.entered_at + CASE WHEN timer.occurrence IS NULL
            THEN r.max_hours ELSE r.max_hours - coalesce(r.repeat_hours, 0) END
            * interval '1 hour') AS due_at
) last
CROSS JOIN LATERAL (
    SELECT CASE WHEN r.repeat_hours IS NULL THEN 1 ELSE least(
        coalesce(r.max_repeats, %(most)s),
        last.occurrence + greatest(0, floor(extract(epoch FROM %(now)s - last.due_at) / 3600
            / r.repeat_hours)))::integer
    END AS occurrence
) step
WHERE r.trigger_event = %(timeout)s AND r.is_active AND r.archived_at IS NULL AND r.max_hours > 0
    AND (%(organization)s::uuid IS NULL OR r.organization_id = %(organization)s)
    AND (%(key)s = '' OR r.journey_key = %(key)s)
    AND (%(rule)s::uuid IS NULL OR r.id = %(rule)s)
"""  # noqa: S608  a constant of ours, no outside text


_STALE: Final = f"""
{_past_limit(_RULES_AS_THEY_ARE)}
ORDER BY CASE WHEN %(oldest_first)s THEN e.entered_at END, is_due DESC, due_at, e.id, r.id
LIMIT %(limit)s OFFSET %(offset)s
"""

_RULES: Final = """
SELECT count(*) FROM automation_rules r
WHERE r.trigger_event = %(timeout)s AND r.is_active AND r.archived_at IS NULL AND r.max_hours > 0
    AND (%(organization)s::uuid IS NULL OR r.organization_id = %(organization)s)
    AND (%(key)s = '' OR r.journey_key = %(key)s)
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class StaleVisit:
    """One stage visit past the limit of one rule. `is_due`: its current step is still to be said.

    `due_at`: when this occurrence was due; it never drifts with the hour of the run.
    """

    rule_id: uuid.UUID
    organization_id: uuid.UUID
    rule_name: str
    enrollment_id: uuid.UUID
    patient_id: uuid.UUID
    journey_key: str
    stage: str
    stage_seq: int
    entered_at: datetime
    occurrence: int
    due_at: datetime
    is_due: bool

    def hours_in_stage(self, now: datetime) -> float:
        return round((now - self.entered_at).total_seconds() / 3600, 1)


@dataclass(frozen=True, slots=True)
class Found:
    """`visits`: what is due first, then what was said already, as far as the limit reaches."""

    visits: list[StaleVisit]
    stale: int
    due: int


def stale_visits(
    *,
    now: datetime,
    limit: int,
    offset: int = 0,
    oldest_first: bool = False,
    journey_key: str = "",
    rule_id: uuid.UUID | None = None,
) -> Found:
    """Of the organization in scope, or of every one. One statement.

    `oldest_first`: by how long they have been there, and not by what is due. Behind the last
    visit nothing is found, and nothing counted.
    """
    part = {"now": now, "limit": limit, "offset": offset, "oldest_first": oldest_first}
    with connection.cursor() as cursor:
        cursor.execute(_STALE, _asked(journey_key, rule_id) | part)
        return _found(cursor)


def _found(cursor: CursorWrapper) -> Found:
    names = [column.name for column in cursor.description]
    rows = [dict(zip(names, row, strict=True)) for row in cursor]
    stale, due = (rows[0]["all_stale"], rows[0]["all_due"]) if rows else (0, 0)
    return Found(list(_visits(rows)), stale, due)


def _visits(rows: list[dict[str, Any]]) -> Iterator[StaleVisit]:
    for row in rows:
        del row["all_stale"], row["all_due"], row["announced_at"]
        yield StaleVisit(**row)


def count_of_rules(*, journey_key: str = "") -> int:
    """Active time-outs, in scope."""
    with connection.cursor() as cursor:
        cursor.execute(_RULES, _asked(journey_key, None))
        return int(cursor.fetchone()[0])


def _asked(journey_key: str, rule_id: uuid.UUID | None) -> dict[str, Any]:
    return {
        "timeout": TIMEOUT,
        "most": MOST_OCCURRENCES,
        "organization": tenancy.organization_in_scope(),
        "key": journey_key,
        "rule": rule_id,
    }


_STANDING: Final = """
SELECT e.id FROM unnest(%(ids)s::uuid[], %(seqs)s::integer[]) AS asked (id, seq)
JOIN journey_enrollments e ON e.id = asked.id AND e.seq = asked.seq AND e.closed_at IS NULL
JOIN patients p ON p.id = e.patient_id AND p.erased_at IS NULL
"""


def still_standing(visits: Sequence[StaleVisit]) -> set[uuid.UUID]:
    """The enrollments that are still in the visit that was found, and whose patient is not erased.

    Without a lock: who moves on a moment later is seen when the event is processed.
    """
    asked: dict[str, Any] = {
        "ids": as_array(visit.enrollment_id for visit in visits),
        "seqs": [visit.stage_seq for visit in visits],
    }
    with connection.cursor() as cursor:
        cursor.execute(_STANDING, asked)
        return {row[0] for row in cursor.fetchall()}


# --- what a check left --------------------------------------------------------------------------

# A rule that was touched since asks for others than the check saw.
_LEFT: Final = f"""
SELECT
    count(*) FILTER (WHERE NOT is_due AND announced_at < %(since)s),
    count(*) FILTER (WHERE is_due AND due_at <= %(since)s AND rule_id IN (
        SELECT id FROM automation_rules WHERE updated_at <= %(since)s))
FROM ({_past_limit(_RULES_AS_THEY_ARE)}) past
"""  # noqa: S608  a constant of ours, no outside text


@dataclass(frozen=True, kw_only=True, slots=True)
class Left:
    """Of the visits that are past a limit now: what a check said nothing about.

    `said_before`: their step was announced by an earlier one. `missed`: the step was due and is
    not announced: it failed, time was up, or the visit was entered later with an earlier date.
    """

    said_before: int
    missed: int


def left_by(check_began: datetime, *, now: datetime) -> Left:
    """In scope. One statement."""
    with connection.cursor() as cursor:
        cursor.execute(_LEFT, _asked("", None) | {"since": check_began, "now": now})
        said_before, missed = cursor.fetchone()
    return Left(said_before=said_before, missed=missed)


# --- who waits already, before a rule is switched on or changed -----------------------------------

_WAITING: Final = """
SELECT count(DISTINCT v.patient_id)
FROM journey_templates t
JOIN journey_enrollments v ON v.template_id = t.id AND v.stage = %(stage)s
WHERE t.organization_id = %(organization)s AND t.key = %(key)s AND v.closed_at IS NULL
    AND v.entered_at <= %(now)s - %(hours)s * interval '1 hour'
    AND NOT EXISTS (SELECT FROM patients p WHERE p.id = v.patient_id AND p.erased_at IS NOT NULL)
"""


def people_waiting(
    organization_id: uuid.UUID, definition: Mapping[str, Any], *, now: datetime
) -> int:
    """How many would be reminded at once if a time-out counted for those already waiting, too."""
    asked = {
        "organization": organization_id,
        "key": definition["journey_key"],
        "stage": definition["stage"],
        "hours": float(definition["max_hours"]),
        "now": now,
    }
    with connection.cursor() as cursor:
        cursor.execute(_WAITING, asked)
        return int(cursor.fetchone()[0])


# For whom the rule counts stays; what is asked is its clock.
_RULE_AS_WANTED: Final = """(
    SELECT id, organization_id, name, trigger_event, journey_key, stage, is_active, archived_at,
        visits_from, %(max_hours)s::numeric AS max_hours, %(repeat_hours)s::numeric AS repeat_hours,
        %(max_repeats)s::integer AS max_repeats
    FROM automation_rules)"""

_NEWLY_DUE: Final = f"""
SELECT count(DISTINCT patient_id) FROM (
    SELECT enrollment_id, patient_id FROM ({_past_limit(_RULE_AS_WANTED)}) wanted WHERE is_due
    EXCEPT
    SELECT enrollment_id, patient_id FROM ({_past_limit(_RULES_AS_THEY_ARE)}) live WHERE is_due
) newly
"""  # noqa: S608  constants of ours, no outside text


def people_newly_due(rule_id: uuid.UUID, definition: Mapping[str, Any], *, now: datetime) -> int:
    """How many the next check would announce only because a live time-out got these hours.

    Nobody for a rule that is switched off. `definition`: a valid one of the same place.
    """
    hours = {name: definition[name] for name in ("max_hours", "repeat_hours")}
    clock = {name: None if said is None else Decimal(said) for name, said in hours.items()}
    asked = _asked("", rule_id) | clock | {"max_repeats": definition["max_repeats"], "now": now}
    with connection.cursor() as cursor:
        cursor.execute(_NEWLY_DUE, asked)
        return int(cursor.fetchone()[0])


# --- whom a rule that is not written yet would find ----------------------------------------------

# One row that stands in for a rule: switched on, and for everybody who is in the stage.
_RULE_SUPPOSED: Final = """(
    SELECT %(id)s::uuid AS id, %(home)s::uuid AS organization_id, %(name)s::text AS name,
        %(timeout)s::text AS trigger_event, %(place)s::text AS journey_key,
        %(stage)s::text AS stage, TRUE AS is_active, NULL::timestamptz AS archived_at,
        NULL::timestamptz AS visits_from, %(max_hours)s::numeric AS max_hours,
        %(repeat_hours)s::numeric AS repeat_hours, %(max_repeats)s::integer AS max_repeats)"""

_CLOCK: Final = ("max_hours", "repeat_hours", "max_repeats")
_SUPPOSED: Final = f"""
{_past_limit(_RULE_SUPPOSED)}
ORDER BY is_due DESC, due_at, e.id
LIMIT %(limit)s
"""


def visits_of(
    organization_id: uuid.UUID,
    definition: Mapping[str, Any],
    *,
    rule_id: uuid.UUID,
    now: datetime,
    limit: int,
) -> Found:
    """The visits past the limit of a valid time-out in the form that is kept. One statement.

    `rule_id`: the rule whose next version it would be, so that what it has said counts; any new id
    for a new rule. For whom the rule begins (`visits_from`) is not asked.
    """
    supposed = {
        "id": rule_id,
        "home": organization_id,
        "place": definition["journey_key"],
        "limit": limit,
        "now": now,
        **{name: definition[name] for name in ("name", "stage", *_CLOCK)},
    }
    with connection.cursor() as cursor:
        cursor.execute(_SUPPOSED, _asked("", None) | supposed)
        return _found(cursor)
