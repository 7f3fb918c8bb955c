"""`/rules/validate` and `/rules/dry-run`: is it right, and what would it do? Nothing is written.

A rehearsal tells facts of a patient by what follows from them, so it is for who may read patients
and the contents of events, whatever may be done with rules.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _
from rest_framework import serializers
from rest_framework.exceptions import PermissionDenied, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from automation.actions.base import Practice
from automation.api.arriving import PatientName
from automation.api.rule_shapes import MOST_PROBLEMS, RuleMembers, RuleWords, problems_at
from automation.api.rules import found, waiting_for
from automation.api.sight import sight_of
from automation.api.traces import TracedAction, TracedCondition
from automation.errors import EventNotFound, InvalidPayload, RuleNotFound, UnknownEventType
from automation.intake import Subject
from automation.models.message import Audience
from automation.models.run import RunStatus
from automation.rehearsal import Deaf, Rehearsal, Supposed, rehearse
from automation.selectors.rules import cycle_through
from automation.selectors.trace import RunTold
from automation.sentences import words_of_rule
from automation.validation import problems_of
from journeys.errors import EventTime, PatientNotFound
from journeys.models.template import KEY_PATTERN
from kura.api.fields import Coded, Id, Moment, Text
from kura.api.schema import Flaw
from kura.api.scopes import EVENTS_READ, RULES_WRITE
from kura.api.serializers import Body
from kura.api.views import ApiView


class Question(Body):
    """`rule_id`: which rule this would be the next version of, so that it is not asked twice."""

    rule = RuleMembers()
    rule_id = Id(required=False)


class Opinion(serializers.Serializer[Any]):
    """`problems` keep the rule from being published, `cycle` from being active; `words` and
    `waiting` are told of a rule without problems.
    """

    is_valid = serializers.BooleanField()  # type: ignore[assignment]  # a member of this name
    problems = Flaw(many=True)
    cycle = serializers.ListField(child=serializers.CharField(), allow_null=True)
    words = RuleWords(allow_null=True)
    waiting = serializers.IntegerField(allow_null=True)


class ValidateView(ApiView):
    """Everything that is wrong with a rule at once, and how it reads."""

    summaries = {"POST": "Validate a rule"}
    scopes = {"POST": RULES_WRITE}
    bodies = {"POST": Question}
    answers = {"POST": {200: Opinion}}
    refusals = {"POST": (RuleNotFound,)}
    keeps_answers = False

    def post(self, request: Request) -> Response:  # noqa: ARG002
        given = self.body(Question)
        replaced = found(given["rule_id"]).pk if "rule_id" in given else None
        return Response(self._opinion(given["rule"], replaced))

    def _opinion(self, rule: Mapping[str, Any], replaced: uuid.UUID | None) -> dict[str, Any]:
        organization = self.caller.organization
        practice = Practice(organization=organization)
        problems = problems_of(rule, practice)
        if problems:
            flaws = [_flaw(one.pointer, one.code, one.message) for one in problems[:MOST_PROBLEMS]]
            return _opinion(problems=flaws)
        cycle = cycle_through(rule, practice, besides=replaced)
        return _opinion(
            is_valid=cycle is None,
            cycle=cycle,
            words=RuleWords(words_of_rule(rule, practice)).data,
            waiting=waiting_for(organization.pk, rule),
        )


def _opinion(**told: Any) -> dict[str, Any]:
    nothing = {"is_valid": False, "problems": [], "cycle": None, "words": None, "waiting": None}
    return nothing | told


def _flaw(pointer: str, code: str, words: object) -> dict[str, str]:
    return {"code": code, "detail": str(words), "pointer": f"/rule{pointer}"}


# --- dry run --------------------------------------------------------------------------------------


class EventInQuestion(Body):
    """`id` of an event that has happened, or an event that is supposed."""

    shape = {
        "oneOf": [{"required": ["id"]}, {"required": ["event_type", "patient"]}],
        "dependentSchemas": {"id": {"maxProperties": 1}},
    }

    id = Id(required=False)
    event_type = Text(required=False, max_length=80)
    occurred_at = Moment(required=False)
    patient = PatientName(required=False)
    journey_key = Coded(KEY_PATTERN, required=False, allow_null=True)
    payload = serializers.DictField(required=False)

    def validate(self, given: dict[str, Any]) -> dict[str, Any]:
        named = set(given)
        is_supposed = "id" not in named and {"event_type", "patient"} <= named
        if named != {"id"} and not is_supposed:
            words = _("Give the id of an event alone, or an event_type and a patient.")
            raise ValidationError(words, code="invalid")
        return given


class DryRun(Body):
    rule = RuleMembers()
    event = EventInQuestion()


class MoveMeant(serializers.Serializer[Any]):
    journey_key = serializers.CharField()
    from_stage = serializers.CharField()
    to_stage = serializers.CharField()


class MessageMeant(serializers.Serializer[Any]):
    audience = serializers.ChoiceField(choices=Audience.values)
    language = serializers.CharField()
    subject = serializers.CharField()
    body = serializers.CharField()
    is_reminder = serializers.BooleanField()


class TaskMeant(serializers.Serializer[Any]):
    """`assigned_to`: a name, empty for the whole practice."""

    kind = serializers.CharField()
    text = serializers.CharField()
    assigned_to = serializers.CharField()
    due_at = Moment(allow_null=True)


class EventMeant(serializers.Serializer[Any]):
    event_type = serializers.CharField(source="type")
    journey_key = serializers.CharField()


class ActionMeant(TracedAction):
    """`done` says: it would be done."""

    log_id = event_id = task_id = message_ids = None  # type: ignore[assignment]  # they are not

    def to_representation(self, instance: Any) -> dict[str, Any]:
        told = super().to_representation(instance)
        return {name: value for name, value in told.items() if name in self.fields}


class DryRunTrace(serializers.Serializer[Any]):
    """As a run in an event's trace: `status` is not_matched, done, refused or failed.

    `deaf`: why the rule would not hear the event; the rest is empty then.
    """

    deaf = serializers.ChoiceField(choices=[why.value for why in Deaf], allow_null=True)
    status = serializers.ChoiceField(choices=RunStatus.values, allow_null=True)
    matched = serializers.BooleanField(allow_null=True)
    only_if = serializers.CharField()
    conditions = TracedCondition(many=True)
    failed_on = serializers.CharField(allow_null=True)
    actions = ActionMeant(many=True)
    error = serializers.CharField()
    moves = MoveMeant(many=True)
    messages = MessageMeant(many=True)
    tasks = TaskMeant(many=True)
    events = EventMeant(many=True)


class DryRunView(ApiView):
    """The engine runs the rule against the event, and everything is undone."""

    summaries = {"POST": "Try a rule on an event"}
    scopes = {"POST": RULES_WRITE}
    bodies = {"POST": DryRun}
    answers = {"POST": {200: DryRunTrace}}
    refusals = {"POST": (EventNotFound, PatientNotFound, UnknownEventType, EventTime)}
    keeps_answers = False

    def post(self, request: Request) -> Response:  # noqa: ARG002
        sight = sight_of(self.caller)
        if not (self.caller.may(EVENTS_READ) and sight.values and sight.contents):
            raise PermissionDenied
        given = self.body(DryRun)
        with problems_at("/rule"), _payload_at("/event/payload"):
            rehearsal = rehearse(
                organization=self.caller.organization,
                definition=given["rule"],
                event=_event(given["event"]),
                now=timezone.now(),
            )
        return Response(DryRunTrace(_told(rehearsal), context={"sight": sight}).data)


def _event(given: Mapping[str, Any]) -> uuid.UUID | Supposed:
    if "id" in given:
        event_id: uuid.UUID = given["id"]
        return event_id
    return Supposed(
        event_type=given["event_type"],
        subject=Subject(**given["patient"]),
        journey_key=given.get("journey_key"),
        payload=given.get("payload", {}),
        occurred_at=given.get("occurred_at"),
    )


@contextmanager
def _payload_at(pointer: str) -> Iterator[None]:
    try:
        yield
    except InvalidPayload as refusal:
        for problem in refusal.context["problems"]:
            problem["pointer"] = pointer + problem["pointer"]
        raise


def _told(rehearsal: Rehearsal) -> dict[str, Any]:
    caused = {
        "moves": rehearsal.moves,
        "messages": rehearsal.messages,
        "tasks": rehearsal.tasks,
        "events": rehearsal.followed,
    }
    return {"deaf": rehearsal.deaf} | _run(rehearsal.run) | caused


def _run(run: RunTold | None) -> dict[str, Any]:
    names = ("status", "matched", "only_if", "conditions", "actions", "error")
    if run is None:
        nothing = dict.fromkeys(("status", "matched", "failed_on"))
        return nothing | {"only_if": "", "error": "", "conditions": (), "actions": ()}
    failed_on = run.failed_on.pointer if run.failed_on else None
    return {name: getattr(run, name) for name in names} | {"failed_on": failed_on}
