"""Everything about many journeys at once: the read model of the API and of the patient's page.

The facts follow from the rows, the limits and the open tasks. The history of all enrollments is one
query, names, open tasks and last causes are one each, all prepared; guards ask for facts once per
journey template that has any. Whoever reads is a `Cause`, because what may happen next depends on
them; without one, `allowed_transitions` is empty and no query is spent on it (a list needs none).
"""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from automation.models.staff_task import StaffTask
from journeys.cause import Cause
from journeys.guards import Decision, way_back
from journeys.models.enrollment import Enrollment
from journeys.models.log import JourneyLog
from journeys.models.template import Turn
from journeys.selectors.definitions import Definition, Stage, definitions
from journeys.selectors.enrollments import enrollment_of
from journeys.selectors.history import moves_of
from journeys.selectors.options import moves_open_to, position_of
from journeys.selectors.positions import as_array
from journeys.selectors.versions import versions_of
from kura import tenancy
from kura.accounts.models import User
from kura.prepared import Columns, prepared_cursor
from kura.standing.blocks import COLUMNS as BLOCK_COLUMNS
from kura.standing.blocks import JOINS as BLOCK_JOINS
from kura.standing.blocks import WIDTH as BLOCK_WIDTH
from kura.standing.blocks import BlockTold, block_from
from kura.standing.facts import Facts, facts_at
from kura.standing.limits import Limits
from kura.standing.moves import MoveTold, moves_told
from kura.standing.stepper import (
    Progress,
    Standing,
    Step,
    progress_of,
    steps_of,
    visits_of,
)
from kura.standing.steps_ahead import (
    ActionRequired,
    NextStep,
    Option,
    Situation,
    TaskTold,
    action_required,
    ahead,
    next_step,
    option_of,
    task_told,
)
from kura.standing.worklist import newest


@dataclass(frozen=True, kw_only=True, slots=True)
class Block:
    """Why nobody but a therapist moves this on. `return_stage`: where lifting it leads."""

    stage: str
    label: str
    since: datetime
    reason: str
    event_id: uuid.UUID | None
    event: str
    rule_id: uuid.UUID | None
    rule: str
    stopped_in: str | None
    return_stage: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class JourneyView:
    """One enrollment. `status`: a StageStatus code. `version`: the patient's moves in this journey.

    Whose turn: `whose_turn` (a Turn code) and its label. Since when: `entered_at`. Why:
    `last_move.cause`.
    """

    enrollment_id: uuid.UUID
    patient_id: uuid.UUID
    number: int
    journey_key: str
    template_id: uuid.UUID
    template_name: str
    template_version: int
    status: str
    current_stage: str
    stage_label: str
    stage_help: str
    whose_turn: str
    whose_turn_label: str
    opened_at: datetime
    entered_at: datetime
    closed_at: datetime | None
    due_at: datetime | None
    overdue_by: timedelta | None
    overdue: bool
    limit: timedelta | None
    blocked: Block | None
    action_required: ActionRequired | None
    tasks: tuple[TaskTold, ...]
    progress: Progress
    stages: tuple[Step, ...]
    allowed_transitions: tuple[Option, ...]
    next_step: NextStep | None
    last_move: MoveTold | None
    version: int

    @property
    def is_open(self) -> bool:
        return self.closed_at is None


def journeys_of(
    patient_ids: Iterable[uuid.UUID], limits: Limits, *, reader: Cause | None = None
) -> dict[uuid.UUID, list[JourneyView]]:
    """The newest enrollment of each journey; blocked first, then stuck, open, closed.

    Each patient asked for has an entry, an empty one without journeys.
    """
    found: dict[uuid.UUID, list[JourneyView]] = {pk: [] for pk in patient_ids}
    rows = newest().filter(patient__in=list(found)).order_by("-entered_at", "id")
    for view in journey_views(list(rows), limits, reader):
        found[view.patient_id].append(view)
    return {pk: by_urgency(views) for pk, views in found.items()}


def by_urgency(views: Iterable[JourneyView]) -> list[JourneyView]:
    """Blocked first, then stuck, open, closed; what is alike stays in its order."""
    return sorted(views, key=_urgency)


@dataclass(frozen=True, kw_only=True, slots=True)
class Listed:
    """One person in a list: their journeys in order of urgency, and all their open tasks.

    `blocks`: what is known of those journeys that are blocked, by enrollment.
    """

    journeys: tuple[JourneyView, ...]
    tasks: tuple[TaskTold, ...]
    blocks: Mapping[uuid.UUID, BlockTold]


def listed(
    patient_ids: Sequence[uuid.UUID], limits: Limits, known: Mapping[uuid.UUID, Definition]
) -> dict[uuid.UUID, Listed]:
    """What a list shows of each patient asked for, in one query; no history, nothing open to a
    reader. `known`: the definitions of the practice.
    """
    rows, blocks, tasks = _read(patient_ids)
    around = Surroundings(
        limits=limits,
        known=known,
        logs={},
        last_moves={},
        tasks=by_enrollment(tasks),
        decisions={},
    )
    views = sorted(views_among(rows, around), key=_urgency)
    return {
        pk: Listed(
            journeys=tuple(one for one in views if one.patient_id == pk),
            tasks=tuple(one for one in tasks if one.patient_id == pk),
            blocks=blocks,
        )
        for pk in patient_ids
    }


def _urgency(view: JourneyView) -> tuple[bool, ...]:
    needed = view.action_required is not None
    return (not view.is_open, view.blocked is None, not view.overdue, not needed)


def journey_view_of(
    enrollment_id: uuid.UUID, limits: Limits, *, reader: Cause | None = None
) -> JourneyView | None:
    """None for one that does not exist, or not in this practice."""
    row = enrollment_of(enrollment_id)
    return journey_views([row], limits, reader)[0] if row else None


def journey_views(
    rows: Sequence[Enrollment], limits: Limits, reader: Cause | None = None
) -> list[JourneyView]:
    """In the order of the rows."""
    return views_among(rows, _surroundings(rows, limits, reader))


def views_among(rows: Sequence[Enrollment], around: Surroundings) -> list[JourneyView]:
    """No query: for a page that has read what it needs, in fewer."""
    return [_view(row, around) for row in rows]


# --- what is read -------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class Surroundings:
    """All that is read for all rows. `logs`: of each enrollment, in order of its moves.

    `tasks`: all open ones, for an open task is a fact of its enrollment.

    Without `logs` no stage of a view but the present one has a date; without `decisions` nothing
    is open to it; without `versions` its version is the number of the enrollment's last move, which
    is enough for a page that sends none back.
    """

    limits: Limits
    known: Mapping[uuid.UUID, Definition]
    logs: Mapping[uuid.UUID, Sequence[JourneyLog]]
    last_moves: Mapping[uuid.UUID, MoveTold]
    tasks: Mapping[uuid.UUID, Sequence[TaskTold]]
    decisions: Mapping[uuid.UUID, Sequence[Decision]]
    versions: Mapping[uuid.UUID, int] = field(default_factory=dict)


def _surroundings(rows: Sequence[Enrollment], limits: Limits, reader: Cause | None) -> Surroundings:
    known, logs = definitions({row.template_id for row in rows}), _logs(rows)
    by_key = {(one.organization_id, one.key): one for one in known.values()}
    last = moves_told([moves[-1] for moves in logs.values() if moves], by_key)
    open_ones = [row for row in rows if row.is_open]
    return Surroundings(
        limits=limits,
        known=known,
        logs=logs,
        last_moves={move.enrollment_id: move for move in last},
        tasks=_tasks(rows),
        decisions=moves_open_to(reader, open_ones, known) if reader else {},
        versions=versions_of(rows),
    )


def _logs(rows: Sequence[Enrollment]) -> dict[uuid.UUID, list[JourneyLog]]:
    """Up to the move that the row knows: one that came since would contradict it."""
    known = {row.pk: row.seq for row in rows}
    found: dict[uuid.UUID, list[JourneyLog]] = defaultdict(list)
    for log in moves_of(known):
        if log.seq <= known[log.enrollment_id]:
            found[log.enrollment_id].append(log)
    return found


def _tasks(rows: Sequence[Enrollment]) -> dict[uuid.UUID, list[TaskTold]]:
    """Open ones, the most urgent first. By patient: that is what the index is for."""
    return by_enrollment(open_tasks_of({row.patient_id for row in rows}))


def by_enrollment(tasks: Iterable[TaskTold]) -> dict[uuid.UUID, list[TaskTold]]:
    """Those that hang on one."""
    found: dict[uuid.UUID, list[TaskTold]] = defaultdict(list)
    for task in tasks:
        if task.enrollment_id:
            found[task.enrollment_id].append(task)
    return found


_TASK: Final = Columns.of("t", StaffTask)
_WHOSE: Final = Columns.of("u", User, without=("password",))
_OPEN_TASKS: Final = f"""
    SELECT {_TASK}, {_WHOSE} FROM staff_tasks t LEFT JOIN users u ON u.id = t.assigned_to_id
    WHERE t.done_at IS NULL AND t.patient_id = ANY(%s::uuid[])
        AND (t.organization_id = %s OR %s::boolean)
    ORDER BY t.due_at, t.created_at, t.id
"""  # noqa: S608  constants

# Enrollments and open tasks: rows of either, never of both at once. One statement, since a list
# asks for both and for nothing between them.
_ENROLLMENT: Final = Columns.of("e", Enrollment)
_JOURNEY: Final = len(_ENROLLMENT.names)
_OF_THESE: Final = """
    patient_id = ANY(%(patients)s::uuid[])
    AND (organization_id = %(home)s OR %(everywhere)s::boolean)
"""
_BESIDE_TASKS: Final = f"""
    FULL JOIN (SELECT * FROM staff_tasks WHERE done_at IS NULL AND {_OF_THESE}) t ON FALSE
    LEFT JOIN users u ON u.id = t.assigned_to_id
"""  # noqa: S608  constants
_LISTED: Final = f"""
    SELECT {_ENROLLMENT}, {BLOCK_COLUMNS}, {_TASK}, {_WHOSE}
    FROM (
        SELECT DISTINCT ON (patient_id, journey_key) * FROM journey_enrollments
        WHERE {_OF_THESE} ORDER BY patient_id, journey_key, number DESC
    ) e {BLOCK_JOINS} {_BESIDE_TASKS}
    ORDER BY e.entered_at DESC, e.id, t.due_at, t.created_at, t.id
"""  # noqa: S608  constants
_BLOCKS_AND_TASKS: Final = f"""
    SELECT e.id, {BLOCK_COLUMNS}, {_TASK}, {_WHOSE}
    FROM (
        SELECT * FROM journey_enrollments
        WHERE status = 'onhold' AND closed_at IS NULL AND {_OF_THESE}
    ) e {BLOCK_JOINS} {_BESIDE_TASKS}
    ORDER BY t.due_at, t.created_at, t.id
"""  # noqa: S608  constants


def open_tasks_of(patient_ids: Iterable[uuid.UUID]) -> list[TaskTold]:
    """Of these patients, those without a journey too; what is due first comes first."""
    home = tenancy.organization_in_scope()
    with prepared_cursor() as cursor:
        cursor.execute(_OPEN_TASKS, [as_array(patient_ids), home, home is None])
        return _tasks_told(_task(row) for row in cursor.fetchall())


def blocks_and_tasks_of(
    patient_ids: Iterable[uuid.UUID],
) -> tuple[dict[uuid.UUID, BlockTold], list[TaskTold]]:
    """`open_tasks_of`, and `blocks_of` all that is blocked of theirs, in one query."""
    blocks: dict[uuid.UUID, BlockTold] = {}
    tasks: list[StaffTask] = []
    for [enrollment_id], told, task in _either(_BLOCKS_AND_TASKS, patient_ids, width=1):
        if enrollment_id is None:
            tasks.append(_task(task))
        else:
            blocks[enrollment_id] = block_from(told)
    return blocks, _tasks_told(tasks)


def _read(
    patient_ids: Iterable[uuid.UUID],
) -> tuple[list[Enrollment], dict[uuid.UUID, BlockTold], list[TaskTold]]:
    rows: list[Enrollment] = []
    blocks: dict[uuid.UUID, BlockTold] = {}
    tasks: list[StaffTask] = []
    for journey, told, task in _either(_LISTED, patient_ids, width=_JOURNEY):
        if task[0] is not None:
            tasks.append(_task(task))
            continue
        rows.append(_ENROLLMENT.object(Enrollment, journey))
        if rows[-1].is_open and rows[-1].is_blocked:
            blocks[rows[-1].pk] = block_from(told)
    return rows, blocks, _tasks_told(tasks)


def _either(
    statement: str, patient_ids: Iterable[uuid.UUID], *, width: int
) -> Iterator[tuple[Sequence[Any], Sequence[Any], Sequence[Any]]]:
    """Each row in its three parts. `width`: of the first, which is about an enrollment."""
    home = tenancy.organization_in_scope()
    asked = {"patients": as_array(patient_ids), "home": home, "everywhere": home is None}
    with prepared_cursor() as cursor:
        cursor.execute(statement, asked)
        for row in cursor.fetchall():
            yield row[:width], row[width : width + BLOCK_WIDTH], row[width + BLOCK_WIDTH :]


def _tasks_told(tasks: Iterable[StaffTask]) -> list[TaskTold]:
    return [task_told(task, task.patient_id) for task in tasks if task.patient_id]


def _task(row: Sequence[Any]) -> StaffTask:
    task = _TASK.object(StaffTask, row[: len(_TASK.names)])
    if task.assigned_to_id:
        task.assigned_to = _WHOSE.object(User, row[len(_TASK.names) :])
    return task


# --- what is made of it -------------------------------------------------------------------------


def _view(row: Enrollment, around: Surroundings) -> JourneyView:
    definition, tasks = around.known[row.template_id], around.tasks.get(row.pk, ())
    facts = facts_at(row, around.limits, asked=bool(tasks))
    stage = definition.stages.get(row.stage)
    turn = Turn(stage.whose_turn) if stage else Turn.PRACTICE
    standing, limits = _standing(row), _limits(definition, around.limits)
    moves = [(log.to_stage, log.changed_at) for log in around.logs.get(row.pk, ())]
    visits = visits_of(moves or [(row.stage, row.entered_at)])
    steps = steps_of(definition, standing, visits, limits)
    options = _options(row, definition, around)
    situation = _situation(row, definition, facts, around, options)
    return JourneyView(
        enrollment_id=row.pk,
        patient_id=row.patient_id,
        number=row.number,
        journey_key=row.journey_key,
        template_id=row.template_id,
        template_name=definition.name,
        template_version=definition.version,
        status=row.status,
        current_stage=row.stage,
        stage_label=_label(stage, row.stage),
        stage_help=stage.help if stage else "",
        whose_turn=turn.value,
        whose_turn_label=str(turn.label),
        opened_at=row.opened_at,
        entered_at=row.entered_at,
        closed_at=row.closed_at,
        due_at=facts.due_at,
        overdue_by=_overdue_by(facts, around.limits),
        overdue=facts.is_overdue,
        limit=limits.get(row.stage),
        blocked=_block(row, definition, around) if standing.is_blocked else None,
        action_required=action_required(situation),
        tasks=tuple(situation.tasks),
        progress=progress_of(steps, standing),
        stages=steps,
        allowed_transitions=tuple(options),
        next_step=next_step(situation),
        last_move=around.last_moves.get(row.pk),
        version=around.versions.get(row.pk, row.seq),
    )


def _label(stage: Stage | None, code: str) -> str:
    return stage.label if stage else code.replace("_", " ").capitalize()


def _standing(row: Enrollment) -> Standing:
    return Standing(
        stage=row.stage, status=row.status, blocked_from=row.blocked_from, is_open=row.is_open
    )


def _limits(definition: Definition, limits: Limits) -> dict[str, timedelta]:
    found = {code: limits.of(definition.template_id, code) for code in definition.stages}
    return {code: limit for code, limit in found.items() if limit is not None}


def _overdue_by(facts: Facts, limits: Limits) -> timedelta | None:
    return limits.now - facts.due_at if facts.is_overdue and facts.due_at else None


def _options(row: Enrollment, definition: Definition, around: Surroundings) -> list[Option]:
    decisions = around.decisions.get(row.pk, ())
    return [option_of(one, definition) for one in decisions if one.to_stage != row.stage]


def _situation(
    row: Enrollment,
    definition: Definition,
    facts: Facts,
    around: Surroundings,
    options: Sequence[Option],
) -> Situation:
    stage = definition.stages.get(row.stage)
    return Situation(
        is_open=row.is_open,
        is_blocked=row.is_open and row.is_blocked,
        is_overdue=facts.is_overdue,
        needs_action=facts.needs_action,
        stage_label=_label(stage, row.stage),
        whose_turn=stage.whose_turn if stage else Turn.PRACTICE,
        limit=around.limits.of(row.template_id, row.stage),
        return_stage=way_back(definition, position_of(row)),
        tasks=around.tasks.get(row.pk, ()),
        options_ahead=ahead(options, definition, row.stage),
    )


def _block(row: Enrollment, definition: Definition, around: Surroundings) -> Block:
    """The move that blocked is the last one: from one block into another it is the later."""
    move = around.last_moves.get(row.pk)
    label = _label(definition.stages.get(row.stage), row.stage)
    return Block(
        stage=row.stage,
        label=label,
        since=row.entered_at,
        reason=(move.reason if move else "") or label,
        event_id=move.event_id if move else None,
        event=move.event if move else "",
        rule_id=move.rule_id if move else None,
        rule=move.rule if move else "",
        stopped_in=row.blocked_from,
        return_stage=way_back(definition, position_of(row)),
    )
