"""`/journeys`: the journeys of a practice, as its people work through them, and in numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from django.utils import timezone
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from journeys.api.moves import LONGEST
from journeys.models.enrollment import Enrollment
from journeys.models.template import StageStatus
from kura.api.fields import Moment, QueryFlag
from kura.api.pagination import Ordering, PageQuery, page_of
from kura.api.scopes import JOURNEYS_READ, PATIENTS_READ
from kura.api.versions import versioned
from kura.api.views import ApiView
from kura.standing.api.causes import cause_of
from kura.standing.api.journey import Journey, told
from kura.standing.api.templates import digest
from kura.standing.journey import journey_views
from kura.standing.limits import Limits, limits_at
from kura.standing.summary import RecentMove, summary_of
from kura.standing.worklist import Asked, Which, described, with_due_order

BY_DUE: Final = Ordering("due_order")  # what has no limit comes last
ORDERINGS: Final[Mapping[str, Ordering]] = {
    "-entered_at": Ordering("-entered_at"),
    "entered_at": Ordering("entered_at"),
    "due_at": BY_DUE,
}
NEWEST: Final = "-entered_at"
FILTERS: Final = ("journey_key", "stage", "status", "blocked", "overdue", "action_required")


class JourneysQuery(PageQuery):
    """Open ones; with a `stage` or a closing `status` also the last closed one of a journey."""

    journey_key = serializers.CharField(required=False, max_length=LONGEST)
    stage = serializers.CharField(required=False, max_length=LONGEST)
    status = serializers.ChoiceField(choices=StageStatus.values, required=False)
    blocked = QueryFlag(required=False)
    overdue = QueryFlag(required=False)
    action_required = QueryFlag(required=False)
    ordering = serializers.ChoiceField(choices=list(ORDERINGS), default=NEWEST)


class JourneysView(ApiView):
    summaries = {"GET": "List journeys"}
    scopes = {"GET": JOURNEYS_READ}
    queries = {"GET": JourneysQuery}
    answers = {"GET": {200: page_of(Journey)}}

    def get(self, request: Request) -> Response:
        limits = limits_at(timezone.now())
        rows, ordering = described(limits, _asked(self.query)), ORDERINGS[self.query["ordering"]]
        if ordering is BY_DUE:
            rows = with_due_order(rows, limits)
        return ordering.page(request, rows, self.query, lambda found: self._told(found, limits))

    def _told(self, rows: Sequence[Enrollment], limits: Limits) -> Any:
        views = journey_views(rows, limits, cause_of(self.caller))
        return told(views, self.caller)


def _asked(query: Mapping[str, Any]) -> Asked:
    given = {name: query[name] for name in FILTERS if name in query}
    return Asked(which=Which.NEWEST if "stage" in query else None, **given)


# --- in numbers ---------------------------------------------------------------------------------


class StageCount(serializers.Serializer[Any]):
    code = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]  # a member of this name
    status = serializers.ChoiceField(choices=StageStatus.values)
    count = serializers.IntegerField(source="numbers.active")
    overdue = serializers.IntegerField(source="numbers.overdue")


class JourneyCount(serializers.Serializer[Any]):
    journey_key = serializers.CharField()
    name = serializers.CharField()
    active = serializers.IntegerField(source="numbers.active")
    blocked = serializers.IntegerField(source="numbers.blocked")
    overdue = serializers.IntegerField(source="numbers.overdue")
    action_required = serializers.IntegerField(source="numbers.action_required")
    stages = StageCount(many=True)


class PatientName(serializers.Serializer[Any]):
    """`full_name` null: not for this reader."""

    id = serializers.UUIDField(source="patient_id")
    full_name = serializers.SerializerMethodField()

    def get_full_name(self, recent: RecentMove) -> str | None:
        return recent.patient if self.context["sees_names"] else None


class Recent(serializers.Serializer[Any]):
    patient = PatientName(source="*")
    journey_key = serializers.CharField(source="move.journey_key")
    stage = serializers.CharField(source="move.to_stage")
    stage_label = serializers.CharField(source="move.to_label")
    status = serializers.ChoiceField(choices=StageStatus.values, source="move.to_status")
    changed_at = Moment(source="move.changed_at")


class JourneysSummary(serializers.Serializer[Any]):
    """Of open journeys; each total is the sum of its parts. `recent`: the newest moves."""

    active = serializers.IntegerField(source="numbers.active")
    blocked = serializers.IntegerField(source="numbers.blocked")
    overdue = serializers.IntegerField(source="numbers.overdue")
    action_required = serializers.IntegerField(source="numbers.action_required")
    by_journey = JourneyCount(many=True)
    recent = Recent(many=True)
    as_of = Moment()


class SummaryView(ApiView):
    summaries = {"GET": "Summarize the practice's journeys"}
    scopes = {"GET": JOURNEYS_READ}
    answers = {"GET": {200: JourneysSummary}}
    preconditions = {"GET": ("If-None-Match",)}
    cache_control = "private, no-cache"

    def get(self, request: Request) -> Response:
        """The ETag is weak: the numbers may be the same at another moment (`as_of`)."""
        context = {"sees_names": self.caller.may(PATIENTS_READ)}
        said = JourneysSummary(summary_of(limits_at(timezone.now())), context=context).data
        version = digest({name: said[name] for name in said if name != "as_of"})
        response = versioned(request, version, lambda: said)
        response.headers["ETag"] = f"W/{response.headers['ETag']}"
        return response
