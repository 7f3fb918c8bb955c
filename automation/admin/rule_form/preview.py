"""A text of a rule as it would be read: placeholders filled in with an invented person.

Practice, journey and stage are the rule's own; the person is nobody, so that writing a rule shows
no patient.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from django.utils import translation
from django.utils.translation import gettext as _

from automation.actions.base import Practice
from automation.actions.targets import stage_words
from automation.admin.rule_form.params import LANGUAGES
from automation.admin.rule_form.rows import ActionRow
from automation.definition import hours
from automation.placeholders import fill, plain

_TEXTS: Final = {"send_email": ("subject", "body"), "create_task": ("text",)}
_EXAMPLE_HOURS: Final = 48


@dataclass(frozen=True, slots=True)
class Letter:
    """In one language. `subject` is '' for a task."""

    language: str
    subject: str
    body: str


def letters_of(row: ActionRow, rule: Mapping[str, Any], practice: Practice) -> list[Letter]:
    """Nothing for an action that writes nothing, and for one without a word yet."""
    return [] if row.type not in _TEXTS else list(_letters(row, rule, practice))


def _letters(row: ActionRow, rule: Mapping[str, Any], practice: Practice) -> Iterator[Letter]:
    subject, body = _TEXTS[row.type] if row.type == "send_email" else ("", *_TEXTS[row.type])
    for language in LANGUAGES:
        values = _values(rule, practice, language)
        texts = [
            fill(row.texts.get(f"{name}-{language}", ""), values) if name else ""
            for name in (subject, body)
        ]
        if any(texts):
            yield Letter(language, plain(texts[0]), texts[1])


def _values(rule: Mapping[str, Any], practice: Practice, language: str) -> dict[str, str]:
    with translation.override(language):
        key, stage = str(rule.get("journey_key") or ""), str(rule.get("stage") or "")
        journey, label = stage_words(key, stage, practice) if key in practice.journeys else ("", "")
        limit = hours(rule.get("max_hours"))
        return {
            "patient.first_name": "Marta",
            "patient.full_name": "Marta Soler",
            "journey.name": journey or _("the process"),
            "stage.name": label or _("the current stage"),
            "practice.name": plain(practice.organization.name),
            "therapist.name": "Laura Vidal",
            "hours_in_stage": str(_EXAMPLE_HOURS if limit is None else int(limit)),
        }
