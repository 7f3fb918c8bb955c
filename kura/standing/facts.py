"""Blocked, overdue, needs action: each one condition on an enrollment, said here alone.

Whatever filters, counts or orders by these facts uses the conditions in SQL. Whoever has read an
enrollment and its open tasks gets the same from `facts_at`, without a query; a test holds the two
to one another and to a plain reading of the rules. An enrollment is compared with the limits of its
own template and stage, so that the index (template, stage, entered_at) finds the overdue ones, and
two practices with the same keys never share a limit.

An open task calls for a person wherever it hangs. One with an enrollment is a fact of that
enrollment, closed or not; one without belongs to the patient alone: the patient needs a decision,
and none of their journeys does.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import reduce
from operator import or_
from typing import Any, Final

from django.db.models import (
    BooleanField,
    Case,
    DateTimeField,
    DurationField,
    ExpressionWrapper,
    F,
    Q,
    QuerySet,
    Value,
    When,
)

from automation.models.staff_task import StaffTask
from journeys.models.enrollment import Enrollment
from journeys.models.template import StageStatus
from kura.standing.limits import Limit, Limits

OPEN: Final = Q(closed_at__isnull=True)
BLOCKED: Final = OPEN & Q(status=StageStatus.ON_HOLD)
NEVER: Final = Q(Value(False, output_field=BooleanField()))
NO_TIME: Final = Value(None, output_field=DateTimeField())


def overdue(limits: Limits) -> Q:
    """Open, not on hold, and longer in its stage than that may last."""
    return _longer_than(limits, lambda limit: limit.allowed)


def exhausted(limits: Limits) -> Q:
    """Overdue, and the last occurrence of every rule of the stage is due: nothing more comes."""
    return _longer_than(limits, lambda limit: limit.last)


def needs_action(limits: Limits) -> Q:
    """«Acción requerida» of an enrollment (UI 3)."""
    return BLOCKED | exhausted(limits) | asked_for()


def asked_for() -> Q:
    """By an open task."""
    return Q(pk__in=open_tasks().values("enrollment_id"))


def open_tasks() -> QuerySet[StaffTask]:
    """Of enrollments. Not null: an IN over nulls answers neither yes nor no."""
    return StaffTask.objects.filter(done_at=None, enrollment_id__isnull=False).order_by()


def _longer_than(limits: Limits, part: Callable[[Limit], timedelta]) -> Q:
    late = [
        Q(template=template, stage=stage, entered_at__lte=limits.now - part(limit))
        for (template, stage), limit in limits.by_place.items()
    ]
    if not late:
        return NEVER
    return OPEN & ~Q(status=StageStatus.ON_HOLD) & reduce(or_, late)


def said_of(relation: str, condition: Q) -> Q:
    """The same condition on an enrollment that is reached through a relation."""
    said = Q(_connector=condition.connector, _negated=condition.negated)
    said.children = [_through(relation, part) for part in condition.children]
    return said


def _through(relation: str, part: Any) -> Any:
    if isinstance(part, Q):
        return said_of(relation, part)
    return (f"{relation}__{part[0]}", part[1]) if isinstance(part, tuple) else part


def due_at(limits: Limits) -> Case:
    """When the stage's time is over; null for a closed enrollment and a stage without limit."""
    ends = [
        When(
            OPEN & Q(template=template, stage=stage),
            then=ExpressionWrapper(
                F("entered_at") + Value(limit.allowed, output_field=DurationField()),
                output_field=DateTimeField(),
            ),
        )
        for (template, stage), limit in limits.by_place.items()
    ]
    return Case(*ends, default=NO_TIME, output_field=DateTimeField())


def claim(condition: Q) -> ExpressionWrapper[Any]:
    """The condition as a column."""
    return ExpressionWrapper(condition, output_field=BooleanField())


@dataclass(frozen=True, kw_only=True, slots=True)
class Facts:
    """Of one enrollment. `due_at`: None for a closed one and a stage without limit."""

    due_at: datetime | None
    is_overdue: bool
    needs_action: bool


def facts_at(row: Enrollment, limits: Limits, *, asked: bool) -> Facts:
    """Of an enrollment at hand, what the conditions above say. `asked`: by an open task."""
    limit = limits.by_place.get((row.template_id, row.stage)) if row.is_open else None
    blocked = row.is_open and row.is_blocked
    waited = limits.now - row.entered_at
    is_late = limit is not None and not blocked and waited >= limit.allowed
    is_exhausted = limit is not None and not blocked and waited >= limit.last
    return Facts(
        due_at=row.entered_at + limit.allowed if limit else None,
        is_overdue=is_late,
        needs_action=blocked or is_exhausted or asked,
    )


def facts_of(row: Enrollment) -> Facts:
    """Of a row of `worklist`: another one has no such columns (KeyError)."""
    answers = vars(row)
    return Facts(
        due_at=answers["due_at"],
        is_overdue=answers["is_overdue"],
        needs_action=answers["needs_action"],
    )
