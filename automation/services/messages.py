"""A person sends a message again: one that failed, or of which nobody knows whether it arrived.

The decision and its reason are kept (`event_decisions`). The message goes to the patient's address
of today, and is withheld or refused for the same reasons as the first time.
"""

from __future__ import annotations

import uuid
from typing import Final

from django.db import transaction
from django.utils import timezone

from automation import bell, errors
from automation.addressees import usable_address
from automation.models.dispatch import DecisionKind, DispatchDecision
from automation.models.message import REASONS, Audience, Message, MessageState
from automation.models.staff_task import StaffTask, TaskKind
from automation.withholding import leave_for
from journeys.errors import ReasonRequired, UnstorableText
from journeys.guards import MINIMUM_REASON, visible_length
from kura.accounts.models import User

RESEND: Final = "automation.resend_message"
RESENDABLE: Final = frozenset({MessageState.FAILED, MessageState.UNKNOWN})


@transaction.atomic
def resend(*, message_id: uuid.UUID, user: User, reason: str) -> Message:
    """Queue it anew, with 72 hours of tries from the first one on. Locks the message.

    ResendNotPermitted, ReasonRequired, MessageNotFound, NotResendable, MessageOutdated, NoAddress.
    """
    if not user.has_perm(RESEND):
        raise errors.ResendNotPermitted
    _require_reason(reason)
    message = _locked(message_id)
    _require_true(message)
    message.recipient = _address(message)
    _decide(message, user, reason)
    _end_task(message, user)
    return _queue(message)


def _require_reason(reason: str) -> None:
    if visible_length(reason) < MINIMUM_REASON:
        raise ReasonRequired(minimum=MINIMUM_REASON)
    if "\x00" in reason:
        raise UnstorableText


def _locked(message_id: uuid.UUID) -> Message:
    known = Message.objects.select_for_update(of=("self",)).select_related("rule")
    message = known.filter(pk=message_id).first()
    if message is None:
        raise errors.MessageNotFound
    if message.state not in RESENDABLE:
        raise errors.NotResendable
    return message


def _require_true(message: Message) -> None:
    leave = leave_for(message, timezone.now())
    if not leave.goes and leave.until is None:
        raise errors.MessageOutdated(why=REASONS[leave.why])


def _address(message: Message) -> str:
    """Where the patient is reached now: a wrong address is why messages fail."""
    if message.audience != Audience.PATIENT or message.patient is None:
        return message.recipient
    address = usable_address(message.patient.email)
    if address is None:
        raise errors.NoAddress
    return address


def _decide(message: Message, user: User, reason: str) -> None:
    DispatchDecision.objects.create(
        organization_id=message.organization_id,
        event_id=message.event_id,
        message_id=message.pk,
        kind=DecisionKind.RESEND,
        reason=reason.strip(),
        decided_by=user,
    )


def _end_task(message: Message, user: User) -> None:
    """Who sends it again has done what the task asked for."""
    tasks = StaffTask.objects.filter(
        event=message.event_id,
        rule_id=message.rule_id,
        action_index=message.action_index,
        kind=TaskKind.MESSAGE_FAILED,
        done_at__isnull=True,
    )
    tasks.update(done_at=timezone.now(), done_by=user)


def _queue(message: Message) -> Message:
    now = timezone.now()
    message.state, message.attempts, message.tried_since = MessageState.QUEUED, 0, None
    message.next_attempt_at, message.claimed_at = now, None
    message.save()
    bell.ring_mail()
    return message
