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
    Q,
    QuerySet,
    TextChoices,
    Value,
    When,
)
from django.db.models.functions import Coalesce
from django.utils.translation import gettext_lazy as _

from automation.models.staff_task import StaffTask
from journeys.models.enrollment import Enrollment
from journeys.models.template import StageStatus
from kura.standing.facts import BLOCKED, OPEN, exhausted, overdue, said_of
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

    The enrollments are joined and read once: a subquery a fact, and one a patient for its time,
    took twice as long.
    """
    rows = Patient.objects.annotate(
        blocked_since=_since(BLOCKED), stuck_since=_since(overdue(limits))
    )
    waiting = Coalesce("blocked_since", "stuck_since", NOT_WAITING, output_field=DateTimeField())
    return rows.annotate(rank=_rank(), waiting_since=waiting).order_by(*PRIORITY)


def _since(condition: Q) -> Min:
    """Of the patient's enrollments that are so, when the first came to its stage."""
    return Min("enrollments__entered_at", filter=said_of("enrollments", condition))


def _rank() -> Case:
    """Who needs a decision and is neither blocked nor stuck is asked for by a task."""
    return Case(
        When(blocked_since__isnull=False, then=Value(Rank.BLOCKED)),
        When(stuck_since__isnull=False, then=Value(Rank.STUCK)),
        When(_having_task(), then=Value(Rank.ASKED_FOR)),
        default=Value(Rank.REST),
        output_field=IntegerField(),
    )


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
