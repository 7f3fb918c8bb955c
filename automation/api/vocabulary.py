"""`/rules/vocabulary`: what a rule may say in this practice.

Everything that a WHEN / IF / THEN editor offers, in the caller's language: events with the fields
that only their rules have, the fields of all rules, operators, actions with the schema of their
parameters, placeholders, and the practice's own journeys and stages.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from automation.actions import ACTIONS
from automation.actions.base import Practice
from automation.definition import MOST_ACTIONS, SCHEMA
from automation.placeholders import PLACEHOLDERS
from automation.values import in_language
from automation.vocabulary import common_paths, payload_paths, practice_fields, unit_of
from journeys.event_types import EVENT_TYPES, AssertedBy, EventType
from journeys.models.template import KEY_PATTERN
from kura.api.fields import Coded
from kura.api.scopes import JOURNEYS_READ
from kura.api.serializers import Query
from kura.api.versions import fingerprint, versioned
from kura.api.views import ApiView
from kura.conditions import OPERATORS, Field, Labels
from kura.conditions.parsing import MAX_DEPTH, MAX_LEAVES

_ANY: Final = "CUSTOM.x"  # a trigger whose payload nobody knows


class Named(serializers.Serializer[Any]):
    value = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]  # a member of this name


class FieldTold(serializers.Serializer[Any]):
    """`type`: string, number, integer, boolean, datetime or list (of strings). `choices` null: any
    value of it. `unit`: hours, cents.
    """

    path = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]
    type = serializers.CharField()
    unit = serializers.CharField(allow_null=True)
    choices = Named(many=True, allow_null=True)


class EventTypeTold(serializers.Serializer[Any]):
    """`schema` of the payload (JSON Schema 2020-12); `fields` that rules of this trigger have."""

    name = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]
    per_journey = serializers.BooleanField()
    asserted_by = serializers.ChoiceField(choices=[by.value for by in AssertedBy])
    schema = serializers.JSONField()
    fields = FieldTold(many=True)  # type: ignore[assignment]


class OperatorTold(serializers.Serializer[Any]):
    """`takes`: the shape of the value: scalar, options (a list), amount (a number), part (a text),
    flag, timestamp. `sentence` has %(field)s and %(value)s; `denial`: for the value false.
    """

    name = serializers.CharField()
    types = serializers.ListField(child=serializers.CharField())
    takes = serializers.CharField()
    sentence = serializers.CharField()
    denial = serializers.CharField(allow_null=True)


class ActionTypeTold(serializers.Serializer[Any]):
    """`schema` of its `params`."""

    type = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]
    schema = serializers.JSONField()


class PlaceholderTold(serializers.Serializer[Any]):
    name = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]
    in_subject = serializers.BooleanField()


class StageTold(serializers.Serializer[Any]):
    code = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]
    blocking = serializers.BooleanField()
    terminal = serializers.BooleanField()


class JourneyTold(serializers.Serializer[Any]):
    key = serializers.CharField()
    name = serializers.CharField()
    initial_stage = serializers.CharField()
    is_active = serializers.BooleanField()
    stages = StageTold(many=True)


class Limits(serializers.Serializer[Any]):
    depth = serializers.IntegerField()
    conditions = serializers.IntegerField()
    actions = serializers.IntegerField()


class Vocabulary(serializers.Serializer[Any]):
    """`fields` of every rule. Events of one's own are `CUSTOM.` and a name; any member of their
    payload is a text (`event.payload.<name>`).
    """

    rule_schema = serializers.JSONField()
    limits = Limits()
    event_types = EventTypeTold(many=True)
    fields = FieldTold(many=True)  # type: ignore[assignment]
    operators = OperatorTold(many=True)
    actions = ActionTypeTold(many=True)
    placeholders = PlaceholderTold(many=True)
    journeys = JourneyTold(many=True)


class VocabularyQuery(Query):
    """`journey_key`: the stages that fields offer are those of this journey."""

    journey_key = Coded(KEY_PATTERN, required=False)


class VocabularyView(ApiView):
    """What a rule of this practice may say, in the caller's language."""

    summaries = {"GET": "Read what rules may say"}
    scopes = {"GET": JOURNEYS_READ}
    queries = {"GET": VocabularyQuery}
    answers = {"GET": {200: Vocabulary}}
    preconditions = {"GET": ("If-None-Match",)}
    cache_control = "private, no-cache"

    def get(self, request: Request) -> Response:
        practice = Practice(organization=self.caller.organization)
        told = vocabulary(practice, self.query.get("journey_key", ""))
        return versioned(request, fingerprint(told), lambda: told)


def vocabulary(practice: Practice, journey_key: str) -> dict[str, Any]:
    """One query. Needs the organization's tenant scope."""
    return {
        "rule_schema": SCHEMA,
        "limits": {"depth": MAX_DEPTH, "conditions": MAX_LEAVES, "actions": MOST_ACTIONS},
        "event_types": [_event_type(one, journey_key, practice) for one in EVENT_TYPES.values()],
        "fields": list(_fields(_ANY, common_paths(practice), journey_key, practice)),
        "operators": list(_operators()),
        "actions": [
            {"type": one.name, "label": in_language(one.labels), "schema": one.schema}
            for one in ACTIONS.values()
        ],
        "placeholders": [
            {"name": one.name, "label": in_language(one.labels), "in_subject": one.in_subject}
            for one in PLACEHOLDERS.values()
        ],
        "journeys": list(_journeys(practice)),
    }


def _event_type(kind: EventType, journey_key: str, practice: Practice) -> dict[str, Any]:
    return {
        "name": kind.name,
        "label": in_language(kind.labels),
        "per_journey": kind.per_journey,
        "asserted_by": kind.asserted_by.value,
        "schema": kind.as_schema(),
        "fields": list(_fields(kind.name, payload_paths(kind.name), journey_key, practice)),
    }


def _fields(
    trigger: str, paths: Iterable[str], journey_key: str, practice: Practice
) -> Iterator[dict[str, Any]]:
    field_at = practice_fields(trigger, journey_key, practice)
    for path in paths:
        field = field_at(path)
        if field is not None:
            yield _field(field)


def _field(field: Field) -> dict[str, Any]:
    return {
        "path": field.path,
        "label": in_language(field.labels),
        "type": field.type,
        "unit": unit_of(field.path),
        "choices": None if field.choices is None else _named(field.choices),
    }


def _named(choices: Mapping[str, Labels]) -> list[dict[str, str]]:
    return [{"value": value, "label": in_language(names)} for value, names in choices.items()]


def _operators() -> Iterator[dict[str, Any]]:
    for one in OPERATORS.values():
        yield {
            "name": one.name,
            "types": sorted(one.types),
            "takes": one.takes.__name__,
            "sentence": str(one.sentence),
            "denial": None if one.denial is None else str(one.denial),
        }


def _journeys(practice: Practice) -> Iterator[dict[str, Any]]:
    for one in practice.journeys.values():
        yield {
            "key": one.key,
            "name": one.name,
            "initial_stage": one.initial_stage,
            "is_active": one.is_active,
            "stages": [
                {
                    "code": stage.code,
                    "label": stage.label,
                    "blocking": stage.is_blocking,
                    "terminal": stage.is_closed,
                }
                for stage in one.allowed.values()
            ],
        }
