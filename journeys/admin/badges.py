"""A stage as a badge: colour, icon and word, always all three. Nobody else decides them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from django.template.loader import render_to_string
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from journeys.blueprints import StageDraft
from journeys.models.template import StageStatus
from journeys.selectors.definitions import Stage


@dataclass(frozen=True, slots=True)
class Badge:
    """`kind`: blocked, active, done or closed; the stylesheet colours it, the template draws it."""

    kind: str
    word: str


KINDS: Final = {
    StageStatus.PLANNED: "active",
    StageStatus.WAITLIST: "active",
    StageStatus.ACTIVE: "active",
    StageStatus.ON_HOLD: "blocked",
    StageStatus.FINISHED: "done",
    StageStatus.CANCELLED: "closed",
}


def badge_of(stage: Stage | None, code: str = "") -> Badge:
    """`code` speaks for a stage that the template no longer knows."""
    if stage is None:
        return Badge("closed", code.replace("_", " ").capitalize() or "–")
    return badge_named(stage.status, stage.label)


def badge_of_draft(stage: StageDraft) -> Badge:
    """Of a stage that is being edited, as it would be shown once it is saved."""
    return badge_named(stage.status, stage.label)


def badge_named(status: str, label: str) -> Badge:
    """Of a stage whose status and label somebody else has read."""
    kind = KINDS[StageStatus(status)]
    return Badge(kind, _blocked(label) if kind == "blocked" else label)


def _blocked(label: str) -> str:
    """A block says that it is one, whatever the practice named the stage."""
    word = _("Blocked")
    return label if label.casefold().startswith(word.casefold()) else f"{word}: {label}"


def plain(badge: Badge) -> Badge:
    """The stage that somebody left: no state any more."""
    return Badge("plain", badge.word)


def html(badge: Badge) -> SafeString:
    """For the columns of a list."""
    return render_to_string("kura/_badge.html", {"badge": badge})
