"""Enrollments with what is known of their standing: the list that people work through.

The rows of `worklist` carry `due_at`, `due_order` (never null: for cursors), `is_overdue`,
`needs_action` and `rank`, and are read with `facts_of()`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import IntEnum, StrEnum
from typing import Final

from django.db.models import Case, Exists, IntegerField, OuterRef, Q, QuerySet, Value, When
from django.db.models.functions import Coalesce

from journeys.models.enrollment import Enrollment
from journeys.models.template import CLOSED_STATUSES
from kura.standing.facts import BLOCKED, OPEN, asked_for, claim, due_at, needs_action, overdue
from kura.standing.limits import Limits

NO_LIMIT: Final = Value(datetime(9999, 1, 1, tzinfo=UTC))  # sorts after everything that is due


class Which(StrEnum):
    """Of a patient's enrollments in one journey."""

    OPEN = "open"
    NEWEST = "newest"  # the open one, else the last closed one
    EVERY = "every"


class Rank(IntEnum):
    """What needs a person comes first (UI 1)."""

    BLOCKED = 0
    STUCK = 1
    ASKED_FOR = 2  # by a task
    REST = 3


ORDERINGS: Final[Mapping[str, tuple[str, ...]]] = {
    "priority": ("rank", "entered_at", "id"),
    "entered_at": ("entered_at", "id"),
    "-entered_at": ("-entered_at", "-id"),
    "due_at": ("due_order", "id"),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """Which enrollments somebody wants to see; None and "" narrow nothing.

    `which` None: the open ones, or the newest of each journey when a closing status is asked for.
    """

    journey_key: str = ""
    stage: str = ""
    status: str = ""
    blocked: bool | None = None
    overdue: bool | None = None
    action_required: bool | None = None
    which: Which | None = None


ANYTHING: Final = Asked()


def worklist(
    limits: Limits, asked: Asked = ANYTHING, *, ordering: str = "priority"
) -> QuerySet[Enrollment]:
    """`ordering` is one of ORDERINGS (KeyError else). Nothing is read before it is iterated."""
    rows = with_due_order(with_facts(described(limits, asked), limits), limits)
    return rows.annotate(rank=_rank(limits)).order_by(*ORDERINGS[ordering])


def with_facts(rows: QuerySet[Enrollment], limits: Limits) -> QuerySet[Enrollment]:
    """What `facts_of()` reads, and no more: each is a condition for every limit there is. To show
    rows none of it is needed: `journey_views`.
    """
    return rows.annotate(
        due_at=due_at(limits),
        is_overdue=claim(overdue(limits)),
        needs_action=claim(needs_action(limits)),
    )


def with_due_order(rows: QuerySet[Enrollment], limits: Limits) -> QuerySet[Enrollment]:
    return rows.annotate(due_order=Coalesce(due_at(limits), NO_LIMIT))


def described(limits: Limits, asked: Asked) -> QuerySet[Enrollment]:
    """The enrollments alone, in no order: to count, and to look patients up by."""
    rows = _these(asked).order_by()
    for name in ("journey_key", "stage", "status"):
        if value := getattr(asked, name):
            rows = rows.filter(**{name: value})
    for claimed, condition in (
        (asked.blocked, BLOCKED),
        (asked.overdue, overdue(limits)),
        (asked.action_required, needs_action(limits)),
    ):
        if claimed is not None:
            rows = rows.filter(condition if claimed else ~condition)
    return rows


def _these(asked: Asked) -> QuerySet[Enrollment]:
    which = asked.which or (Which.NEWEST if asked.status in CLOSED_STATUSES else Which.OPEN)
    if which is Which.OPEN:
        return Enrollment.objects.filter(OPEN)
    return newest() if which is Which.NEWEST else Enrollment.objects.all()


def newest() -> QuerySet[Enrollment]:
    """Of each patient and journey the last one; an open one always is."""
    newer = Enrollment.objects.filter(
        patient=OuterRef("patient"),
        journey_key=OuterRef("journey_key"),
        number__gt=OuterRef("number"),
    )
    return Enrollment.objects.filter(OPEN | ~Exists(newer))


def _rank(limits: Limits) -> Case:
    order: list[tuple[Q, Rank]] = [
        (BLOCKED, Rank.BLOCKED),
        (overdue(limits), Rank.STUCK),
        (asked_for(), Rank.ASKED_FOR),  # who is neither of the two and needs action
    ]
    ranked = [When(condition, then=Value(rank)) for condition, rank in order]
    return Case(*ranked, default=Value(Rank.REST), output_field=IntegerField())
