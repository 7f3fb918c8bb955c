"""What a practice sees first: who needs a decision, who is under way, what happened last.

The same facts, matters and moves as everywhere here, read together: templates, tasks and the names
behind moves once for all parts of the page, and enrollments and moves in one statement each.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import Final

from django.db.models import Q

from journeys.models.enrollment import Enrollment
from journeys.models.log import JourneyLog
from journeys.selectors.definitions import Definition, definitions_in_scope
from kura.standing.attention import SHOWN, PersonToDecide, matters_among, rows_of
from kura.standing.blocks import BlockTold
from kura.standing.facts import NEVER, OPEN, needs_action
from kura.standing.journey import (
    JourneyView,
    Surroundings,
    blocks_and_tasks_of,
    by_enrollment,
    views_among,
)
from kura.standing.limits import Limits
from kura.standing.moves import MoveTold, moves_told
from kura.standing.people import QuickView, in_view
from kura.standing.steps_ahead import TaskTold
from kura.standing.summary import JourneyNumbers, Numbers, RecentMove, journeys_counted
from patients.models import Patient

NEWEST: Final = 6  # people under way
MOVES: Final = 5


@dataclass(frozen=True, kw_only=True, slots=True)
class UnderWay:
    """One open journey."""

    patient: str
    view: JourneyView


@dataclass(frozen=True, kw_only=True, slots=True)
class Panel:
    """`people`: at most six, the most urgent first. `newest`: who came last to where they are.

    `blocks`: what is known of the blocks of these people, by enrollment.
    """

    people: tuple[PersonToDecide, ...]
    blocks: Mapping[uuid.UUID, BlockTold]
    newest: tuple[UnderWay, ...]
    numbers: Numbers
    by_journey: tuple[JourneyNumbers, ...]
    recent: tuple[RecentMove, ...]

    @property
    def knows_journeys(self) -> bool:
        return bool(self.by_journey)


def panel_of(limits: Limits) -> Panel:
    """At most eight queries, however many people, journeys and moves."""
    known = definitions_in_scope()
    people = list(in_view(QuickView.NEEDS_DECISION, limits)[:SHOWN])
    rows = _rows(people, limits)
    moves, told = _moves(rows, known)
    patients = {one.pk for one in people} | {row.patient_id for row in rows}
    blocks, tasks = blocks_and_tasks_of(patients)
    views = views_among(rows, _around(rows, limits, known, told, tasks))
    names = {one.key: one.name for one in known.values()}
    numbers, by_journey = journeys_counted(limits, list(known.values()))
    return Panel(
        people=rows_of(people, matters_among(views, tasks, names)),
        blocks=blocks,
        newest=_newest(rows, views),
        numbers=numbers,
        by_journey=by_journey,
        recent=tuple(_recent(moves, told)),
    )


def _rows(people: Sequence[Patient], limits: Limits) -> list[Enrollment]:
    """Of those who need a decision what needs it, and who moved last; the newest first.

    A UNION: each half has an index of its own.
    """
    rows = Enrollment.objects.filter(OPEN).select_related("patient")
    needing = rows.filter(needs_action(limits), patient__in=[one.pk for one in people])
    newest = rows.order_by("-entered_at", "id")[:NEWEST]
    return sorted(newest.union(needing), key=lambda row: row.entered_at, reverse=True)


def _newest(rows: Sequence[Enrollment], views: Sequence[JourneyView]) -> tuple[UnderWay, ...]:
    both = zip(rows, views, strict=True)
    return tuple(UnderWay(patient=row.patient.full_name, view=view) for row, view in both)[:NEWEST]


def _moves(
    rows: Sequence[Enrollment], known: Mapping[uuid.UUID, Definition]
) -> tuple[list[JourneyLog], dict[int, MoveTold]]:
    """The newest moves of the practice, and the last one of each row; all of them told."""
    logs = JourneyLog.objects.select_related("note", "trigger_event", "patient")
    last = reduce(or_, (Q(enrollment_id=row.pk, seq=row.seq) for row in rows), NEVER)
    newest = logs.order_by("-id")[:MOVES]
    read = sorted(newest.union(logs.filter(last)), key=lambda log: log.pk, reverse=True)
    by_key = {(one.organization_id, one.key): one for one in known.values()}
    return read[:MOVES], {move.id: move for move in moves_told(read, by_key)}


def _recent(moves: Sequence[JourneyLog], told: Mapping[int, MoveTold]) -> list[RecentMove]:
    return [
        RecentMove(patient_id=log.patient_id, patient=log.patient.full_name, move=told[log.pk])
        for log in moves
    ]


def _around(
    rows: Sequence[Enrollment],
    limits: Limits,
    known: Mapping[uuid.UUID, Definition],
    told: Mapping[int, MoveTold],
    tasks: Sequence[TaskTold],
) -> Surroundings:
    known_seq = {row.pk: row.seq for row in rows}
    last = {
        move.enrollment_id: move
        for move in told.values()
        if known_seq.get(move.enrollment_id) == move.seq
    }
    return Surroundings(
        limits=limits,
        known=known,
        logs={},
        last_moves=last,
        tasks=by_enrollment(tasks),
        decisions={},
    )
