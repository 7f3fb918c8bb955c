"""Events that happened before anybody listened: stored for the log and the guards to refer to.

They get no place in the queue of automation: nobody wants an e-mail about a payment of last May.
They do get their facts, as a rule would have seen them, so that a dry run can judge them. History
is told in one line of time, so what the database says while it is told is what was so then.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from django.db import transaction

from automation import facts
from automation.intake import Subject, record_event
from automation.sources import Source, SourceKind
from journeys.models.event import SystemEventLog, SystemEventPayload
from journeys.selectors.positions import locked_positions
from patients.models import Patient

SOURCE: Final = "seed"


def record_past_event(
    *,
    patient: Patient,
    journey_key: str,
    event_type: str,
    payload: Mapping[str, Any],
    occurred_at: datetime,
    idempotency_key: str,
) -> uuid.UUID:
    """Store the event and its contents; the id is what a log row names as its trigger."""
    event = SystemEventLog.objects.create(
        organization_id=patient.organization_id,
        patient=patient,
        journey_key=journey_key,
        event_type=event_type,
        source=SOURCE,
        idempotency_key=idempotency_key,
        occurred_at=occurred_at,
    )
    contents = SystemEventPayload.objects.create(event=event, payload=dict(payload))
    contents.facts = _facts(patient.pk, journey_key, occurred_at)
    contents.save(update_fields=["facts"])
    return event.pk


def record_event_now(
    *,
    patient: Patient,
    journey_key: str,
    event_type: str,
    payload: Mapping[str, Any],
    idempotency_key: str,
) -> None:
    """As an integration of the practice would: it waits for the rules."""
    record_event(
        organization=patient.organization,
        event_type=event_type,
        source=Source(SourceKind.INTEGRATION, "demo"),
        idempotency_key=idempotency_key,
        subject=Subject(id=patient.pk),
        journey_key=journey_key,
        payload=payload,
    )


def _facts(patient_id: uuid.UUID, journey_key: str, when: datetime) -> facts.Facts:
    """With the event itself among those that are counted."""
    with transaction.atomic():
        [position] = locked_positions([patient_id], journey_key)
        return facts.snapshot(position, journey_key, (), when)
