"""How long a stage may last: what the active rules that wait for its end say.

Occurrence 1 of such a rule is due `max_hours` after the stage was entered, each next one
`repeat_hours` later; `max_repeats` is the number of all of them. Without `repeat_hours` there is
one, without `max_repeats` they go on until the patient moves. The limit of a stage is the smallest
`max_hours` of its rules, whatever their conditions: a condition decides about an action, not about
the time that has passed.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from automation.judging import TIMEOUT
from kura import tenancy
from kura.prepared import prepared_cursor

LONGEST: Final = timedelta(days=200 * 365)  # past it no clock is read: dates end in the year 1

Place = tuple[uuid.UUID, str]  # template, stage


@dataclass(frozen=True, slots=True)
class Limit:
    """Both since the stage was entered. `last`: when the last occurrence of every rule is due.

    A rule without end counts with its first occurrence: else nobody would ever be called.
    """

    allowed: timedelta
    last: timedelta

    def with_other(self, other: Limit) -> Limit:
        """Two rules of one stage."""
        return Limit(min(self.allowed, other.allowed), max(self.last, other.last))


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of the practice in scope, and the moment that they are compared with."""

    now: datetime
    by_place: Mapping[Place, Limit]

    def of(self, template_id: uuid.UUID, stage: str) -> timedelta | None:
        limit = self.by_place.get((template_id, stage))
        return limit.allowed if limit else None


def limits_at(now: datetime) -> Limits:
    """One query."""
    found: dict[Place, Limit] = {}
    for place, limit in _rules():
        found[place] = limit.with_other(found.get(place, limit))
    return Limits(now, found)


_RULES: Final = """
    SELECT t.id, r.stage, r.max_hours, r.repeat_hours, r.max_repeats
    FROM automation_rules r
    JOIN journey_templates t ON t.organization_id = r.organization_id AND t.key = r.journey_key
    WHERE r.trigger_event = %s AND r.is_active AND r.archived_at IS NULL AND r.max_hours <> 0
        AND (r.organization_id = %s OR %s::boolean)
"""


def _rules() -> Iterator[tuple[Place, Limit]]:
    """Prepared: whatever tells of a journey asks it first."""
    home = tenancy.organization_in_scope()
    with prepared_cursor() as cursor:
        cursor.execute(_RULES, [TIMEOUT, home, home is None])
        for template_id, stage, max_hours, repeat_hours, max_repeats in cursor.fetchall():
            yield (template_id, stage), limit_of(max_hours, repeat_hours, max_repeats)


def limit_of(
    max_hours: Decimal, repeat_hours: Decimal | None = None, max_repeats: int | None = None
) -> Limit:
    """Of one rule."""
    again = (max_repeats or 1) - 1 if repeat_hours else 0
    last = max_hours + again * (repeat_hours or 0)
    return Limit(_duration(max_hours), _duration(last))


def _duration(hours: Decimal) -> timedelta:
    return min(LONGEST, timedelta(milliseconds=int(hours * 3_600_000)))
