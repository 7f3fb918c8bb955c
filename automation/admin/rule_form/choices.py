"""What can be chosen in the form of a rule: the vocabulary that the API serves, in words.

What a rule says already is among the choices also when nobody could choose it any more: a page
never changes a rule by being unable to show it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

from django.utils.functional import Promise
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from automation.actions import ACTIONS
from automation.actions.base import Practice
from automation.admin.rule_form.params import CUSTOM
from automation.admin.rule_form.values import NO, YES
from automation.admin.rule_form.written import PAYLOAD
from automation.judging import TIMEOUT
from automation.models.message import Audience
from automation.values import in_language
from automation.vocabulary import common_paths, payload_paths, practice_fields, unit_of
from journeys.admin.badges import badge_of
from journeys.event_types import EVENT_TYPES
from journeys.selectors.history import event_label
from kura.conditions import OPERATORS, Field, FieldLookup

Choice = tuple[str, str]
Grouped = Sequence[Choice | tuple[str, Sequence[Choice]]]
_GROUPS: Final[Sequence[tuple[tuple[str, ...], Promise]]] = (
    (("event.",), gettext_lazy("The event")),
    (("patient.",), gettext_lazy("The patient")),
    (("journey.",), gettext_lazy("The journey of the event")),
    (("journeys.",), gettext_lazy("Where the patient is")),
    (("events.",), gettext_lazy("What has happened in the journey")),
)
_AUDIENCES: Final[Mapping[str, Promise]] = {
    Audience.PATIENT: gettext_lazy("The patient"),
    Audience.THERAPIST: gettext_lazy("The patient’s therapist"),
    Audience.PRACTICE: gettext_lazy("The practice"),
}
UNITS: Final[Mapping[str, Promise]] = {
    "hours": gettext_lazy("hours"),
    "cents": gettext_lazy("cents"),
}


@dataclass(frozen=True)
class Vocabulary:
    """For one rule: its practice, its trigger and the journey it is narrowed to. One query."""

    practice: Practice
    trigger_event: str
    journey_key: str
    _known: dict[str, Field | None] = field(default_factory=dict)

    @cached_property
    def _lookup(self) -> FieldLookup:
        return practice_fields(self.trigger_event, self.journey_key, self.practice)

    def field(self, path: str) -> Field | None:
        if path not in self._known:
            self._known[path] = self._lookup(path) if path else None
        return self._known[path]

    # --- when -----------------------------------------------------------------------------------

    def events(self, current: str) -> list[Choice]:
        known = [(name, event_label(name)) for name in EVENT_TYPES]
        own = (CUSTOM, _("An event of your own"))
        return [("", _("Choose an event")), *_with(current, [*known, own], event_label)]

    def journeys(self, current: str, nothing: str) -> list[Choice]:
        """Those that take patients; a closed one only where the rule says it already."""
        offered = sorted(
            (one.name, one.key)
            for one in self.practice.journeys.values()
            if one.is_active or one.key == current
        )
        return [("", nothing), *_with(current, [(key, name) for name, key in offered], str)]

    def stages(self, key: str, current: str, nothing: str) -> list[Choice]:
        """Of a journey, or of all of them where it is left open."""
        return [("", nothing), *_with(current, list(self._stages(key)), _readable)]

    def _stages(self, key: str) -> Iterator[Choice]:
        seen: set[str] = set()
        waits = self.trigger_event == TIMEOUT
        wanted = self.practice.journeys.get(key)
        for journey in [wanted] if wanted else [] if key else self.practice.journeys.values():
            for code, stage in journey.allowed.items():
                if code not in seen and not (waits and stage.is_closed):
                    seen.add(code)
                    yield code, badge_of(stage).word

    def targets(self, key: str, current: str, nothing: str) -> list[Choice]:
        """The stages that an action may lead to."""
        journey = self.practice.journeys.get(key)
        stages = journey.allowed.items() if journey else ()
        known = [(code, badge_of(stage).word) for code, stage in stages]
        return [("", nothing), *_with(current, known, _readable)]

    # --- if -------------------------------------------------------------------------------------

    @cached_property
    def _fields(self) -> list[tuple[str, list[Choice]]]:
        """One group for each kind of thing that can be asked; made once for all conditions."""
        paths = [*payload_paths(self.trigger_event), *common_paths(self.practice)]
        found = [(path, self.field_label(path)) for path in paths if self.field(path)]
        if self.trigger_event.startswith(CUSTOM):
            found.insert(0, (PAYLOAD, _("What the event says about…")))
        return [
            (str(words), [one for one in found if one[0].startswith(starts)])
            for starts, words in _GROUPS
        ]

    def fields(self, current: str) -> Grouped:
        known = {path for _words, choices in self._fields for path, _label in choices}
        extra = [] if current in known or not current else [(current, self.field_label(current))]
        return [("", _("Choose")), *extra, *self._fields]

    def field_label(self, path: str) -> str:
        found = self.field(path)
        return capfirst(in_language(found.labels)) if found else _readable(path)

    def operators(self, path: str, current: str) -> list[Choice]:
        found = self.field(path)
        fit = [
            (one.name, operator_words(one.name))
            for one in OPERATORS.values()
            if found is not None and found.type in one.types
        ]
        return _with(current, fit, operator_words)

    def values(self, path: str, current: Sequence[str]) -> list[Choice] | None:
        """The field's choices; None where any value may be given."""
        found = self.field(path)
        if found is None or found.choices is None:
            return None
        choices = [(value, capfirst(in_language(words))) for value, words in found.choices.items()]
        for value in current:
            choices = _with(value, choices, _readable)
        return choices

    def unit(self, path: str) -> str:
        """In words; '' for what has none."""
        unit = unit_of(path)
        return str(UNITS[unit]) if unit else ""

    # --- then -----------------------------------------------------------------------------------

    def actions(self, current: str) -> list[Choice]:
        known = [(name, capfirst(in_language(one.labels))) for name, one in ACTIONS.items()]
        return [("", _("Choose an action")), *_with(current, known, _readable)]

    def one_of(self, offered: Sequence[str], current: str) -> list[Choice]:
        """The choices of a part of an action."""
        known = [(one, str(_AUDIENCES.get(one, _readable(one)))) for one in offered]
        return [("", _("Choose")), *_with(current, known, _readable)]


def yes_or_no(current: str, nothing: str) -> list[Choice]:
    known = [(YES, _("Yes")), (NO, _("No"))]
    return [("", nothing), *_with(current, known, str)]


def operator_words(name: str) -> str:
    """Of the operator's sentence what stands between its field and its value: "is at least"."""
    operator = OPERATORS.get(name)
    if operator is None:
        return name
    return (str(operator.sentence) % {"field": "", "value": ""}).strip(" :")


def _with(current: str, known: list[Any], words: Callable[[str], str]) -> list[Any]:
    if not current or any(value == current for value, _label in known):
        return known
    return [*known, (current, _("%(name)s (not known here)") % {"name": words(current)})]


def _readable(code: str) -> str:
    """Of a name that nobody knows: "AWAITING_PAYMENT" becomes "Awaiting payment"."""
    return code.rpartition(".")[2].replace("_", " ").capitalize()
