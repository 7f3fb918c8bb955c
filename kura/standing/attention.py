"""Whom somebody has to decide about, why in plain words, and what there is to do.

The people are those of the quick view «Acción requerida», in its order, so that the number beside
the list, the one in the sidebar and the list behind it are the same. A person is one row, with the
most urgent matter of theirs; how many others there are is said with it.
"""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from journeys.selectors.definitions import Definition
from journeys.selectors.history import definitions_by_key
from kura.standing.journey import JourneyView, journey_views, open_tasks_of
from kura.standing.limits import Limits
from kura.standing.people import QuickView, in_view
from kura.standing.steps_ahead import DO_TASK, ActionRequired, TaskTold
from kura.standing.worklist import Asked, described
from patients.models import Patient

SHOWN: Final = 6  # people on the panel (UI 01)


class State(StrEnum):
    """The badge (UI 3)."""

    BLOCKED = "blocked"
    STUCK = "stuck"
    NEEDS_PERSON = "needs_person"


@dataclass(frozen=True, kw_only=True, slots=True)
class Matter:
    """One thing to decide. `what`: review_block, do_task or overdue; it says which page to open.

    `enrollment_id` None, and `journey` "": a task about the person, not about a journey. `since`:
    blocked, in the stage, or asked since then. `overdue_by`: only of what is stuck.
    """

    state: State
    what: str
    what_label: str
    by: str
    journey_key: str
    journey: str
    stage_label: str
    reason: str
    since: datetime
    overdue_by: timedelta | None
    enrollment_id: uuid.UUID | None
    task_id: uuid.UUID | None
    event_id: uuid.UUID | None


@dataclass(frozen=True, kw_only=True, slots=True)
class PersonToDecide:
    """`others`: further matters of the same person."""

    patient_id: uuid.UUID
    patient: str
    matter: Matter
    others: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Attention:
    """`total`: people, those shown included."""

    people: tuple[PersonToDecide, ...]
    total: int


def attention(limits: Limits, *, most: int = SHOWN) -> Attention:
    """A fixed number of queries, however many people and matters."""
    needing = in_view(QuickView.NEEDS_DECISION, limits)
    shown = list(needing[:most])
    matters = matters_of(shown, limits)
    return Attention(people=rows_of(shown, matters), total=needing.order_by().count())


def rows_of(
    patients: Sequence[Patient], matters: Mapping[uuid.UUID, Sequence[Matter]]
) -> tuple[PersonToDecide, ...]:
    """Whoever's matter was settled since the patients were read has no row."""
    return tuple(_row(one, matters[one.pk]) for one in patients if matters.get(one.pk))


def _row(patient: Patient, matters: Sequence[Matter]) -> PersonToDecide:
    return PersonToDecide(
        patient_id=patient.pk,
        patient=patient.full_name,
        matter=matters[0],
        others=len(matters) - 1,
    )


def matters_of(patients: Sequence[Patient], limits: Limits) -> Mapping[uuid.UUID, Sequence[Matter]]:
    """Of each patient, the most urgent first: blocked, stuck, tasks; the oldest of each."""
    ids = [one.pk for one in patients]
    rows = described(limits, Asked(action_required=True)).filter(patient__in=ids)
    views = journey_views(list(rows), limits)
    tasks = open_tasks_of(ids)
    names = {key: one.name for (_o, key), one in _journeys(tasks).items()}
    return matters_among(views, tasks, names)


def matters_among(
    views: Sequence[JourneyView], tasks: Sequence[TaskTold], names: Mapping[str, str]
) -> Mapping[uuid.UUID, Sequence[Matter]]:
    """No query. `tasks`: all open ones of the patients; `names`: of journeys, by their keys."""
    journeys = [_of_journey(view, view.action_required) for view in views if view.action_required]
    told = {matter.task_id for _patient, matter in journeys}
    left = [task for task in tasks if task.id not in told]
    found: dict[uuid.UUID, list[Matter]] = defaultdict(list)
    for patient_id, matter in [*journeys, *_of_tasks(left, names)]:
        found[patient_id].append(matter)
    for matters in found.values():
        matters.sort(key=lambda one: (list(State).index(one.state), one.since))
    return found


def _of_journey(view: JourneyView, needed: ActionRequired) -> tuple[uuid.UUID, Matter]:
    task = view.tasks[0] if needed.code == DO_TASK else None
    matter = Matter(
        state=_state(view),
        what=needed.code,
        what_label=view.next_step.label if view.next_step else needed.label,
        by=needed.by,
        journey_key=view.journey_key,
        journey=view.template_name,
        stage_label=view.stage_label,
        reason=view.blocked.reason if view.blocked else needed.label,
        since=task.created_at if task and not view.overdue else view.entered_at,
        overdue_by=view.overdue_by,
        enrollment_id=view.enrollment_id,
        task_id=task.id if task else None,
        event_id=_event(view, task),
    )
    return view.patient_id, matter


def _event(view: JourneyView, task: TaskTold | None) -> uuid.UUID | None:
    if task:
        return task.event_id
    return view.blocked.event_id if view.blocked else None


def _of_tasks(
    tasks: Sequence[TaskTold], names: Mapping[str, str]
) -> Iterator[tuple[uuid.UUID, Matter]]:
    """What hangs on no open journey, or on one that has a more urgent matter."""
    for task in tasks:
        yield (
            task.patient_id,
            Matter(
                state=State.NEEDS_PERSON,
                what=DO_TASK,
                what_label=task.kind_label,
                by=task.by,
                journey_key=task.journey_key,
                journey=names.get(task.journey_key, task.journey_key),
                stage_label="",
                reason=task.text,
                since=task.created_at,
                overdue_by=None,
                enrollment_id=task.enrollment_id,
                task_id=task.id,
                event_id=task.event_id,
            ),
        )


def _journeys(tasks: Sequence[TaskTold]) -> dict[tuple[uuid.UUID, str], Definition]:
    keys = {task.journey_key for task in tasks if task.journey_key}
    return definitions_by_key(keys) if keys else {}


def _state(view: JourneyView) -> State:
    if view.blocked:
        return State.BLOCKED
    return State.STUCK if view.overdue else State.NEEDS_PERSON
