"""The forms of the template pages. They ask; the review and the services decide."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from journeys.admin import conditions
from journeys.admin.template_draft import ENTRANCE, Draft, MoveRow
from journeys.blueprints import MAX_HELP
from journeys.models.template import CLOSED_STATUSES, StageStatus, Turn

Choices = Sequence[tuple[str, str]]


class HeadForm(forms.Form):
    name = forms.CharField(label=_("Name of the journey"), max_length=200)
    initial_stage = forms.ChoiceField(label=_("Patients begin in"))

    def __init__(self, *args: Any, stages: Choices, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["initial_stage"].choices = stages  # type: ignore[attr-defined]
        self.fields["initial_stage"].error_messages["required"] = _("Choose a stage.")
        self.fields["initial_stage"].error_messages["invalid_choice"] = _("Choose a stage.")


def _help(label: Any) -> forms.CharField:
    area = forms.Textarea(attrs={"rows": 2})
    return forms.CharField(label=label, required=False, max_length=MAX_HELP, widget=area)


class StageForm(forms.Form):
    """`status` says in words what it means: one of them blocks, two close."""

    label_es = forms.CharField(label=_("Name in Spanish"), max_length=120)
    label_en = forms.CharField(label=_("Name in English"), max_length=120)
    status = forms.ChoiceField(
        label=_("Status"),
        choices=[
            (StageStatus.PLANNED, StageStatus.PLANNED.label),
            (StageStatus.WAITLIST, StageStatus.WAITLIST.label),
            (StageStatus.ACTIVE, StageStatus.ACTIVE.label),
            (StageStatus.ON_HOLD, _("On hold: blocks")),
            (StageStatus.FINISHED, _("Finished: closes")),
            (StageStatus.CANCELLED, _("Cancelled: closes")),
        ],
    )
    whose_turn = forms.ChoiceField(label=_("Whose turn"), choices=Turn.choices)
    help_es = _help(_("Help in Spanish"))
    help_en = _help(_("Help in English"))
    code = forms.RegexField(
        r"^[A-Z][A-Z0-9_]{0,59}\Z",
        label=_("Code, for programs"),
        required=False,
        strip=True,
        help_text=_("Capital letters, digits and underscores. Empty: made from the English name."),
    )
    was = forms.CharField(required=False, widget=forms.HiddenInput)

    def __init__(self, *args: Any, is_new: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.is_new = is_new
        if not is_new:
            self.fields["code"].widget = forms.HiddenInput()


class TransitionForm(forms.Form):
    """One row of the graph. `kept` travels with the page and is never edited there."""

    start = forms.ChoiceField(label=_("From"))
    end = forms.ChoiceField(label=_("To"))
    condition = forms.ChoiceField(label=_("Condition"), required=False)
    reason = forms.BooleanField(label=_("With a reason"), required=False)
    kept = forms.CharField(required=False, widget=forms.HiddenInput)

    def __init__(self, *args: Any, stages: Choices, row: MoveRow, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.row = row
        own = bool(row.kept) and bool(MoveRow(condition=conditions.OWN, kept=row.kept).guard)
        choose = ("", _("Choose…"))
        chosen: Mapping[str, Any] = {
            "start": [choose, (ENTRANCE, _("Enrollment")), *stages],
            "end": [choose, *stages],
            "condition": conditions.choices(with_own=own),
        }
        for name, options in chosen.items():
            self.fields[name].choices = options  # type: ignore[attr-defined]
            self.fields[name].error_messages |= {
                "required": _("Choose a stage."),
                "invalid_choice": _("Choose one of the list."),
            }

    def clean_kept(self) -> str:
        """Only what this page wrote itself: an object with a guard and a permission."""
        text = str(self.cleaned_data["kept"])
        try:
            kept = json.loads(text or "{}")
        except (ValueError, RecursionError):
            kept = None
        shaped = isinstance(kept, dict) and isinstance(kept.get("guard", {}), dict)
        if not (shaped and isinstance(kept.get("permission", ""), str)):
            raise forms.ValidationError(_("The condition of this move cannot be read."))
        return text

    @property
    def branch(self) -> conditions.Branch | None:
        """The condition that no choice says, whole and in words."""
        return conditions.branch_of(self.row.guard) if self.row.condition == "own" else None


class Rows:
    """All forms of one draft. Bound ones show what is wrong, unbound ones what stands there."""

    def __init__(self, draft: Draft, *, known: set[str], bound: bool) -> None:
        named = [(stage.code, stage.as_draft().label) for stage in draft.named]
        head = {"name": draft.name, "initial_stage": draft.initial_stage}
        self.bound = bound
        self.head = HeadForm(**self._filled(head, ""), stages=named)
        self.stages = [
            StageForm(**self._filled(asdict(row), f"stages-{number}"), is_new=row.code not in known)
            for number, row in enumerate(draft.stages)
        ]
        self.moves = [
            TransitionForm(**self._filled(asdict(row), f"moves-{number}"), stages=named, row=row)
            for number, row in enumerate(draft.moves)
        ]
        if bound:
            self._validate(draft)

    def _filled(self, values: dict[str, Any], prefix: str) -> dict[str, Any]:
        if not self.bound:
            return {"initial": values, "prefix": prefix or None}
        data = {f"{prefix}-{name}" if prefix else name: value for name, value in values.items()}
        return {"data": data, "prefix": prefix or None}

    def focus(self, name: str) -> None:
        """The field of this name takes the focus when the page is there."""
        for form in self.forms:
            for field in form:
                if field.html_name == name:
                    field.field.widget.attrs["autofocus"] = True

    @property
    def forms(self) -> list[forms.Form]:
        return [self.head, *self.stages, *self.moves]

    @property
    def mistakes(self) -> int:
        return sum(len(form.errors) for form in self.forms)

    def _validate(self, draft: Draft) -> None:
        """What is wrong between the rows, beside the field where it can be mended."""
        self._codes_once(draft)
        seen: set[tuple[str, str]] = set()
        closed = {row.code for row in draft.named if row.as_draft().status in CLOSED_STATUSES}
        for form, row in zip(self.moves, draft.moves, strict=True):
            if not form.is_valid():
                continue
            if row.start == row.end:
                form.add_error("end", _("Choose another stage: this move goes nowhere."))
            elif (row.start, row.end) in seen:
                form.add_error("end", _("This move is listed twice."))
            elif row.start in closed:
                form.add_error("start", _("This stage closes the journey: no move leaves it."))
            seen.add((row.start, row.end))

    def _codes_once(self, draft: Draft) -> None:
        seen: set[str] = set()
        for form, row in zip(self.stages, draft.stages, strict=True):
            if form.is_valid() and row.code in seen and form.is_new:
                form.add_error("code", _("Two stages of a template cannot have the same code."))
            seen.add(row.code)


class CloneForm(forms.Form):
    name = forms.CharField(label=_("Name of the journey"), max_length=200)
    key = forms.RegexField(
        r"^[a-z0-9_-]{1,60}\Z",
        label=_("Key, for programs"),
        error_messages={
            "invalid": _("A key has 1 to 60 small letters, digits, hyphens or underscores.")
        },
        help_text=_("Small letters, digits, hyphens and underscores. It cannot change later."),
    )


class ImportForm(forms.Form):
    file = forms.FileField(
        label=_("Template file"),
        help_text=_("A JSON file of at most 256 KB, as “Export” writes it."),
        widget=forms.FileInput(attrs={"accept": ".json,application/json"}),
        error_messages={"empty": _("The file is empty.")},
    )
