"""`/events`: what happened is told to Kura, and read again.

A POST stores and queues the event and answers; no rule has run by then. The same id from the same
source is the same event, however often it comes.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from django.db.models import QuerySet
from django.urls import reverse
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from automation.api.arriving import (
    STRUCTURED,
    Arrival,
    CloudEvent,
    CloudEventParser,
    NewEvent,
    arrival,
)
from automation.api.sight import sight_of
from automation.errors import (
    EventIdRequired,
    EventNotFound,
    EventTypeReserved,
    IdempotencyKeyReused,
    InvalidPayload,
    UnknownEventType,
)
from automation.intake import Recorded, record_event
from automation.models.dispatch import DispatchStatus
from journeys.errors import EventTime
from journeys.models.event import SystemEventLog
from kura.api.bodies import JsonParser
from kura.api.fields import Moment
from kura.api.pagination import Ordering, PageQuery, page_of
from kura.api.scopes import EVENTS_READ, EVENTS_WRITE
from kura.api.views import ApiView

NEWEST: Final = Ordering("-id")  # ids are in the order of arrival


class Event(serializers.Serializer[SystemEventLog]):
    """`status`: its place in the queue; `done` for one that nobody had to process."""

    id = serializers.UUIDField()
    event_type = serializers.CharField()
    source = serializers.CharField()  # type: ignore[assignment]  # a member of this name
    idempotency_key = serializers.CharField()
    patient_id = serializers.UUIDField(allow_null=True)
    journey_key = serializers.CharField(allow_null=True)
    status = serializers.SerializerMethodField()
    occurred_at = Moment()
    recorded_at = Moment(source="created_at")
    parent_event_id = serializers.UUIDField(allow_null=True)
    root_event_id = serializers.UUIDField(allow_null=True)
    depth = serializers.IntegerField()

    @extend_schema_field(serializers.ChoiceField(choices=DispatchStatus.values))
    def get_status(self, event: SystemEventLog) -> str:
        dispatch = getattr(event, "dispatch", None)
        return str(dispatch.status) if dispatch else DispatchStatus.DONE.value


class EventWhole(Event):
    """`payload` and `patient` as the source sent them; null when erased or not for this reader."""

    payload = serializers.SerializerMethodField()
    patient = serializers.SerializerMethodField()

    def get_payload(self, event: SystemEventLog) -> dict[str, Any] | None:
        return self._kept(event, "payload")

    def get_patient(self, event: SystemEventLog) -> dict[str, Any] | None:
        return self._kept(event, "subject")

    def _kept(self, event: SystemEventLog, name: str) -> dict[str, Any] | None:
        row = getattr(event, "payload_row", None)
        return getattr(row, name) if row and self.context["sees_contents"] else None


class Accepted(serializers.Serializer[Any]):
    """`unmatched`: kept, but nobody (or more than one person) answers to that name."""

    id = serializers.UUIDField()
    status = serializers.ChoiceField(choices=["accepted", "unmatched"])
    duplicate = serializers.BooleanField()


class EventsQuery(PageQuery):
    event_type = serializers.CharField(required=False, max_length=80)
    patient_id = serializers.UUIDField(required=False)
    status = serializers.ChoiceField(choices=DispatchStatus.values, required=False)
    source = serializers.CharField(  # type: ignore[assignment]  # a parameter of this name
        required=False, max_length=120
    )
    occurred_after = Moment(required=False)


class EventsView(ApiView):
    summaries = {"GET": "List events", "POST": "Send an event"}
    scopes = {"GET": EVENTS_READ, "POST": EVENTS_WRITE}
    queries = {"GET": EventsQuery}
    bodies = {"POST": {JsonParser.media_type: NewEvent, STRUCTURED: CloudEvent}}
    answers = {"GET": {200: page_of(Event)}, "POST": {202: Accepted, 200: Accepted}}
    located = ("POST",)
    refusals = {
        "POST": (
            EventIdRequired,
            UnknownEventType,
            EventTypeReserved,
            EventTime,
            IdempotencyKeyReused,
        )
    }
    parser_classes = (JsonParser, CloudEventParser)

    def get(self, request: Request) -> Response:
        return NEWEST.page(request, _chosen(self.query), self.query, _told)

    def post(self, request: Request) -> Response:
        recorded = self._recorded(arrival(request))
        return Response(
            {
                "id": recorded.event_id,
                "status": "accepted" if recorded.matched else "unmatched",
                "duplicate": recorded.duplicate,
            },
            status=200 if recorded.duplicate else 202,
            headers={"Location": reverse("api-event", args=[recorded.event_id])},
        )

    def _recorded(self, said: Arrival) -> Recorded:
        with _contents_at(said.contents):
            return record_event(
                organization=self.caller.organization,
                event_type=said.event_type,
                source=said.source,
                idempotency_key=said.key,
                subject=said.subject,
                journey_key=said.journey_key,
                payload=said.payload,
                occurred_at=said.occurred_at,
            )


class EventView(ApiView):
    summaries = {"GET": "Read an event"}
    scopes = {"GET": EVENTS_READ}
    answers = {"GET": {200: EventWhole}}

    def get(self, request: Request, event_id: uuid.UUID) -> Response:  # noqa: ARG002
        whole = SystemEventLog.objects.select_related("dispatch", "payload_row")
        event = whole.filter(pk=event_id).first()
        if event is None:
            raise EventNotFound
        context = {"sees_contents": sight_of(self.caller).contents}
        return Response(EventWhole(event, context=context).data)


def _told(events: list[SystemEventLog]) -> Any:
    return [Event(event).data for event in events]


def _chosen(query: Any) -> QuerySet[SystemEventLog]:
    columns = {
        "event_type": "event_type",
        "patient_id": "patient_id",
        "status": "dispatch__status",
        "source": "source",
        "occurred_after": "occurred_at__gte",
    }
    chosen = {column: query[name] for name, column in columns.items() if name in query}
    return SystemEventLog.objects.select_related("dispatch").filter(**chosen)


@contextmanager
def _contents_at(pointer: str) -> Iterator[None]:
    """The intake's pointers lead into the payload, the caller's into the body."""
    try:
        yield
    except InvalidPayload as refusal:
        for problem in refusal.context["problems"]:
            problem["pointer"] = pointer + problem["pointer"]
        raise
