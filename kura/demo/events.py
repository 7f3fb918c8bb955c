"""Events that happened before anybody listened: stored for the log and the guards to refer to.

They get no place in the queue of automation: nobody wants an e-mail about a payment of last May.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from journeys.models.event import SystemEventLog, SystemEventPayload
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
    SystemEventPayload.objects.create(event=event, payload=dict(payload))
    return event.pk
