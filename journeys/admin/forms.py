"""The forms of the pages that move, unblock and enroll. They ask; the services decide."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django import forms
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from journeys.errors import TimeOrder
from journeys.guards import MINIMUM_REASON, Decision, visible_length
from journeys.selectors.options import Entry
from journeys.vocabulary import ReasonCode

WALL_CLOCK = "%Y-%m-%dT%H:%M"
_TOO_SHORT = _("Write at least %(minimum)s characters: a colleague has to understand the decision.")


class CauseForm(forms.Form):
    """Why and when: what every move may carry."""

    reason_code = forms.ChoiceField(
        label=_("Reason"),
        required=False,
        choices=[("", _("Choose…")), *ReasonCode.choices],
    )
    reason = forms.CharField(
        label=_("In your words"),
        required=False,
        widget=forms.Textarea(attrs={"rows": 4}),
        help_text=_("Kept with your name and the time in the history. It cannot be edited later."),
    )
    changed_at = forms.DateTimeField(
        label=_("It happened on"),
        required=False,
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format=WALL_CLOCK),
        help_text=_("Empty: now. Not before the previous move."),
    )

    def require_reason(self, *, with_code: bool) -> None:
        """Words of some length; to lift a block, also a code."""
        given = self.cleaned_data.get("reason") or ""
        if "reason" not in self.errors and visible_length(given) < MINIMUM_REASON:
            self.add_error("reason", str(_TOO_SHORT) % {"minimum": MINIMUM_REASON})
        if with_code and not self.cleaned_data.get("reason_code"):
            self.add_error("reason_code", _("Choose a reason."))


class MoveForm(CauseForm):
    """One patient to another stage. `expected_seq`: the move that the page showed last.

    `leaps`: what to ask before a move to this stage. `confirmed` names the stage that was asked
    about, so that whoever then chooses another one is asked again.
    """

    to_stage = forms.ChoiceField(label=_("Where to"), widget=forms.RadioSelect)
    expected_seq = forms.IntegerField(min_value=0, widget=forms.HiddenInput)
    confirmed = forms.CharField(required=False)
    field_order = ("to_stage", "confirmed", "reason_code", "reason", "changed_at", "expected_seq")

    def __init__(
        self,
        *args: Any,
        options: Sequence[Decision],
        leaps: Mapping[str, str],
        unblocking: bool,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.unblocking, self.leaps = unblocking, leaps
        if unblocking:
            self.fields["to_stage"].label = _("Decision")
            self.fields["reason_code"].label = _("Kind of reason")
            self.fields["reason"].label = _("Clinical reason")
        self.reason_needed_for = {one.to_stage for one in options if one.requires_reason}
        target = self.fields["to_stage"]
        target.choices = [(one.to_stage, one.to_stage) for one in options if one.allowed]  # type: ignore[attr-defined]
        target.error_messages["invalid_choice"] = _("This stage is not possible now.")
        target.error_messages["required"] = _("Choose a stage.")

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        target = cleaned.get("to_stage", "")
        if self.unblocking or target in self.reason_needed_for:
            self.require_reason(with_code=self.unblocking)
        if target in self.leaps and cleaned.get("confirmed") != target:
            self.add_error("confirmed", _("Confirm that you mean it."))
        return cleaned

    @property
    def asks(self) -> tuple[str, str] | None:
        """The chosen stage and what to confirm before going there; None where it is one step."""
        target = self["to_stage"].value() or ""
        return (target, self.leaps[target]) if target in self.leaps else None


class KeepForm(forms.Form):
    """A block stays: what the same page says besides does not matter then."""

    reason = forms.CharField(required=False)
    expected_seq = forms.IntegerField(min_value=0)


class BulkForm(CauseForm):
    """Many patients to one stage of a journey, or into a journey. `targets`: offered by value."""

    target = forms.ChoiceField(label=_("Where to"))
    field_order = ("target", "reason_code", "reason", "changed_at")

    def __init__(self, *args: Any, targets: Sequence[tuple[str, Any]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["target"]
        field.choices = [("", _("Choose…")), *targets]  # type: ignore[attr-defined]
        field.error_messages["required"] = _("Choose where they go.")
        field.error_messages["invalid_choice"] = _("This is not possible any more. Choose again.")

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        when = cleaned.get("changed_at")
        if when and when > timezone.now():
            self.add_error("changed_at", str(TimeOrder()))
        return cleaned


class EnrollForm(CauseForm):
    """One patient into one journey, in its initial stage."""

    journey = forms.ChoiceField(label=_("Journey"), widget=forms.RadioSelect)
    field_order = ("journey", "reason_code", "reason", "changed_at")

    def __init__(self, *args: Any, entries: Iterable[Entry], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.entries = {one.definition.key: one for one in entries if one.decision.allowed}
        target = self.fields["journey"]
        target.choices = [(key, one.definition.name) for key, one in self.entries.items()]  # type: ignore[attr-defined]
        target.error_messages["required"] = _("Choose a journey.")
        target.error_messages["invalid_choice"] = _("This journey is not possible now.")

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        entry = self.entries.get(cleaned.get("journey", ""))
        if entry and entry.decision.requires_reason:
            self.require_reason(with_code=False)
        return cleaned
