"""A journey as the API tells it (`Journey`): one shape for a patient's page and every list.

Reasons and tasks in words may name people: who may not read patients is told the code, the stage
and the kind of thing to do, and no words that somebody wrote.

The serializers describe what the functions below tell: serializer fields take longer to write a
journey than the database takes to read it. A test holds the two to one another.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any, Final

from rest_framework import serializers

from journeys.models.template import StageStatus, Turn
from kura.api.callers import Caller
from kura.api.fields import Moment
from kura.api.scopes import PATIENTS_READ
from kura.api.versions import etag
from kura.standing.journey import Block, JourneyView
from kura.standing.stepper import StepState
from kura.standing.steps_ahead import DO_TASK, OVERDUE, REVIEW_BLOCK, ActionRequired, Option

STATES: Final = [state.value for state in StepState]
NEEDED: Final = [REVIEW_BLOCK, DO_TASK, OVERDUE]


class TemplateName(serializers.Serializer[Any]):
    name = serializers.CharField()
    version = serializers.IntegerField()


class JourneyBlock(serializers.Serializer[Any]):
    """`return_stage`: where lifting it leads, unless somebody names another stage."""

    stage = serializers.CharField()
    since = Moment()
    reason = serializers.CharField(read_only=True)
    event_id = serializers.UUIDField(allow_null=True)
    rule_id = serializers.UUIDField(allow_null=True)
    return_stage = serializers.CharField(allow_null=True)


class NeededAction(serializers.Serializer[Any]):
    """`by`: who shall do it."""

    code = serializers.ChoiceField(choices=NEEDED)
    by = serializers.ChoiceField(choices=Turn.values)
    label = serializers.CharField(read_only=True)  # type: ignore[assignment]  # a member's name


class JourneyProgress(serializers.Serializer[Any]):
    done = serializers.IntegerField()
    total = serializers.IntegerField()
    percent = serializers.IntegerField()


class JourneyStep(serializers.Serializer[Any]):
    code = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]  # a member of this name
    state = serializers.ChoiceField(choices=STATES)
    entered_at = Moment(allow_null=True)
    left_at = Moment(allow_null=True)


class AllowedTransition(serializers.Serializer[Any]):
    """`code`: why not, as the move itself would answer; `missing`: what for, in words."""

    to_stage = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]  # a member of this name
    allowed = serializers.BooleanField()
    code = serializers.CharField(allow_null=True)
    missing = serializers.ListField(child=serializers.CharField(), read_only=True)
    requires_reason = serializers.BooleanField()


class Journey(serializers.Serializer[Any]):
    """`version` grows with every move of the patient in this journey; `etag` goes in If-Match."""

    patient_id = serializers.UUIDField()
    journey_key = serializers.CharField()
    enrollment_id = serializers.UUIDField()
    number = serializers.IntegerField()
    template = TemplateName()
    status = serializers.ChoiceField(choices=StageStatus.values)
    current_stage = serializers.CharField()
    stage_label = serializers.CharField()
    whose_turn = serializers.ChoiceField(choices=Turn.values)
    opened_at = Moment()
    entered_at = Moment()
    closed_at = Moment(allow_null=True)
    due_at = Moment(allow_null=True)
    overdue = serializers.BooleanField()
    blocked = JourneyBlock(allow_null=True)
    action_required = NeededAction(allow_null=True)
    progress = JourneyProgress()
    stages = JourneyStep(many=True)
    allowed_transitions = AllowedTransition(many=True)
    version = serializers.IntegerField()
    etag = serializers.CharField(read_only=True)


def told(views: Sequence[JourneyView], caller: Caller) -> list[dict[str, Any]]:
    sees_words = sees_words_of(caller)
    return [_journey(view, sees_words=sees_words) for view in views]


def block(view: JourneyView, caller: Caller) -> dict[str, Any] | None:
    return _block(view.blocked, sees_words=sees_words_of(caller)) if view.blocked else None


def sees_words_of(caller: Caller) -> bool:
    return caller.may(PATIENTS_READ)


def told_as(kind: type[serializers.Serializer[Any]], row: Any, **made: Any) -> dict[str, Any]:
    """The members that `kind` describes: those `made`, the others as attributes of the row.

    Values stay as they are: the renderer writes ids and times as the serializer's fields would.
    """
    return {name: made[name] if name in made else getattr(row, name) for name in _names_of(kind)}


@cache
def _names_of(kind: type[serializers.Serializer[Any]]) -> tuple[str, ...]:
    return tuple(kind().fields)


def _journey(view: JourneyView, *, sees_words: bool) -> dict[str, Any]:
    needed, blocked = view.action_required, view.blocked
    return told_as(
        Journey,
        view,
        template={"name": view.template_name, "version": view.template_version},
        blocked=_block(blocked, sees_words=sees_words) if blocked else None,
        action_required=_needed(needed, sees_words=sees_words) if needed else None,
        progress=told_as(JourneyProgress, view.progress),
        stages=[told_as(JourneyStep, step) for step in view.stages],
        allowed_transitions=[_option(one) for one in view.allowed_transitions],
        etag=etag(view.version),
    )


def _block(block: Block, *, sees_words: bool) -> dict[str, Any]:
    return told_as(JourneyBlock, block, reason=block.reason if sees_words else block.label)


def _needed(action: ActionRequired, *, sees_words: bool) -> dict[str, Any]:
    hidden = action.code == DO_TASK and not sees_words
    return told_as(NeededAction, action, label="" if hidden else action.label)


def _option(option: Option) -> dict[str, Any]:
    return told_as(AllowedTransition, option, missing=[one.words for one in option.missing])
