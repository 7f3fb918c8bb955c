"""A stored template as the blueprint that would make it, and how much of it is in use."""

from __future__ import annotations

import uuid

from django.db.models import Count, Exists, IntegerField, OuterRef, Subquery
from django.db.models.functions import Coalesce

from journeys.blueprints import Blueprint, MoveDraft, StageDraft
from journeys.models.enrollment import Enrollment
from journeys.models.log import JourneyLog
from journeys.models.template import JourneyStage, StageStatus, Turn
from journeys.review import Usage
from journeys.selectors.definitions import Definition, Move, Stage


def blueprint_of(definition: Definition) -> Blueprint:
    """Without its retired stages. A template without an end was confirmed to have none."""
    stages = [_stage(stage) for stage in definition.allowed.values()]
    return Blueprint(
        key=definition.key,
        name=definition.name,
        initial_stage=definition.initial_stage,
        stages=stages,
        moves=[_move(move) for move in definition.moves],
        is_active=definition.is_active,
        endless=not any(stage.is_closed for stage in definition.allowed.values()),
    )


def retired_stages(definition: Definition) -> list[StageDraft]:
    """Those that only the history still knows, and that an edit may bring back."""
    return [_stage(stage) for stage in definition.stages.values() if stage.retired]


def usage_of(template_id: uuid.UUID) -> dict[str, Usage]:
    """By stage code, in one query; a template of another organization has no stages."""
    standing = (
        Enrollment.objects.filter(
            template=OuterRef("template_id"), stage=OuterRef("code"), closed_at=None
        )
        .order_by()
        .values("stage")
        .annotate(number=Count("pk"))
        .values("number")
    )
    passed = JourneyLog.objects.filter(
        organization=OuterRef("template__organization_id"),
        journey_key=OuterRef("template__key"),
        to_stage=OuterRef("code"),
        first_reach=True,
    )
    rows = JourneyStage.objects.filter(template=template_id).annotate(
        standing=Coalesce(Subquery(standing, output_field=IntegerField()), 0),
        passed=Exists(passed),
    )
    return {
        code: Usage(standing, passed)
        for code, standing, passed in rows.values_list("code", "standing", "passed")
    }


def _stage(stage: Stage) -> StageDraft:
    return StageDraft(
        code=stage.code,
        label_es=stage.label_es,
        label_en=stage.label_en,
        status=StageStatus(stage.status),
        whose_turn=Turn(stage.whose_turn),
        help_es=stage.help_es,
        help_en=stage.help_en,
    )


def _move(move: Move) -> MoveDraft:
    return MoveDraft(
        from_stage=move.from_stage,
        to_stage=move.to_stage,
        guard=move.guard,
        requires_reason=move.requires_reason,
        permission=move.permission,
    )
