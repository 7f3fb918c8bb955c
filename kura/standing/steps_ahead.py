"""What a person should do about a journey, and the one most useful next step. Pure.

Needed action, the first that holds: a block to review, a task to do, a limit that was passed with
nothing more to come. The next step exists for every open journey, needed or not.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.utils.translation import gettext as _

from automation.models.staff_task import StaffTask, TaskKind
from journeys.errors import GuardFailed
from journeys.guards import Decision, Missing
from journeys.models.template import Turn
from journeys.selectors.definitions import Definition
from kura.standing.stepper import BESIDE

DAY: Final = timedelta(days=1)
HOUR: Final = timedelta(hours=1)
IN_HOURS: Final = 3 * DAY  # practices say 48 h and 72 h, then days

REVIEW_BLOCK: Final = "review_block"
DO_TASK: Final = "do_task"
OVERDUE: Final = "overdue"
MOVE_ON: Final = "move_on"
CONTACT_PATIENT: Final = "contact_patient"
MISSING: Final = "missing"
WAIT: Final = "wait"


@dataclass(frozen=True, kw_only=True, slots=True)
class TaskTold:
    """An open task. `event_id` leads to the event that it is about."""

    id: uuid.UUID
    patient_id: uuid.UUID
    enrollment_id: uuid.UUID | None
    journey_key: str
    kind: str
    kind_label: str
    text: str
    event_id: uuid.UUID | None
    assigned_to: str
    created_at: datetime
    due_at: datetime | None

    @property
    def by(self) -> Turn:
        return Turn.THERAPIST if self.assigned_to else Turn.PRACTICE


@dataclass(frozen=True, kw_only=True, slots=True)
class ActionRequired:
    """`code`: review_block, do_task or overdue. `by`: a Turn code. `label`: what to do."""

    code: str
    by: str
    label: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Option:
    """One stage of the template: may whoever reads move the patient there? `why_not` in words."""

    to_stage: str
    label: str
    status: str
    allowed: bool
    code: str | None
    requires_reason: bool
    missing: tuple[Missing, ...]
    why_not: str


@dataclass(frozen=True, kw_only=True, slots=True)
class NextStep:
    """`code`: review_block, do_task, move_on, contact_patient, missing or wait.

    `to_stage`: where it leads, if it is a move or a block; `task_id`: if it is a task.
    """

    code: str
    label: str
    to_stage: str | None = None
    task_id: uuid.UUID | None = None


def task_told(task: StaffTask, patient_id: uuid.UUID) -> TaskTold:
    """Read with `assigned_to`."""
    return TaskTold(
        id=task.pk,
        patient_id=patient_id,
        enrollment_id=task.enrollment_id,
        journey_key=task.journey_key,
        kind=task.kind,
        kind_label=str(TaskKind(task.kind).label),
        text=task.text,
        event_id=task.event_id,
        assigned_to=str(task.assigned_to or ""),
        created_at=task.created_at,
        due_at=task.due_at,
    )


def option_of(decision: Decision, definition: Definition) -> Option:
    return Option(
        to_stage=decision.to_stage,
        label=definition.label(decision.to_stage),
        status=definition.stages[decision.to_stage].status,
        allowed=decision.allowed,
        code=decision.code,
        requires_reason=decision.requires_reason,
        missing=decision.missing,
        why_not=str(decision.refusal or ""),
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Situation:
    """What both questions are answered from. `limit`: of the stage, None without one."""

    is_open: bool
    is_blocked: bool
    is_overdue: bool
    needs_action: bool
    stage_label: str
    whose_turn: str
    limit: timedelta | None
    return_stage: str | None
    tasks: Sequence[TaskTold]
    options_ahead: Sequence[Option]


def action_required(here: Situation) -> ActionRequired | None:
    if not here.needs_action:
        return None
    if here.is_blocked:
        return ActionRequired(code=REVIEW_BLOCK, by=Turn.THERAPIST, label=_("Review the block"))
    if here.tasks:
        return ActionRequired(code=DO_TASK, by=here.tasks[0].by, label=here.tasks[0].text)
    if not here.is_overdue:
        return None  # the task was done since the facts were read
    by = Turn.PRACTICE if here.whose_turn == Turn.NOBODY else here.whose_turn
    return ActionRequired(code=OVERDUE, by=by, label=overdue_words(here))


def overdue_words(here: Situation) -> str:
    told = {"stage": here.stage_label, "limit": duration_words(here.limit or timedelta())}
    return _("More than %(limit)s in “%(stage)s”") % told


def next_step(here: Situation) -> NextStep | None:
    """None once the journey is closed and nothing is left to do about it."""
    if here.is_blocked:
        label = _("Review the block")
        return NextStep(code=REVIEW_BLOCK, label=label, to_stage=here.return_stage)
    if here.tasks:
        task = here.tasks[0]
        return NextStep(code=DO_TASK, label=task.text, task_id=task.id)
    if not here.is_open:
        return None
    if here.whose_turn == Turn.PATIENT:
        return _for_patient(here)
    return _move_on(here) or NextStep(code=WAIT, label=_("Nothing to do for now"))


def _for_patient(here: Situation) -> NextStep:
    if here.is_overdue:
        return NextStep(code=CONTACT_PATIENT, label=_("Get in touch with the patient"))
    return NextStep(code=WAIT, label=_("Wait for the patient"))


def _move_on(here: Situation) -> NextStep | None:
    """To the first stage ahead that is open; else what is missing for the first one that waits."""
    for option in here.options_ahead:
        if option.allowed:
            label = _("Move to “%(stage)s”") % {"stage": option.label}
            return NextStep(code=MOVE_ON, label=label, to_stage=option.to_stage)
    for option in here.options_ahead:
        if option.code == GuardFailed.code:
            missing = "; ".join(one.words for one in option.missing)
            told = {"stage": option.label, "missing": missing}
            label = _("Missing for “%(stage)s”: %(missing)s") % told
            return NextStep(code=MISSING, label=label, to_stage=option.to_stage)
    return None


def ahead(options: Sequence[Option], definition: Definition, stage: str) -> list[Option]:
    """Those that go on: after the stage, neither a block nor a cancellation."""
    order = list(definition.stages)
    here = order.index(stage) if stage in order else -1
    return [o for o in options if o.status not in BESIDE and order.index(o.to_stage) > here]


def duration_words(length: timedelta) -> str:
    """As practices say it: 48 h, 7 d; parts of an hour in minutes."""
    if length > IN_HOURS:
        return _("%(days)s d") % {"days": length // DAY}
    if length >= HOUR:
        return _("%(hours)s h") % {"hours": length // HOUR}
    minutes = max(1, length // timedelta(minutes=1))
    return _("%(minutes)s min") % {"minutes": minutes}
