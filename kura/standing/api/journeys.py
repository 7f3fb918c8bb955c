"""`/patients/{id}/journeys`: where one patient stands, and entering a journey."""

from __future__ import annotations

import uuid

from django.utils import timezone
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from journeys import errors
from journeys.api.moves import Entering
from kura.api.scopes import JOURNEYS_READ, JOURNEYS_WRITE
from kura.api.versions import etag
from kura.api.views import ApiView
from kura.standing import journey as selectors
from kura.standing.api.causes import cause_of
from kura.standing.api.journey import Journey, told
from kura.standing.api.moving import Entered, entered
from kura.standing.api.patients import found
from kura.standing.limits import limits_at


class Journeys(serializers.Serializer[selectors.JourneyView]):
    """All of them at once: nobody is in so many that they would need pages."""

    results = Journey(many=True)


class PatientJourneysView(ApiView):
    """Of each journey the newest enrollment; blocked first, then overdue, open, closed."""

    summaries = {"GET": "List a patient's journeys", "POST": "Enroll a patient"}
    scopes = {"GET": JOURNEYS_READ, "POST": JOURNEYS_WRITE}
    bodies = {"POST": Entering}
    answers = {"GET": {200: Journeys}, "POST": {201: Entered}}
    located = ("POST",)
    refusals = {
        "GET": (errors.PatientNotFound,),
        "POST": (
            errors.PatientNotFound,
            errors.UnknownJourney,
            errors.TemplateInactive,
            errors.AlreadyEnrolled,
            errors.GuardFailed,
            errors.ReasonRequired,
        ),
    }

    def get(self, request: Request, patient_id: uuid.UUID) -> Response:  # noqa: ARG002
        return Response({"results": told(_of(self, patient_id), self.caller)})

    def post(self, request: Request, patient_id: uuid.UUID) -> Response:  # noqa: ARG002
        """Begins in the template's initial stage."""
        return entered(self.caller, patient_id, self.body(Entering))


class PatientJourneyView(ApiView):
    """Never 304: what a journey says changes with the clock, and the ETag names its version."""

    summaries = {"GET": "Read a patient's journey"}
    scopes = {"GET": JOURNEYS_READ}
    answers = {"GET": {200: Journey}}
    refusals = {"GET": (errors.PatientNotFound, errors.NotEnrolled)}
    cache_control = "private, no-cache"

    def get(self, request: Request, patient_id: uuid.UUID, journey_key: str) -> Response:  # noqa: ARG002
        for view in _of(self, patient_id):
            if view.journey_key == journey_key:
                [one] = told([view], self.caller)
                return Response(one, headers={"ETag": etag(view.version)})
        raise errors.NotEnrolled(journey=journey_key)


def _of(view: ApiView, patient_id: uuid.UUID) -> list[selectors.JourneyView]:
    """PatientNotFound."""
    patient = found(patient_id)
    limits, reader = limits_at(timezone.now()), cause_of(view.caller)
    return selectors.journeys_of([patient.pk], limits, reader=reader)[patient.pk]
