"""For whom a time-out begins: those who enter the stage from now on, or those who wait as well.

And for whom a changed one goes on, if its new hours would announce people at once.

The number of people stands beside each choice, so that nobody sends a flood without knowing.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from django import forms
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from automation.definition import hours
from automation.models.rule import AutomationRule
from automation.selectors.stale import people_waiting
from journeys.admin.choices import Choice

NEW: Final = "new"
WAITING: Final = "waiting"
_LABELS: Final = {
    NEW: gettext_lazy("Only for whoever enters the stage from now on"),
    WAITING: gettext_lazy("Also for whoever waits in it already"),
}
_STILL_LABELS: Final = {
    NEW: gettext_lazy("Only for visits that begin from now on"),
    WAITING: gettext_lazy("Also for those already waiting, as until now"),
}


class ForWhomForm(forms.Form):
    for_whom = forms.ChoiceField(
        label=gettext_lazy("For whom does it count?"), choices=list(_LABELS.items()), initial=NEW
    )

    @property
    def also_waiting(self) -> bool:
        return bool(self.cleaned_data["for_whom"] == WAITING)


class StillForWhomForm(forms.Form):
    """Nothing is proposed: one choice announces people at once, the other drops who waits."""

    for_whom = forms.ChoiceField(
        label=gettext_lazy("For whom shall the new version count?"),
        choices=list(_STILL_LABELS.items()),
        error_messages={"required": gettext_lazy("Choose one of the two.")},
    )

    @property
    def also_waiting(self) -> bool | None:
        """As `services.rules.publish` takes it; None: for whom it has counted."""
        return False if self.cleaned_data["for_whom"] == NEW else None


def choices_of(
    form: ForWhomForm, organization_id: uuid.UUID, definition: Mapping[str, Any], now: datetime
) -> list[Choice]:
    """Two queries."""
    there, late = _people(organization_id, definition, now)
    words = {NEW: _left_alone(there), WAITING: _told(there, late)}
    return _choices(form, _LABELS, words)


def _choices(
    form: forms.Form, labels: Mapping[str, Promise], words: Mapping[str, str]
) -> list[Choice]:
    chosen = form["for_whom"].value()
    return [
        Choice(value=one, label=str(label), words=words[one], checked=one == chosen)
        for one, label in labels.items()
    ]


# --- of a rule that is changed --------------------------------------------------------------------


def still_choices_of(
    form: StillForWhomForm, rule: AutomationRule, newly: int, now: datetime
) -> list[Choice]:
    """One query."""
    at_all = rule.definition | {"max_hours": 0}
    there = people_waiting(rule.organization_id, at_all, now=now)
    words = {NEW: _dropped(there), WAITING: newly_words(newly)}
    return _choices(form, _STILL_LABELS, words)


def _dropped(there: int) -> str:
    words = ngettext(
        "Nobody is announced at once. %(number)s person is in the stage now: this rule announces "
        "nothing more about them, also no reminder that was still to come.",
        "Nobody is announced at once. %(number)s people are in the stage now: this rule announces "
        "nothing more about them, also no reminder that was still to come.",
        there,
    )
    return words % {"number": there}


def newly_words(newly: int) -> str:
    words = ngettext(
        "With the new hours %(number)s more person is past a limit: the next check announces them.",
        "With the new hours %(number)s more people are past a limit: the next check announces "
        "them.",
        newly,
    )
    return words % {"number": newly}


# --- the words of a new one -----------------------------------------------------------------------


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
