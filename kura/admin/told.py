"""What the panel and the patient list say about a journey: badge, age, and the button for it.

A button is for whoever may do what it leads to; nobody else sees one.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.urls import reverse
from django.utils.translation import gettext as _

from automation.admin.sight import sight_of
from automation.services.staff_tasks import COMPLETE
from journeys.admin.badges import Badge, badge_named
from journeys.cause import MOVE, UNBLOCK
from journeys.models.template import StageStatus
from kura.accounts.models import User
from kura.admin.moments import When, when_in_sentence
from kura.standing.attention import Matter, State
from kura.standing.blocks import BlockTold, reason_words
from kura.standing.journey import JourneyView
from kura.standing.steps_ahead import DO_TASK, REVIEW_BLOCK, duration_words

PATIENT: Final = "admin:patients_patient_change"


@dataclass(frozen=True, kw_only=True, slots=True)
class Button:
    """`in_dialog`: its page opens above this one, where scripts run. `warns`: about a block."""

    label: str
    url: str
    in_dialog: bool = False
    warns: bool = False


def ago(age: timedelta) -> str:
    return _("%(time)s ago") % {"time": duration_words(age)}


# --- blocks -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class KeptShown:
    who: str
    when: When


@dataclass(frozen=True, kw_only=True, slots=True)
class BlockShown:
    """`reason` "": nobody knows. `kept`: who looked at this block last, and left it standing."""

    reason: str
    kept: KeptShown | None


def block_shown(block: BlockTold | None, user: User, now: datetime) -> BlockShown | None:
    """The same words wherever a block is told of. None: there is none."""
    if block is None:
        return None
    kept = block.kept
    return BlockShown(
        reason=reason_words(block, sight_of(user)).strip().rstrip("."),
        kept=KeptShown(kept.by, when_in_sentence(kept.at, now)) if kept else None,
    )


# --- badges -------------------------------------------------------------------------------------


def badge_of_matter(matter: Matter) -> Badge:
    if matter.state is State.BLOCKED:
        return Badge("blocked", _("Blocked"))
    if matter.state is State.STUCK and matter.overdue_by is not None:
        return Badge("stuck", _("Stuck %(time)s") % {"time": duration_words(matter.overdue_by)})
    return Badge("attention", _("Action required"))


def badge_of_view(view: JourneyView) -> Badge:
    """The stage, and how long it has been too long."""
    if view.overdue_by is None:
        return badge_of_stage(view)
    told = {"stage": view.stage_label, "time": duration_words(view.overdue_by)}
    return Badge("stuck", _("%(stage)s, %(time)s over") % told)


def badge_of_stage(view: JourneyView) -> Badge:
    """The stage alone; a retired one keeps the status that the journey has."""
    if view.overdue:
        return Badge("stuck", view.stage_label)
    return badge_named(view.status, view.stage_label)


def badge_of_move(status: str, label: str) -> Badge:
    """`status` "": of a stage that the template no longer knows."""
    return badge_named(status, label) if status in StageStatus.values else Badge("closed", label)


# --- buttons ------------------------------------------------------------------------------------


def button_of_matter(matter: Matter, patient_id: uuid.UUID, user: User) -> Button | None:
    if matter.what == REVIEW_BLOCK and matter.enrollment_id:
        return _review(matter.enrollment_id, user)
    if matter.what == DO_TASK and matter.task_id:
        return button_of_task(matter.task_id, user)
    return _journey(patient_id, matter.enrollment_id, user)


def button_of_view(view: JourneyView, user: User) -> Button | None:
    if view.blocked:
        return _review(view.enrollment_id, user)
    if view.next_step and view.next_step.task_id:
        return button_of_task(view.next_step.task_id, user)
    return _journey(view.patient_id, view.enrollment_id, user)


def _review(enrollment_id: uuid.UUID, user: User) -> Button | None:
    if not user.has_perm(UNBLOCK):
        return None
    url = reverse("admin:journeys_enrollment_unblock", args=[enrollment_id])
    return Button(label=_("Review the block"), url=url, in_dialog=True, warns=True)


def button_of_task(task_id: uuid.UUID, user: User) -> Button | None:
    if not user.has_perm(COMPLETE):
        return None
    url = reverse("admin:automation_stafftask_change", args=[task_id])
    return Button(label=_("See the task"), url=url)


def _journey(patient_id: uuid.UUID, enrollment_id: uuid.UUID | None, user: User) -> Button | None:
    if not user.has_perm(MOVE):
        return None
    place = f"#journey-{enrollment_id}" if enrollment_id else ""
    return Button(label=_("See journey"), url=reverse(PATIENT, args=[patient_id]) + place)
