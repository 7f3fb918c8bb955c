"""What a person decides about an event, with a reason: try it again, skip, link or replay it.

People alone, and among them therapists and managers: the service asks for the permission as well.
"""

from __future__ import annotations

import uuid
from typing import Any, ClassVar

from django.urls import reverse
from rest_framework import serializers
from rest_framework.exceptions import NotAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response

from automation.errors import DecisionNotPermitted, EventNotFound, LoopBudget, NotDecidable
from automation.models.dispatch import DispatchStatus
from automation.services import decisions
from journeys.errors import PatientNotFound, ReasonRequired
from kura.accounts.models import User
from kura.api.fields import Id, Text
from kura.api.scopes import EVENTS_WRITE
from kura.api.serializers import Body
from kura.api.views import ApiView

LONGEST_REASON = 2000  # characters


class Decision(Body):
    reason = Text(max_length=LONGEST_REASON, allow_blank=True)


class LinkDecision(Decision):
    patient_id = Id()


class Decided(serializers.Serializer[Any]):
    """`status`: the event's place in the queue now. After a link: of the event that follows it."""

    id = serializers.UUIDField()
    status = serializers.ChoiceField(choices=DispatchStatus.values)


class DecisionView(ApiView):
    """Base of the four. 202: the queue does the rest."""

    users_only = True
    scopes = {"POST": EVENTS_WRITE}
    bodies: ClassVar[dict[str, Any]] = {"POST": Decision}
    answers: ClassVar[dict[str, Any]] = {"POST": {202: Decided}}
    located = ("POST",)
    refusals = {"POST": (DecisionNotPermitted, EventNotFound, NotDecidable, ReasonRequired)}

    @property
    def person(self) -> User:
        if self.caller.user is None:
            raise NotAuthenticated
        return self.caller.user

    def answer(self, event_id: uuid.UUID, status: str, *, code: int = 202) -> Response:
        headers = {"Location": reverse("api-event", args=[event_id])}
        told = Decided({"id": event_id, "status": status}).data
        return Response(told, status=code, headers=headers)


class RetryView(DecisionView):
    """A dead event gets five new attempts."""

    summaries = {"POST": "Retry a dead event"}

    def post(self, request: Request, event_id: uuid.UUID) -> Response:  # noqa: ARG002
        given = self.body(Decision)
        place = decisions.retry(event_id=event_id, user=self.person, **given)
        return self.answer(event_id, place.status)


class SkipView(DecisionView):
    """A dead or unmatched event is laid aside and causes nothing any more."""

    summaries = {"POST": "Skip an event"}
    answers = {"POST": {200: Decided}}

    def post(self, request: Request, event_id: uuid.UUID) -> Response:  # noqa: ARG002
        given = self.body(Decision)
        place = decisions.skip(event_id=event_id, user=self.person, **given)
        return self.answer(event_id, place.status, code=200)


class ReplayView(DecisionView):
    """What was refused is tried again, on the facts as they were; what is done is not repeated."""

    summaries = {"POST": "Replay an event"}
    refusals = {"POST": (*DecisionView.refusals["POST"], LoopBudget)}

    def post(self, request: Request, event_id: uuid.UUID) -> Response:  # noqa: ARG002
        given = self.body(Decision)
        place = decisions.replay(event_id=event_id, user=self.person, **given)
        return self.answer(event_id, place.status)


class LinkView(DecisionView):
    """Say about whom an unmatched event is: a new event about that patient follows it."""

    summaries = {"POST": "Link an event to a patient"}
    bodies = {"POST": LinkDecision}
    refusals = {"POST": (*DecisionView.refusals["POST"], PatientNotFound)}

    def post(self, request: Request, event_id: uuid.UUID) -> Response:  # noqa: ARG002
        given = self.body(LinkDecision)
        about = decisions.link(event_id=event_id, user=self.person, **given)
        return self.answer(about, DispatchStatus.QUEUED)
