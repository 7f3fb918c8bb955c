"""What the floor above knows about a journey's moves: why one was made, and what one will cause.

Journeys know stages, moves and reasons. That a rule made a move, on which values, and which rules
would answer the next one, is automation's knowledge; it fills this in
(`automation/admin/outlook.py`) and the pages of one patient show it. Alone, there is nothing to
tell.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from journeys.models.enrollment import Enrollment
from journeys.selectors.history import HistoryLine
from kura.accounts.models import User


@dataclass(frozen=True, kw_only=True, slots=True)
class Value:
    """A fact as it was at that moment. `decisive`: the rule looked at it."""

    name: str
    words: str
    decisive: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Evidence:
    """Why a move was made. `rule` is "" if none made it, `run_url` if no run of it is kept.

    `hidden`: the values are not for this reader.
    """

    rule: str
    version: int | None
    run_url: str
    source: str
    values: Sequence[Value]
    hidden: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class HeldBack:
    """An event that a block refused, and the page that replays it."""

    event: str
    url: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Lifted:
    """What lifting this block sets free. `messages`: how many wait for nothing else."""

    messages: int = 0
    events: Sequence[HeldBack] = ()


class Outlook:
    """Answers nothing; see the module's text for who answers more."""

    def evidence(self, line: HistoryLine, reader: User) -> Evidence | None:  # noqa: ARG002
        return None

    def on_arrival(
        self,
        enrollment: Enrollment,  # noqa: ARG002
        stages: Collection[str],  # noqa: ARG002
    ) -> Mapping[str, Sequence[str]]:
        """Sentences by stage: what happens by itself once the patient is there."""
        return {}

    def once_lifted(self, enrollment: Enrollment) -> Lifted:  # noqa: ARG002
        return Lifted()
