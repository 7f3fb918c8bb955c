"""What people read instead of codes: why something was refused or failed, and who told us.

One place for all pages. A code of ours has a sentence here or is the `code` of a KuraError; what
nobody foresaw goes by its technical name, for whoever helps the practice to find it.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Final

from django.utils import formats
from django.utils.functional import Promise
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from automation.models.message import REASONS
from automation.sources import MONITOR, PATIENTS, PAUSES, RULES, TRANSITIONS, SourceKind
from kura.errors import KuraError

_MINUTE: Final = 60  # seconds
_EXACTLY: Final = 10  # seconds: below, a tenth is worth telling
SENTENCES: Final[dict[str, Promise]] = {
    "after_refusal": gettext_lazy("Not tried, because the action before it was refused."),
    "already_enrolled": gettext_lazy("The patient is in this journey already."),
    "block_reviewed": gettext_lazy("Somebody has reviewed the block since."),
    "duplicate": gettext_lazy("It was recorded before."),
    "guard_failed": gettext_lazy("A condition of the journey is not met."),
    "journey_blocked": gettext_lazy("The journey is blocked. Only a person may lift the block."),
    "linked": gettext_lazy("It was linked to a patient and goes on as a new event."),
    "loop_budget": gettext_lazy("The chain of causes is too long: it was stopped here."),
    "not_enrolled": gettext_lazy("The patient is not in this journey."),
    "stage_not_allowed": gettext_lazy("The journey has no such stage."),
    "stage_unchanged": gettext_lazy("The patient was in this stage already."),
    "unknown_journey": gettext_lazy("The practice has no such journey."),
    "worker_died": gettext_lazy("The process that worked on it ended before it was done."),
}
_KINDS: Final = {
    SourceKind.FORM: gettext_lazy("Form"),
    SourceKind.INTEGRATION: gettext_lazy("Integration"),
    SourceKind.STAFF: gettext_lazy("Person of the practice"),
    SourceKind.SYSTEM: gettext_lazy("Kura"),
}
_OWN: Final = {
    str(TRANSITIONS): gettext_lazy("Kura, after a move"),
    str(PATIENTS): gettext_lazy("Kura, for a new patient"),
    str(RULES): gettext_lazy("Kura, asked by a rule"),
    str(PAUSES): gettext_lazy("Kura, for somebody who paused reminders"),
    str(MONITOR): gettext_lazy("Kura, watching the time"),
}


def took_words(length: timedelta) -> str:
    """How long something took: 38 ms, 1.5 s, 12 min, 3 h."""
    seconds = length.total_seconds()
    if seconds < 1:
        return _("%(number)s ms") % {"number": round(seconds * 1000)}
    if seconds < _MINUTE:
        exact = formats.number_format(seconds, 1 if seconds < _EXACTLY else 0)
        return _("%(number)s s") % {"number": exact}
    if seconds < _MINUTE * 60:
        return _("%(number)s min") % {"number": round(seconds / _MINUTE)}
    return _("%(number)s h") % {"number": round(seconds / _MINUTE / 60)}


def is_known(code: str) -> bool:
    return code in SENTENCES or code in REASONS or code in _refusals()


def error_words(code: str) -> str:
    """The sentence of a code, in the reader's language; '' for no code."""
    if not code:
        return ""
    if code in SENTENCES:
        return str(SENTENCES[code])
    if code in REASONS:
        return capfirst(str(REASONS[code])) + "."
    refusal = _refusals().get(code)
    if refusal is not None:
        return str(refusal())
    return _("Something went wrong that nobody foresaw (%(name)s).") % {"name": code}


def source_words(source: str) -> str:
    """Who told us: "Integration · clinic" for `integration:clinic`."""
    if source in _OWN:
        return str(_OWN[source])
    kind, colon, name = source.partition(":")
    if colon and kind in set(SourceKind):
        return f"{_KINDS[SourceKind(kind)]} · {name}"
    return source


def _refusals() -> dict[str, type[KuraError]]:
    """By code and by name: a failed run keeps the name."""
    known = list(_below(KuraError))
    return {one.code: one for one in known} | {one.__name__: one for one in known}


def _below(error: type[KuraError]) -> Iterator[type[KuraError]]:
    for one in error.__subclasses__():
        yield one
        yield from _below(one)
