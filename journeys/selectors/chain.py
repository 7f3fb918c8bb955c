"""The log of one practice, checked and summed up in one hash.

The hash is a chain: each row's own values, after the hash of the rows before it, in the order in
which those who keep up are told them (`settled.ORDER`). Who kept a head can ask for the hash up to
that row again: it is the same for ever, unless a row was changed, taken away or slipped in. It is
made of what the API tells of each row, so anybody who has read the log can make it too; reasons in
words are not part of it, because they can be erased.
"""

from __future__ import annotations

import hashlib
import json
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Any, Final

from django.db.models import QuerySet

from journeys import errors
from journeys.models.log import JourneyLog
from journeys.selectors.settled import ORDER, settled, up_to
from journeys.selectors.verification import Violation, snapshot, violations

FIELDS: Final = (
    "id",
    "enrollment_id",
    "seq",
    "patient_id",
    "journey_key",
    "from_stage",
    "to_stage",
    "changed_at",
    "recorded_at",
    "actor_kind",
    "actor_id",
    "reason_code",
    "rule_id",
    "trigger_event_id",
    "request_id",
)
FETCHED: Final = 2000  # rows in memory at a time
SHOWN: Final = 20  # violations


@dataclass(frozen=True, slots=True)
class Head:
    id: int
    hash: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Chain:
    """`checked`: rows of the log. `faults`: the first ones found, guards of the database too."""

    checked: int
    head: Head | None
    faults: tuple[Violation, ...]

    @property
    def first_bad_id(self) -> int | None:
        return min((one.log_id for one in self.faults if one.log_id is not None), default=None)


def chain_of(organization_id: uuid.UUID, *, until_id: int | None = None, seconds: float) -> Chain:
    """All that `verify_journeys` checks, of this practice, and the chain, at one moment.

    LogRowNotFound when there is no row `until_id`; VerificationTooLong after so many seconds.
    """
    clock = _Clock(time.monotonic() + seconds)
    with snapshot():
        rows = settled(JourneyLog.objects.all())
        if until_id is not None:
            rows = up_to(rows, until_id)
        checked, head = _hashed(rows, clock)
        own = (v for v in violations(clock.check) if v.organization_id in {None, organization_id})
        faults = tuple(islice(own, SHOWN))
    return Chain(checked=checked, head=head, faults=faults)


@dataclass(frozen=True, slots=True)
class _Clock:
    end: float

    def check(self, _rows: int) -> None:
        if time.monotonic() > self.end:
            raise errors.VerificationTooLong


def _hashed(rows: QuerySet[JourneyLog], clock: _Clock) -> tuple[int, Head | None]:
    number, head = 0, None
    for number, values in enumerate(_values(rows), start=1):
        text = (head.hash if head else "") + _line(values)
        head = Head(values[0], hashlib.sha256(text.encode()).hexdigest())
        if number % FETCHED == 0:
            clock.check(FETCHED)
    return number, head


def _values(rows: QuerySet[JourneyLog]) -> Iterator[tuple[Any, ...]]:
    return rows.order_by(*ORDER).values_list(*FIELDS).iterator(chunk_size=FETCHED)


def _line(values: tuple[Any, ...]) -> str:
    """A JSON array without blanks, each value as the API writes it."""
    told = [_written(value) for value in values]
    return json.dumps(told, separators=(",", ":"), ensure_ascii=False)


def _written(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return str(value) if isinstance(value, uuid.UUID) else value
