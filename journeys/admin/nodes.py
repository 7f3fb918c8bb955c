"""A flow as nodes: WHEN something happens, IF conditions hold, THEN something is done. Spec 8.3.

What a node says is data, whatever it is about: a rule as it is written, a run with what came of
each condition, a flow of an agent, a funnel, a patient's way. `kura/_node.html` draws all of them;
nobody else decides shape, colour, icon or word. `{% load nodes %}{% node one %}`, and where a node
holds more than rows (a form, a table), `{% nodearound one %} … {% endnodearound %}`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from journeys.admin.badges import Badge
from kura.conditions import Part


class NodeKind(StrEnum):
    TRIGGER = "trigger"
    CONDITION = "condition"
    ACTION = "action"
    AFTER = "after"


class NodeState(StrEnum):
    NEUTRAL = "neutral"
    MATCHED = "matched"
    NOT_MATCHED = "not_matched"
    DONE = "done"
    FAILED = "failed"
    PENDING = "pending"
    RETRYING = "retrying"
    DISABLED = "disabled"


_KICKERS: Final[Mapping[NodeKind, Promise]] = {
    NodeKind.TRIGGER: gettext_lazy("When"),
    NodeKind.CONDITION: gettext_lazy("If"),
    NodeKind.ACTION: gettext_lazy("Then"),
    NodeKind.AFTER: gettext_lazy("Afterwards"),
}
_STATES: Final[Mapping[NodeState, tuple[str, Promise]]] = {
    NodeState.MATCHED: ("done", gettext_lazy("Met")),
    NodeState.NOT_MATCHED: ("unmet", gettext_lazy("Not met")),
    NodeState.DONE: ("done", gettext_lazy("Done")),
    NodeState.FAILED: ("failed", gettext_lazy("Failed")),
    NodeState.PENDING: ("waiting", gettext_lazy("Waiting")),
    NodeState.RETRYING: ("waiting", gettext_lazy("Will be tried again")),
    NodeState.DISABLED: ("closed", gettext_lazy("Switched off")),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One line of a node. `parts`: a sentence whose names and values are set apart.

    `note`: smaller, below it. `url`: where its link, worded `link`, leads.
    """

    parts: Sequence[Part]
    badge: Badge | None = None
    note: str = ""
    url: str = ""
    link: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Group:
    """Rows in a frame of their own. `either`: one of them is enough, and "or else" stands between.

    `note`: what `title` leaves open ("all are met").
    """

    title: str
    rows: Sequence[Row | Group]
    note: str = ""
    badge: Badge | None = None
    either: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Node:
    """`id` names its heading, once a page. `kicker` and `badge`: instead of what kind and state
    say. `rows`: `numbered` where their order counts, `either` where one of them is enough.

    `children`: nodes inside it, a level deeper. `level`: of its heading.
    """

    kind: str
    id: str
    title: str
    state: str = NodeState.NEUTRAL
    kicker: str = ""
    badge: Badge | None = None
    tag: str = ""
    note: str = ""
    rows: Sequence[Row | Group] = ()
    numbered: bool = False
    either: bool = False
    children: Sequence[Node] = ()
    level: int = 2

    @property
    def kicker_words(self) -> str:
        return self.kicker or str(_KICKERS[NodeKind(self.kind)])

    @property
    def state_badge(self) -> Badge | None:
        """None for a node of which nothing is known or expected yet."""
        if self.badge is not None or self.state == NodeState.NEUTRAL:
            return self.badge
        kind, word = _STATES[NodeState(self.state)]
        return Badge(kind, str(word))


def plain_row(words: str, **more: object) -> Row:
    """A line of one piece."""
    return Row(parts=(Part("words", words),), **more)  # type: ignore[arg-type]


def count_of_actions(number: int) -> str:
    """The title of a THEN."""
    if number == 1:
        return _("1 action")
    return _("%(number)s actions, in order") % {"number": number}
