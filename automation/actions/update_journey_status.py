"""`{"type": "update_journey_status", "params": {"key": "intake", "status": "BLOCKED"}}`. Spec 3.1.

Moves a patient who is in that journey; enrolling is another action. A rule never moves anybody out
of a block (Spec 6.2), and an event that is older than what its own source has caused since moves
nobody. A block is superseded by a newer event of its own type alone: a payment does not outdate a
risk. A block that could not be set becomes a task for a person: never silence about a risk.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from django.utils.translation import gettext as _

from automation import errors
from automation.actions.base import Action, Doing, Outcome, Params, Practice, done, refused
from automation.actions.targets import stage_problems, stage_words
from automation.problems import Problem
from automation.tasks_for_people import ask_for_review, ask_to_replay
from journeys.cause import by_rule
from journeys.errors import NotEnrolled, StageNotAllowed
from journeys.event_types import names
from journeys.services.transitions import transition
from kura.errors import KuraError
from kura.prepared import prepared_cursor

SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {
        "key": {"type": "string", "pattern": "^[a-z0-9_-]{1,60}$"},
        "status": {"type": "string", "pattern": "^[A-Z][A-Z0-9_]{0,59}$"},
    },
    "required": ["key", "status"],
    "additionalProperties": False,
}

# Is the patient in the journey, and has the event's own source said something newer since?
_STANDING: Final = """
SELECT EXISTS (
    SELECT FROM journey_enrollments
    WHERE patient_id = %(patient)s AND journey_key = %(key)s AND closed_at IS NULL
), EXISTS (
    SELECT FROM journey_logs l JOIN system_events s ON s.id = l.trigger_event_id
    WHERE l.patient_id = %(patient)s AND l.journey_key = %(key)s
        AND s.source = %(source)s AND s.occurred_at > %(occurred_at)s AND s.id <> %(event)s
        AND (s.event_type = %(event_type)s OR NOT %(blocks)s)
)
"""


def _perform(params: Params, doing: Doing) -> Outcome:
    key, status = params["key"], params["status"]
    try:
        _require_standing(key, status, doing)
        moved = transition(
            patient_id=doing.patient_id,
            journey_key=key,
            to_stage=status,
            cause=by_rule(doing.rule.pk, trigger_event_id=doing.event.pk),
        )
    except KuraError as refusal:
        return _refused(refusal, key, status, doing)
    if moved.log is None:
        return Outcome(status="unchanged", code="stage_unchanged")
    return done(log_id=moved.log.pk, journey_key=key, stage=status)


def _require_standing(key: str, status: str, doing: Doing) -> None:
    with prepared_cursor() as cursor:
        cursor.execute(
            _STANDING,
            {
                "patient": doing.patient_id,
                "key": key,
                "source": doing.event.source,
                "occurred_at": doing.event.occurred_at,
                "event": doing.event.pk,
                "event_type": doing.event.event_type,
                "blocks": doing.practice.is_blocking(key, status),
            },
        )
        is_enrolled, is_superseded = cursor.fetchone()
    if is_superseded:
        raise errors.Superseded
    if not is_enrolled:
        raise NotEnrolled(journey=key, journey_key=key)


def _refused(refusal: KuraError, key: str, status: str, doing: Doing) -> Outcome:
    """A block that is refused because there is one already needs nobody; any other move does: it
    has to be made up for once the block is lifted.

    So does a stage that has gone from the template: nobody can tell any more whether it blocked.
    """
    is_block = doing.practice.is_blocking(key, status) or isinstance(refusal, StageNotAllowed)
    if is_block and refusal.code != "journey_blocked":
        ask_for_review(doing, key, status, refusal)
    elif not is_block and refusal.code == "journey_blocked":
        ask_to_replay(doing, key)
    return refused(refusal)


def _problems(params: Params, practice: Practice) -> Iterator[Problem]:
    yield from stage_problems(params["key"], params["status"], practice)


def _sentence(params: Params, practice: Practice) -> str:
    journey, stage = stage_words(params["key"], params["status"], practice)
    if practice.is_blocking(params["key"], params["status"]):
        return _("block “%(journey)s” in “%(stage)s”") % {"journey": journey, "stage": stage}
    return _("move to “%(stage)s” in “%(journey)s”") % {"journey": journey, "stage": stage}


ACTION: Final = Action(
    name="update_journey_status",
    labels=names("mover de etapa", "move to a stage"),
    schema=SCHEMA,
    problems=_problems,
    sentence=_sentence,
    perform=_perform,
)
