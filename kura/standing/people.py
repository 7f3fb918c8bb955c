"""Patients with the facts of their journeys: the quick views of the list, and their counts.

A view and its count are the same condition. Each is an uncorrelated subquery, which PostgreSQL
answers once for a whole list (a hashed subplan) instead of once a patient: EXISTS took four times
as long for 10,000 patients.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from django.db.models import (
    Case,
    Count,
    DateTimeField,
    IntegerField,
    Min,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    TextChoices,
    Value,
    When,
)
from django.utils.translation import gettext_lazy as _

from automation.models.staff_task import StaffTask
from journeys.models.enrollment import Enrollment
from journeys.models.template import StageStatus
from kura.standing.facts import BLOCKED, OPEN, exhausted, overdue
from kura.standing.limits import Limits
from kura.standing.worklist import ANYTHING, Asked, Rank, described
from patients.models import Patient

PRIORITY: Final = ("rank", "waiting_since", "sort_key", "id")
NOT_WAITING: Final = Value(datetime(9999, 1, 1, tzinfo=UTC))
FINISHED: Final = Q(status=StageStatus.FINISHED)
NO_JOURNEY: Final = Q(journey_status={})  # the database keeps it equal to the log


class QuickView(TextChoices):
    """The value is the name in an address."""

    NEEDS_DECISION = "action_required", _("Action required")
    BLOCKED = "blocked", _("Blocked")
    STUCK = "overdue", _("Stuck")
    ACTIVE = "active", _("Under way")
    FINISHED = "finished", _("Finished")
    NO_JOURNEY = "no_journey", _("Without journey")
    ALL = "all", _("All")


def condition_of(view: QuickView, limits: Limits) -> Q:
    """Of a patient."""
    return conditions(limits)[view]


def conditions(limits: Limits) -> dict[QuickView, Q]:
    """`active`: at least one open journey, blocked ones too. `finished`: none open any more, and
    one of their journeys ended well. `action_required`: an open journey that is blocked or past its
    last reminder, or any open task about the patient.
    """
    return {
        QuickView.NEEDS_DECISION: _having(BLOCKED) | _having(exhausted(limits)) | _having_task(),
        QuickView.BLOCKED: _having(BLOCKED),
        QuickView.STUCK: _having(overdue(limits)),
        QuickView.ACTIVE: _having(OPEN),
        QuickView.FINISHED: _having(FINISHED) & ~_having(OPEN),
        QuickView.NO_JOURNEY: NO_JOURNEY,
        QuickView.ALL: Q(),
    }


def _having(condition: Q) -> Q:
    return Q(pk__in=Enrollment.objects.filter(condition).order_by().values("patient"))


def _having_task() -> Q:
    tasks = StaffTask.objects.filter(done_at=None, patient__isnull=False)
    return Q(pk__in=tasks.order_by().values("patient"))


def people(limits: Limits) -> QuerySet[Patient]:
    """All patients in scope with `rank` (a Rank) and `waiting_since`, in order of priority.

    Blocked (longest first), stuck (longest first), asked for by a task, the rest by name. What
    else there is to know of a row, `journeys_of()` tells, for the rows of the page alone.
    """
    rows = Patient.objects.annotate(rank=_rank(limits), waiting_since=_waiting_since(limits))
    return rows.order_by(*PRIORITY)


def _rank(limits: Limits) -> Case:
    """Who needs a decision and is neither blocked nor stuck is asked for by a task."""
    return Case(
        When(_having(BLOCKED), then=Value(Rank.BLOCKED)),
        When(_having(overdue(limits)), then=Value(Rank.STUCK)),
        When(_having_task(), then=Value(Rank.ASKED_FOR)),
        default=Value(Rank.REST),
        output_field=IntegerField(),
    )


def _waiting_since(limits: Limits) -> Case:
    """Looked up for those alone whom the order needs it of."""
    return Case(
        When(_having(BLOCKED), then=_oldest(BLOCKED)),
        When(_having(overdue(limits)), then=_oldest(overdue(limits))),
        default=NOT_WAITING,
        output_field=DateTimeField(),
    )


def _oldest(condition: Q) -> Subquery:
    theirs = Enrollment.objects.filter(condition, patient=OuterRef("pk")).order_by()
    return Subquery(theirs.values("patient").annotate(at=Min("entered_at")).values("at"))


def in_view(view: QuickView, limits: Limits) -> QuerySet[Patient]:
    """In order of priority."""
    return people(limits).filter(condition_of(view, limits))


def who_have(asked: Asked, limits: Limits) -> Q:
    """Patients with an enrollment that is all of what is asked for, at once.

    Asked for nothing but action, it is the quick view: a task need not hang on a journey.
    """
    if asked == ANYTHING:
        return Q()
    if asked == Asked(action_required=True):
        return condition_of(QuickView.NEEDS_DECISION, limits)
    if asked == Asked(action_required=False):
        return ~condition_of(QuickView.NEEDS_DECISION, limits)
    return Q(pk__in=described(limits, asked).values("patient"))


def count_of(view: QuickView, limits: Limits) -> int:
    """Of one view alone: a third of the time that all take."""
    return Patient.objects.filter(condition_of(view, limits)).order_by().count()


def counts(limits: Limits, patients: QuerySet[Patient] | None = None) -> dict[QuickView, int]:
    """Every quick view, in one query; of `patients` alone, if a list is narrowed already."""
    rows = Patient.objects.all() if patients is None else patients
    numbers = {view.name: Count("pk", filter=q) for view, q in conditions(limits).items()}
    found = rows.order_by().aggregate(**numbers)
    return {view: found[view.name] for view in QuickView}
