"""The forms of the pages that decide about an event. They ask; the services decide."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any, cast

from django import forms
from django.utils.translation import gettext_lazy as _

from journeys.errors import ReasonRequired
from journeys.guards import MINIMUM_REASON, visible_length
from patients.models import Patient


class DecisionForm(forms.Form):
    """Why. `seen`: the last decision that the page knew, so that a click sent twice acts once."""

    reason = forms.CharField(
        label=_("Reason"),
        required=False,
        widget=forms.Textarea(attrs={"rows": 4, "aria-required": "true"}),
        help_text=_("Kept with your name and the time. It cannot be edited later."),
    )
    seen = forms.UUIDField(required=False, widget=forms.HiddenInput)

    def clean_reason(self) -> str:
        given: str = self.cleaned_data["reason"]
        if visible_length(given) < MINIMUM_REASON:
            raise forms.ValidationError(str(ReasonRequired(minimum=MINIMUM_REASON)))
        return given


class LinkForm(DecisionForm):
    """About whom the event is: one of those that the search found."""

    patient = forms.ChoiceField(label=_("Patient"), widget=forms.RadioSelect)
    field_order = ("patient", "reason", "seen")

    def __init__(self, *args: Any, found: Sequence[Patient], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        target = cast("forms.ChoiceField", self.fields["patient"])
        target.choices = [(str(one.pk), str(one)) for one in found]
        target.error_messages["required"] = _("Choose a patient.")
        target.error_messages["invalid_choice"] = _("There is no such patient. Search again.")

    @property
    def patient_id(self) -> uuid.UUID:
        return uuid.UUID(self.cleaned_data["patient"])
