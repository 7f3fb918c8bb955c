"""The tree itself: groups of groups of leaves, nothing else. The parser makes it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from kura.conditions.fields import Labels


@dataclass(frozen=True, slots=True)
class Leaf:
    """One question. `value` has the shape that its operator takes."""

    pointer: str
    field: str
    op: str
    value: Any
    label: Labels | None = None


@dataclass(frozen=True, slots=True)
class Group:
    kind: Literal["all", "any"]
    parts: tuple[Node, ...]


Node = Leaf | Group


def leaves(node: Node) -> Iterator[Leaf]:
    """In the order in which they are written."""
    if isinstance(node, Leaf):
        yield node
        return
    for part in node.parts:
        yield from leaves(part)
