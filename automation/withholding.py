"""May this message go now? Asked each time, just before it would be sent.

Never: the patient was erased, has left the stage it is about, or a newer reminder says the same.
Later: the patient is on hold (reminders while any journey is, other mail to the patient while the
journey it speaks of is), a person has paused the reminders to them, they were reminded less than a
day ago (of the same by the same rule: less than its `repeat_hours`), or it is night where they are.
An event about the patient that failed for good may have been a block: reminders wait until a person
has decided about it. Whatever waits is asked anew when its time comes, from the beginning.

Moves that the message's own rule made for the same event do not count as leaving.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from django.db import connection

from automation.models.message import Audience, Message
from automation.selectors.pauses import PAUSED_UNTIL
from kura.accounts.quiet_hours import quiet_hours_of
from kura.accounts.timezones import clock

HOLD_CHECK: Final = timedelta(minutes=5)  # how soon after a block was lifted a reminder goes
REMINDER_REST: Final = timedelta(hours=24)  # between two of one rule and stage visit
PATIENT_REST: Final = timedelta(hours=24)  # between two to a patient about a journey, of any rules
# The monitor and the queue are some seconds early or late each day. Without this a reminder that
# left at 10:00:07 would hold back the next day's of 10:00:02 until the queue looks again a minute
# later, and so on, a minute each day. With it a daily reminder keeps its time: it goes in the same
# look of the queue as the day before. Two are never closer than 23 h 59 min 30 s.
LEEWAY: Final = timedelta(seconds=30)

_STANDING: Final = f"""
SELECT
    coalesce(p.erased_at IS NOT NULL, FALSE),
    m.enrollment_id IS NOT NULL AND EXISTS (
        SELECT FROM journey_logs l
        WHERE l.enrollment_id = m.enrollment_id AND l.seq > m.stage_seq
            AND (l.rule_id, l.trigger_event_id) IS DISTINCT FROM (m.rule_id, m.event_id)),
    m.is_reminder AND EXISTS (
        SELECT FROM messages newer
        WHERE newer.patient_id = m.patient_id AND newer.rule_id = m.rule_id
            AND newer.action_index = m.action_index AND newer.recipient = m.recipient
            AND newer.enrollment_id = m.enrollment_id AND newer.stage_seq = m.stage_seq
            AND newer.state = 'queued' AND newer.id > m.id),
    EXISTS (
        SELECT FROM journey_enrollments e
        WHERE e.patient_id = m.patient_id AND e.closed_at IS NULL AND e.status = 'onhold'
            AND (m.is_reminder OR e.journey_key = m.journey_key))
    OR (m.is_reminder AND EXISTS (
        SELECT FROM event_dispatches d
        WHERE d.patient_id = m.patient_id AND d.status = 'dead')),
    p.timezone,
    (
        SELECT paused.until FROM journey_enrollments e
        CROSS JOIN LATERAL ({PAUSED_UNTIL}) paused
        WHERE m.is_reminder AND e.id = m.enrollment_id),
    (
        SELECT max(coalesce(before.sent_at, before.claimed_at)) FROM messages before
        WHERE m.is_reminder AND before.id <> m.id
            AND before.patient_id = m.patient_id AND before.rule_id = m.rule_id
            AND before.action_index = m.action_index AND before.recipient = m.recipient
            AND before.enrollment_id = m.enrollment_id AND before.stage_seq = m.stage_seq
            AND before.state IN ('sending', 'sent', 'unknown')),
    (
        SELECT max(coalesce(before.sent_at, before.claimed_at)) FROM messages before
        WHERE m.is_reminder AND m.audience = 'patient' AND before.id <> m.id
            AND before.patient_id = m.patient_id AND before.journey_key = m.journey_key
            AND before.is_reminder AND before.audience = 'patient'
            AND before.state IN ('sending', 'sent', 'unknown'))
FROM messages m LEFT JOIN patients p ON p.id = m.patient_id
WHERE m.id = %(message)s
"""  # noqa: S608  a constant of ours, no outside text


@dataclass(frozen=True, slots=True)
class Leave:
    """`goes` now; else `until` when it is asked again, or None for never. `why`: a code."""

    goes: bool
    why: str = ""
    until: datetime | None = None


GOES: Final = Leave(goes=True)


def leave_for(message: Message, now: datetime) -> Leave:
    is_erased, has_left, is_replaced, is_held, zone, paused_until, same_at, any_at = _standing(
        message, now
    )
    is_to_patient = message.audience == Audience.PATIENT
    if is_erased and is_to_patient:
        return Leave(goes=False, why="erased")
    if has_left:
        return Leave(goes=False, why="left_stage")
    if is_replaced:
        return Leave(goes=False, why="newer_reminder")
    if is_held and is_to_patient:
        return Leave(goes=False, why="on_hold", until=now + HOLD_CHECK)
    if paused_until and is_to_patient:
        return Leave(goes=False, why="paused", until=paused_until)
    rested = _rested(message, same_at, any_at, now)
    return _awake(message, zone, now) if rested.goes and is_to_patient else rested


def _rested(
    message: Message, same_at: datetime | None, any_at: datetime | None, now: datetime
) -> Leave:
    """`same_at`: when the same reminder last went. `any_at`: when any did, to this patient."""
    ends = [same_at + _rest(message)] if same_at else []
    ends += [any_at + PATIENT_REST] if any_at else []
    until = max(ends, default=now) - LEEWAY
    return GOES if until <= now else Leave(goes=False, why="reminded_recently", until=until)


def _rest(message: Message) -> timedelta:
    hours = message.rule.repeat_hours
    return timedelta(hours=float(hours)) if hours is not None else REMINDER_REST


def _awake(message: Message, zone: str | None, now: datetime) -> Leave:
    """Outside the practice's quiet hours, on the patient's clock."""
    practice = message.organization
    quiet = quiet_hours_of(practice.settings)
    over = quiet.over_at(now, clock(zone or "", practice.timezone)) if quiet else now
    return GOES if over <= now else Leave(goes=False, why="quiet_hours", until=over)


def _standing(message: Message, now: datetime) -> tuple[Any, ...]:
    with connection.cursor() as cursor:
        cursor.execute(_STANDING, {"message": message.pk, "now": now})
        found: tuple[Any, ...] = cursor.fetchone()
        return found
