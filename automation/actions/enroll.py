"""`{"type": "enroll", "params": {"key": "despertar_8s"}}`, with `status` to begin in another stage.

Who is in the journey already stays where they are. A rule enrolls nobody who is on hold in another
journey: a person at risk is not sent on to something new by automation.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from django.utils.translation import gettext as _

from automation.actions.base import Action, Doing, Outcome, Params, Practice, done, refused
from automation.actions.targets import stage_problems, stage_words
from automation.problems import Problem
from journeys.cause import by_rule
from journeys.errors import AlreadyEnrolled, JourneyBlocked
from journeys.event_types import names
from journeys.models.enrollment import Enrollment
from journeys.models.template import StageStatus
from journeys.services.transitions import enroll
from kura.errors import KuraError

SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {
        "key": {"type": "string", "pattern": "^[a-z0-9_-]{1,60}$"},
        "status": {"type": "string", "pattern": "^[A-Z][A-Z0-9_]{0,59}$"},
    },
    "required": ["key"],
    "additionalProperties": False,
}


def _perform(params: Params, doing: Doing) -> Outcome:
    try:
        _require_free(doing)
        log = enroll(
            patient_id=doing.patient_id,
            journey_key=params["key"],
            to_stage=params.get("status"),
            cause=by_rule(doing.rule.pk, trigger_event_id=doing.event.pk),
        )
    except AlreadyEnrolled as there:
        return Outcome(status="unchanged", code=there.code)
    except KuraError as refusal:
        return refused(refusal)
    return done(log_id=log.pk, journey_key=log.journey_key, stage=log.to_stage)


def _require_free(doing: Doing) -> None:
    held = Enrollment.objects.filter(
        patient=doing.patient_id, closed_at__isnull=True, status=StageStatus.ON_HOLD
    ).first()
    if held is not None:
        raise JourneyBlocked(from_stage=held.stage, from_label=held.stage)


def _problems(params: Params, practice: Practice) -> Iterator[Problem]:
    yield from stage_problems(params["key"], params.get("status"), practice)


def _sentence(params: Params, practice: Practice) -> str:
    journey, stage = stage_words(params["key"], params.get("status"), practice)
    return _("enroll in “%(journey)s”, in “%(stage)s”") % {"journey": journey, "stage": stage}


ACTION: Final = Action(
    name="enroll",
    labels=names("inscribir", "enroll"),
    schema=SCHEMA,
    problems=_problems,
    sentence=_sentence,
    perform=_perform,
)
