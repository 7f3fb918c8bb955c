"""What would this rule have done? Asked over the stored events of a period, and nothing is written.

The verdict is production's: `automation.judging` on the facts kept with each event, so that a
backtest of the version that ran says what its runs say. Where the facts lack something, the answer
is "no data", never "no". What its actions would have done is judged by `automation.hindsight`.

A time-out asks about now instead: whom would the next check of the monitor remind? Its facts are
taken as the engine would take them.

All of it is one READ ONLY transaction with a limit of time: PostgreSQL itself refuses a write.
What was judged when the time was up is told as a part of the whole.
"""

from __future__ import annotations

import hashlib
import json
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, TypeVar

from django.db import OperationalError, connection, transaction
from psycopg.errors import QueryCanceled

from automation import facts
from automation.actions.base import Practice
from automation.definition import normal
from automation.errors import BacktestTimeout
from automation.models.rule import AutomationRule
from automation.selectors.happened import Ear, events_heard, read_contents
from automation.selectors.stale import StaleVisit, visits_of
from automation.tallies import Backtest
from automation.telling import Answer, Telling, Version
from automation.validation import is_readable, require_valid
from journeys.models.enrollment import Enrollment
from journeys.models.event import SystemEventLog
from journeys.selectors.positions import Position
from kura.accounts.models import Organization
from kura.conditions import paths

MOST_EVENTS: Final = 10_000
MOST_SECONDS: Final = 5.0
AT_ONCE: Final = 500  # events between two looks at the clock
LEAST: Final = 50  # ms for a statement: the end of the transaction is one as well
_NEW_RULE: Final = uuid.UUID(int=0)
_SAYS_NOTHING: Final = frozenset({"name", "priority"})  # about whom it meets and what it does
_Row = TypeVar("_Row")


def digest_of(definition: Mapping[str, Any]) -> str:
    """A name for what a valid definition does: two that do the same have the same."""
    told = {name: value for name, value in normal(definition).items() if name not in _SAYS_NOTHING}
    text = json.dumps(told, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def backtest(
    *,
    organization: Organization,
    definition: Mapping[str, Any],
    since: datetime,
    until: datetime,
    published: AutomationRule | None = None,
    now: datetime,
    most: int = MOST_EVENTS,
    seconds: float = MOST_SECONDS,
) -> Backtest:
    """InvalidRule; BacktestTimeout when the time was up before there was anything to tell.

    `published`: the rule whose next version `definition` would be. `since` and `until` are about
    when things happened, not when they were told. Needs the organization's tenant scope.
    """
    practice = Practice(organization=organization)
    if not is_what_runs(definition, published):
        require_valid(definition, practice)
    told = Telling.of(_rule(organization, definition, published), published, practice)
    with _reading(seconds) as patience:
        if told.draft.is_about_time:
            _look_now(told, patience, now, most)
        else:
            _look_back(told, patience, since, until, most)
    if told.looked_at == 0 and patience.ran_out:
        raise BacktestTimeout
    return told.result(digest=digest_of(definition), since=since, until=until)


def ask(
    *,
    practice: Practice,
    definition: Mapping[str, Any],
    event: SystemEventLog,
    published: AutomationRule | None = None,
) -> Answer:
    """What the rule would say of one event, which is about a patient and read with its contents.

    InvalidRule. Needs the organization's tenant scope.
    """
    if not is_what_runs(definition, published):
        require_valid(definition, practice)
    version = Version.of(_rule(practice.organization, definition, published), practice)
    with _reading(MOST_SECONDS):
        return version.answer(event, practice)


def is_what_runs(definition: Mapping[str, Any], published: AutomationRule | None) -> bool:
    """What is published is tried as it runs, also when a journey has changed under it since and it
    could not be published any more: what it can do no longer is told as refused.
    """
    if published is None or not is_readable(definition):
        return False
    return is_readable(published.definition) and normal(definition) == published.definition


def _rule(
    organization: Organization, definition: Mapping[str, Any], published: AutomationRule | None
) -> AutomationRule:
    """Never saved: what the engine's own functions are asked about."""
    rule_id = published.pk if published else _NEW_RULE
    members = normal(definition)
    return AutomationRule(id=rule_id, organization=organization, is_active=False, **members)


# --- reading only ---------------------------------------------------------------------------------


@dataclass(slots=True)
class _Patience:
    """How long it may take. `ran_out`: it took longer."""

    ends: float  # of time.monotonic()
    ran_out: bool = False

    def is_over(self) -> bool:
        self.ran_out = self.ran_out or time.monotonic() >= self.ends
        return self.ran_out

    def bound(self) -> None:
        """The next statements may take what is left, and not a moment longer."""
        left = max(LEAST, int((self.ends - time.monotonic()) * 1000))
        with connection.cursor() as cursor:
            cursor.execute("SELECT set_config('statement_timeout', %s, TRUE)", [str(left)])


@contextmanager
def _reading(seconds: float) -> Iterator[_Patience]:
    """A transaction in which nothing can be written, undone so that its settings end with it."""
    patience = _Patience(time.monotonic() + seconds)
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION READ ONLY")
        try:
            yield patience
        except OperationalError as error:
            if not isinstance(error.__cause__, QueryCanceled):
                raise
            patience.ran_out = True
        finally:
            transaction.set_rollback(True)


# --- what has happened ----------------------------------------------------------------------------


def _look_back(
    told: Telling, patience: _Patience, since: datetime, until: datetime, most: int
) -> None:
    ears = [Ear.of(one.rule, may_block=one.first) for one in told.versions]
    patience.bound()
    events, told.there = events_heard(
        told.practice.organization, ears, since=since, until=until, most=most
    )
    for batch in _batches(events):
        if patience.is_over():
            return
        patience.bound()
        read_contents(batch)
        for event in batch:
            told.note_event(event)


def _batches(rows: Sequence[_Row]) -> Iterator[Sequence[_Row]]:
    return (rows[start : start + AT_ONCE] for start in range(0, len(rows), AT_ONCE))


# --- whose time is up now -------------------------------------------------------------------------


def _look_now(told: Telling, patience: _Patience, now: datetime, most: int) -> None:
    """The published version first: what differs is told with each visit of the draft."""
    if told.current is not None:
        for visit, taken in _visits(told, told.current, patience, now, most):
            told.note_visit_before(visit, taken, now)
    for visit, taken in _visits(told, told.draft, patience, now, most):
        told.note_visit(visit, taken, now)


def _visits(
    told: Telling, version: Version, patience: _Patience, now: datetime, most: int
) -> Iterator[tuple[StaleVisit, facts.Facts]]:
    patience.bound()
    rule, home = version.rule, told.practice.organization.pk
    found = visits_of(home, rule.definition, rule_id=rule.pk, now=now, limit=most)
    told.there = found.stale  # in the end of the draft
    for batch in _batches(found.visits):
        if patience.is_over():
            return
        patience.bound()
        yield from _facts_of(batch, version, now)


def _facts_of(
    visits: Sequence[StaleVisit], version: Version, now: datetime
) -> Iterator[tuple[StaleVisit, facts.Facts]]:
    """As the engine would take them if the time-out were said now; nobody is locked."""
    enrollments = Enrollment.objects.in_bulk([visit.enrollment_id for visit in visits])
    standing = {
        visit: _position(visit, enrollments[visit.enrollment_id])
        for visit in visits
        if visit.enrollment_id in enrollments
    }
    taken = facts.snapshots(
        list(standing.values()), version.rule.journey_key, paths(version.rule.conditions), now
    )
    return ((visit, taken[visit.patient_id]) for visit in standing if visit.patient_id in taken)


def _position(visit: StaleVisit, enrollment: Enrollment) -> Position:
    return Position(
        patient_id=visit.patient_id,
        organization_id=visit.organization_id,
        template_id=enrollment.template_id,
        template_version=None,
        template_settled=True,
        enrollment_id=visit.enrollment_id,
        number=enrollment.number,
        stage=visit.stage,
        status=enrollment.status,
        entered_at=visit.entered_at,
        blocked_from=enrollment.blocked_from,
        seq=visit.stage_seq,
        closed_at=None,
    )
