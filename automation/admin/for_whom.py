"""For whom a time-out begins: those who enter the stage from now on, or those who wait as well.

The number of people stands beside each choice, so that nobody sends a flood without knowing.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from automation.definition import hours
from automation.selectors.stale import people_waiting
from journeys.admin.choices import Choice

NEW: Final = "new"
WAITING: Final = "waiting"
_LABELS: Final = {
    NEW: gettext_lazy("Only for whoever enters the stage from now on"),
    WAITING: gettext_lazy("Also for whoever waits in it already"),
}


class ForWhomForm(forms.Form):
    for_whom = forms.ChoiceField(
        label=gettext_lazy("For whom does it count?"), choices=list(_LABELS.items()), initial=NEW
    )

    @property
    def also_waiting(self) -> bool:
        return bool(self.cleaned_data["for_whom"] == WAITING)


def choices_of(
    form: ForWhomForm, organization_id: uuid.UUID, definition: Mapping[str, Any], now: datetime
) -> list[Choice]:
    """Two queries."""
    there, late = _people(organization_id, definition, now)
    chosen = form["for_whom"].value()
    words = {NEW: _left_alone(there), WAITING: _told(there, late)}
    return [
        Choice(value=one, label=str(label), words=words[one], checked=one == chosen)
        for one, label in _LABELS.items()
    ]


def _people(
    organization_id: uuid.UUID, definition: Mapping[str, Any], now: datetime
) -> tuple[int, int]:
    """In the stage, and of these past the limit. (0, 0) for a limit that cannot be read."""
    if hours(definition["max_hours"]) is None:
        return 0, 0
    at_all = dict(definition) | {"max_hours": 0}
    return (
        people_waiting(organization_id, at_all, now=now),
        people_waiting(organization_id, definition, now=now),
    )


def _left_alone(there: int) -> str:
    words = ngettext(
        "Nothing happens at once. %(number)s person is in the stage now and is left alone.",
        "Nothing happens at once. %(number)s people are in the stage now and are left alone.",
        there,
    )
    return words % {"number": there}


def _told(there: int, late: int) -> str:
    now = _past_limit(late)
    if there == late:
        return now
    later = ngettext(
        "%(number)s more person is in the stage and follows when the time comes.",
        "%(number)s more people are in the stage and follow when the time comes.",
        there - late,
    )
    return " ".join((now, later % {"number": there - late}))


def _past_limit(late: int) -> str:
    if not late:
        return _("Nobody is past the limit yet.")
    words = ngettext(
        "%(number)s person is past the limit: the next check announces them, unless this rule "
        "did so before.",
        "%(number)s people are past the limit: the next check announces them, unless this rule "
        "did so before.",
        late,
    )
    return words % {"number": late}


def counts_for(visits_from: datetime | None) -> str:
    """For the page of a time-out."""
    if visits_from is None:
        return _("It counts for everybody who is in the stage, whenever they entered it.")
    return _("It counts for whoever has entered the stage since:")
