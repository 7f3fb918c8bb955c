"""Tasks that automation gives to people when it cannot, or must not, go on by itself."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Final

from django.utils import translation
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from automation.models.message import Audience, Message, MessageState
from automation.models.staff_task import StaffTask, TaskKind
from journeys.models.enrollment import Enrollment
from journeys.models.event import SystemEventLog
from journeys.selectors.history import event_label
from kura.errors import KuraError
from patients.models import Patient

if TYPE_CHECKING:
    from automation.actions.base import Doing

_NO_ADDRESS: Final = {
    Audience.PATIENT: gettext_lazy(
        "This patient has no valid e-mail address. Tell them in another way: “%(subject)s”."
    ),
    Audience.THERAPIST: gettext_lazy(
        "Nobody in the practice has a valid e-mail address: “%(subject)s”."
    ),
    Audience.PRACTICE: gettext_lazy(
        "Nobody in the practice has a valid e-mail address: “%(subject)s”."
    ),
}
_NOT_DELIVERED: Final = gettext_lazy(
    "The e-mail “%(subject)s” could not be delivered: %(why)s. "
    "Tell them in another way, or correct the address and send it again."
)
_PERHAPS_SENT: Final = gettext_lazy(
    "Nobody knows whether the e-mail “%(subject)s” arrived: %(why)s. Ask before you send it again."
)


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


def ask_to_replay(doing: Doing, journey_key: str) -> StaffTask:
    """A block held back what this event would have done. It is open until somebody replays it.

    Refused again, it is asked for again: the same row, not another one.
    """
    with translation.override(doing.practice.organization.language):
        text = _(
            "“%(event)s” came in while “%(journey)s” was on hold. "
            "Once the block is lifted, replay the event."
        ) % {
            "event": event_label(doing.event.event_type),
            "journey": doing.practice.journeys[journey_key].name,
        }
    task = give(
        kind=TaskKind.HELD_BACK,
        text=text,
        event=doing.event,
        journey_key=journey_key,
        rule_id=doing.rule.pk,
        action_index=doing.index,
    )
    if task.done_at is not None:
        task.done_at, task.done_by = None, None
        task.save(update_fields=["done_at", "done_by"])
    return task


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


def ask_to_tell(doing: Doing, audience: str, journey_key: str, subject: str) -> StaffTask:
    """There is no address to write to. Once per event, rule and action.

    While somebody still has the task of the rule's reminder before, the next one adds no other.
    """
    waiting = _open_like_it(doing, journey_key)
    if waiting is not None:
        return waiting
    with translation.override(doing.practice.organization.language):
        text = str(_NO_ADDRESS[Audience(audience)]) % {"subject": subject}
    return give(
        kind=TaskKind.NO_ADDRESS,
        text=text,
        event=doing.event,
        journey_key=journey_key,
        rule_id=doing.rule.pk,
        action_index=doing.index,
    )


def _open_like_it(doing: Doing, journey_key: str) -> StaffTask | None:
    alike = StaffTask.objects.filter(
        patient=doing.patient_id,
        kind=TaskKind.NO_ADDRESS,
        rule_id=doing.rule.pk,
        action_index=doing.index,
        journey_key=journey_key,
        done_at__isnull=True,
    )
    return alike.first()


def ask_about_message(message: Message) -> StaffTask:
    """It failed for good, or nobody knows whether it arrived. One open task for each action.

    Needs the organization's tenant scope.
    """
    words = _PERHAPS_SENT if message.state == MessageState.UNKNOWN else _NOT_DELIVERED
    with translation.override(message.organization.language):
        text = str(words) % {"subject": message.subject, "why": message.why}
    task = give(
        kind=TaskKind.MESSAGE_FAILED,
        text=text,
        event=message.event,
        journey_key=message.journey_key,
        rule_id=message.rule_id,
        action_index=message.action_index,
    )
    if task.done_at is not None:
        task.text, task.done_at, task.done_by = text, None, None
        task.save(update_fields=["text", "done_at", "done_by"])
    return task


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
