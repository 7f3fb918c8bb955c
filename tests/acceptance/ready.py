"""The archetype journeys with their ready rules, and events that come in by the front door."""

from __future__ import annotations

from typing import Any

from automation.intake import Recorded
from automation.models import RuleRun
from journeys.models import JourneyLog, SystemEventLog
from journeys.services.transitions import enroll, transition
from patients.models import Patient
from tests.automation.practice import drain, tell
from tests.factories import PatientFactory, system


def somebody_in(organization, key: str, *stages: str) -> Patient:
    """A new patient in this journey, moved along these stages."""
    patient = PatientFactory(organization=organization)
    enroll(patient_id=patient.pk, journey_key=key, cause=system())
    drain()
    for stage in stages:
        transition(patient_id=patient.pk, journey_key=key, to_stage=stage, cause=system())
    return patient


def stage_in(patient: Patient, key: str) -> str | None:
    patient.refresh_from_db()
    return patient.journey_status.get(key)


def happens(
    patient: Patient, event_type: str, *, journey_key: str | None, **payload: Any
) -> Recorded:
    """Recorded as an integration does, and processed as the cluster does."""
    told = tell(
        patient,
        event_type,
        f"{event_type}-{SystemEventLog.objects.count()}",
        journey_key=journey_key,
        payload=payload,
    )
    drain()
    return told


def caused_by(told: Recorded) -> list[tuple[str, str | None, str, str]]:
    """Journey, from, to, and who: of the log rows that name the event."""
    logs = JourneyLog.objects.filter(trigger_event=told.event_id).order_by("id")
    return [(log.journey_key, log.from_stage, log.to_stage, log.actor_kind) for log in logs]


def codes_that_acted(told: Recorded) -> set[str]:
    runs = RuleRun.objects.filter(event=told.event_id, status="done")
    return set(runs.values_list("rule__code", flat=True))
