"""`{"type": "create_task", "params": {"audience": "therapist", "text": "…", "due_in_hours": 24}}`.

A task for the patient's therapist, or for whoever of the practice sees it first. The text may name
any placeholder: only staff reads it. One that says that nobody has reviewed a block is a kind of
its own: whoever reviews or lifts the block ends it.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any, Final

from django.utils.translation import get_language, gettext_lazy

from automation.actions.about import about
from automation.actions.base import Action, Doing, Outcome, Params, Practice, done
from automation.actions.texts import MAX_TASK, in_language, text_problems, text_schema, values
from automation.actions.unreviewed import is_reviewed, rests_on_no_review
from automation.models.message import Audience
from automation.models.staff_task import TaskKind
from automation.placeholders import fill, in_words
from automation.problems import Problem
from automation.tasks_for_people import give
from automation.wording import error_words
from journeys.event_types import names
from patients.models import Patient

MAX_HOURS: Final = 24 * 366
REVIEWED: Final = "block_reviewed"

SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {
        "audience": {"enum": [Audience.THERAPIST.value, Audience.PRACTICE.value]},
        "text": text_schema(MAX_TASK),
        "due_in_hours": {"type": "number", "exclusiveMinimum": 0, "maximum": MAX_HOURS},
    },
    "required": ["audience", "text"],
    "additionalProperties": False,
}
_SENTENCES: Final = {
    Audience.THERAPIST: gettext_lazy("give the therapist a task: “%(text)s”"),
    Audience.PRACTICE: gettext_lazy("give the practice a task: “%(text)s”"),
}


def _perform(params: Params, doing: Doing) -> Outcome:
    told = about(doing)
    no_review = rests_on_no_review(doing, told)
    if no_review and is_reviewed(told):
        return Outcome(status="unchanged", code=REVIEWED, words=error_words(REVIEWED))
    patient = Patient.objects.select_related("therapist").get(pk=doing.patient_id)
    language = _language(params["audience"], patient, doing.practice)
    words = values(told, patient, doing.practice, language=language, audience=params["audience"])
    hours = params.get("due_in_hours")
    task = give(
        kind=TaskKind.BLOCK_UNREVIEWED if no_review else TaskKind.RULE,
        text=fill(in_language(params["text"], language), words),
        event=doing.event,
        journey_key=told.journey_key,
        rule_id=doing.rule.pk,
        action_index=doing.index,
        for_therapist=params["audience"] == Audience.THERAPIST,
        due_at=doing.now + timedelta(hours=hours) if hours else None,
    )
    return done(task_id=task.pk)


def _language(audience: str, patient: Patient, practice: Practice) -> str:
    therapist = patient.therapist if audience == Audience.THERAPIST else None
    if therapist is not None and therapist.is_active:
        return therapist.language
    return practice.organization.language


def _problems(params: Params, practice: Practice) -> Iterator[Problem]:  # noqa: ARG001
    yield from text_problems("/text", params["text"])


def _sentence(params: Params, practice: Practice) -> str:
    reader = (get_language() or practice.organization.language)[:2]
    words = str(_SENTENCES[Audience(params["audience"])])
    return words % {"text": in_words(in_language(params["text"], reader), reader)}


ACTION: Final = Action(
    name="create_task",
    labels=names("crear una tarea", "create a task"),
    schema=SCHEMA,
    problems=_problems,
    sentence=_sentence,
    perform=_perform,
)
