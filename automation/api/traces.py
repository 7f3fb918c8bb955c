"""`/events/{id}/trace`: why did it, or did it not, cause something?

As the admin's page of an event, in JSON. What a fact was at that moment is told to who may read
patients; who may not is not told what followed from it in that condition either, for it says the
same.
"""

from __future__ import annotations

import uuid
from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from automation.api.sight import sight_of
from automation.models.dispatch import DispatchStatus
from automation.models.message import Audience, MessageState
from automation.models.run import RunStatus
from automation.selectors.event_page import Sight
from automation.selectors.listening import Why
from automation.selectors.trace import ActionTold, EventTold, RunTold, Trace, trace_of
from automation.wording import error_words
from kura.api.fields import Moment
from kura.api.scopes import EVENTS_READ
from kura.api.views import ApiView


class TracedEvent(serializers.Serializer[EventTold]):
    """`status`: its place in the queue. `last_error`: a code, why it is dead or was linked."""

    id = serializers.UUIDField()
    event_type = serializers.CharField(source="type")
    label = serializers.CharField()  # type: ignore[assignment]  # a member of this name
    source = serializers.CharField()  # type: ignore[assignment]
    idempotency_key = serializers.CharField(source="key")
    patient_id = serializers.UUIDField(allow_null=True)
    journey_key = serializers.CharField()
    status = serializers.ChoiceField(choices=DispatchStatus.values)
    attempts = serializers.IntegerField()
    last_error = serializers.CharField()
    occurred_at = Moment()
    recorded_at = Moment()
    finished_at = Moment(allow_null=True)
    parent_event_id = serializers.UUIDField(source="parent_id", allow_null=True)
    root_event_id = serializers.UUIDField(source="root_id")
    depth = serializers.IntegerField()


class TracedCondition(serializers.Serializer[Any]):
    """`result` null: no data, or of another kind (`note`). `hidden`: not for this reader."""

    pointer = serializers.CharField()
    path = serializers.CharField(source="field")
    op = serializers.CharField()
    expected = serializers.JSONField()
    actual = serializers.JSONField(allow_null=True)
    result = serializers.BooleanField(allow_null=True)
    note = serializers.CharField()
    words = serializers.CharField()
    hidden = serializers.BooleanField(default=False)

    def to_representation(self, instance: Any) -> dict[str, Any]:
        told: dict[str, Any] = super().to_representation(instance)
        sight: Sight = self.context["sight"]
        if not sight.of(instance.field):
            told |= {"actual": None, "result": None, "note": "", "hidden": True}
        return told


class TracedAction(serializers.Serializer[ActionTold]):
    """What became of it: done, unchanged, refused or skipped. The ids are of what it caused.

    `error_words`: those of that moment, for who may read patients; else those of the code.
    """

    index = serializers.IntegerField()
    type = serializers.CharField()
    words = serializers.CharField()
    status = serializers.CharField()
    error_code = serializers.CharField(allow_null=True)
    error_words = serializers.CharField()
    log_id = serializers.IntegerField(allow_null=True)
    event_id = serializers.UUIDField(allow_null=True)
    task_id = serializers.UUIDField(allow_null=True)
    message_ids = serializers.ListField(child=serializers.UUIDField())

    def to_representation(self, instance: ActionTold) -> dict[str, Any]:
        told = {name: getattr(instance, name) for name in ("index", "type", "words", "status")}
        then = instance.error_words if self.context["sight"].values else ""
        told["error_words"] = then or error_words(instance.error_code)
        refs = {name: instance.refs.get(name) for name in ("log_id", "event_id", "task_id")}
        messages = {"message_ids": instance.refs.get("message_ids", [])}
        return told | {"error_code": instance.error_code or None} | refs | messages


class TracedRun(serializers.Serializer[RunTold]):
    """One rule against the event, with the conditions and actions of the version that ran.

    `status`: not_matched, done, refused, failed, or loop (it ran for this cause before).
    `failed_on`: the pointer of the first condition that kept the rule from running.
    """

    id = serializers.UUIDField()
    rule_id = serializers.UUIDField()
    rule_name = serializers.CharField()
    rule_version = serializers.IntegerField(source="version")
    status = serializers.ChoiceField(choices=RunStatus.values)
    matched = serializers.BooleanField(allow_null=True)
    only_if = serializers.CharField()
    conditions = TracedCondition(many=True)
    failed_on = serializers.CharField(allow_null=True)
    actions = TracedAction(many=True)
    error = serializers.CharField()
    started_at = Moment()
    finished_at = Moment()

    def to_representation(self, instance: RunTold) -> dict[str, Any]:
        told: dict[str, Any] = super().to_representation(instance)
        if any(one["hidden"] for one in told["conditions"]):
            return told | {"failed_on": None}
        return told | {"failed_on": instance.failed_on.pointer if instance.failed_on else None}


class SilentRule(serializers.Serializer[Any]):
    """A rule of this trigger that has no run, and why."""

    rule_id = serializers.UUIDField()
    rule_name = serializers.CharField()
    why = serializers.ChoiceField(choices=[why.value for why in Why])
    is_active_now = serializers.BooleanField()


class TracedMove(serializers.Serializer[Any]):
    log_id = serializers.IntegerField()
    journey_key = serializers.CharField()
    from_stage = serializers.CharField()
    to_stage = serializers.CharField()
    changed_at = Moment()
    rule_id = serializers.UUIDField(allow_null=True)


class TracedMessage(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    audience = serializers.ChoiceField(choices=Audience.values)
    state = serializers.ChoiceField(choices=MessageState.values)
    rule_id = serializers.UUIDField()


class TracedTask(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    kind = serializers.CharField()
    is_done = serializers.BooleanField()


class TracedDecision(serializers.Serializer[Any]):
    """`reason` may name people: null for who may not read patients."""

    kind = serializers.CharField()
    reason = serializers.CharField(allow_null=True)
    decided_by = serializers.CharField()
    decided_at = Moment()

    def to_representation(self, instance: Any) -> dict[str, Any]:
        told: dict[str, Any] = super().to_representation(instance)
        return told if self.context["sight"].values else told | {"reason": None}


class EventTrace(serializers.Serializer[Trace]):
    """`silent`: rules that had no say; `followed`: the events that this one caused."""

    event = TracedEvent()
    runs = TracedRun(many=True)
    silent = SilentRule(many=True)
    moves = TracedMove(many=True)
    messages = TracedMessage(many=True)
    tasks = TracedTask(many=True)
    followed = TracedEvent(many=True)
    decisions = TracedDecision(many=True)


class TraceView(ApiView):
    summaries = {"GET": "Trace what an event caused"}
    scopes = {"GET": EVENTS_READ}
    answers = {"GET": {200: EventTrace}}

    def get(self, request: Request, event_id: uuid.UUID) -> Response:  # noqa: ARG002
        context = {"sight": sight_of(self.caller)}
        return Response(EventTrace(trace_of(event_id), context=context).data)
