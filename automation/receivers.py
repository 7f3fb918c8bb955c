"""What happens in Kura itself becomes an event again, so that rules may follow it.

The event of a move is stored by the database with the row of the log, depth + 1, same root; here
only the bell is rung for it. A new patient is announced here.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Sequence
from typing import Any, Final

from django.db import transaction
from django.db.models.signals import post_save
from django.dispatch import receiver
from django.utils import timezone

from automation import bell
from automation.intake import Draft, store
from automation.selectors.hearing import is_heard
from automation.sources import PATIENTS
from journeys.models.log import JourneyLog
from journeys.signals import transitioned
from kura.ids import time_ordered_uuid
from patients.models import Patient
from patients.signals import registered

REMEMBERED: Final = 1.0  # seconds that it is known whether a rule listens
MOST_REMEMBERED: Final = 10_000  # organizations and kinds of move


@receiver(transitioned, dispatch_uid="automation.ring_for_moves")
def ring_for_moves(logs: Sequence[JourneyLog], **_signal: Any) -> None:
    """The database has stored the events of these moves (sql/moves_are_events.sql)."""
    kinds = {(log.organization_id, event_of_move(log.from_stage)) for log in logs}
    if any(_is_heard(*kind) for kind in kinds):
        bell.ring()


def event_of_move(from_stage: str | None) -> str:
    return "JOURNEY_ENROLLED" if from_stage is None else "JOURNEY_STAGE_CHANGED"


_heard: dict[tuple[uuid.UUID, str], tuple[float, bool]] = {}


def _is_heard(organization_id: uuid.UUID, event_type: str) -> bool:
    """Does a rule listen? Asked again after a second: a bell that is missed costs a minute."""
    now = time.monotonic()
    until, answer = _heard.get((organization_id, event_type), (0.0, False))
    if now >= until:
        answer = is_heard(organization_id, event_type)
        if len(_heard) >= MOST_REMEMBERED:
            _heard.clear()
        _heard[organization_id, event_type] = (now + REMEMBERED, answer)
    return answer


@receiver(post_save, sender=Patient, dispatch_uid="automation.record_new_patient")
def record_new_patient(instance: Patient, created: bool, **_signal: Any) -> None:
    """Patients that are made one by one."""
    if not created:
        return
    with transaction.atomic():
        store([_event_of_new(instance)])


@receiver(registered, dispatch_uid="automation.record_new_patients")
def record_new_patients(patients: Sequence[Patient], **_signal: Any) -> None:
    """Patients of a file. Whoever uses `bulk_create` alone announces nobody."""
    store([_event_of_new(one) for one in patients])


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
