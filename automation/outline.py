"""The conditions of a rule as an outline: groups as they are written, each condition in pieces.

The sentence of a rule joins the same pieces (`sentences.py`). A page draws them apart: a rule to
read, a run with what came of each condition. A tree of any depth is shown whole, never flattened.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from django.utils.text import capfirst
from django.utils.translation import gettext as _

from kura.conditions import (
    OPERATORS,
    FieldLookup,
    InvalidCondition,
    Leaf,
    Node,
    Part,
    asked_parts,
    every,
    leaf_parts,
    parse,
    some,
)


@dataclass(frozen=True, slots=True)
class Asked:
    """One condition. `parts`: its sentence. `name` and `expected`: the field, and what of it."""

    leaf: Leaf
    parts: tuple[Part, ...]
    name: str
    expected: str


@dataclass(frozen=True, slots=True)
class Branch:
    kind: Literal["all", "any"]
    parts: tuple[Outline, ...]


Outline = Asked | Branch


def outline_of(tree: object, fields: FieldLookup) -> Outline | None:
    """None for the tree that always holds. InvalidCondition for what cannot be read."""
    node = parse(tree)
    return None if node is None else _outlined(node, fields)


def asked(leaf: Leaf, fields: FieldLookup) -> Asked:
    """An operator that nobody knows any more is told by its name."""
    if leaf.op not in OPERATORS:
        return Asked(leaf, (Part("words", f"{leaf.field} {leaf.op}"),), leaf.field, leaf.op)
    field = fields(leaf.field)
    pieces = asked_parts(leaf, field)
    name = "".join(part.text for part in pieces if part.kind == "field")
    expected = "".join(part.text for part in pieces if part.kind != "field")
    return Asked(leaf, leaf_parts(leaf, field), capfirst(name), expected.strip())


def _outlined(node: Node, fields: FieldLookup) -> Outline:
    if isinstance(node, Leaf):
        return asked(node, fields)
    return Branch(node.kind, tuple(_outlined(part, fields) for part in node.parts))


def what_it_takes(outline: Outline | None) -> str:
    """In one line, how the parts of the outline decide."""
    if outline is None:
        return _("Always")
    if isinstance(outline, Asked):
        return _("The condition is met")
    has_groups = any(isinstance(part, Branch) for part in outline.parts)
    if outline.kind == "any":
        one_group, one = _("At least one of the groups is met"), _("At least one condition is met")
        return one_group if has_groups else one
    return _("All groups are met") if has_groups else _("All conditions are met")


def takes_of(kind: str) -> str:
    """Beside the number of a group."""
    return _("all are met") if kind == "all" else _("at least one is met")


# --- with what came of it -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Verdict:
    """One condition of an outline, with what it found. `result` None: no data decided it."""

    asked: Asked
    actual: Any
    result: bool | None


def verdicts_of(
    definition: Mapping[str, Any], told: Sequence[Mapping[str, Any]], fields: FieldLookup
) -> tuple[Verdict | None, Judged | None]:
    """What a run kept of its conditions, in the tree of its version: the stage, and the rest.

    `told`: the run's trace, whose entries stand in the order of the tree, the stage first. A trace
    that does not fit its tree (the version was written past the services) is told as one group.
    """
    entries = [_verdict(one, fields) for one in told]
    place = entries.pop(0) if definition.get("stage") and entries else None
    try:
        tree = outline_of(definition.get("conditions"), fields)
    except InvalidCondition:
        tree = None
    if tree is None or len(list(leaves(tree))) != len(entries):
        return place, JudgedGroup("all", tuple(entries)) if entries else None
    return place, _judged(tree, iter(entries))


@dataclass(frozen=True, slots=True)
class JudgedGroup:
    kind: Literal["all", "any"]
    parts: tuple[Judged, ...]

    @property
    def result(self) -> bool | None:
        results = [part.result for part in self.parts]
        return every(results) if self.kind == "all" else some(results)


Judged = Verdict | JudgedGroup


def needed(judged: Judged | None) -> list[Verdict]:
    """The fewest conditions that would have to turn out otherwise for it to hold.

    Where one group would do, the first of those that lack least.
    """
    if judged is None:
        return []
    if isinstance(judged, Verdict):
        return [] if judged.result is True else [judged]
    parts = [needed(part) for part in judged.parts]
    if judged.kind == "any":
        return min(parts, key=len)
    return [one for part in parts for one in part]


def leaves(outline: Outline) -> Iterator[Asked]:
    """In the order in which they are written."""
    if isinstance(outline, Asked):
        yield outline
        return
    for part in outline.parts:
        yield from leaves(part)


def _verdict(told: Mapping[str, Any], fields: FieldLookup) -> Verdict:
    leaf = Leaf(told["pointer"], told["field"], told["op"], told["expected"])
    return Verdict(asked(leaf, fields), told["actual"], told["result"])


def _judged(outline: Outline, entries: Iterator[Verdict]) -> Judged:
    """The condition's own words come from the tree: the trace keeps no label."""
    if isinstance(outline, Asked):
        found = next(entries)
        return Verdict(outline, found.actual, found.result)
    return JudgedGroup(outline.kind, tuple(_judged(part, entries) for part in outline.parts))
