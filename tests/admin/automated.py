"""What automation did in a practice: an event of each kind that a person may have to look at.

Nobody is moved by it: the tests of journeys count their log rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.utils import timezone

from automation import dispatch
from automation.intake import Subject, record_event
from automation.models import (
    AutomationRule,
    EventDispatch,
    Message,
    RuleRun,
    RuleVersion,
    StaffTask,
)
from automation.sources import Source, SourceKind
from journeys.models import SystemEventLog
from kura import tenancy
from kura.accounts.models import Organization, User
from patients.models import Patient

CLINIC = Source(SourceKind.INTEGRATION, "clinic")
NOTE = {"type": "emit_event", "params": {"event_type": "CUSTOM.note"}}
CONFIRM = {"type": "update_journey_status", "params": {"key": "retreat", "status": "CONFIRMED"}}
UNREADABLE = {"type": "no such action"}
HIGH = {"field": "event.payload.risk_level", "op": "eq", "value": "HIGH"}
NAMED = {"field": "patient.full_name", "op": "exists", "value": True}
WAIT = {"journey_key": "retreat", "stage": "AWAITING_PAYMENT", "max_hours": 48}
REMIND = {
    "type": "send_email",
    "params": {
        "audience": "patient",
        "subject": {"es": "Tu plaza en {journey.name}", "en": "Your place in {journey.name}"},
        "body": {"es": "Hola, {patient.first_name}", "en": "Hello {patient.first_name}"},
    },
}
LOOK = {"type": "create_task", "params": {"audience": "therapist", "text": "Llama"}}
STAGE = {"field": "journeys.retreat", "op": "eq", "value": "AWAITING_PAYMENT"}


@dataclass(frozen=True, kw_only=True)
class Automated:
    """`ran`: one rule ran, one did not match; `refused`: by a block; the others wait.

    `timeout`: a time-out that is switched on; `asleep`: one that is switched off.
    """

    ran: SystemEventLog
    refused: SystemEventLog
    dead: SystemEventLog
    unmatched: SystemEventLog
    rule: AutomationRule
    timeout: AutomationRule
    asleep: AutomationRule
    run: RuleRun
    message: Message
    task: StaffTask


def rule(organization: Organization, word: str, trigger: str, action: Any, **fields: Any) -> Any:
    with tenancy.scope(organization):
        made = AutomationRule.objects.create(
            organization=organization,
            name=f"Regla {word}",
            trigger_event=trigger,
            actions=[action],
            **fields,
        )
        RuleVersion.objects.create(rule=made, version=1, definition=made.definition)
        return made


def tell(
    someone: Patient, name: str, key: str, payload: dict[str, Any] | None = None
) -> SystemEventLog:
    return _told(someone.organization, Subject(id=someone.pk), name, key, payload or {})


def tell_of_nobody(organization: Organization, key: str, email: str) -> SystemEventLog:
    return _told(organization, Subject(email=email), "PAYMENT_SUCCEEDED", key, {"currency": "EUR"})


def _told(
    organization: Organization, subject: Subject, name: str, key: str, payload: dict[str, Any]
) -> SystemEventLog:
    with tenancy.scope(organization):
        told = record_event(
            organization=organization,
            event_type=name,
            source=CLINIC,
            idempotency_key=key,
            subject=subject,
            journey_key="retreat",
            payload=payload,
        )
        return SystemEventLog.objects.get(pk=told.event_id)


def process() -> None:
    """Until nothing waits; what fails is tried until it is dead."""
    for _ in range(dispatch.MAX_ATTEMPTS):
        with tenancy.every_organization():
            EventDispatch.objects.filter(status="queued").update(next_attempt_at=timezone.now())
        dispatch.drain(linger=0)


def automated(
    organization: Organization, patient: Patient, blocked: Patient, therapist: User, word: str
) -> Automated:
    noted = rule(
        organization, f"anota {word}", "RISK_ANALYSIS_COMPLETED", NOTE,
        conditions={"all": [HIGH, NAMED, STAGE]},
    )  # fmt: skip
    rule(
        organization, f"calla {word}", "RISK_ANALYSIS_COMPLETED", NOTE,
        conditions={"field": "event.payload.medication_active", "op": "eq", "value": True},
    )  # fmt: skip
    rule(organization, f"confirma {word}", "PAYMENT_SUCCEEDED", CONFIRM, journey_key="retreat")
    timeout = rule(organization, f"plazo {word}", "JOURNEY_STAGE_TIMEOUT", REMIND, **WAIT)
    asleep = rule(
        organization, f"duerme {word}", "JOURNEY_STAGE_TIMEOUT", LOOK, is_active=False, **WAIT
    )
    rule(organization, f"rota {word}", "BOOKING_CANCELLED", UNREADABLE, journey_key="retreat")
    ran = tell(patient, "RISK_ANALYSIS_COMPLETED", "ran", {"risk_level": "HIGH", "marker": word})
    refused = tell(blocked, "PAYMENT_SUCCEEDED", "refused", {"currency": "EUR"})
    dead = tell(patient, "BOOKING_CANCELLED", "dead", {"booking_id": f"R-{word}"})
    unmatched = tell_of_nobody(organization, "unmatched", f"nadie-{word}@example.org".lower())
    process()
    with tenancy.scope(organization):
        return Automated(
            ran=ran,
            refused=refused,
            dead=dead,
            unmatched=unmatched,
            rule=noted,
            timeout=timeout,
            asleep=asleep,
            run=RuleRun.objects.get(rule=noted, event=ran),
            message=message(ran, noted, word, state="failed"),
            task=StaffTask.objects.create(
                organization=organization,
                patient=patient,
                event=ran,
                kind="rule",
                text=f"Llama a {word}",
                assigned_to=therapist,
            ),
        )


def message(event: SystemEventLog, cause: AutomationRule, word: str, **fields: Any) -> Message:
    return Message.objects.create(
        organization_id=event.organization_id,
        patient_id=event.patient_id,
        event=event,
        rule=cause,
        action_index=fields.pop("action_index", 0),
        audience=fields.pop("audience", "patient"),
        recipient=fields.pop("recipient", f"{word}@example.org".lower()),
        language="es",
        subject=f"Asunto {word}",
        body=f"Hola {word}:\n\n<b>Gracias</b>",
        next_attempt_at=timezone.now(),
        **fields,
    )
