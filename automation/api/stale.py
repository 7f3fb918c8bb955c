"""`/admin/stale-journeys/check`: look now at who is stuck, instead of at the next full hour.

A GET that acts, as the contract has it, and a POST that does the same. It is safe to repeat by
itself, for a step is said once; so it keeps no answers, and each batch of events commits on its own
and not in a transaction around the request. What a page of another site asks for is refused, and
HEAD, with which programs look without meaning to act, does not exist here.
"""

from __future__ import annotations

from typing import Any, Final

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from automation.errors import CheckInProgress
from automation.monitor import Item, Report, VisitOutcome, check
from journeys.models.template import KEY_PATTERN
from kura.api.callers import Caller
from kura.api.errors import CrossSiteRequest
from kura.api.fields import Coded, Moment, QueryFlag
from kura.api.origins import refuse_cross_site
from kura.api.scopes import ADMIN_RUN
from kura.api.serializers import Body, Query
from kura.api.views import ApiView

SECONDS: Final = 20.0  # of work; a caller or a proxy waits no longer, the monitor does the rest


class CheckQuery(Query):
    dry_run = QueryFlag(default=False)
    journey_key = Coded(KEY_PATTERN, required=False)


class NoMembers(Body):
    """`{}` or nothing: a `dry_run` in the body that nobody reads would act."""


class CheckedVisit(serializers.Serializer[Any]):
    """One stage visit past the limit of one rule. `event_id`: the time-out that was recorded."""

    patient_id = serializers.UUIDField()
    journey_key = serializers.CharField()
    stage = serializers.CharField()
    rule_id = serializers.UUIDField()
    entered_at = Moment()
    hours_in_stage = serializers.FloatField()
    outcome = serializers.ChoiceField(choices=[outcome.value for outcome in VisitOutcome])
    event_id = serializers.UUIDField(allow_null=True)


class CheckReport(serializers.Serializer[Any]):
    """`due`: those of the stale whose reminder was still to be recorded.

    `truncated`: there are more than `items` names. `unfinished`: time was up, the next check goes
    on. `errors`: kinds of error, one for each visit that failed.
    """

    run_id = serializers.UUIDField()
    dry_run = serializers.BooleanField()
    started_at = Moment()
    finished_at = Moment()
    rules_checked = serializers.IntegerField()
    stale = serializers.IntegerField()
    due = serializers.IntegerField()
    timeouts_emitted = serializers.IntegerField()
    skipped_recent_reminder = serializers.IntegerField()
    errors = serializers.ListField(child=serializers.CharField())  # type: ignore[assignment]
    items = CheckedVisit(many=True)
    truncated = serializers.BooleanField()
    unfinished = serializers.BooleanField()


class StaleCheckView(ApiView):
    """Record a time-out for everybody of this practice who is past the limit of their stage."""

    http_method_names = ["get", "post"]
    summaries = {"GET": "Check for stale journeys", "POST": "Check for stale journeys"}
    scopes = {"GET": ADMIN_RUN, "POST": ADMIN_RUN}
    queries = {"GET": CheckQuery, "POST": CheckQuery}
    bodies = {"POST": NoMembers}
    answers = {"GET": {200: CheckReport}, "POST": {200: CheckReport}}
    refusals = dict.fromkeys(("GET", "POST"), (CheckInProgress, CrossSiteRequest))
    keeps_answers = False

    def limits(self) -> list[tuple[str, str]]:
        """A check counts for the caller's requests and for their checks."""
        caller = self.request.auth
        checks = [("check", str(caller.id))] if isinstance(caller, Caller) else []
        return [*super().limits(), *checks]

    def check_throttles(self, request: Request) -> None:
        """Nobody's limit is used up by another site's page."""
        refuse_cross_site(request)
        super().check_throttles(request)

    def get(self, request: Request) -> Response:
        if request.method == "HEAD":
            self.http_method_not_allowed(request)
        return self._checked()

    def post(self, request: Request) -> Response:  # noqa: ARG002
        self.body(NoMembers)
        return self._checked()

    def _checked(self) -> Response:
        report = check(
            dry_run=self.query["dry_run"],
            journey_key=self.query.get("journey_key", ""),
            seconds=SECONDS,
        )
        return Response(CheckReport(_told(report)).data)


def _told(report: Report) -> dict[str, Any]:
    names = (
        "run_id", "dry_run", "started_at", "finished_at", "rules_checked", "stale", "due",
        "errors", "truncated", "unfinished",
    )  # fmt: skip
    return {name: getattr(report, name) for name in names} | {
        "timeouts_emitted": report.emitted,
        "skipped_recent_reminder": report.counts.get(VisitOutcome.SKIPPED_RECENT_REMINDER, 0),
        "items": [_item(item, report) for item in report.items],
    }


def _item(item: Item, report: Report) -> dict[str, Any]:
    names = ("patient_id", "journey_key", "stage", "rule_id", "entered_at")
    return {name: getattr(item.visit, name) for name in names} | {
        "hours_in_stage": item.visit.hours_in_stage(report.started_at),
        "outcome": item.outcome,
        "event_id": item.event_id,
    }
