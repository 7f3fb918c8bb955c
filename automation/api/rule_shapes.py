"""What a rule looks like in a body, in an answer and in a query.

A body takes any JSON for the members of a definition: `automation.validation` judges all of them
together, and says more about each than a type could.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from automation.definition import SCHEMA
from automation.errors import InvalidRule
from automation.models.rule import AutomationRule
from journeys.models.template import KEY_PATTERN
from kura.api.fields import Coded, Flag, Moment, QueryFlag
from kura.api.pagination import PageQuery
from kura.api.serializers import Body, Query

MOST_PROBLEMS: Final = 200  # a hostile rule gets no hostile answer
ALSO_WAITING: Final = "also_waiting"


def _member(name: str) -> serializers.JSONField:
    """A member of a definition: any JSON here, judged whole by `automation.validation`."""
    schema = dict(SCHEMA["properties"][name])
    types = [schema["type"]] if isinstance(schema["type"], str) else schema["type"]
    schema["type"] = [one for one in types if one != "null"]
    kind = type(f"{name.title()}Member", (serializers.JSONField,), {})
    described = extend_schema_field(schema)(kind)
    field: serializers.JSONField = described(required=False, allow_null="null" in types)
    return field


class RuleMembers(Body):
    """WHEN `trigger_event` (in `journey_key` and `stage`), IF `conditions`, THEN `actions`."""

    name = _member("name")
    trigger_event = _member("trigger_event")
    journey_key = _member("journey_key")
    stage = _member("stage")
    max_hours = _member("max_hours")
    repeat_hours = _member("repeat_hours")
    max_repeats = _member("max_repeats")
    conditions = _member("conditions")
    actions = _member("actions")
    priority = _member("priority")


class WrittenRule(RuleMembers):
    """`also_waiting`: a time-out counts for those who are in the stage already, too."""

    shape = {"required": SCHEMA["required"]}
    is_active = Flag(required=False)
    also_waiting = Flag(required=False)
    id = serializers.UUIDField(read_only=True)
    version = serializers.IntegerField(read_only=True)
    code = serializers.CharField(read_only=True)
    waiting = serializers.IntegerField(read_only=True)
    archived_at = Moment(read_only=True)
    created_at = Moment(read_only=True)
    updated_at = Moment(read_only=True)


class ChangedRule(WrittenRule):
    """Members that are not named stay. `draft`: the next version as far as it is written; null
    discards it.
    """

    shape = {}
    draft = serializers.JSONField(required=False, allow_null=True)


class Publication(Body):
    also_waiting = Flag(required=False)


class RuleWords(serializers.Serializer[Any]):
    """The rule as a person reads it."""

    sentence = serializers.CharField()
    when = serializers.CharField()
    only_if = serializers.CharField(source="if_")
    then = serializers.ListField(child=serializers.CharField())


class Rule(serializers.Serializer[AutomationRule]):
    """The published version, with the `draft` beside it. `words` with `expand=words`.

    `waiting`, after a time-out was written: how many have been in its stage for longer than it
    allows. They are reminded too if the rule counts for those (`also_waiting`).
    """

    id = serializers.UUIDField()
    name = serializers.CharField()
    trigger_event = serializers.CharField()
    journey_key = serializers.CharField()
    stage = serializers.CharField()
    max_hours = serializers.FloatField(allow_null=True)
    repeat_hours = serializers.FloatField(allow_null=True)
    max_repeats = serializers.IntegerField(allow_null=True)
    conditions = serializers.JSONField()
    actions = serializers.JSONField()
    priority = serializers.IntegerField()
    is_active = serializers.BooleanField()
    version = serializers.IntegerField()
    draft = serializers.JSONField(allow_null=True)
    code = serializers.CharField(allow_null=True)
    visits_from = Moment(allow_null=True)
    archived_at = Moment(allow_null=True)
    created_at = Moment()
    updated_at = Moment()
    words = RuleWords(required=False)
    waiting = serializers.IntegerField(required=False)


class ExpandQuery(Query):
    expand = serializers.ChoiceField(choices=["words"], required=False)


class RulesQuery(PageQuery, ExpandQuery):
    trigger_event = serializers.CharField(required=False, max_length=80)
    journey_key = Coded(KEY_PATTERN, required=False)
    is_active = QueryFlag(required=False)
    is_archived = QueryFlag(default=False)


@contextmanager
def problems_at(pointer: str) -> Iterator[None]:
    """A rule's own pointers begin at the rule; the caller's at the body."""
    try:
        yield
    except InvalidRule as refusal:
        first = refusal.context["problems"][:MOST_PROBLEMS]
        refusal.context["problems"] = [problem.below(pointer) for problem in first]
        raise
