"""The form of a new template: a name, and something to begin with.

Who makes a journey thinks of its name and of what happens in it. The key is for programs and is
made from the name unless somebody gives one; a list of stages may be written in plain words.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from django import forms
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from journeys.admin.template_draft import MOST_STAGES, free_code
from journeys.blueprints import Blueprint, StageDraft, problems_of, stages_from_codes
from journeys.models.template import JourneyTemplate
from journeys.starts import STARTS
from kura.accounts.tenant_admin import TenantForm

OWN: Final = "own"
LONGEST_KEY: Final = 60
_CODE: Final = re.compile(r"[A-Z][A-Z0-9]*(_[A-Z0-9]+)*")
_IN_TWO_LANGUAGES: Final = " / "
_OWN_WORDS: Final = _("My own list of stages")


@dataclass(frozen=True, kw_only=True, slots=True)
class Choice:
    """`words`: the stages by name. Named as `kura/_choices.html` reads it."""

    value: str
    label: str
    words: str
    checked: bool
    ahead: tuple[str, ...] = ()
    kind: str = "possible"


class NewTemplateForm(TenantForm):
    """`allowed_stages`: one a line, as a name, as two ("Español / English") or as a code; the
    standard codes bring their meaning along. Asked for only with `start` "own".
    """

    start = forms.ChoiceField(
        label=_("Begin with"),
        required=False,
        choices=[*((one.key, one.label) for one in STARTS.values()), (OWN, _OWN_WORDS)],
        initial=next(iter(STARTS)),
    )
    allowed_stages = forms.CharField(
        label=_("Allowed stages"),
        required=False,
        widget=forms.Textarea(attrs={"rows": 8}),
        help_text=_("One a line, in order. In both languages like this: “En curso / Under way”."),
    )
    endless = forms.BooleanField(
        label=_("This journey has no end"),
        required=False,
        help_text=_("Confirm it if no stage finishes or cancels the journey."),
    )

    class Meta:
        model = JourneyTemplate
        fields = ("name", "key", "initial_stage")
        labels = {"name": _("Name of the journey")}
        help_texts = {
            "key": _("For programs. Empty: made from the name."),
            "initial_stage": _("Empty: the first one of the list."),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["key"].required = self.fields["initial_stage"].required = False

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if not self._begins_with_own(cleaned):
            return cleaned
        if not cleaned.get("allowed_stages", "").strip():
            self.add_error("allowed_stages", gettext("Write the stages, one a line."))
        return cleaned

    def _post_clean(self) -> None:
        """The key is made before the row is checked, and with it that the key is free."""
        if "key" not in self.errors and "name" in self.cleaned_data:
            self.cleaned_data["key"] = self.cleaned_data["key"] or self._free_key()
        if not self.errors:
            for problem in problems_of(self.blueprint()):
                self.add_error(None, problem)
            self.cleaned_data["initial_stage"] = self.blueprint().initial_stage
        super()._post_clean()  # type: ignore[misc]

    def blueprint(self) -> Blueprint:
        """Inactive: nobody is enrolled before somebody has looked at it."""
        given = self.cleaned_data
        start = STARTS.get(given.get("start") or OWN)
        own = start is None or self._begins_with_own(given)
        stages = [*_stages(given["allowed_stages"])] if own or start is None else start.stages
        named = given["initial_stage"].strip() if own else ""
        return Blueprint(
            key=given["key"],
            name=given["name"],
            initial_stage=named or (stages[0].code if stages else ""),
            stages=stages,
            moves=() if own or start is None else start.moves,
            is_active=False,
            endless=given["endless"],
        )

    @property
    def starts(self) -> list[Choice]:
        """What can be chosen, in the reader's language."""
        chosen = self["start"].value()
        ways = {one.key: one.way for one in STARTS.values()}
        ways[OWN] = gettext("Written below, in your own words.")
        names = dict(self.fields["start"].choices)  # type: ignore[attr-defined]
        return [
            Choice(value=key, label=str(names[key]), words=words, checked=key == chosen)
            for key, words in ways.items()
        ]

    @property
    def opens_own(self) -> bool:
        asked = {"allowed_stages", "initial_stage", "endless"}
        return self["start"].value() == OWN or bool(asked & set(self.errors))

    @staticmethod
    def _begins_with_own(given: dict[str, Any]) -> bool:
        return (given.get("start") or OWN) == OWN

    def _free_key(self) -> str:
        rows = JourneyTemplate.objects.filter(organization=self.organization_id)
        taken = set(rows.values_list("key", flat=True))
        stem = key_from(self.cleaned_data["name"])
        numbered = (f"{stem[: LONGEST_KEY - 5]}_{number}" for number in range(2, len(taken) + 3))
        return next(key for key in (stem, *numbered) if key not in taken)


def key_from(name: str) -> str:
    """retiro_de_otono"""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "_", plain)[:LONGEST_KEY].strip("_") or "journey"


def _stages(text: str) -> Iterator[StageDraft]:
    taken: set[str] = set()
    for line in [one.strip() for one in text.splitlines() if one.strip()][: MOST_STAGES + 1]:
        stage = _stage(line, taken)
        taken.add(stage.code)
        yield stage


def _stage(line: str, taken: set[str]) -> StageDraft:
    if _CODE.fullmatch(line):
        return stages_from_codes([line])[0]
    spanish, _slash, english = (part.strip() for part in line.partition(_IN_TWO_LANGUAGES))
    english = english or spanish
    return StageDraft(code=free_code(english, taken), label_es=spanish, label_en=english)
