"""What a text of a rule may name: a closed list, put in literally, once. No template language.

A subject is read over shoulders and on locked screens, so it may name nobody in full and nothing
clinical: no stage (a block is one), no time in it, nothing of what an event said.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from django.utils.translation import gettext as _

from automation.problems import Problem
from journeys.event_types import names
from kura.conditions import Labels

MAX_VALUE: Final = 200  # characters of one value
# Control characters, line separators, and marks that turn the direction of what follows.
CONTROL: Final = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)
_PLACEHOLDER: Final = re.compile(r"\{([^{}]*)\}")


@dataclass(frozen=True, slots=True)
class Placeholder:
    name: str
    labels: Labels
    in_subject: bool


PLACEHOLDERS: Final = {
    known.name: known
    for known in (
        Placeholder(
            "patient.first_name",
            names("nombre de pila del paciente", "patient's first name"),
            in_subject=True,
        ),
        Placeholder(
            "patient.full_name",
            names("nombre completo del paciente", "patient's full name"),
            in_subject=False,
        ),
        Placeholder(
            "journey.name", names("nombre del journey", "name of the journey"), in_subject=True
        ),
        Placeholder("stage.name", names("etapa", "stage"), in_subject=False),
        Placeholder(
            "practice.name", names("nombre del centro", "name of the practice"), in_subject=True
        ),
        Placeholder(
            "therapist.name", names("nombre del terapeuta", "therapist's name"), in_subject=True
        ),
        Placeholder(
            "hours_in_stage", names("horas en la etapa", "hours in the stage"), in_subject=False
        ),
    )
}


def problems(text: str, *, in_subject: bool) -> Iterator[Problem]:
    """Pointers are empty: the caller knows where the text stands."""
    for name in _PLACEHOLDER.findall(text):
        known = PLACEHOLDERS.get(name)
        if known is None:
            yield _unknown(name, in_subject=in_subject)
        elif in_subject and not known.in_subject:
            yield _not_in_subject(name)
    if re.search(r"[{}]", _PLACEHOLDER.sub("", text)):
        words = _("A brace stands alone. A placeholder looks like {patient.first_name}.")
        yield Problem("", "unbalanced_brace", words)


def fill(text: str, values: Mapping[str, str]) -> str:
    """Each known name by its value, in one pass: what a value contains is never looked at."""
    return _PLACEHOLDER.sub(lambda found: values.get(found[1], found[0]), text)


def plain(value: object) -> str:
    """A value as one line of ordinary characters; '' when there is none."""
    line = "" if value is None else str(value)
    return " ".join(CONTROL.sub(" ", line).split())[:MAX_VALUE]


def in_words(text: str, language: str) -> str:
    """For who reads a rule: "[name of the journey]" instead of "{journey.name}"."""

    def said(found: re.Match[str]) -> str:
        known = PLACEHOLDERS.get(found[1])
        return f"[{known.labels[language]}]" if known and language in known.labels else found[0]

    return _PLACEHOLDER.sub(said, text)


def _unknown(name: str, *, in_subject: bool) -> Problem:
    known = [one.name for one in PLACEHOLDERS.values() if one.in_subject or not in_subject]
    words = _("“%(name)s” is no placeholder. Known ones: %(known)s.") % {
        "name": f"{{{name[:60]}}}",
        "known": ", ".join(f"{{{one}}}" for one in known),
    }
    return Problem("", "unknown_placeholder", words)


def _not_in_subject(name: str) -> Problem:
    words = _("“%(name)s” may not stand in a subject: others could read it there.") % {
        "name": f"{{{name}}}"
    }
    return Problem("", "placeholder_not_in_subject", words)
