"""Where patients stand in one journey, read under their locks."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from journeys import errors
from journeys.models.template import StageStatus
from kura import tenancy
from kura.prepared import prepared_cursor


@dataclass(frozen=True, slots=True)
class Position:
    """The newest enrollment of a patient in a journey; all None when there never was one."""

    patient_id: uuid.UUID
    organization_id: uuid.UUID
    template_id: uuid.UUID | None
    template_version: int | None
    template_settled: bool
    enrollment_id: uuid.UUID | None
    number: int | None
    stage: str | None
    status: str | None
    entered_at: datetime | None
    blocked_from: str | None
    seq: int | None
    closed_at: datetime | None

    @property
    def is_open(self) -> bool:
        return self.enrollment_id is not None and self.closed_at is None

    @property
    def is_blocked(self) -> bool:
        return self.is_open and self.status == StageStatus.ON_HOLD


@dataclass(frozen=True, kw_only=True, slots=True)
class Expectation:
    """What the caller saw. Somebody moved the patient since: StageMoved, and nothing happens."""

    stage: str | None = None
    seq: int | None = None
    enrollment_id: uuid.UUID | None = None

    def check(self, position: Position) -> None:
        seen = (self.stage, self.seq, self.enrollment_id)
        real = (position.stage, position.seq, position.enrollment_id)
        if any(s is not None and s != r for s, r in zip(seen, real, strict=True)):
            raise errors.StageMoved(current_stage=position.stage, current_seq=position.seq)


ANYWHERE: Final = Expectation()


_POSITIONS: Final = "SELECT * FROM kura_journey_position(%s::uuid, %s::uuid[], %s)"


def locked_positions(patient_ids: Sequence[uuid.UUID], journey_key: str) -> list[Position]:
    """Lock these patients in order of their ids, then read; needs a transaction.

    Patients outside the tenant scope are left out, as unknown ones are.
    """
    with prepared_cursor() as cursor:
        cursor.execute(
            _POSITIONS, [tenancy.organization_in_scope(), as_array(patient_ids), journey_key]
        )
        return [Position(*row) for row in cursor.fetchall()]


def as_array(ids: Iterable[uuid.UUID | str]) -> str:
    """PostgreSQL's own notation; psycopg takes ten times as long to find it out from a list."""
    return f"{{{','.join(map(str, ids))}}}"
