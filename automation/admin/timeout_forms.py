"""The forms of a time-out: the one that edits its hours and texts, and the one for a new one.

They write the definition that a rule is kept as, and put each of its problems (`automation.
validation`, by JSON pointer) beside the field that it is about. Only time-outs, and of these only
what a practice changes often: conditions and other actions stay as they are.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, Final, cast

from django import forms
from django.utils import formats
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from automation.actions.base import Practice
from automation.definition import hours
from automation.judging import TIMEOUT
from automation.placeholders import PLACEHOLDERS
from automation.problems import Problem
from automation.ready import mail, said, task
from automation.validation import problems_of
from journeys.admin.badges import badge_of
from journeys.admin.choices import Choice
from kura.accounts.models import Language

DAY: Final = 24  # hours; also what a person is given who is asked to look
_UNCLEAR: Final = re.compile(r"[1-9]\d{0,2}[.,]\d{3}", re.ASCII)
_TEXTS: Final = {"send_email": ("subject", "body"), "create_task": ("text",)}
_LABELS: Final[Mapping[tuple[str, str], Promise]] = {
    ("subject", "es"): gettext_lazy("Subject in Spanish"),
    ("subject", "en"): gettext_lazy("Subject in English"),
    ("body", "es"): gettext_lazy("Text of the e-mail in Spanish"),
    ("body", "en"): gettext_lazy("Text of the e-mail in English"),
    ("text", "es"): gettext_lazy("Text of the task in Spanish"),
    ("text", "en"): gettext_lazy("Text of the task in English"),
}


def days_words(value: object) -> str:
    """As in "48 h (2 days)"; '' for what is no number of hours."""
    exact = hours(_number(value))
    if exact is None:
        return ""
    told = f"{shown_hours(exact)} h"
    days, rest = divmod(exact, DAY)
    if not days:
        return told
    words = ngettext("%(number)s day", "%(number)s days", int(days)) % {"number": int(days)}
    return f"{told} ({words} {shown_hours(rest)} h)" if rest else f"{told} ({words})"


def shown_hours(value: object) -> str:
    """As it is typed in the reader's language: without zeros at the end."""
    exact = hours(value)
    if exact is None:
        return "" if value is None else str(value)
    whole = int(exact)
    shown = whole if whole == exact else exact.normalize()
    return str(formats.localize(shown, use_l10n=True)) if whole != exact else str(shown)


def _number(typed: object) -> object:
    """A Spanish keyboard writes "1,5"; '' becomes None."""
    return typed.strip().replace(",", ".") or None if isinstance(typed, str) else typed


class HoursField(forms.CharField):
    """Text, so that `automation.definition` alone decides what a number of hours is."""

    widget = forms.TextInput(attrs={"inputmode": "decimal", "size": 10})

    def to_python(self, value: Any) -> Any:
        return _number(super().to_python(value))


class TextField(forms.CharField):
    def __init__(self, member: str, language: str, **options: Any) -> None:
        widget = (
            forms.TextInput(attrs={"size": 60})
            if member == "subject"
            else forms.Textarea(attrs={"rows": 8 if member == "body" else 3})
        )
        options["label"] = _LABELS[member, language]
        super().__init__(widget=widget, strip=False, **options)

    def to_python(self, value: Any) -> Any:
        """Browsers send a line's end as two characters; the rule keeps one."""
        return (super().to_python(value) or "").replace("\r\n", "\n")


class ClockForm(forms.Form):
    """What every time-out has. `pointers`: which field a problem of the definition stands at."""

    name = forms.CharField(label=gettext_lazy("Name of the rule"), widget=forms.TextInput)
    max_hours = HoursField(
        label=gettext_lazy("Hours in the stage"),
        help_text=gettext_lazy("24 hours are a day, 168 a week."),
    )
    repeat_hours = HoursField(
        label=gettext_lazy("Again every so many hours"),
        required=False,
        help_text=gettext_lazy("Empty: once."),
    )
    max_repeats = forms.IntegerField(
        label=gettext_lazy("At most so many times in all"),
        required=False,
        widget=forms.TextInput(attrs={"inputmode": "numeric", "size": 10}),
        help_text=gettext_lazy("Empty: until the patient moves."),
    )

    def __init__(self, *args: Any, practice: Practice, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.practice = practice
        clock = ("name", "max_hours", "repeat_hours", "max_repeats")
        self.pointers = {f"/{name}": name for name in clock}
        self.wanted: dict[str, Any] = {}

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        if cleaned.get("max_repeats") is not None and cleaned.get("repeat_hours") is None:
            words = _("Say after how many hours, or leave the number of times empty.")
            self._say("repeat_hours", words)
        for name in ("max_hours", "repeat_hours"):
            self._require_clear(name)
        self.wanted = self.definition()
        self.show(problems_of(self.wanted, self.practice))
        return cleaned

    def _require_clear(self, name: str) -> None:
        """Whether "1.000" is one or a thousand depends on who reads it."""
        typed = str(self[name].data or "").strip()
        if _UNCLEAR.fullmatch(typed) and typed != self.initial.get(name):
            words = _("Write a thousand as 1000, and parts of an hour with one or two decimals.")
            self._say(name, words)

    def definition(self) -> dict[str, Any]:
        raise NotImplementedError

    def clock(self) -> dict[str, Any]:
        given = self.cleaned_data
        members = ("name", "max_hours", "repeat_hours", "max_repeats")
        return {name: given.get(name) for name in members} | {"name": given.get("name", "")}

    def show(self, problems: Iterable[Problem]) -> None:
        """Each beside its field, or above the form when it is about something else."""
        for problem in problems:
            self._say(self._field_at(problem.pointer), str(problem.message))

    def _field_at(self, pointer: str) -> str | None:
        while pointer and pointer not in self.pointers:
            pointer = pointer.rpartition("/")[0]
        return self.pointers.get(pointer)

    def _say(self, name: str | None, words: str) -> None:
        """One error a field: the first is what has to be put right first."""
        if name is None or name not in self.errors:
            self.add_error(name, words)

    @property
    def clock_fields(self) -> Iterator[tuple[forms.BoundField, str]]:
        for name in ("name", "max_hours", "repeat_hours", "max_repeats"):
            is_hours = name.endswith("_hours")
            yield self[name], days_words(self[name].value()) if is_hours else ""


@dataclass(frozen=True, slots=True)
class Group:
    """The texts of one action under its heading."""

    legend: str
    fields: list[forms.BoundField]


class TimeoutForm(ClockForm):
    """Of a rule that there is. What it does not show stays."""

    def __init__(self, *args: Any, rule: Mapping[str, Any], **kwargs: Any) -> None:
        initial = {"name": rule["name"], "max_repeats": rule["max_repeats"]}
        initial |= {one: shown_hours(rule[one]) for one in ("max_hours", "repeat_hours")}
        super().__init__(*args, initial=initial, **kwargs)
        self.rule = rule
        self.texts = list(_texts(rule["actions"]))
        for text in self.texts:
            self.pointers |= text.pointers
            for language, name in text.names.items():
                self.fields[name] = TextField(text.member, language, initial=text.said(language))

    def definition(self) -> dict[str, Any]:
        actions = deepcopy(self.rule["actions"])
        for text in self.texts:
            given = {
                language: self.cleaned_data.get(name, "") for language, name in text.names.items()
            }
            actions[text.index]["params"][text.member] = text.written(given)
        return {**self.rule, **self.clock(), "actions": actions}

    @property
    def groups(self) -> list[Group]:
        found: dict[int, Group] = {}
        for text in self.texts:
            group = found.setdefault(text.index, Group(text.legend, []))
            group.fields.extend(self[name] for name in text.names.values())
        return list(found.values())


@dataclass(frozen=True, slots=True)
class _Text:
    """One text of one action, in both languages."""

    index: int
    action: Mapping[str, Any]
    member: str

    @property
    def names(self) -> dict[str, str]:
        return {one.value: f"action-{self.index}-{self.member}-{one.value}" for one in Language}

    @property
    def pointers(self) -> dict[str, str]:
        place = f"/actions/{self.index}/params/{self.member}"
        both = {f"{place}/{language}": name for language, name in self.names.items()}
        return both | {place: next(iter(self.names.values()))}

    @property
    def legend(self) -> str:
        is_mail = self.action["type"] == "send_email"
        words = _("Action %(number)s: e-mail") if is_mail else _("Action %(number)s: task")
        return words % {"number": self.index + 1}

    def said(self, language: str) -> str:
        text = self.action["params"].get(self.member, "")
        return str(text.get(language, "") if isinstance(text, Mapping) else text)

    def written(self, given: Mapping[str, str]) -> str | dict[str, str]:
        """One text for both stays one as long as both say the same."""
        was_one = isinstance(self.action["params"].get(self.member), str)
        return next(iter(given.values())) if was_one and len({*given.values()}) == 1 else {**given}


def _texts(actions: Iterable[Mapping[str, Any]]) -> Iterator[_Text]:
    for index, action in enumerate(actions):
        if isinstance(action.get("params"), Mapping):
            for member in _TEXTS.get(action["type"], ()):
                yield _Text(index, action, member)


# --- a new one ------------------------------------------------------------------------------------

PATIENT: Final = "patient"
THERAPIST: Final = "therapist"
BOTH: Final = "both"
_MAIL: Final = ("subject_es", "subject_en", "body_es", "body_en")
_TASK: Final = ("text_es", "text_en")
_SUBJECT: Final = said("Recordatorio: {journey.name}", "Reminder: {journey.name}")
_BODY: Final = said(
    "Hola, {patient.first_name}:\n\nTe esperamos en «{journey.name}»: falta un paso por tu parte. "
    "Si ya lo has hecho, no tienes que hacer nada más. Si tienes dudas, escríbenos.\n\n"
    "{practice.name}",
    "Hello {patient.first_name},\n\nWe are waiting for you in “{journey.name}”: one step is still "
    "yours to take. If you have done it already, there is nothing more to do. If you have "
    "questions, write to us.\n\n{practice.name}",
)
_LOOK: Final = said(
    "{patient.full_name} sigue en «{stage.name}» de «{journey.name}» ({hours_in_stage} h). Llama o "
    "decide cómo seguir.",
    "{patient.full_name} is still in “{stage.name}” of “{journey.name}” ({hours_in_stage} h). "
    "Call, or decide how to go on.",
)


class NewTimeoutForm(ClockForm):
    """`place`: a journey and one of its open stages, as "key:STAGE"; nothing else can be chosen."""

    place = forms.ChoiceField(label=gettext_lazy("Journey and stage"))
    action = forms.ChoiceField(
        label=gettext_lazy("What shall happen?"),
        choices=[
            (PATIENT, gettext_lazy("Remind the patient by e-mail")),
            (THERAPIST, gettext_lazy("Give the therapist a task")),
            (BOTH, gettext_lazy("Both")),
        ],
        initial=PATIENT,
        widget=forms.RadioSelect,
    )
    subject_es = TextField("subject", "es", required=False, initial=_SUBJECT["es"])
    subject_en = TextField("subject", "en", required=False, initial=_SUBJECT["en"])
    body_es = TextField("body", "es", required=False, initial=_BODY["es"])
    body_en = TextField("body", "en", required=False, initial=_BODY["en"])
    text_es = TextField("text", "es", required=False, initial=_LOOK["es"])
    text_en = TextField("text", "en", required=False, initial=_LOOK["en"])

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        place = cast("forms.ChoiceField", self.fields["place"])
        place.choices = [("", _("Choose a stage")), *_places(self.practice)]
        self.pointers |= {"/journey_key": "place", "/stage": "place"}

    def definition(self) -> dict[str, Any]:
        given = self.cleaned_data
        key, _colon, stage = given.get("place", "").partition(":")
        actions = list(self._actions())
        return {
            **self.clock(),
            "trigger_event": TIMEOUT,
            "journey_key": key,
            "stage": stage,
            "conditions": {},
            "actions": actions,
        }

    def _actions(self) -> Iterator[dict[str, Any]]:
        chosen, number = self.cleaned_data.get("action"), 0
        if chosen in {PATIENT, BOTH}:
            self._stands_at(number, _MAIL)
            number += 1
            yield mail(self._said("subject"), self._said("body"))
        if chosen in {THERAPIST, BOTH}:
            self._stands_at(number, _TASK)
            yield task(self._said("text"), due_in_hours=DAY)

    def _said(self, member: str) -> dict[str, str]:
        return {one.value: self.cleaned_data.get(f"{member}_{one}", "") for one in Language}

    def _stands_at(self, number: int, names: Iterable[str]) -> None:
        """What is not asked for by the chosen action may be empty; the rest is obligatory."""
        for name in names:
            self.pointers[f"/actions/{number}/params/{name.replace('_', '/')}"] = name
            if not self.cleaned_data.get(name):
                self._say(name, _("This field is required."))

    @property
    def groups(self) -> list[Group]:
        return [
            Group(_("If the patient is reminded"), [self[name] for name in _MAIL]),
            Group(_("If the therapist is given a task"), [self[name] for name in _TASK]),
        ]

    @property
    def action_choices(self) -> list[Choice]:
        field, chosen = cast("forms.ChoiceField", self.fields["action"]), self["action"].value()
        return [
            Choice(value=value, label=str(label), words="", checked=value == chosen)
            for value, label in cast("Iterable[tuple[str, Promise]]", field.choices)
        ]


def _places(practice: Practice) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """Journeys that are open, each with the stages in which somebody can wait."""
    for journey in sorted(practice.journeys.values(), key=lambda one: (one.name, one.key)):
        stages = [
            (f"{journey.key}:{code}", badge_of(stage).word)
            for code, stage in journey.allowed.items()
            if not stage.is_closed
        ]
        if journey.is_active and stages:
            yield journey.name, stages


def placeholder_words(language: str) -> list[tuple[str, str, bool]]:
    """Each placeholder as it is typed, what it stands for, and whether a subject may hold it."""
    return [
        (f"{{{one.name}}}", one.labels[language], one.in_subject) for one in PLACEHOLDERS.values()
    ]
