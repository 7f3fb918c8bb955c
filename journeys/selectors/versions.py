"""The version of a journey: how many moves the patient made in it, earlier enrollments included.

It names one state for ever, also when somebody enters a journey again: the number of the move
alone begins anew with each enrollment.
"""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Iterable, Sequence

from django.db.models import Sum

from journeys.models.enrollment import Enrollment
from journeys.selectors.positions import Position

NOWHERE = 0  # the version of a journey that the patient never entered


def version_at(position: Position, journey_key: str) -> int:
    """Read under the patient's lock; no query for whoever is there for the first time."""
    if position.number is None:
        return NOWHERE
    return (position.seq or 0) + _earlier(position.patient_id, journey_key, position.number)


def _earlier(patient_id: uuid.UUID, journey_key: str, number: int) -> int:
    if number == 1:
        return 0
    before = Enrollment.objects.filter(
        patient=patient_id, journey_key=journey_key, number__lt=number
    )
    return before.order_by().aggregate(moves=Sum("seq"))["moves"] or 0


def versions_of(rows: Sequence[Enrollment]) -> dict[uuid.UUID, int]:
    """By enrollment; one query if anybody is there again, else none."""
    again = {row.patient_id for row in rows if row.number > 1}
    if not again:
        return versions_among(rows, ())
    return versions_among(rows, Enrollment.objects.filter(patient__in=again).order_by())


def versions_among(
    rows: Sequence[Enrollment], all_of_them: Iterable[Enrollment]
) -> dict[uuid.UUID, int]:
    """`all_of_them`: at least the earlier enrollments of these patients, read by whoever asks."""
    moves: dict[tuple[uuid.UUID, str], dict[int, int]] = defaultdict(dict)
    for one in all_of_them:
        moves[one.patient_id, one.journey_key][one.number] = one.seq
    return {row.pk: row.seq + _sum_below(moves, row) for row in rows}


def _sum_below(moves: dict[tuple[uuid.UUID, str], dict[int, int]], row: Enrollment) -> int:
    theirs = moves[row.patient_id, row.journey_key] if row.number > 1 else {}
    return sum(seq for number, seq in theirs.items() if number < row.number)
