"""Make and edit journey templates.

An edit states the whole template as it shall be; what is missing is removed. A stage that was
ever used is retired instead of deleted, so that the history keeps its name. Every edit makes a
new version (the database counts).
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import replace

from django.db import transaction
from django.utils import timezone

from journeys import errors
from journeys.blueprints import Blueprint, MoveDraft, StageDraft, problems_of
from journeys.models.enrollment import Enrollment
from journeys.models.log import JourneyLog
from journeys.models.template import JourneyStage, JourneyTemplate, JourneyTransition
from journeys.selectors.blueprints import blueprint_of
from journeys.selectors.definitions import definitions
from kura import tenancy
from kura.accounts.models import Organization
from kura.errors import database_refusals


@transaction.atomic
def create_template(*, organization: Organization, blueprint: Blueprint) -> JourneyTemplate:
    """Spec 2.2. InvalidTemplate names every problem; TemplateKeyTaken if the key is in use."""
    _check(blueprint)
    if not tenancy.in_scope(organization.pk):
        raise errors.TemplateNotFound
    template = JourneyTemplate(
        organization=organization,
        key=blueprint.key,
        name=blueprint.name,
        initial_stage=blueprint.initial_stage,
        is_active=blueprint.is_active,
    )
    with database_refusals(journey_key=blueprint.key), transaction.atomic():
        template.save(force_insert=True)
    JourneyStage.objects.bulk_create(_new_stages(template, blueprint.stages))
    JourneyTransition.objects.bulk_create(_new_moves(template, blueprint.moves))
    template.refresh_from_db()
    return template


@transaction.atomic
def edit_template(
    *, template_id: uuid.UUID, blueprint: Blueprint, expected_version: int | None = None
) -> JourneyTemplate:
    """Make the template what the blueprint says. Locks the template.

    TemplateChanged when `expected_version` is given and somebody else edited it since.

    StageInUse (with how many patients stand there) when a stage to be removed or redefined is
    occupied; StageInHistory when a used stage would change its status; TemplateInUse when the
    key of a used template would change.
    """
    _check(blueprint)
    template = _locked(template_id)
    if expected_version not in {None, template.version}:
        raise errors.TemplateChanged(current_version=template.version)
    _save_head(template, blueprint)
    _save_stages(template, blueprint.stages)
    template.transitions.all().delete()
    JourneyTransition.objects.bulk_create(_new_moves(template, blueprint.moves))
    template.refresh_from_db()
    return template


@transaction.atomic
def clone_template(*, template_id: uuid.UUID, key: str, name: str) -> JourneyTemplate:
    """A new template with the stages and moves of this one, without its retired stages.

    It is inactive: nobody is enrolled in a copy before somebody has looked at it.
    """
    original = _locked(template_id)
    copy = replace(
        blueprint_of(definitions([template_id])[template_id]), key=key, name=name, is_active=False
    )
    return create_template(organization=original.organization, blueprint=copy)


@transaction.atomic
def set_active(*, template_id: uuid.UUID, is_active: bool) -> JourneyTemplate:
    """An inactive template takes no new enrollments; running ones go on."""
    template = _locked(template_id)
    template.is_active = is_active
    template.save(update_fields=["is_active"])
    template.refresh_from_db()
    return template


@transaction.atomic
def rename_template(*, template_id: uuid.UUID, name: str) -> JourneyTemplate:
    """What people call the journey; its key stays."""
    template = _locked(template_id)
    template.name = name
    template.save(update_fields=["name"])
    template.refresh_from_db()
    return template


def _locked(template_id: uuid.UUID) -> JourneyTemplate:
    """Not against enrollments, which only need the row to stay: so neither waits for the other."""
    rows = JourneyTemplate.objects.select_for_update(no_key=True)
    template = rows.filter(pk=template_id).first()
    if template is None:
        raise errors.TemplateNotFound
    return template


def _check(blueprint: Blueprint) -> None:
    problems = problems_of(blueprint)
    if problems:
        raise errors.InvalidTemplate(problems=problems, problem_words=" ".join(problems))


def _save_head(template: JourneyTemplate, blueprint: Blueprint) -> None:
    """The key is written only if it changes: naming it takes a lock that enrollments wait for."""
    changed = ["name", "initial_stage", "is_active"]
    if template.key != blueprint.key:
        changed.append("key")
    for name in changed:
        setattr(template, name, getattr(blueprint, name))
    with database_refusals(journey=template.name, journey_key=blueprint.key), transaction.atomic():
        template.save(update_fields=changed)


def _save_stages(template: JourneyTemplate, drafts: Sequence[StageDraft]) -> None:
    existing = {stage.code: stage for stage in template.stages.all()}
    wanted = {draft.code for draft in drafts}
    for code, stage in existing.items():
        if code not in wanted and not stage.is_retired:
            _remove(template, stage)
    for position, draft in enumerate(drafts):
        _save_stage(template, existing.get(draft.code), draft, position)


def _save_stage(
    template: JourneyTemplate, stage: JourneyStage | None, draft: StageDraft, position: int
) -> None:
    if stage is None:
        _stage(template, draft, position).save(force_insert=True)
        return
    if stage.status != draft.status:
        _refuse_if_used(template, stage)
    for name, value in _values(draft, position).items():
        setattr(stage, name, value)
    stage.retired_at = None
    with database_refusals(stage=stage.label), transaction.atomic():
        stage.save()


def _remove(template: JourneyTemplate, stage: JourneyStage) -> None:
    """Delete a stage that nobody ever entered; retire one that is only in the history."""
    standing = _standing(template, stage)
    if standing:
        raise errors.StageInUse(stage=stage.label, stage_code=stage.code, standing=standing)
    with database_refusals(stage=stage.label, standing=standing), transaction.atomic():
        if _was_used(template, stage):
            stage.retired_at = timezone.now()
            stage.save(update_fields=["retired_at"])
        else:
            stage.delete()


def _refuse_if_used(template: JourneyTemplate, stage: JourneyStage) -> None:
    standing = _standing(template, stage)
    if standing:
        raise errors.StageInUse(stage=stage.label, stage_code=stage.code, standing=standing)
    if _was_used(template, stage):
        raise errors.StageInHistory(stage=stage.label, stage_code=stage.code)


def _standing(template: JourneyTemplate, stage: JourneyStage) -> int:
    """Patients who stand there now; those whose journey ended there are history."""
    return Enrollment.objects.filter(template=template, stage=stage.code, closed_at=None).count()


def _was_used(template: JourneyTemplate, stage: JourneyStage) -> bool:
    return JourneyLog.objects.filter(
        organization=template.organization_id,
        journey_key=template.key,
        to_stage=stage.code,
        first_reach=True,
    ).exists()


def _values(draft: StageDraft, position: int) -> Mapping[str, object]:
    return {
        "position": position,
        "status": draft.status,
        "label_es": draft.label_es,
        "label_en": draft.label_en,
        "whose_turn": draft.whose_turn,
        "help_es": draft.help_es,
        "help_en": draft.help_en,
    }


def _stage(template: JourneyTemplate, draft: StageDraft, position: int) -> JourneyStage:
    return JourneyStage(template=template, code=draft.code, **_values(draft, position))


def _new_stages(template: JourneyTemplate, drafts: Sequence[StageDraft]) -> list[JourneyStage]:
    return [_stage(template, draft, position) for position, draft in enumerate(drafts)]


def _new_moves(template: JourneyTemplate, drafts: Sequence[MoveDraft]) -> list[JourneyTransition]:
    return [
        JourneyTransition(
            template=template,
            from_stage=draft.from_stage,
            to_stage=draft.to_stage,
            guard=draft.guard,
            requires_reason=draft.requires_reason,
            permission=draft.permission,
        )
        for draft in drafts
    ]
