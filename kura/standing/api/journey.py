"""A journey as the API tells it (`Journey`): one shape for a patient's page and every list.

Reasons and tasks in words may name people: who may not read patients is told the code, the stage
and the kind of thing to do, and no words that somebody wrote.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from rest_framework import serializers

from kura.api.callers import Caller
from kura.api.fields import Moment
from kura.api.scopes import PATIENTS_READ
from kura.api.versions import etag
from kura.standing.journey import JourneyView
from kura.standing.stepper import StepState
from kura.standing.steps_ahead import DO_TASK, ActionRequired, Option

STATES: Final = [state.value for state in StepState]


class TemplateName(serializers.Serializer[Any]):
    name = serializers.CharField(source="template_name")
    version = serializers.IntegerField(source="template_version")


class JourneyBlock(serializers.Serializer[Any]):
    """`return_stage`: where lifting it leads, unless somebody names another stage."""

    stage = serializers.CharField()
    since = Moment()
    reason = serializers.SerializerMethodField()
    event_id = serializers.UUIDField(allow_null=True)
    rule_id = serializers.UUIDField(allow_null=True)
    return_stage = serializers.CharField(allow_null=True)

    def get_reason(self, block: Any) -> str:
        return str(block.reason if self.context["sees_words"] else block.label)


class NeededAction(serializers.Serializer[ActionRequired]):
    """`by`: patient, therapist or practice."""

    code = serializers.CharField()
    by = serializers.CharField()
    label = serializers.SerializerMethodField(  # type: ignore[assignment]  # a member of this name
        method_name="get_words"
    )

    def get_words(self, action: ActionRequired) -> str:
        hidden = action.code == DO_TASK and not self.context["sees_words"]
        return "" if hidden else action.label


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


class AllowedTransition(serializers.Serializer[Option]):
    """`code`: why not, as the move itself would answer; `missing`: what for, in words."""

    to_stage = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]  # a member of this name
    allowed = serializers.BooleanField()
    code = serializers.CharField(allow_null=True)
    missing = serializers.SerializerMethodField()
    requires_reason = serializers.BooleanField()

    def get_missing(self, option: Option) -> list[str]:
        return [one.words for one in option.missing]


class Journey(serializers.Serializer[Any]):
    """`version` grows with every move of the patient in this journey; `etag` goes in If-Match."""

    patient_id = serializers.UUIDField()
    journey_key = serializers.CharField()
    enrollment_id = serializers.UUIDField()
    number = serializers.IntegerField()
    template = TemplateName(source="*")
    status = serializers.CharField()
    current_stage = serializers.CharField()
    stage_label = serializers.CharField()
    whose_turn = serializers.CharField()
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
    etag = serializers.SerializerMethodField()

    def get_etag(self, view: JourneyView) -> str:
        return etag(view.version)


def told(views: Sequence[JourneyView], caller: Caller) -> list[Any]:
    return list(Journey(views, many=True, context=sight(caller)).data)


def block(view: JourneyView, caller: Caller) -> Any:
    return JourneyBlock(view.blocked, context=sight(caller)).data if view.blocked else None


def sight(caller: Caller) -> dict[str, bool]:
    return {"sees_words": caller.may(PATIENTS_READ)}
