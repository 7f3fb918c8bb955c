"""Messages leave after the commit: claimed one at a time, marked before the server is asked.

- Not lost: what was not handed over is tried again after 1, 5, 15 and 60 minutes, then every 4
  hours, for 72 hours; then a person has the task.
- Not doubled: `sending` is committed before the conversation. Whoever dies in it leaves a row that
  becomes `unknown`, and so does a server that took the mail and never answered. Nothing sends an
  `unknown` message again but a person (docs/decisions/0006).
- Never stuck: a conversation ends in time (`automation.posting`), holds no transaction, and a
  server that does not answer is left alone for a while instead of being asked for each message.
- Not too many: reminders to one patient about one journey are claimed one at a time, so that the
  day between two of them holds for any number of workers.
- Fair: each claim goes to one practice, whoever has how many waiting.
"""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any, Final

from django.db import connection, transaction
from django.utils import timezone

from automation import letters
from automation.models.heartbeat import Heartbeat
from automation.models.message import Audience, Message, MessageState
from automation.posting import Answer, Fate, post
from automation.tasks_for_people import ask_about_message
from automation.withholding import Leave, leave_for
from kura import tenancy

logger = logging.getLogger(__name__)

BACKOFF: Final = (1, 5, 15, 60)  # minutes after attempt 1, 2, 3, 4
BACKOFF_THEN: Final = timedelta(hours=4)
GIVE_UP_AFTER: Final = timedelta(hours=72)  # after it was written, or not kept back any more
GRACE: Final = timedelta(seconds=30)  # a conversation takes 13 s at most (posting.LONGEST)
REST: Final = timedelta(seconds=30)  # for a mail server that does not answer
LINGER: Final = 0.6  # seconds at the door after the last message; longer than bell.QUIET
PAUSE: Final = 0.05  # seconds between two looks while lingering
BAD_MESSAGE: Final = "bad_message"
TURN: Final = 0x4B7572614D61696C  # "KuraMail": the number of the advisory lock
SERVER: Final = "mail"  # the heartbeat that says how the mail server is

Clock = Callable[[], datetime]

# Organizations with anything queued are found by jumping through the index, one look each.
_NEXT: Final = """
WITH RECURSIVE waiting AS (
    (SELECT organization_id FROM messages WHERE state = 'queued'
     ORDER BY organization_id LIMIT 1)
    UNION ALL
    SELECT (SELECT m.organization_id FROM messages m
            WHERE m.state = 'queued' AND m.organization_id > w.organization_id
            ORDER BY m.organization_id LIMIT 1)
    FROM waiting w WHERE w.organization_id IS NOT NULL
)
SELECT mine.id
FROM (SELECT organization_id FROM waiting WHERE organization_id IS NOT NULL
      ORDER BY random()) practice
CROSS JOIN LATERAL (
    SELECT m.id FROM messages m
    WHERE m.organization_id = practice.organization_id
        AND m.state = 'queued' AND m.next_attempt_at <= %s
    ORDER BY m.next_attempt_at, m.id LIMIT 1
    FOR UPDATE SKIP LOCKED
) mine
LIMIT 1
"""


def deliver(*, seconds: float = 20, linger: float = LINGER, clock: Clock = timezone.now) -> int:
    """Send what is due until nothing is, or `seconds` are over; the number of conversations.

    Any number of deliveries may run at once. Call it outside a transaction. One conversation may
    begin just before the end, and then take its own time.
    """
    ends = time.monotonic() + seconds
    quiet_until = time.monotonic() + linger
    give_up_lost(clock())
    sent = 0
    while time.monotonic() < ends and not server_rests(clock()):
        started = time.monotonic()
        taken = take_next(clock())
        if isinstance(taken, Message):
            _send(taken, started, clock)
            sent += 1
        if taken is not None:
            quiet_until = time.monotonic() + linger
        elif time.monotonic() >= quiet_until:
            break
        else:
            time.sleep(PAUSE)
    return sent


@contextmanager
def turn(*, patience: float = 2 * LINGER) -> Iterator[bool]:
    """Of the cluster's workers one sends mail at a time: slow mail must not hold up events.

    False when another is at it and stays. Whoever dies gives the turn back with the connection.
    """
    ends = time.monotonic() + patience
    while not (is_ours := _asked("SELECT pg_try_advisory_lock(%s)", TURN)):
        if time.monotonic() >= ends:
            break
        time.sleep(PAUSE)
    try:
        yield is_ours
    finally:
        if is_ours:
            _asked("SELECT pg_advisory_unlock(%s)", TURN)


def is_due(now: datetime) -> bool:
    """Something could be sent at once."""
    if server_rests(now):
        return False
    queued = Message.objects.filter(state=MessageState.QUEUED, next_attempt_at__lte=now)
    with tenancy.every_organization():
        return queued.exists()


def _asked(question: str, answer_to: int) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(question, [answer_to])
        return bool(cursor.fetchone()[0])


# --- taking one -----------------------------------------------------------------------------------


def take_next(now: datetime) -> Message | Leave | None:
    """The message to send now, or why the next one does not go, or None: nothing is due. Commits.

    A message that is returned is `sending`, its attempt counted, and nobody else takes it.
    """
    with tenancy.every_organization(), transaction.atomic():
        message = _next(now)
        if message is None:
            return None
        _one_at_a_time(message)
        leave = leave_for(message, now)
        if not leave.goes:
            _keep_back(message, leave)
            return leave
        _mark_sending(message, now)
        return message


def _next(now: datetime) -> Message | None:
    with connection.cursor() as cursor:
        cursor.execute(_NEXT, [now])
        row = cursor.fetchone()
    if row is None:
        return None
    return Message.objects.select_related("organization", "rule", "event").get(pk=row[0])


def _one_at_a_time(message: Message) -> None:
    """Reminders to one patient about one journey: who comes second sees that the first one goes.

    Locked until the commit, after the message's own row and before nothing else.
    """
    if message.is_reminder and message.audience == Audience.PATIENT:
        name = f"reminder:{message.patient_id}:{message.journey_key}"
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [name])


def _keep_back(message: Message, leave: Leave) -> None:
    message.last_error = leave.why
    if leave.until is None:
        message.state = MessageState.CANCELLED
    else:
        message.next_attempt_at = leave.until
    message.save(update_fields=["state", "next_attempt_at", "last_error"])


def _mark_sending(message: Message, now: datetime) -> None:
    message.state = MessageState.SENDING
    message.attempts += 1
    message.claim, message.claimed_at = uuid.uuid4(), now
    message.tried_since = message.tried_since or _free_since(message, now)
    message.message_id = message.message_id or letters.new_message_id(message)
    message.save(
        update_fields=["state", "attempts", "claim", "claimed_at", "tried_since", "message_id"]
    )


def _free_since(message: Message, now: datetime) -> datetime:
    """Since it was written; what was kept back until now has not been late."""
    return now if message.last_error else message.created_at


# --- sending it -----------------------------------------------------------------------------------


def _send(message: Message, started: float, clock: Clock) -> None:
    """No transaction is open while the server is asked."""
    try:
        mail = letters.letter(message)
    except Exception as error:  # noqa: BLE001  one odd row must not hold back the others
        logger.warning("message %s cannot be written: %s", message.pk, type(error).__name__)
        answer = Answer(Fate.REFUSED, BAD_MESSAGE)
    else:
        answer = post(mail, started=started)
    if answer.fate is not Fate.SENT:
        logger.warning("message %s: %s", message.pk, answer.fate.name.lower())
    _note_server(answer, clock())
    settle(message, answer, clock())


def settle(message: Message, answer: Answer, now: datetime) -> None:
    """Write down what became of it, unless it was given up as lost meanwhile."""
    fields = _settled(message, answer, now)
    with tenancy.every_organization(), transaction.atomic():
        mine = Message.objects.filter(
            pk=message.pk, claim=message.claim, state=MessageState.SENDING
        )
        if mine.update(claim=None, **fields):
            _tell_people(message, fields)


def _settled(message: Message, answer: Answer, now: datetime) -> dict[str, Any]:
    match answer.fate:
        case Fate.SENT:
            return {"state": MessageState.SENT, "sent_at": now, "last_error": ""}
        case Fate.UNKNOWN:
            return {"state": MessageState.UNKNOWN, "last_error": answer.why}
        case Fate.REFUSED:
            return {"state": MessageState.FAILED, "last_error": answer.why}
    again = next_attempt(message.attempts, message.tried_since or now, now)
    if again is None:
        return {"state": MessageState.FAILED, "last_error": answer.why}
    return {
        "state": MessageState.QUEUED,
        "next_attempt_at": again,
        "last_error": answer.why,
    }


def next_attempt(attempts: int, tried_since: datetime, now: datetime) -> datetime | None:
    """When it is tried again after so many attempts; None when it has been tried long enough."""
    ends = tried_since + GIVE_UP_AFTER
    if now >= ends:
        return None
    is_early = attempts <= len(BACKOFF)
    wait = timedelta(minutes=BACKOFF[attempts - 1]) if is_early else BACKOFF_THEN
    return min(now + wait, ends)


def _tell_people(message: Message, fields: dict[str, Any]) -> None:
    """A failure that nobody sees would be silence."""
    if fields["state"] not in (MessageState.FAILED, MessageState.UNKNOWN):
        return
    message.state, message.last_error = fields["state"], fields["last_error"]
    with tenancy.scope(message.organization):
        ask_about_message(message)


# --- whoever died in the middle -------------------------------------------------------------------


def give_up_lost(now: datetime) -> int:
    """Conversations whose worker is gone: nobody knows how they ended. The number of them."""
    number = 0
    while (message := _lost(now)) is not None:
        settle(message, Answer(Fate.UNKNOWN, "worker_died"), now)
        number += 1
    return number


def _lost(now: datetime) -> Message | None:
    with tenancy.every_organization():
        sending = Message.objects.filter(state=MessageState.SENDING, claimed_at__lt=now - GRACE)
        return sending.select_related("organization", "event").first()


# --- how the mail server is -----------------------------------------------------------------------


def server_rests(now: datetime) -> bool:
    """It did not answer a moment ago: every message would make a worker wait for nothing."""
    heartbeat = Heartbeat.objects.filter(name=SERVER).first()
    return bool(
        heartbeat and heartbeat.detail.get("trouble") and heartbeat.at <= now < heartbeat.at + REST
    )


def _note_server(answer: Answer, now: datetime) -> None:
    """Written when it changes: in good times that is never."""
    if answer.server_is_ill:
        Heartbeat.objects.update_or_create(
            name=SERVER, defaults={"at": now, "detail": {"trouble": answer.why.split(" ")[0]}}
        )
    elif answer.why != BAD_MESSAGE:
        troubled = Heartbeat.objects.filter(name=SERVER, detail__has_key="trouble")
        troubled.update(at=now, detail={})
