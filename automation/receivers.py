"""A move becomes an event again, so that rules may follow it: depth + 1, same root.

Runs inside the transaction of the move: there is no move without its event.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db import transaction
from django.db.models.signals import post_save
from django.dispatch import receiver
from django.utils import timezone

from automation.intake import Draft, store
from automation.sources import PATIENTS, TRANSITIONS
from journeys.models.log import JourneyLog
from journeys.signals import transitioned
from kura.ids import time_ordered_uuid
from patients.models import Patient


@receiver(transitioned, dispatch_uid="automation.record_moves")
def record_moves(logs: Sequence[JourneyLog], **_signal: Any) -> None:
    """One call however many rows."""
    store([_event_of(log) for log in logs])


def _event_of(log: JourneyLog) -> Draft:
    payload = {"log_id": log.pk, "to_stage": log.to_stage, "actor_kind": log.actor_kind}
    entered = log.from_stage is None
    return Draft(
        id=time_ordered_uuid(),
        organization_id=log.organization_id,
        event_type="JOURNEY_ENROLLED" if entered else "JOURNEY_STAGE_CHANGED",
        patient_id=log.patient_id,
        journey_key=log.journey_key,
        source=str(TRANSITIONS),
        idempotency_key=str(log.pk),
        occurred_at=log.changed_at,
        payload=payload if entered else payload | {"from_stage": log.from_stage},
        parent_event_id=log.trigger_event_id,
        subject={"id": str(log.patient_id)},
        derived=True,
    )


@receiver(post_save, sender=Patient, dispatch_uid="automation.record_new_patient")
def record_new_patient(instance: Patient, created: bool, **_signal: Any) -> None:
    """Patients that are made one by one; a bulk load announces nobody."""
    if not created:
        return
    with transaction.atomic():
        store([_event_of_new(instance)])


def _event_of_new(patient: Patient) -> Draft:
    return Draft(
        id=time_ordered_uuid(),
        organization_id=patient.organization_id,
        event_type="PATIENT_CREATED",
        patient_id=patient.pk,
        journey_key=None,
        source=str(PATIENTS),
        idempotency_key=str(patient.pk),
        occurred_at=timezone.now(),
        payload={},
        subject={"id": str(patient.pk)},
        derived=True,
    )
