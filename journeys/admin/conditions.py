"""The condition of a move on the pages: a few common ones to choose, every other one in words.

A condition that is none of the choices is shown whole, group by group, and kept as it is: to
flatten it into a choice would change what it means.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from django.utils.translation import get_language
from django.utils.translation import gettext as _

from journeys.event_types import EVENT_TYPES, AssertedBy
from journeys.fields import guard_field
from kura.conditions import FieldLookup, Group, InvalidCondition, Node, describe_leaf, parse

FREE: Final = ""
OWN: Final = "own"
_AFTER: Final = "after:"
# What somebody does or a source reports; what Kura itself tells of would open its own doors.
_ASKABLE: Final = [
    event for event in EVENT_TYPES.values() if event.asserted_by is not AssertedBy.SYSTEM
]


@dataclass(frozen=True, slots=True)
class Branch:
    """A condition in words, or a group of them (`kind` all or any)."""

    words: str = ""
    kind: Literal["", "all", "any"] = ""
    parts: Sequence[Branch] = ()


def after(event_name: str) -> dict[str, Any]:
    """The guard "only after this has happened"."""
    return {"field": f"events.{event_name}.count", "op": "gte", "value": 1}


def choice_of(guard: Mapping[str, Any]) -> str:
    """Which choice says exactly this; OWN when none does."""
    if not guard:
        return FREE
    known = {f"{_AFTER}{event.name}": after(event.name) for event in _ASKABLE}
    return next((choice for choice, tree in known.items() if tree == dict(guard)), OWN)


def guard_of(choice: str) -> dict[str, Any]:
    """For every choice but OWN."""
    return after(choice.removeprefix(_AFTER)) if choice.startswith(_AFTER) else {}


def choices(*, with_own: bool) -> list[tuple[str, str]]:
    language = "en" if (get_language() or "").startswith("en") else "es"
    known = [
        (f"{_AFTER}{event.name}", _("only after: %(event)s") % {"event": event.labels[language]})
        for event in _ASKABLE
    ]
    own = [(OWN, _("a condition of its own, as written below"))] if with_own else []
    return [(FREE, _("none")), *known, *own]


def branch_of(tree: object, fields: FieldLookup = guard_field) -> Branch | None:
    """The whole tree in words; None for the one that always holds. `fields`: a guard's, or those
    of a rule.
    """
    try:
        node = parse(tree)
    except InvalidCondition as unreadable:
        return Branch(words=str(unreadable))
    return None if node is None else _branch(node, fields)


def _branch(node: Node, fields: FieldLookup) -> Branch:
    if isinstance(node, Group):
        return Branch(kind=node.kind, parts=[_branch(part, fields) for part in node.parts])
    return Branch(words=describe_leaf(node, fields(node.field)))
