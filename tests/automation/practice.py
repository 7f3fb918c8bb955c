"""Rules and events for tests: the smallest ones that do something."""

from __future__ import annotations

from typing import Any

from automation import dispatch
from automation.intake import Recorded, Subject, record_event
from automation.models import AutomationRule
from automation.sources import Source, SourceKind
from kura.accounts.models import Organization
from patients.models import Patient

API = Source(SourceKind.INTEGRATION, "clinic")
FORM = Source(SourceKind.FORM, "intake")


def move(key: str, status: str) -> dict[str, Any]:
    return {"type": "update_journey_status", "params": {"key": key, "status": status}}


def a_rule(
    organization: Organization, trigger: str, *actions: dict[str, Any], **fields: Any
) -> AutomationRule:
    """Written past the services: what they refuse must be survived too."""
    return AutomationRule.objects.create(
        organization=organization,
        name=fields.pop("name", trigger),
        trigger_event=trigger,
        actions=list(actions),
        **fields,
    )


def tell(
    patient: Patient,
    event_type: str,
    key: str = "e-1",
    *,
    source: Source = API,
    journey_key: str | None = "intake",
    **fields: Any,
) -> Recorded:
    return record_event(
        organization=patient.organization,
        event_type=event_type,
        source=source,
        idempotency_key=key,
        subject=Subject(id=patient.pk),
        journey_key=journey_key,
        **fields,
    )


def drain() -> int:
    return dispatch.drain(linger=0)


def emit(event_type: str, **payload: Any) -> dict[str, Any]:
    params = {"event_type": event_type} | ({"payload": payload} if payload else {})
    return {"type": "emit_event", "params": params}


def a_definition(**fields: Any) -> dict[str, Any]:
    """As an editor sends it: payment in `intake` confirms."""
    return {
        "name": "Paid",
        "trigger_event": "PAYMENT_SUCCEEDED",
        "journey_key": "intake",
        "conditions": {},
        "actions": [move("intake", "CONFIRMED")],
        "priority": 100,
    } | fields
