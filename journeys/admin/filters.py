"""Filters by journey, stage and status. Together they speak of one enrollment, not of several."""

from __future__ import annotations

from typing import Any, Final

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.http import HttpRequest
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from journeys.models.enrollment import Enrollment
from journeys.models.template import JourneyTemplate, StageStatus
from journeys.selectors.definitions import definitions
from kura.accounts.tenant_admin import KnownChoiceFilter

STATUSES: Final[dict[str, tuple[Promise, tuple[StageStatus, ...]]]] = {
    "blocked": (_("Blocked"), (StageStatus.ON_HOLD,)),
    "running": (
        _("Under way"),
        (StageStatus.PLANNED, StageStatus.WAITLIST, StageStatus.ACTIVE),
    ),
    "finished": (_("Finished"), (StageStatus.FINISHED,)),
    "cancelled": (_("Cancelled"), (StageStatus.CANCELLED,)),
}


def asked_for(request: HttpRequest) -> Q:
    """The enrollment that the three filters of this request describe together."""
    asked = Q()
    if journey := request.GET.get(JourneyFilter.parameter_name):
        asked &= Q(journey_key=journey)
    if stage := request.GET.get(StageFilter.parameter_name):
        asked &= Q(stage=stage)
    if (status := request.GET.get(StatusFilter.parameter_name)) in STATUSES:
        asked &= Q(status__in=STATUSES[status][1])
    return asked


def current() -> QuerySet[Enrollment]:
    """Of a patient's enrollments in one journey, the newest."""
    newer = Enrollment.objects.filter(
        patient=OuterRef("patient"),
        journey_key=OuterRef("journey_key"),
        number__gt=OuterRef("number"),
    )
    return Enrollment.objects.filter(~Exists(newer))


class _EnrollmentFilter(KnownChoiceFilter):
    def narrow(self, request: HttpRequest, rows: QuerySet[Any], choice: str) -> QuerySet[Any]:  # noqa: ARG002
        if rows.model is Enrollment:
            return rows.filter(asked_for(request))
        described = current().filter(asked_for(request), patient=OuterRef("pk"))
        return rows.filter(Exists(described))


class JourneyFilter(_EnrollmentFilter):
    title = _("journey")
    parameter_name = "journey"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:  # noqa: ARG002
        return list(JourneyTemplate.objects.values_list("key", "name"))


class StageFilter(_EnrollmentFilter):
    """Stages of the chosen journey; without one there are none to offer."""

    title = _("stage")
    parameter_name = "stage"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:  # noqa: ARG002
        journey = request.GET.get(JourneyFilter.parameter_name, "")
        templates = JourneyTemplate.objects.filter(key=journey.replace("\x00", ""))
        known = definitions(templates.values_list("pk", flat=True)) if journey else {}
        stages = {code: one for d in known.values() for code, one in d.stages.items()}
        return [(code, stage.label) for code, stage in stages.items()]


class StatusFilter(_EnrollmentFilter):
    title = _("status")
    parameter_name = "status"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:  # noqa: ARG002
        return [(name, label) for name, (label, _statuses) in STATUSES.items()]


class LogJourneyFilter(JourneyFilter):
    """For rows that carry the key themselves."""

    def narrow(self, request: HttpRequest, rows: QuerySet[Any], choice: str) -> QuerySet[Any]:  # noqa: ARG002
        return rows.filter(journey_key=choice)
