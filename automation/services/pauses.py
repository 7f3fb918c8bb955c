"""A person pauses the reminders to a patient in one journey, and lets them go on.

It silences the patient, never the team: tasks and mail to staff still come, and the clock of the
stage runs on. Both are events without free text; the reason stays with the pause.
"""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from typing import Final

from django.db import transaction
from django.db.models import F
from django.db.models.functions import Least

from automation import bell, errors
from automation.intake import Draft, store
from automation.models.message import Message, MessageState
from automation.models.pause import ReminderPause
from automation.selectors.pauses import open_pauses
from automation.sources import PAUSES
from journeys.errors import JourneyClosed, ReasonRequired, UnstorableText
from journeys.guards import MINIMUM_REASON, visible_length
from journeys.models.enrollment import Enrollment
from kura.accounts.models import User
from kura.ids import time_ordered_uuid

PAUSE: Final = "automation.pause_reminders"
LONGEST: Final = timedelta(days=90)


@transaction.atomic
def pause_reminders(
    *, enrollment_id: uuid.UUID, until: datetime, reason: str, user: User, now: datetime
) -> ReminderPause:
    """Until then, or until the patient moves. Locks the enrollment; takes an open pause's place.

    The same again by the same person changes nothing. PauseNotPermitted, ReasonRequired,
    UnstorableText, PauseLength, EnrollmentNotFound, JourneyClosed.
    """
    _require_permission(user)
    _require_reason(reason)
    if not now < until <= now + LONGEST:
        raise errors.PauseLength(days=LONGEST.days)
    enrollment = _locked(enrollment_id, user)
    if not enrollment.is_open:
        raise JourneyClosed
    current = open_pauses(now).filter(enrollment=enrollment).first()
    if current and _says(current) == (until, reason.strip(), user.pk):
        return current
    _end(enrollment, user, now)
    pause = ReminderPause.objects.create(
        organization_id=enrollment.organization_id,
        enrollment=enrollment,
        stage_seq=enrollment.seq,
        until=until,
        reason=reason.strip(),
        created_by=user,
        created_at=now,
    )
    _announce("REMINDERS_PAUSED", pause, now)
    _ask_again(enrollment, now)
    return pause


@transaction.atomic
def resume_reminders(*, enrollment_id: uuid.UUID, user: User, now: datetime) -> ReminderPause:
    """What was withheld goes at once, if it is still true. Locks the enrollment.

    PauseNotPermitted, EnrollmentNotFound, NotPaused.
    """
    _require_permission(user)
    enrollment = _locked(enrollment_id, user)
    pause = open_pauses(now).filter(enrollment=enrollment).first()
    if pause is None:
        raise errors.NotPaused
    _end(enrollment, user, now)
    _announce("REMINDERS_RESUMED", pause, now)
    _ask_again(enrollment, now)
    pause.refresh_from_db()
    return pause


def _require_permission(user: User) -> None:
    if not user.has_perm(PAUSE):
        raise errors.PauseNotPermitted


def _require_reason(reason: str) -> None:
    if visible_length(reason) < MINIMUM_REASON:
        raise ReasonRequired(minimum=MINIMUM_REASON)
    if "\x00" in reason:
        raise UnstorableText


def _locked(enrollment_id: uuid.UUID, user: User) -> Enrollment:
    """Of the user's own practice, whatever the scope: who pauses works there."""
    known = Enrollment.objects.select_for_update(of=("self",))
    found = known.filter(pk=enrollment_id, organization=user.organization_id).first()
    if found is None:
        raise errors.EnrollmentNotFound
    return found


def _says(pause: ReminderPause) -> tuple[datetime, str, uuid.UUID]:
    return (pause.until, pause.reason, pause.created_by_id)


def _end(enrollment: Enrollment, user: User, now: datetime) -> None:
    """The open one by this person; one that had ended by itself, by nobody."""
    unended = ReminderPause.objects.filter(enrollment=enrollment, ended_at__isnull=True)
    unended.filter(pk__in=open_pauses(now)).update(ended_at=now, ended_by=user)
    unended.update(ended_at=Least(F("until"), now))


def _announce(event_type: str, pause: ReminderPause, now: datetime) -> None:
    enrollment = pause.enrollment
    said = {"until": pause.until.isoformat(), "enrollment_id": str(enrollment.pk)}
    draft = Draft(
        id=time_ordered_uuid(),
        organization_id=pause.organization_id,
        event_type=event_type,
        patient_id=enrollment.patient_id,
        journey_key=enrollment.journey_key,
        source=str(PAUSES),
        idempotency_key=f"{event_type}:{pause.pk}",
        occurred_at=now,
        payload=said,
        subject={"id": str(enrollment.patient_id)},
        derived=True,
    )
    store([draft])


def _ask_again(enrollment: Enrollment, now: datetime) -> None:
    """What the pause before withheld may go now, or has another time to wait for.

    All that wait are locked first: a worker may be writing "paused" on one of them just now.
    """
    waiting = Message.objects.filter(
        patient=enrollment.patient_id, enrollment_id=enrollment.pk, state=MessageState.QUEUED
    )
    list(waiting.order_by("pk").select_for_update().values_list("pk"))
    if waiting.filter(last_error="paused").update(next_attempt_at=now):
        bell.ring_mail()
