"""The log as the API tells it (`LogEntry`): who or what moved a patient where, and why.

As with journeys, the serializers describe what `told` tells.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.db.models import QuerySet
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from journeys.api.moves import LONGEST
from journeys.errors import LogRowNotFound, PatientNotFound, VerificationTooLong
from journeys.models.log import ActorKind, JourneyLog
from journeys.selectors.chain import Chain, chain_of
from journeys.selectors.settled import ORDER, settled_after
from kura.api.bodies import MAX_INTEGER
from kura.api.callers import Caller
from kura.api.fields import Moment
from kura.api.pagination import Ordering, PageQuery, page_of
from kura.api.scopes import ADMIN_RUN, JOURNEYS_READ
from kura.api.serializers import Query
from kura.api.views import ApiView
from kura.standing.api.errors import TooMuchToCheck
from kura.standing.api.journey import sees_words_of, told_as
from kura.standing.moves import moves_told
from patients.models import Patient

NEWEST: Final = Ordering("-id")
SETTLED: Final = Ordering(*ORDER)
LONGEST_CHECK: Final = 20  # seconds; gunicorn gives a request 30
_COLUMNS: Final = {
    "journey_key": "journey_key",
    "to_stage": "to_stage",
    "actor_type": "actor_kind",
    "changed_after": "changed_at__gte",
    "changed_before": "changed_at__lt",
    "trigger_event_id": "trigger_event",
}


@dataclass(frozen=True, slots=True)
class Entry:
    """A row of the log. `actor_name`: of the person or the rule, else the kind of actor."""

    log: JourneyLog
    actor_name: str
    note: str


class LogActor(serializers.Serializer[Any]):
    type = serializers.ChoiceField(choices=ActorKind.values)
    id = serializers.UUIDField(allow_null=True)
    display = serializers.CharField()


class LogEntry(serializers.Serializer[Any]):
    """`reason`: in words, empty when erased or not for this reader."""

    id = serializers.IntegerField()
    enrollment_id = serializers.UUIDField()
    seq = serializers.IntegerField()
    patient_id = serializers.UUIDField()
    journey_key = serializers.CharField()
    from_stage = serializers.CharField(allow_null=True)
    to_stage = serializers.CharField()
    changed_at = Moment()
    recorded_at = Moment()
    actor = LogActor()
    reason = serializers.CharField(read_only=True)
    reason_code = serializers.CharField(allow_null=True)
    rule_id = serializers.UUIDField(allow_null=True)
    trigger_event_id = serializers.UUIDField(allow_null=True)
    request_id = serializers.CharField(allow_null=True)


LOG_PAGE: Final = page_of(LogEntry)


class LogsQuery(PageQuery):
    """`after_id`: in order of settling, for those who keep up; 0 is from the beginning."""

    journey_key = serializers.CharField(required=False, max_length=LONGEST)
    to_stage = serializers.CharField(required=False, max_length=LONGEST)
    actor_type = serializers.ChoiceField(choices=ActorKind.values, required=False)
    changed_after = Moment(required=False)
    changed_before = Moment(required=False)
    trigger_event_id = serializers.UUIDField(required=False)
    after_id = serializers.IntegerField(required=False, min_value=0, max_value=MAX_INTEGER)


class LogsView(ApiView):
    """Newest first; with `after_id` the other way, and nothing that is not settled yet."""

    summaries = {"GET": "List moves"}
    scopes = {"GET": JOURNEYS_READ}
    queries = {"GET": LogsQuery}
    answers = {"GET": {200: LOG_PAGE}}

    def get(self, request: Request) -> Response:
        return _page(self, request, JourneyLog.objects.all())


class PatientLogsView(ApiView):
    summaries = {"GET": "List a patient's moves"}
    scopes = {"GET": JOURNEYS_READ}
    queries = {"GET": LogsQuery}
    answers = {"GET": {200: LOG_PAGE}}
    refusals = {"GET": (PatientNotFound,)}

    def get(self, request: Request, patient_id: uuid.UUID) -> Response:
        if not Patient.objects.filter(pk=patient_id).exists():
            raise PatientNotFound
        return _page(self, request, JourneyLog.objects.filter(patient=patient_id))


class VerifyQuery(Query):
    """`until_id`: the hash up to this row, to compare with a head that was kept."""

    until_id = serializers.IntegerField(required=False, min_value=0, max_value=MAX_INTEGER)


class LogHead(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    hash = serializers.CharField()


class LogFault(serializers.Serializer[Any]):
    """`code`: as `verify_journeys` names it; without an id it is about a guard of the database."""

    code = serializers.CharField()
    log_id = serializers.IntegerField(allow_null=True)
    enrollment_id = serializers.UUIDField(allow_null=True)
    patient_id = serializers.UUIDField(allow_null=True)


class LogVerified(serializers.Serializer[Any]):
    """`checked`: rows of the log. `faults`: at most twenty; `first_bad_id`: the lowest of them."""

    ok = serializers.BooleanField()
    checked = serializers.IntegerField()
    head = LogHead(allow_null=True)
    first_bad_id = serializers.IntegerField(allow_null=True)
    faults = LogFault(many=True)


class VerifyView(ApiView):
    """Checks the practice's log against everything that follows from it, and sums it up.

    The hash is of each row's values after the hash of the rows before it; docs/api.md says how.
    """

    summaries = {"GET": "Verify the log of moves"}
    scopes = {"GET": ADMIN_RUN}
    queries = {"GET": VerifyQuery}
    answers = {"GET": {200: LogVerified}}
    refusals = {"GET": (LogRowNotFound,)}

    def limits(self) -> list[tuple[str, str]]:
        """It reads everything: as seldom as a run of the monitor, and counted beside it."""
        return [*super().limits(), ("check", f"verify {self.caller.id}")]

    def get(self, request: Request) -> Response:  # noqa: ARG002
        chain = self._chain()
        said = {
            "ok": not chain.faults,
            "checked": chain.checked,
            "head": LogHead(chain.head).data if chain.head else None,
            "first_bad_id": chain.first_bad_id,
            "faults": LogFault(chain.faults, many=True).data,
        }
        return Response(said)

    def _chain(self) -> Chain:
        until_id, home = self.query.get("until_id"), self.caller.organization.pk
        try:
            return chain_of(home, until_id=until_id, seconds=LONGEST_CHECK)
        except VerificationTooLong as refusal:
            raise TooMuchToCheck from refusal


def _page(view: ApiView, request: Request, logs: QuerySet[JourneyLog]) -> Response:
    query = view.query
    chosen = {column: query[name] for name, column in _COLUMNS.items() if name in query}
    rows = logs.filter(**chosen).select_related("note", "trigger_event")
    ordering = NEWEST
    if "after_id" in query:
        rows, ordering = settled_after(rows, query["after_id"]), SETTLED
    return ordering.page(request, rows, query, lambda found: entries(found, view.caller))


def entries(logs: Sequence[JourneyLog], caller: Caller) -> list[Any]:
    """Of logs read with `note` and `trigger_event`; a fixed number of queries."""
    moves = moves_told(logs)
    read = [Entry(log, move.actor, _note(log)) for log, move in zip(logs, moves, strict=True)]
    return told(read, caller)


def told(read: Sequence[Entry], caller: Caller) -> list[Any]:
    sees_words = sees_words_of(caller)
    return [_entry(one, sees_words=sees_words) for one in read]


def _entry(entry: Entry, *, sees_words: bool) -> dict[str, Any]:
    log = entry.log
    actor = {"type": log.actor_kind, "id": log.actor_id, "display": entry.actor_name}
    return told_as(LogEntry, log, actor=actor, reason=entry.note if sees_words else "")


def _note(log: JourneyLog) -> str:
    note = getattr(log, "note", None)
    return note.body if note else ""
