"""The practice in numbers: `/journeys/summary` and the panel's widgets.

All numbers are those of the worklist's open enrollments, from one statement, so that they add up:
each total is the sum of its stages.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.db.models import Count

from journeys.models.log import JourneyLog
from journeys.models.template import JourneyTemplate
from journeys.selectors.definitions import Definition, definitions
from kura.standing.facts import BLOCKED, needs_action, overdue
from kura.standing.limits import Limits
from kura.standing.moves import MoveTold, moves_told
from kura.standing.worklist import ANYTHING, described

RECENT: Final = 10  # moves


@dataclass(frozen=True, kw_only=True, slots=True)
class Numbers:
    """Of open enrollments."""

    active: int
    blocked: int
    overdue: int
    action_required: int


@dataclass(frozen=True, kw_only=True, slots=True)
class StageNumbers:
    code: str
    label: str
    status: str
    numbers: Numbers


@dataclass(frozen=True, kw_only=True, slots=True)
class JourneyNumbers:
    """`stages`: all of the template in its order, and retired ones that somebody stands in."""

    journey_key: str
    name: str
    is_active: bool
    numbers: Numbers
    stages: tuple[StageNumbers, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class RecentMove:
    patient_id: uuid.UUID
    patient: str
    move: MoveTold


@dataclass(frozen=True, kw_only=True, slots=True)
class Summary:
    numbers: Numbers
    by_journey: tuple[JourneyNumbers, ...]
    recent: tuple[RecentMove, ...]
    as_of: datetime


def summary_of(limits: Limits, *, recent: int = RECENT) -> Summary:
    """At most eight queries. Journeys: the active ones, and those where somebody still is."""
    templates = list(JourneyTemplate.objects.order_by("name", "id").values_list("pk", flat=True))
    known = definitions(templates)
    numbers, shown = journeys_counted(limits, [known[pk] for pk in templates])
    return Summary(
        numbers=numbers,
        by_journey=shown,
        recent=tuple(recent_moves(recent)),
        as_of=limits.now,
    )


def journeys_counted(
    limits: Limits, known: Sequence[Definition]
) -> tuple[Numbers, tuple[JourneyNumbers, ...]]:
    """Of the practice, and of each journey that is active or that somebody is in. One query."""
    counted = _counted(limits)
    told = [_journey(one, counted) for one in known]
    shown = tuple(one for one in told if one.is_active or one.numbers.active)
    return _sum([one.numbers for one in told]), shown


Place = tuple[uuid.UUID, str]


def _counted(limits: Limits) -> dict[Place, Numbers]:
    rows = described(limits, ANYTHING).values("template", "stage")
    counts = rows.annotate(
        active=Count("pk"),
        blocked=Count("pk", filter=BLOCKED),
        overdue=Count("pk", filter=overdue(limits)),
        action_required=Count("pk", filter=needs_action(limits)),
    )
    return {(row["template"], row["stage"]): _numbers(row) for row in counts}


def _numbers(row: Mapping[str, Any]) -> Numbers:
    return Numbers(
        active=row["active"],
        blocked=row["blocked"],
        overdue=row["overdue"],
        action_required=row["action_required"],
    )


def _sum(parts: Sequence[Numbers]) -> Numbers:
    return Numbers(
        active=sum(one.active for one in parts),
        blocked=sum(one.blocked for one in parts),
        overdue=sum(one.overdue for one in parts),
        action_required=sum(one.action_required for one in parts),
    )


def _journey(definition: Definition, counted: Mapping[Place, Numbers]) -> JourneyNumbers:
    here = {stage: one for (pk, stage), one in counted.items() if pk == definition.template_id}
    codes = [*definition.allowed, *(code for code in here if code not in definition.allowed)]
    return JourneyNumbers(
        journey_key=definition.key,
        name=definition.name,
        is_active=definition.is_active,
        numbers=_sum(list(here.values())),
        stages=tuple(_stage(definition, code, here.get(code, _sum([]))) for code in codes),
    )


def _stage(definition: Definition, code: str, numbers: Numbers) -> StageNumbers:
    stage = definition.stages.get(code)
    return StageNumbers(
        code=code,
        label=definition.label(code),
        status=stage.status if stage else "",
        numbers=numbers,
    )


def recent_moves(number: int) -> list[RecentMove]:
    """The newest moves of the practice, newest first."""
    logs = JourneyLog.objects.select_related("note", "trigger_event", "patient").order_by("-id")
    read = list(logs[:number])
    return [
        RecentMove(patient_id=log.patient_id, patient=log.patient.full_name, move=move)
        for log, move in zip(read, moves_told(read), strict=True)
    ]
