"""Tasks that automation gives to people when it cannot, or must not, go on by itself."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from django.utils import translation
from django.utils.translation import gettext as _

from automation.models.staff_task import StaffTask, TaskKind
from journeys.models.enrollment import Enrollment
from journeys.models.event import SystemEventLog
from journeys.selectors.history import event_label
from kura.errors import KuraError
from patients.models import Patient

if TYPE_CHECKING:
    from automation.actions.base import Doing


def ask_for_review(doing: Doing, journey_key: str, stage: str, refusal: KuraError) -> StaffTask:
    """A rule wanted to put this patient on hold and could not. Once per event, rule and action."""
    journey = doing.practice.journeys[journey_key]
    with translation.override(doing.practice.organization.language):
        text = _("Review this patient: “%(stage)s” in “%(journey)s” could not be set. %(why)s") % {
            "stage": journey.label(stage),
            "journey": journey.name,
            "why": refusal,
        }
    return give(
        kind=TaskKind.BLOCK_REFUSED,
        text=text,
        event=doing.event,
        journey_key=journey_key,
        rule_id=doing.rule.pk,
        action_index=doing.index,
    )


def ask_about_dead_event(event: SystemEventLog) -> StaffTask | None:
    """An event failed for good; nobody would notice that something did not happen."""
    if event.patient_id is None:
        return None
    with translation.override(event.organization.language):
        text = _("The event “%(event)s” could not be processed: look at it and decide.") % {
            "event": event_label(event.event_type)
        }
    return give(
        kind=TaskKind.EVENT_FAILED, text=text, event=event, journey_key=event.journey_key or ""
    )


def give(
    *,
    kind: TaskKind,
    text: str,
    event: SystemEventLog,
    journey_key: str,
    rule_id: uuid.UUID | None = None,
    action_index: int | None = None,
    for_therapist: bool = True,
    **fields: object,
) -> StaffTask:
    """For the patient's therapist, or else for the practice. The same task again is one row."""
    patient = Patient.objects.select_related("therapist").get(events=event)
    therapist = patient.therapist if for_therapist else None
    task, _is_new = StaffTask.objects.get_or_create(
        event=event,
        rule_id=rule_id,
        action_index=action_index,
        kind=kind,
        defaults={
            "organization_id": event.organization_id,
            "patient": patient,
            "journey_key": journey_key,
            "enrollment_id": _enrollment(patient, journey_key),
            "text": text,
            "assigned_to": therapist if therapist and therapist.is_active else None,
        }
        | fields,
    )
    return task


def _enrollment(patient: Patient, journey_key: str) -> uuid.UUID | None:
    found = Enrollment.objects.filter(patient=patient, journey_key=journey_key)
    return found.order_by("-number").values_list("pk", flat=True).first()
