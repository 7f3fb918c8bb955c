"""Move or enroll many patients: a result for each, one statement per thousand.

All patients of a chunk are locked (in order of their ids), decided one by one, and those who may
move are appended in one statement. Who may not is told why; the others are not held up.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from types import MappingProxyType
from typing import Final, Literal

from django.db import transaction
from django.utils import timezone

from journeys import errors
from journeys.cause import Cause
from journeys.guards import asked_for
from journeys.models.log import JourneyLog
from journeys.selectors.facts import Facts, facts_of
from journeys.selectors.positions import ANYWHERE, Expectation, Position, locked_positions
from journeys.selectors.prospects import Order, refusal_of
from journeys.services import door
from journeys.services.transitions import definition_at
from kura.errors import KuraError

CHUNK: Final = 1000  # patients locked and moved together


@dataclass(frozen=True, slots=True)
class BulkResult:
    """What became of one patient. `refusal` says why not; `log` is the row that moved them."""

    patient_id: uuid.UUID
    outcome: Literal["moved", "unchanged", "refused"]
    log: JourneyLog | None = None
    refusal: KuraError | None = None


def transition_many(
    *,
    patient_ids: Sequence[uuid.UUID],
    journey_key: str,
    to_stage: str,
    cause: Cause,
    changed_at: datetime | None = None,
    expected: Mapping[uuid.UUID, Expectation] = MappingProxyType({}),
) -> list[BulkResult]:
    """Move these patients, each one who may. Nobody is enrolled: use `enroll_many` for that.

    `expected`: what the caller saw of each; whoever moved since then stays (StageMoved).
    Results in the order of `patient_ids`, one for each different id. Chunks of 1,000 patients
    commit on their own. Only UnknownJourney is raised: it is about all of them.
    """
    order = Order(
        journey_key=journey_key,
        to_stage=to_stage,
        cause=cause,
        changed_at=changed_at,
        entering=False,
        expected=expected,
    )
    return _in_chunks(patient_ids, order)


def enroll_many(
    *,
    patient_ids: Sequence[uuid.UUID],
    journey_key: str,
    cause: Cause,
    to_stage: str | None = None,
    changed_at: datetime | None = None,
) -> list[BulkResult]:
    """Enroll these patients, each one who may, in `to_stage` or the initial stage."""
    order = Order(
        journey_key=journey_key,
        to_stage=to_stage,
        cause=cause,
        changed_at=changed_at,
        entering=True,
    )
    return _in_chunks(patient_ids, order)


def _in_chunks(patient_ids: Sequence[uuid.UUID], order: Order) -> list[BulkResult]:
    asked = iter(dict.fromkeys(patient_ids))
    results: list[BulkResult] = []
    while chunk := list(islice(asked, CHUNK)):
        with transaction.atomic():
            results += _chunk(chunk, order)
    return results


def _chunk(patient_ids: Sequence[uuid.UUID], order: Order) -> list[BulkResult]:
    positions = locked_positions(patient_ids, order.journey_key)
    decided = _decided(positions, order)
    found = {result.patient_id: result for result in decided}
    return [found.get(pk) or _unknown(pk) for pk in patient_ids]


def _unknown(patient_id: uuid.UUID) -> BulkResult:
    refusal = errors.PatientNotFound(patient_id=patient_id)
    return BulkResult(patient_id, "refused", refusal=refusal)


def _decided(positions: Sequence[Position], order: Order) -> list[BulkResult]:
    facts = _facts(positions, order)
    results, steps = [], []
    for position in positions:
        definition = definition_at(position, order.journey_key)
        seen = facts.get(position.patient_id, {})
        refusal = _overtaken(position, order) or refusal_of(definition, position, order, seen)
        if refusal is None:
            steps.append(door.Step(position, order.target(definition)))
        else:
            results.append(_not_moved(position.patient_id, refusal))
    return results + _moved(steps, order)


def _overtaken(position: Position, order: Order) -> errors.StageMoved | None:
    try:
        order.expected.get(position.patient_id, ANYWHERE).check(position)
    except errors.StageMoved as refusal:
        return refusal
    return None


def _not_moved(patient_id: uuid.UUID, refusal: KuraError) -> BulkResult:
    if isinstance(refusal, errors.StageUnchanged):
        return BulkResult(patient_id, "unchanged")
    return BulkResult(patient_id, "refused", refusal=refusal)


def _moved(steps: Sequence[door.Step], order: Order) -> list[BulkResult]:
    """All in one statement; if the database refuses one of them, each on its own."""
    if not steps:
        return []
    try:
        with transaction.atomic():
            return _appended(steps, order)
    except KuraError as refusal:
        if len(steps) == 1:
            patient_id = steps[0].position.patient_id
            return [BulkResult(patient_id, "refused", refusal=refusal)]
    return [result for step in steps for result in _moved([step], order)]


def _appended(steps: Sequence[door.Step], order: Order) -> list[BulkResult]:
    logs = door.append(
        steps, journey_key=order.journey_key, cause=order.cause, changed_at=order.changed_at
    )
    return [BulkResult(log.patient_id, "moved", log=log) for log in logs]


def _facts(positions: Sequence[Position], order: Order) -> dict[uuid.UUID, Facts]:
    asked: set[str] = set()
    for position in positions:
        definition = definition_at(position, order.journey_key)
        asked |= asked_for(definition, position, order.target(definition))
    return facts_of(positions, order.journey_key, asked, now=timezone.now()) if asked else {}
