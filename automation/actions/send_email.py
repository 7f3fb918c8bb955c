"""`{"type": "send_email", "params": {"audience": "patient", "subject": "…", "body": "…"}}`.

Writes the message; `automation.outbox` sends it after the commit. Subject and body are one text or
`{"es", "en"}`, with the placeholders of `automation.placeholders`. `reminder` is what presses
somebody to do something (always so in a rule that listens to JOURNEY_STAGE_TIMEOUT): withheld
while a journey of the patient is on hold. Nobody to write to becomes a task: never silence.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _

from automation import bell
from automation.actions.about import About, about
from automation.actions.base import Action, Doing, Outcome, Params, Practice, done
from automation.actions.texts import (
    MAX_BODY,
    MAX_SUBJECT,
    in_language,
    text_problems,
    text_schema,
    values,
)
from automation.addressees import Addressee, addressees
from automation.judging import TIMEOUT
from automation.models.message import REASONS, Audience, Message
from automation.placeholders import fill, in_words, plain
from automation.problems import Problem
from automation.tasks_for_people import ask_to_tell
from journeys.event_types import names
from patients.models import Patient

SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {
        "audience": {"enum": Audience.values},
        "subject": text_schema(MAX_SUBJECT),
        "body": text_schema(MAX_BODY),
        "reminder": {"type": "boolean"},
    },
    "required": ["audience", "subject", "body"],
    "additionalProperties": False,
}
_SENTENCES: Final = {
    Audience.PATIENT: gettext_lazy("send an e-mail to the patient: “%(subject)s”"),
    Audience.THERAPIST: gettext_lazy("send an e-mail to the therapist: “%(subject)s”"),
    Audience.PRACTICE: gettext_lazy("send an e-mail to the practice: “%(subject)s”"),
}


def _perform(params: Params, doing: Doing) -> Outcome:
    told = about(doing)
    if told.is_over:
        return Outcome(status="unchanged", code="left_stage", words=str(REASONS["left_stage"]))
    patient = Patient.objects.select_related("therapist").get(pk=doing.patient_id)
    people = addressees(params["audience"], patient, doing.practice.organization)
    if not people:
        return _nobody(params, doing, told, patient)
    messages = [_message(person, params, doing, told, patient) for person in people]
    return _written(messages, doing)


def _written(messages: list[Message], doing: Doing) -> Outcome:
    """Once for each recipient, however often the action is tried."""
    there = Message.objects.filter(event=doing.event, rule=doing.rule, action_index=doing.index)
    known = set(there.values_list("recipient", flat=True))
    new = [message for message in messages if message.recipient not in known]
    if not new:
        return Outcome(status="unchanged", code="duplicate")
    Message.objects.bulk_create(new)
    bell.ring_mail()
    return done(message_ids=[message.pk for message in new])


def _message(
    person: Addressee, params: Params, doing: Doing, told: About, patient: Patient
) -> Message:
    subject, body = _filled(params, doing, told, patient, person.language)
    message = Message(
        organization_id=doing.event.organization_id,
        patient_id=doing.patient_id,
        event=doing.event,
        rule=doing.rule,
        action_index=doing.index,
        audience=params["audience"],
        recipient=person.address,
        language=person.language,
        subject=subject,
        body=body,
        journey_key=told.journey_key,
        is_reminder=_is_reminder(params, doing),
        next_attempt_at=doing.now,
    )
    if _ends_with_the_stage(message, told):
        message.enrollment_id = told.enrollment_id
        message.stage, message.stage_seq = told.stage, told.seq
    return message


def _is_reminder(params: Params, doing: Doing) -> bool:
    return bool(params.get("reminder")) or doing.event.event_type == TIMEOUT


def _ends_with_the_stage(message: Message, told: About) -> bool:
    """A reminder to anybody, and what tells a patient that they reached a stage.

    A receipt stays true after the next move, and so does what staff is told of what happened.
    """
    if told.seq is None:
        return False
    return message.is_reminder or (told.reached and message.audience == Audience.PATIENT)


def _filled(
    params: Params, doing: Doing, told: About, patient: Patient, language: str
) -> tuple[str, str]:
    words = values(told, patient, doing.practice, language=language, audience=params["audience"])
    subject = fill(in_language(params["subject"], language), words)
    return plain(subject), fill(in_language(params["body"], language), words)


def _nobody(params: Params, doing: Doing, told: About, patient: Patient) -> Outcome:
    language = doing.practice.organization.language
    subject, _body = _filled(params, doing, told, patient, language)
    task = ask_to_tell(doing, params["audience"], told.journey_key, subject)
    return Outcome(
        status="done",
        code="no_address",
        words=_("There is no e-mail address: a person has the task to tell them."),
        refs={"task_id": task.pk},
    )


def _problems(params: Params, practice: Practice) -> Iterator[Problem]:  # noqa: ARG001
    yield from text_problems("/subject", params["subject"], is_subject=True)
    yield from text_problems("/body", params["body"])


def _sentence(params: Params, practice: Practice) -> str:
    reader = (get_language() or practice.organization.language)[:2]
    words = str(_SENTENCES[Audience(params["audience"])])
    return words % {"subject": in_words(in_language(params["subject"], reader), reader)}


ACTION: Final = Action(
    name="send_email",
    labels=names("enviar un correo", "send an e-mail"),
    schema=SCHEMA,
    problems=_problems,
    sentence=_sentence,
    perform=_perform,
)
