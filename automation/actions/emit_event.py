"""`{"type": "emit_event", "params": {"event_type": "CUSTOM.ready", "payload": {}}}`.

The new event is about the same patient and journey, a child of the one that called the rule, and
stored once: its key is made of event, rule and place in the rule.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from django.utils.translation import gettext as _

from automation import payloads
from automation.actions.base import Action, Doing, Outcome, Params, Practice, done
from automation.errors import InvalidPayload
from automation.intake import Draft, store
from automation.problems import Problem
from automation.sources import RULES
from journeys.event_types import names
from journeys.selectors.history import event_label
from kura.ids import time_ordered_uuid

SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {
        "event_type": {"type": "string", "pattern": "^CUSTOM\\.[A-Za-z0-9_]{1,60}$"},
        "payload": {"type": "object", "maxProperties": 20},
    },
    "required": ["event_type"],
    "additionalProperties": False,
}


def _perform(params: Params, doing: Doing) -> Outcome:
    draft = Draft(
        id=time_ordered_uuid(),
        organization_id=doing.event.organization_id,
        event_type=params["event_type"],
        patient_id=doing.patient_id,
        journey_key=doing.event.journey_key,
        source=str(RULES),
        idempotency_key=f"{doing.event.pk}:{doing.rule.pk}:{doing.index}",
        occurred_at=doing.now,
        payload=params.get("payload", {}),
        parent_event_id=doing.event.pk,
        subject={"id": str(doing.patient_id)},
    )
    if not store([draft]):
        return Outcome(status="unchanged", code="duplicate")
    return done(event_id=draft.id)


def _problems(params: Params, practice: Practice) -> Iterator[Problem]:  # noqa: ARG001
    try:
        payloads.check(params["event_type"], params.get("payload", {}))
    except InvalidPayload as refusal:
        yield Problem("/payload", "wrong_value", str(refusal))


def _sentence(params: Params, practice: Practice) -> str:  # noqa: ARG001
    return _("record the event “%(event)s”") % {"event": event_label(params["event_type"])}


ACTION: Final = Action(
    name="emit_event",
    labels=names("registrar un evento", "record an event"),
    schema=SCHEMA,
    problems=_problems,
    sentence=_sentence,
    perform=_perform,
)
