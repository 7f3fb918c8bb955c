"""What a template may be asked to be: whole for a new one, in parts for one that there is.

A part that is left out stays as it is, and so does what is left out of a stage that there is. A
new stage has the meaning that the specification gives its code (Spec 3.2) unless more is said.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from django.utils.translation import gettext as _
from rest_framework import serializers
from rest_framework.exceptions import ValidationError

from journeys.blueprints import Blueprint, MoveDraft, StageDraft, stages_from_codes
from journeys.models.template import StageStatus, Turn
from journeys.selectors.blueprints import blueprint_of, retired_stages
from journeys.selectors.definitions import Definition
from kura.api.fields import Flag, Text
from kura.api.serializers import Body

LONGEST_CODE: Final = 60  # characters
MOST_STAGES: Final = 100
MOST_MOVES: Final = 1000


class GivenStage(Body):
    """`status`: onhold blocks, finished and cancelled close."""

    code = Text(max_length=LONGEST_CODE)
    label_es = Text(required=False, max_length=120)
    label_en = Text(required=False, max_length=120)
    status = serializers.ChoiceField(choices=StageStatus.values, required=False)
    whose_turn = serializers.ChoiceField(choices=Turn.values, required=False)
    help_es = Text(required=False, allow_blank=True)
    help_en = Text(required=False, allow_blank=True)

    label = serializers.CharField(read_only=True)  # type: ignore[assignment]  # a member
    blocking = serializers.BooleanField(read_only=True)
    terminal = serializers.BooleanField(read_only=True)
    max_hours = serializers.FloatField(read_only=True)


class GivenMove(Body):
    """`from` null is enrollment; `guard`: a condition tree, `{}` for none."""

    to = Text(max_length=LONGEST_CODE)
    guard = serializers.DictField(required=False)
    requires_reason = Flag(required=False)
    permission = Text(required=False, allow_blank=True, max_length=120)

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        """`from` is no name in Python."""
        start = Text(allow_null=True, max_length=LONGEST_CODE, source="from_stage")
        return {"from": start, **super().get_fields()}


class TemplateChange(Body):
    """`stages`, or `allowed_stages` as codes alone. `transitions` null: any move is allowed.

    `endless`: confirms that no stage closes the journey.
    """

    shape = {"dependentSchemas": {"stages": {"properties": {"allowed_stages": False}}}}
    name = Text(required=False, max_length=200)
    initial_stage = Text(required=False, max_length=LONGEST_CODE)
    allowed_stages = serializers.ListField(
        child=Text(max_length=LONGEST_CODE), required=False, max_length=MOST_STAGES
    )
    stages = serializers.ListField(child=GivenStage(), required=False, max_length=MOST_STAGES)
    transitions = serializers.ListField(
        child=GivenMove(), required=False, allow_null=True, max_length=MOST_MOVES
    )
    endless = Flag(required=False)

    id = serializers.UUIDField(read_only=True)
    key = serializers.CharField(read_only=True)
    is_active = serializers.BooleanField(read_only=True)
    version = serializers.IntegerField(read_only=True)
    active_journeys = serializers.IntegerField(read_only=True)

    def validate(self, given: dict[str, Any]) -> dict[str, Any]:
        if "stages" in given and "allowed_stages" in given:
            words = _("Name the stages once: by stages or by allowed_stages.")
            raise ValidationError(words, code="invalid")
        return given


class NewTemplate(TemplateChange):
    shape = {"oneOf": [{"required": ["stages"]}, {"required": ["allowed_stages"]}]}
    key = Text(max_length=LONGEST_CODE)
    name = Text(max_length=200)
    initial_stage = Text(max_length=LONGEST_CODE)

    def validate(self, given: dict[str, Any]) -> dict[str, Any]:
        given = super().validate(given)
        if "stages" not in given and "allowed_stages" not in given:
            words = _("Name the stages, by stages or by allowed_stages.")
            raise ValidationError(words, code="required")
        return given


def new_blueprint(given: Mapping[str, Any]) -> Blueprint:
    empty = Blueprint(key=given["key"], name="", initial_stage="", stages=[])
    return changed(empty, given, {})


def changed(
    blueprint: Blueprint, given: Mapping[str, Any], known: Mapping[str, StageDraft]
) -> Blueprint:
    """`known`: stages by code whose names and meaning are kept, retired ones too."""
    plain = ("name", "initial_stage", "endless")
    parts: dict[str, Any] = {name: given[name] for name in plain if name in given}
    if "allowed_stages" in given:
        parts["stages"] = [_stage({"code": code}, known) for code in given["allowed_stages"]]
    if "stages" in given:
        parts["stages"] = [_stage(stage, known) for stage in given["stages"]]
    if "transitions" in given:
        parts["moves"] = [_move(move) for move in given["transitions"] or ()]
    return replace(blueprint, **parts)


def known_stages(definition: Definition) -> dict[str, StageDraft]:
    stages = [*blueprint_of(definition).stages, *retired_stages(definition)]
    return {stage.code: stage for stage in stages}


def _stage(given: Mapping[str, Any], known: Mapping[str, StageDraft]) -> StageDraft:
    [usual] = stages_from_codes([given["code"]])
    turned = {"status": StageStatus, "whose_turn": Turn}
    values: dict[str, Any] = {name: turned.get(name, str)(value) for name, value in given.items()}
    return replace(known.get(given["code"], usual), **values)


def _move(given: Mapping[str, Any]) -> MoveDraft:
    values: dict[str, Any] = {**given, "to_stage": given["to"]}
    del values["to"]
    return MoveDraft(**values)
