"""What people decide about events: try again, skip, link to a patient, replay. Each with a reason.

A decision is a row that stays (`event_decisions`), written in the transaction that carries it out.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection
from typing import Final

from django.db import transaction
from django.utils import timezone

from automation import bell, errors
from automation.intake import Draft, Subject, store
from automation.models.dispatch import (
    DecisionKind,
    DispatchDecision,
    DispatchStatus,
    EventDispatch,
)
from automation.models.staff_task import StaffTask, TaskKind
from journeys.errors import PatientNotFound, ReasonRequired, UnstorableText
from journeys.guards import MINIMUM_REASON, visible_length
from kura.accounts.models import User
from kura.ids import time_ordered_uuid
from patients.models import Patient

DECIDE: Final = "automation.decide_event"
LINKED: Final = "linked"


@transaction.atomic
def retry(*, event_id: uuid.UUID, user: User, reason: str) -> EventDispatch:
    """A dead event gets five new attempts. Locks its place in the queue."""
    place = _decide(event_id, user, reason, DecisionKind.RETRY, {DispatchStatus.DEAD})
    _end_task(place, user)
    return _queue(place, replay=place.replay)


@transaction.atomic
def skip(*, event_id: uuid.UUID, user: User, reason: str) -> EventDispatch:
    """A dead or unmatched event is laid aside: it causes nothing any more."""
    waiting = {DispatchStatus.DEAD, DispatchStatus.UNMATCHED}
    place = _decide(event_id, user, reason, DecisionKind.SKIP, waiting)
    _end_task(place, user)
    place.status, place.finished_at = DispatchStatus.SKIPPED, timezone.now()
    place.save(update_fields=["status", "finished_at"])
    return place


@transaction.atomic
def replay(*, event_id: uuid.UUID, user: User, reason: str) -> EventDispatch:
    """What was refused is tried again, for example after a block was lifted.

    Raises LoopBudget, and NotDecidable for an event that was linked to a patient.
    Actions that took effect are not repeated, and rules are judged on the facts as they were.
    """
    ended = {DispatchStatus.DONE, DispatchStatus.SKIPPED}
    place = _decide(event_id, user, reason, DecisionKind.REPLAY, ended)
    if place.last_error == "loop_budget":
        raise errors.LoopBudget
    if place.last_error == LINKED:
        raise errors.NotDecidable  # the event that follows it is what may be replayed
    _end_task(place, user)
    return _queue(place, replay=place.replay or place.status == DispatchStatus.DONE)


@transaction.atomic
def link(*, event_id: uuid.UUID, user: User, reason: str, patient_id: uuid.UUID) -> uuid.UUID:
    """Say about whom an unmatched event is: the id of the new event that says so.

    Once: the place in the queue is locked and ends here. The key of the new event is therefore its
    own, which no source can have used before.

    The log is never rewritten: the event that came in stays as it came, and one about the patient
    follows it, with the same contents, source and time.
    """
    place = _decide(event_id, user, reason, DecisionKind.LINK, {DispatchStatus.UNMATCHED})
    patient = Patient.objects.filter(pk=patient_id, organization=place.organization_id).first()
    if patient is None:
        raise PatientNotFound(patient_id=patient_id)
    draft = _about(place, patient)
    store([draft])
    place.status, place.finished_at = DispatchStatus.SKIPPED, timezone.now()
    place.last_error = LINKED
    place.save(update_fields=["status", "finished_at", "last_error"])
    return draft.id


def _about(place: EventDispatch, patient: Patient) -> Draft:
    event, new_id = place.event, time_ordered_uuid()
    contents = getattr(event, "payload_row", None)
    return Draft(
        id=new_id,
        organization_id=event.organization_id,
        event_type=event.event_type,
        patient_id=patient.pk,
        journey_key=event.journey_key,
        source=event.source,
        idempotency_key=f"linked:{event.pk}:{new_id}",
        occurred_at=event.occurred_at,
        payload=contents.payload if contents else {},
        parent_event_id=event.pk,
        subject=Subject(id=patient.pk).as_json(),
    )


def _decide(
    event_id: uuid.UUID,
    user: User,
    reason: str,
    kind: DecisionKind,
    allowed: Collection[DispatchStatus],
) -> EventDispatch:
    """Permission, reason, then the lock: two people who decide at once do not both act."""
    if not user.has_perm(DECIDE):
        raise errors.DecisionNotPermitted
    if visible_length(reason) < MINIMUM_REASON:
        raise ReasonRequired(minimum=MINIMUM_REASON)
    if "\x00" in reason:
        raise UnstorableText
    place = _locked(event_id)
    if place.status not in allowed:
        raise errors.NotDecidable
    DispatchDecision.objects.create(
        organization_id=place.organization_id,
        event_id=event_id,
        kind=kind,
        reason=reason.strip(),
        decided_by=user,
    )
    return place


def _locked(event_id: uuid.UUID) -> EventDispatch:
    place = EventDispatch.objects.select_for_update().filter(pk=event_id).first()
    if place is None:
        raise errors.EventNotFound
    return place


def _queue(place: EventDispatch, *, replay: bool) -> EventDispatch:
    place.status, place.attempts, place.replay = DispatchStatus.QUEUED, 0, replay
    place.next_attempt_at, place.finished_at, place.claim = timezone.now(), None, None
    place.save()
    bell.ring()
    return place


def _end_task(place: EventDispatch, user: User) -> None:
    """Who decides about the event has done what the task asked for."""
    tasks = StaffTask.objects.filter(
        event=place.event_id,
        kind__in=[TaskKind.EVENT_FAILED, TaskKind.HELD_BACK],
        done_at__isnull=True,
    )
    tasks.update(done_at=timezone.now(), done_by=user)
