"""Each night the whole history is read and what was found is kept, so that pages can tell it.

`journeys.selectors.verification` decides what a violation is. This reads in pieces, each in a
snapshot of its own, because a task of the cluster ends within half a minute; how far it has come is
a heartbeat. Kept are numbers and ids, for each practice its own, and never a value of a row.
"""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from django.db import connection

from automation.models.heartbeat import VERIFIED, VERIFYING, Heartbeat
from automation.services import heartbeats
from journeys.selectors.verification import START, Place, Violation, pieces, snapshot

logger = logging.getLogger(__name__)

MOST_NAMED: Final = 20  # patients of one practice
_NAME: Final = "verification"
_LOCK: Final = "SELECT pg_try_advisory_lock(hashtextextended(%s, 0))"
_UNLOCK: Final = "SELECT pg_advisory_unlock(hashtextextended(%s, 0))"


@dataclass(kw_only=True, slots=True)
class Tally:
    """What was found since `started_at`. `practices`: id -> {"faults": 3, "patients": [ids]}."""

    started_at: str
    guards: int = 0
    practices: dict[str, dict[str, Any]] = field(default_factory=dict)

    def add(self, violation: Violation) -> None:
        if violation.guard is not None:
            self.guards += 1
            return
        mine = self.practices.setdefault(
            str(violation.organization_id), {"faults": 0, "patients": []}
        )
        mine["faults"] += 1
        named = str(violation.patient_id) if violation.patient_id else ""
        if named and named not in mine["patients"] and len(mine["patients"]) < MOST_NAMED:
            mine["patients"].append(named)

    def as_json(self) -> dict[str, Any]:
        return {
            "started_at": self.started_at,
            "guards": self.guards,
            "practices": self.practices,
        }


def verify(*, now: datetime, seconds: float = float("inf")) -> bool:
    """Go on where the last call stopped, for so many seconds; True once the end is reached.

    The result is then the heartbeat `verified`. Call it outside a transaction. While another is at
    it, nothing is done.
    """
    with _turn() as is_ours:
        return _read_on(now, time.monotonic() + seconds) if is_ours else True


def _read_on(now: datetime, ends: float) -> bool:
    tally, place = _so_far(now)
    with snapshot():
        following = _read(tally, place, ends)
    if following is not None:
        heartbeats.note(VERIFYING, at=now, **_kept(tally, following))
        return False
    heartbeats.note(VERIFIED, at=now, **tally.as_json())
    Heartbeat.objects.filter(name=VERIFYING).delete()
    _say(tally)
    return True


def _read(tally: Tally, place: Place, ends: float) -> Place | None:
    following: Place | None = place
    for found, following in pieces(place):
        for violation in found:
            tally.add(violation)
        if time.monotonic() >= ends and following != START:
            break
    return following


def _so_far(now: datetime) -> tuple[Tally, Place]:
    beat = Heartbeat.objects.filter(name=VERIFYING).first()
    if beat is None:
        return Tally(started_at=now.isoformat()), START
    kept = dict(beat.detail)
    place = Place(kept.pop("round"), uuid.UUID(kept.pop("low")))
    return Tally(**kept), place


def _kept(tally: Tally, place: Place) -> dict[str, Any]:
    return tally.as_json() | {"round": place.round, "low": str(place.low)}


def _say(tally: Tally) -> None:
    faults = sum(one["faults"] for one in tally.practices.values())
    if faults or tally.guards:
        logger.error("history: %d violations, %d guards at fault", faults, tally.guards)


@contextmanager
def _turn() -> Iterator[bool]:
    """Who dies gives it back with the connection."""
    is_ours = _asked(_LOCK)
    try:
        yield is_ours
    finally:
        if is_ours:
            _asked(_UNLOCK)


def _asked(question: str) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(question, [_NAME])
        return bool(cursor.fetchone()[0])
