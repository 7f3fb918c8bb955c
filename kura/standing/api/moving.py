"""Move, enroll and unblock one patient (Spec 7). The services decide; here they are asked.

The patient's row is locked before If-Match is compared, so that of many who looked at one version
exactly one moves, and each of the others is told the version that is there now.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction
from django.urls import reverse
from django.utils import timezone
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from journeys import errors
from journeys.api.moves import USUAL_REASON_CODE, Move, MoveQuery, Unblocking
from journeys.cause import Cause
from journeys.models.log import JourneyLog
from journeys.selectors.positions import Position, locked_positions
from journeys.selectors.versions import version_at
from journeys.services.transitions import enroll, transition, unblock
from kura.api.callers import Caller
from kura.api.scopes import JOURNEYS_UNBLOCK, JOURNEYS_WRITE
from kura.api.versions import etag, require_current
from kura.api.views import ApiView
from kura.standing.api import journey, logs
from kura.standing.api.causes import cause_of
from kura.standing.api.errors import BackDatingNotPermitted
from kura.standing.journey import JourneyView, journey_view_of
from kura.standing.limits import limits_at
from patients.selectors import patient_of


class Moved(serializers.Serializer[Any]):
    """`log` null: the patient was there already, or nothing was to be written."""

    changed = serializers.BooleanField()
    log = logs.LogEntry(allow_null=True)
    journey = journey.Journey(allow_null=True)
    journey_status = serializers.DictField(child=serializers.CharField())


class Entered(serializers.Serializer[Any]):
    log = logs.LogEntry()
    journey = journey.Journey()


@dataclass(frozen=True, kw_only=True, slots=True)
class Here:
    """One patient in one journey, locked until the transaction ends; who asks, and what for."""

    caller: Caller
    position: Position
    journey_key: str
    given: Mapping[str, Any]

    @property
    def version(self) -> int:
        return version_at(self.position, self.journey_key)

    @property
    def reason(self) -> str:
        return str(self.given.get("reason", ""))

    @property
    def cause(self) -> Cause:
        """Lifting a block needs a kind of reason as well; a caller need not know our words."""
        usual = USUAL_REASON_CODE if self.position.is_blocked else ""
        code = self.given.get("reason_code", usual)
        return cause_of(self.caller, reason=self.reason, reason_code=code)

    def view(self, log: JourneyLog | None = None) -> JourneyView | None:
        """As it is now; None when the patient is not in this journey."""
        enrollment_id = log.enrollment_id if log else self.position.enrollment_id
        if enrollment_id is None:
            return None
        limits = limits_at(timezone.now())
        return journey_view_of(enrollment_id, limits, reader=cause_of(self.caller))


def locked(
    caller: Caller, patient_id: uuid.UUID, journey_key: str, given: Mapping[str, Any]
) -> Here:
    """PatientNotFound, UnknownJourney. Needs a transaction."""
    positions = locked_positions([patient_id], journey_key)
    if not positions:
        raise errors.PatientNotFound
    if positions[0].template_id is None:
        raise errors.UnknownJourney(journey_key=journey_key)
    return Here(caller=caller, position=positions[0], journey_key=journey_key, given=given)


class MoveView(ApiView):
    """Moves the patient, or enrolls them by the move."""

    summaries = {"PATCH": "Move a patient"}
    scopes = {"PATCH": JOURNEYS_WRITE}
    queries = {"PATCH": MoveQuery}
    bodies = {"PATCH": Move}
    answers = {"PATCH": {200: Moved}}
    preconditions = {"PATCH": ("If-Match",)}
    refusals = {
        "PATCH": (
            errors.PatientNotFound,
            errors.UnknownJourney,
            errors.TemplateInactive,
            errors.StageNotAllowed,
            errors.JourneyClosed,
            errors.JourneyBlocked,
            errors.UnblockNotPermitted,
            errors.TransitionNotPermitted,
            errors.GuardFailed,
            errors.ReasonRequired,
            errors.TimeOrder,
        )
    }

    def patch(self, request: Request, patient_id: uuid.UUID) -> Response:
        given = self.body(Move)
        _refuse_back_dating(self.caller, given.get("changed_at"))
        with transaction.atomic():
            here = locked(self.caller, patient_id, given["journey_key"], given)
            require_current(request, here.version)
            log, changed = self._moved(here)
            return _answer(here, log, changed=changed)

    def _moved(self, here: Here) -> tuple[JourneyLog | None, bool]:
        """What is only validated is done as well, and undone: nothing is checked by halves."""
        if not self.query["validate_only"]:
            log = _move(here)
            return log, log is not None
        with transaction.atomic():
            changed = _move(here) is not None
            transaction.set_rollback(True)
        return None, changed


def _move(here: Here) -> JourneyLog | None:
    try:
        return transition(
            patient_id=here.position.patient_id,
            journey_key=here.journey_key,
            to_stage=here.given["to_stage"],
            cause=here.cause,
            changed_at=here.given.get("changed_at"),
        ).log
    except errors.JourneyBlocked as refusal:
        view = here.view()
        refusal.context["blocked"] = journey.block(view, here.caller) if view else None
        raise


def _refuse_back_dating(caller: Caller, changed_at: datetime | None) -> None:
    if changed_at is not None and caller.user is None:
        raise BackDatingNotPermitted


class UnblockView(ApiView):
    """Lifts a block. Nobody but a person does (Spec 6.2)."""

    summaries = {"POST": "Unblock a journey"}
    scopes = {"POST": JOURNEYS_UNBLOCK}
    users_only = True
    bodies = {"POST": Unblocking}
    answers = {"POST": {200: Moved}}
    preconditions = {"POST": ("If-Match",)}
    refusals = {
        "POST": (
            errors.PatientNotFound,
            errors.NotEnrolled,
            errors.NotBlocked,
            errors.StageNotAllowed,
            errors.TransitionNotPermitted,
            errors.GuardFailed,
            errors.ReasonRequired,
            errors.TargetRequired,
        )
    }

    def post(self, request: Request, patient_id: uuid.UUID, journey_key: str) -> Response:
        given = self.body(Unblocking)
        with transaction.atomic():
            here = _enrolled(self.caller, patient_id, journey_key, given)
            require_current(request, here.version)
            log = unblock(
                patient_id=patient_id,
                journey_key=journey_key,
                cause=here.cause,
                to_stage=given.get("to_stage"),
            )
            return _answer(here, log, changed=True)


def _enrolled(
    caller: Caller, patient_id: uuid.UUID, journey_key: str, given: Mapping[str, Any]
) -> Here:
    """PatientNotFound; NotEnrolled, also in a journey that the practice does not have."""
    try:
        here = locked(caller, patient_id, journey_key, given)
    except errors.UnknownJourney:
        raise errors.NotEnrolled(journey=journey_key) from None
    if here.position.enrollment_id is None:
        raise errors.NotEnrolled(journey=journey_key)
    return here


def entered(caller: Caller, patient_id: uuid.UUID, given: Mapping[str, Any]) -> Response:
    """Enroll the patient in the initial stage; 201."""
    with transaction.atomic():
        here = locked(caller, patient_id, given["journey_key"], given)
        log = enroll(patient_id=patient_id, journey_key=here.journey_key, cause=here.cause)
        view = here.view(log)
        said = {"log": _entry(here, log, view), "journey": _journey(here, view)}
    where = reverse("api-journey", args=[patient_id, here.journey_key])
    return Response(said, status=201, headers={"Location": where, "ETag": _etag(view)})


# --- answers ------------------------------------------------------------------------------------


def _answer(here: Here, log: JourneyLog | None, *, changed: bool) -> Response:
    view = here.view(log)
    said = {
        "changed": changed,
        "log": _entry(here, log, view),
        "journey": _journey(here, view),
        "journey_status": _journey_status(here.position.patient_id),
    }
    return Response(said, headers={"ETag": _etag(view)})


def _entry(here: Here, log: JourneyLog | None, view: JourneyView | None) -> Any:
    """The view has looked up already who moved the patient."""
    if log is None or view is None or view.last_move is None:
        return None
    entry = logs.Entry(log, view.last_move.actor, here.cause.reason)
    return logs.told([entry], here.caller)[0]


def _journey(here: Here, view: JourneyView | None) -> Any:
    return journey.told([view], here.caller)[0] if view else None


def _etag(view: JourneyView | None) -> str:
    return etag(view.version if view else 0)


def _journey_status(patient_id: uuid.UUID) -> Any:
    patient = patient_of(patient_id)
    return patient.journey_status if patient else {}  # locked: nobody takes them away
