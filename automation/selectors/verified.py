"""What the last reading of the whole history found, as far as one practice is concerned."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from automation.models.heartbeat import VERIFIED, Heartbeat

OLD_AFTER: Final = timedelta(days=3)  # it is read each night


@dataclass(frozen=True, kw_only=True, slots=True)
class Verified:
    """`guards`: of the database, missing or switched off, so of every practice. `faults`: places
    that contradict each other. `patients`: the first of those whom they are about.
    """

    checked_at: datetime | None = None
    is_old: bool = True
    guards: int = 0
    faults: int = 0
    patients: Sequence[uuid.UUID] = ()

    @property
    def is_broken(self) -> bool:
        return bool(self.guards or self.faults)


def last_verified(*, now: datetime, organization_id: uuid.UUID | None) -> Verified:
    """None: of all practices, for platform staff. One query."""
    beat = Heartbeat.objects.filter(name=VERIFIED).first()
    return verified_in(beat, now=now, organization_id=organization_id)


def verified_in(
    beat: Heartbeat | None, *, now: datetime, organization_id: uuid.UUID | None
) -> Verified:
    """From a heartbeat that somebody has read. Nothing of another practice is in the answer."""
    if beat is None:
        return Verified()
    found = beat.detail["practices"]
    mine = [
        one for key, one in found.items() if organization_id is None or key == str(organization_id)
    ]
    return Verified(
        checked_at=beat.at,
        is_old=now - beat.at > OLD_AFTER,
        guards=beat.detail["guards"],
        faults=sum(one["faults"] for one in mine),
        patients=[uuid.UUID(pk) for one in mine for pk in one["patients"]],
    )
