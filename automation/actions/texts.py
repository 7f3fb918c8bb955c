"""Texts that the author of a rule writes: one for all, or one in each language.

What is wrong with them is said when the rule is saved. What is filled in is said here: each
placeholder's value, and the neutral word that stands for a value there is not.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from django.utils import translation
from django.utils.translation import gettext as _

from automation import placeholders
from automation.actions.about import About
from automation.actions.base import Practice
from automation.models.message import Audience
from automation.placeholders import plain
from automation.problems import Problem
from kura.accounts.models import Language
from patients.models import Patient

Text = str | Mapping[str, str]


def text_schema(longest: int) -> dict[str, Any]:
    """Without `anyOf`, so that what is wrong is told where it is wrong."""
    one = {"type": "string", "minLength": 1, "maxLength": longest}
    return one | {
        "type": ["string", "object"],
        "properties": {language.value: one for language in Language},
        "required": [language.value for language in Language],
        "additionalProperties": False,
    }


def text_problems(pointer: str, text: Text, *, is_subject: bool = False) -> Iterator[Problem]:
    """`pointer`: where the text stands among the params ("/subject")."""
    listed = text.items() if isinstance(text, Mapping) else [("", text)]
    for language, words in listed:
        place = f"{pointer}/{language}" if language else pointer
        for problem in _problems_of(words, is_subject=is_subject):
            yield problem.below(place)


def in_language(text: Text, language: str) -> str:
    """A language that the author did not write gets the first that is there."""
    if isinstance(text, str):
        return text
    return text.get(language) or next(iter(text.values()))


def values(
    about: About, patient: Patient, practice: Practice, *, language: str, audience: str
) -> dict[str, str]:
    """Every placeholder's words for this reader."""
    with translation.override(language):
        therapist = patient.therapist
        known = {
            "patient.first_name": plain(patient.full_name).partition(" ")[0],
            "patient.full_name": plain(patient.full_name),
            "journey.name": plain(_journey_name(about, practice)),
            "stage.name": plain(_stage_name(about, practice, audience)),
            "practice.name": plain(practice.organization.name),
            "therapist.name": plain(therapist.display_name if therapist else ""),
            "hours_in_stage": "" if about.hours is None else str(int(about.hours)),
        }
        return {name: known[name] or word for name, word in _neutral_words().items()}


def _neutral_words() -> dict[str, str]:
    """What is read where there is nothing to say; never a blank, never "None"."""
    return {
        "patient.first_name": _("patient"),
        "patient.full_name": _("patient"),
        "journey.name": _("the process"),
        "stage.name": _("the current stage"),
        "practice.name": _("the practice"),
        "therapist.name": _("the team"),
        "hours_in_stage": _("some"),
    }


def _journey_name(about: About, practice: Practice) -> str:
    journey = practice.journeys.get(about.journey_key)
    return journey.name if journey else ""


def _stage_name(about: About, practice: Practice, audience: str) -> str:
    """The name of a block is clinical: a patient does not read it in an automatic mail."""
    journey = practice.journeys.get(about.journey_key)
    if journey is None or not about.stage:
        return ""
    stage = journey.stages.get(about.stage)
    if audience == Audience.PATIENT and stage is not None and stage.is_blocking:
        return _("under review")
    return journey.label(about.stage)


def _problems_of(words: str, *, is_subject: bool) -> Iterator[Problem]:
    if not words.strip():
        yield Problem("", "text_missing", _("Write what it shall say."))
    if any(c == "\x00" or "\ud800" <= c <= "\udfff" for c in words):
        unstorable = _("It holds characters that cannot be stored.")
        yield Problem("", "unstorable_text", unstorable)
    if is_subject and placeholders.CONTROL.search(words):
        yield Problem("", "subject_one_line", _("A subject is one line."))
    yield from placeholders.problems(words, in_subject=is_subject)


MAX_SUBJECT: Final = 150  # characters as the author writes it; the filled one has room for more
MAX_BODY: Final = 10_000
MAX_TASK: Final = 2_000
