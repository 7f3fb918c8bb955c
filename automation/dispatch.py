"""The queue of events: claimed with SKIP LOCKED, counted before they run, dead after five attempts.

Three promises, all kept by the table and none by django-q2:

- Once: an event is processed in one transaction that holds its row. A worker that dies leaves the
  row unlocked, and after GRACE another takes it. Effects and the row's end commit together.
- In order: of one patient's events only the first that still waits is taken.
- Fair: each claim takes a few events of each organization, so a flood of one delays nobody else.

An event that was never tried is claimed together with others. One that was tried before is claimed
alone: it may be the one that kills its worker, and must not take others with it.
"""

from __future__ import annotations

import json
import logging
import random
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from django.db import Error, connection, transaction
from django.utils import timezone

from automation import engine
from automation.models.dispatch import DispatchStatus, EventDispatch
from automation.selectors.hearing import held_event
from automation.tasks_for_people import ask_about_dead_event
from journeys.models.event import SystemEventLog
from kura import tenancy
from kura.prepared import prepared_cursor

logger = logging.getLogger(__name__)

MAX_ATTEMPTS: Final = 5
BACKOFF: Final = (5, 15, 45, 90)  # seconds before attempt 2, 3, 4, 5
JITTER: Final = 0.2  # of the backoff, either way: what failed together shall not come together
GRACE: Final = timedelta(seconds=10)  # a claimed row that nobody holds for so long is free again
OF_EACH: Final = 10  # events of one organization in a claim
AT_ONCE: Final = 20  # events in a claim
LINGER: Final = 0.6  # seconds at the door after the last event; longer than bell.QUIET
PAUSE: Final = 0.05  # seconds between two looks while lingering

Clock = Callable[[], datetime]

# Organizations that have anything waiting are found by jumping through the index, one look each.
_CLAIM: Final = """
WITH RECURSIVE waiting AS (
    (SELECT organization_id FROM event_dispatches
     WHERE status IN ('queued', 'processing') ORDER BY organization_id LIMIT 1)
    UNION ALL
    SELECT (SELECT d.organization_id FROM event_dispatches d
            WHERE d.status IN ('queued', 'processing') AND d.organization_id > w.organization_id
            ORDER BY d.organization_id LIMIT 1)
    FROM waiting w WHERE w.organization_id IS NOT NULL
), due AS MATERIALIZED (
    SELECT mine.event_id
    FROM (SELECT organization_id FROM waiting WHERE organization_id IS NOT NULL
          ORDER BY random()) practice
    CROSS JOIN LATERAL (
        SELECT d.event_id FROM event_dispatches d
        WHERE d.organization_id = practice.organization_id
            AND d.status IN ('queued', 'processing')
            AND (d.attempts > 0) = %(tried)s
            AND d.next_attempt_at <= clock_timestamp()
            AND (d.status = 'queued' OR d.claimed_at < clock_timestamp() - %(grace)s)
            AND NOT EXISTS (
                SELECT FROM event_dispatches earlier
                WHERE earlier.patient_id = d.patient_id AND earlier.seq < d.seq
                    AND earlier.status IN ('queued', 'processing'))
        ORDER BY d.seq LIMIT %(of_each)s
        FOR UPDATE SKIP LOCKED
    ) mine
    LIMIT %(at_once)s
)
UPDATE event_dispatches d SET
    status = CASE WHEN d.attempts >= %(most)s THEN 'dead' ELSE 'processing' END,
    last_error = CASE WHEN d.attempts >= %(most)s THEN 'worker_died' ELSE d.last_error END,
    finished_at = CASE WHEN d.attempts >= %(most)s THEN clock_timestamp() END,
    attempts = least(d.attempts + 1, %(most)s),
    claim = %(claim)s, claimed_at = clock_timestamp()
WHERE d.event_id IN (SELECT event_id FROM due)
RETURNING d.seq, d.event_id, d.status, d.attempts, d.replay, d.claim,
    d.attempts > 1 OR d.last_error <> '' AS again
"""


@dataclass(frozen=True, slots=True)
class Claimed:
    """`again`: it was tried before, perhaps before a person asked for new attempts."""

    seq: int
    event_id: uuid.UUID
    status: str
    attempts: int
    replay: bool
    claim: uuid.UUID
    again: bool


def drain(*, seconds: float = 20, linger: float = LINGER, clock: Clock = timezone.now) -> int:
    """Process what is due until nothing is, or `seconds` are over; the number of events tried.

    `clock`: the moment at which rules act. Any number of drains may run at once. Call it outside
    a transaction.
    """
    ends = time.monotonic() + seconds
    quiet_until = time.monotonic() + linger
    tried = 0
    while time.monotonic() < ends:
        batch = claim_next()
        for claimed in batch:
            _process(claimed, clock)
        tried += len(batch)
        if batch:
            quiet_until = time.monotonic() + linger
        elif time.monotonic() >= quiet_until:
            break
        else:
            time.sleep(PAUSE)
    return tried


def claim_next() -> list[Claimed]:
    """One event that was tried before, if any is due, and a batch of new ones. Commits."""
    return [*_claim(tried=True, at_once=1), *_claim(tried=False, at_once=AT_ONCE)]


def _claim(*, tried: bool, at_once: int) -> list[Claimed]:
    claim = uuid.uuid4()
    asked: dict[str, Any] = {
        "tried": tried,
        "grace": GRACE,
        "of_each": min(OF_EACH, at_once),
        "at_once": at_once,
        "most": MAX_ATTEMPTS,
        "claim": claim,
    }
    with transaction.atomic(), prepared_cursor() as cursor:
        cursor.execute(_CLAIM, asked)
        claimed = [Claimed(*row) for row in sorted(cursor.fetchall())]
        for one in claimed:
            if one.status == DispatchStatus.DEAD:
                _bury(one.event_id)
    return [one for one in claimed if one.status == DispatchStatus.PROCESSING]


def _process(claimed: Claimed, clock: Clock) -> None:
    """One event in one transaction; what goes wrong is written down in another."""
    try:
        with transaction.atomic():
            event = held_event(claimed.event_id, claimed.claim)
            if event is not None:
                again, replay = claimed.again, claimed.replay
                processed = engine.process(event, again=again, replay=replay, now=clock())
                _settle(claimed, processed)
    except Exception as error:  # noqa: BLE001  the edge: a drain survives any event
        logger.warning("event %s failed: %s", claimed.event_id, type(error).__name__)
        _after_failure(claimed, type(error).__name__)


# The facts are kept once; what another attempt saw is what the first one saw.
_SETTLE: Final = """
WITH kept AS (
    UPDATE system_event_payloads SET facts = %(facts)s::jsonb
    WHERE event_id = %(event)s AND facts = '{}' AND %(facts)s::jsonb IS NOT NULL
)
UPDATE event_dispatches SET
    status = %(status)s::text, claim = NULL, finished_at = clock_timestamp(), last_error = '',
    replay = FALSE
WHERE event_id = %(event)s AND claim = %(claim)s AND %(status)s::text IS NOT NULL
"""


def _settle(claimed: Claimed, processed: engine.Processed) -> None:
    """Write down how it ended, in the transaction of its effects."""
    status = DispatchStatus.DONE if processed.matched_patient else DispatchStatus.UNMATCHED
    told: dict[str, Any] = {
        "event": claimed.event_id,
        "claim": claimed.claim,
        "facts": None if processed.facts is None else json.dumps(processed.facts),
        "status": None if processed.failed else str(status),
    }
    with prepared_cursor() as cursor:
        cursor.execute(_SETTLE, told)
    if processed.failed:
        _try_later(claimed, processed.failed[0])


def _after_failure(claimed: Claimed, error: str) -> None:
    """On a connection that works: the old one may be what failed."""
    try:
        _retried(claimed, error)
    except Error:
        connection.close()
        _retried(claimed, error)


def _retried(claimed: Claimed, error: str) -> None:
    with transaction.atomic():
        _try_later(claimed, error)


def _try_later(claimed: Claimed, error: str) -> None:
    if claimed.attempts >= MAX_ATTEMPTS:
        dead = {"status": DispatchStatus.DEAD, "finished_at": timezone.now(), "last_error": error}
        if _mine(claimed, **dead):
            _bury(claimed.event_id)
        return
    wait = BACKOFF[claimed.attempts - 1] * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311
    again = timezone.now() + timedelta(seconds=wait)
    _mine(claimed, status=DispatchStatus.QUEUED, next_attempt_at=again, last_error=error)


def _mine(claimed: Claimed, **fields: object) -> bool:
    """Give the event back as `fields` say; False when somebody else has taken it over."""
    with tenancy.every_organization():
        mine = EventDispatch.objects.filter(pk=claimed.event_id, claim=claimed.claim)
        return bool(mine.update(claim=None, **fields))


def _bury(event_id: uuid.UUID) -> None:
    """A person has to look at it: nobody notices what did not happen."""
    with tenancy.every_organization():
        event = SystemEventLog.objects.select_related("organization").get(pk=event_id)
        with tenancy.scope(event.organization):
            ask_about_dead_event(event)
