"""The stale journey monitor: finds who is stuck and says so as events. Spec 2.4.

It writes JOURNEY_STAGE_TIMEOUT events and nothing else; what follows is the rule's business, and
whether a reminder may leave now is decided where messages leave (`automation.withholding`). An
event's key is rule, stage visit and occurrence, so that monitors which overlap, come late or run
twice can neither double nor skip; the lock only spares them the work. A check of one practice or
journey has a lock of its own: the hour's check of everybody does not give way to it.

Each batch commits by itself. A visit that cannot be said is put aside with its error, and the
others are said all the same. The schedule, the command and the API call this one function.
"""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from automation import errors, intake
from automation.intake import Draft
from automation.judging import TIMEOUT
from automation.models.heartbeat import MONITOR as HEARTBEAT
from automation.models.heartbeat import Heartbeat
from automation.selectors.stale import StaleVisit, count_of_rules, stale_visits, still_standing
from automation.services import heartbeats
from automation.services.stage_timers import note_announced
from automation.sources import MONITOR
from kura import tenancy
from kura.errors import KuraError, constraint_of
from kura.ids import time_ordered_uuid

logger = logging.getLogger(__name__)

AT_ONCE: Final = 500  # visits in a transaction
MOST_LOOKED_AT: Final = 10_000  # visits found by one statement; then it looks again
MOST_ERRORS: Final = 5  # kinds that the sign of life names
MOST_LISTED: Final = 1000  # visits that a report names
_LOCK: Final = "SELECT pg_try_advisory_lock(hashtextextended(%s, 0))"
_UNLOCK: Final = "SELECT pg_advisory_unlock(hashtextextended(%s, 0))"

Clock = Callable[[], datetime]


class VisitOutcome(StrEnum):
    """What the check did about one stage visit; the API's words."""

    WOULD_EMIT = "would_emit"  # a dry run found it
    EMITTED = "emitted"
    SKIPPED_RECENT_REMINDER = "skipped_recent_reminder"  # this step was said before
    SKIPPED_MOVED_ON = "skipped_moved_on"  # left the stage, or was erased, since it was found
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Item:
    visit: StaleVisit
    outcome: VisitOutcome
    event_id: uuid.UUID | None = None


@dataclass(kw_only=True)
class Report:
    """One check. `stale`: visits past their limit; `due`: those whose step was still to be said.

    `items`: the first MOST_LISTED of them; `truncated` when there are more. `errors`: kinds of
    error and constraint, never a person's data. `unfinished`: time was up before all were told of.
    """

    dry_run: bool
    started_at: datetime
    finished_at: datetime
    run_id: uuid.UUID = field(default_factory=time_ordered_uuid)
    rules_checked: int = 0
    stale: int = 0
    due: int = 0
    counts: dict[VisitOutcome, int] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)
    items: list[Item] = field(default_factory=list)
    unfinished: bool = False

    @property
    def emitted(self) -> int:
        return self.counts.get(VisitOutcome.EMITTED, 0)

    @property
    def truncated(self) -> bool:
        return self.stale > len(self.items)

    def note(self, *items: Item) -> None:
        for item in items:
            self.counts[item.outcome] = self.counts.get(item.outcome, 0) + 1
        self.items += items[: max(0, MOST_LISTED - len(self.items))]


def check(
    *,
    dry_run: bool = False,
    journey_key: str = "",
    seconds: float = 600,
    clock: Clock = timezone.now,
) -> Report:
    """Look at everybody in scope, and say who is stuck. Call it outside a transaction.

    `clock` tells the moment that is judged. Raises CheckInProgress while another check of the same
    scope and journey is at work. A check of every organization and journey leaves its sign of life.
    """
    started_at = clock()
    report = Report(dry_run=dry_run, started_at=started_at, finished_at=started_at)
    report.rules_checked = count_of_rules(journey_key=journey_key)
    if dry_run:
        _look(report, journey_key)
    else:
        with _turn(journey_key):
            _work(report, journey_key, time.monotonic() + seconds)
    report.finished_at = clock()
    if not dry_run and not journey_key and tenancy.organization_in_scope() is None:
        leave_sign(report)
    return report


def _look(report: Report, journey_key: str) -> None:
    found = stale_visits(now=report.started_at, limit=MOST_LISTED, journey_key=journey_key)
    report.stale, report.due = found.stale, found.due
    report.note(*map(_looked_at, found.visits))
    report.counts = {
        VisitOutcome.WOULD_EMIT: found.due,
        VisitOutcome.SKIPPED_RECENT_REMINDER: found.stale - found.due,
    }


def _looked_at(visit: StaleVisit) -> Item:
    if visit.is_due:
        return Item(visit, VisitOutcome.WOULD_EMIT)
    return Item(visit, VisitOutcome.SKIPPED_RECENT_REMINDER)


def _work(report: Report, journey_key: str, ends: float) -> None:
    """Until nobody is due any more, or time is up. What failed is not tried again in this check."""
    found = stale_visits(now=report.started_at, limit=MOST_LOOKED_AT, journey_key=journey_key)
    report.stale, report.due = found.stale, found.due
    said_before = [visit for visit in found.visits if not visit.is_due]
    failed: set[str] = set()
    while due := [one for one in found.visits if one.is_due and key_of(one) not in failed]:
        for start in range(0, len(due), AT_ONCE):
            if time.monotonic() >= ends:
                report.unfinished = True
                return
            failed |= _tell(due[start : start + AT_ONCE], report)
        if found.due <= len(found.visits):
            break
        found = stale_visits(now=report.started_at, limit=MOST_LOOKED_AT, journey_key=journey_key)
    report.note(*map(_looked_at, said_before))
    skipped = report.counts.get(VisitOutcome.SKIPPED_RECENT_REMINDER, 0) - len(said_before)
    report.counts[VisitOutcome.SKIPPED_RECENT_REMINDER] = skipped + report.stale - report.due


# --- saying it ------------------------------------------------------------------------------------


def _tell(visits: Sequence[StaleVisit], report: Report) -> set[str]:
    """The keys of what failed: halved until only what is wrong is left aside."""
    try:
        report.note(*_told(visits, report.started_at))
    except (DatabaseError, KuraError) as error:
        if len(visits) > 1:
            middle = len(visits) // 2
            return _tell(visits[:middle], report) | _tell(visits[middle:], report)
        report.errors.append(_name_of(error))
        report.note(Item(visits[0], VisitOutcome.FAILED))
        logger.warning("visit %s: %s", key_of(visits[0]), report.errors[-1])
        return {key_of(visits[0])}
    return set()


def _told(visits: Sequence[StaleVisit], now: datetime) -> list[Item]:
    """Events and timers commit together; whoever has moved on meanwhile is left alone."""
    with transaction.atomic():
        standing = still_standing(visits)
        drafts = {visit: _draft(visit, now) for visit in visits if visit.enrollment_id in standing}
        stored = intake.record_events(list(drafts.values()), source=MONITOR)
        note_announced(visits, now=now)  # of who has gone as well: nothing is due to them
    return [_item(visit, drafts.get(visit), stored) for visit in visits]


def _draft(visit: StaleVisit, now: datetime) -> Draft:
    return Draft(
        id=time_ordered_uuid(),
        organization_id=visit.organization_id,
        event_type=TIMEOUT,
        patient_id=visit.patient_id,
        journey_key=visit.journey_key,
        source=str(MONITOR),
        idempotency_key=key_of(visit),
        occurred_at=visit.due_at,
        payload=payload_of(visit, now),
        subject={"id": str(visit.patient_id)},
    )


def payload_of(visit: StaleVisit, now: datetime) -> dict[str, Any]:
    """What the event says; a backtest asks the conditions about it before it is said."""
    return {
        "rule_id": str(visit.rule_id),
        "stage": visit.stage,
        "hours_in_stage": visit.hours_in_stage(now),
        "occurrence": visit.occurrence,
        "enrollment_id": str(visit.enrollment_id),
        "stage_seq": visit.stage_seq,
    }


def key_of(visit: StaleVisit) -> str:
    """Rule, stage visit and occurrence: the same for every monitor, at every hour."""
    return f"{visit.rule_id}:{visit.enrollment_id}:{visit.stage_seq}:{visit.occurrence}"


def _item(visit: StaleVisit, draft: Draft | None, stored: dict[uuid.UUID, str]) -> Item:
    if draft is None:
        return Item(visit, VisitOutcome.SKIPPED_MOVED_ON)
    if draft.id not in stored:
        return Item(visit, VisitOutcome.SKIPPED_RECENT_REMINDER)
    return Item(visit, VisitOutcome.EMITTED, draft.id)


def _name_of(error: Exception) -> str:
    constraint = constraint_of(error) if isinstance(error, DatabaseError) else ""
    return f"{type(error).__name__} {constraint}".strip()


# --- one at a time --------------------------------------------------------------------------------


@contextmanager
def _turn(journey_key: str = "") -> Iterator[None]:
    """CheckInProgress when somebody else is at it. Who dies gives it back with the connection."""
    name = f"monitor:{tenancy.organization_in_scope() or ''}:{journey_key}"
    if not _asked(_LOCK, name):
        raise errors.CheckInProgress
    try:
        yield
    finally:
        _asked(_UNLOCK, name)


def _asked(question: str, name: str) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(question, [name])
        return bool(cursor.fetchone()[0])


def leave_sign(report: Report) -> None:
    """What operators and the admin see of the last check: numbers and times, nobody's data.

    One that had no time for all and the next one, which goes on at once, read as one check.
    """
    detail = _going_on(Heartbeat.objects.filter(name=HEARTBEAT).first(), _numbers(report))
    heartbeats.note(HEARTBEAT, at=report.finished_at, **detail)


def _numbers(report: Report) -> dict[str, Any]:
    return {
        "run_id": str(report.run_id),
        "started_at": report.started_at.isoformat(),
        "finished_at": report.finished_at.isoformat(),
        "rules": report.rules_checked,
        "stale": report.stale,
        "due": report.due,
        "counts": {str(outcome): number for outcome, number in report.counts.items()},
        "errors": report.errors[:MOST_ERRORS],
        "unfinished": report.unfinished,
    }


def _going_on(before: Heartbeat | None, now: dict[str, Any]) -> dict[str, Any]:
    if before is None or not before.detail.get("unfinished"):
        return now
    counts = now["counts"]
    emitted = counts.get(VisitOutcome.EMITTED, 0) + before.detail["counts"].get("emitted", 0)
    return now | {
        "started_at": before.detail["started_at"],
        "due": before.detail["due"],
        "counts": counts | {"emitted": emitted},
        "errors": [*before.detail["errors"], *now["errors"]][:MOST_ERRORS],
    }
