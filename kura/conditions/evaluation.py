"""Tree and facts to a verdict, in the three-valued logic of Kleene: true, false, no data.

Every leaf is asked and listed, also when the answer is decided already, so that a trace read
months later adds up to the verdict. A missing fact is no data and proves nothing: neither `eq`
nor `ne` holds without it, and only `exists` answers. JSON null counts as missing.

The verdict is monotone in information: adding a fact where there was none turns None into True
or False and never True into False or back. Two exceptions, both visible in the tree: a leaf that
uses `exists`, and a new dotted key that shadows a shorter reading (see facts.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

from kura.conditions.facts import find
from kura.conditions.operators import OPERATORS, every, some
from kura.conditions.parsing import parse
from kura.conditions.tree import Leaf, Node
from kura.conditions.values import storable

Note = Literal["no_data", "not_comparable"]

_COMBINED: Final[dict[str, Callable[[Iterable[bool | None]], bool | None]]] = {
    "all": every,
    "any": some,
}


@dataclass(frozen=True, slots=True)
class LeafResult:
    """What a leaf expected, what it found, and what follows; `note` says why nothing does."""

    leaf: Leaf
    actual: object
    result: bool | None
    note: Note | None = None

    @property
    def pointer(self) -> str:
        return self.leaf.pointer

    @property
    def field(self) -> str:
        return self.leaf.field

    @property
    def op(self) -> str:
        return self.leaf.op

    @property
    def expected(self) -> Any:
        return self.leaf.value

    def as_json(self) -> dict[str, Any]:
        """For the stored trace; long values are cut, so this is to be read, not evaluated."""
        return {
            "pointer": self.pointer,
            "field": self.field,
            "op": self.op,
            "expected": storable(self.expected),
            "actual": storable(self.actual),
            "result": self.result,
            "note": self.note,
        }


@dataclass(frozen=True, slots=True)
class GroupResult:
    kind: Literal["all", "any"]
    result: bool | None
    parts: tuple[Outcome, ...]


Outcome = LeafResult | GroupResult


@dataclass(frozen=True, slots=True)
class Verdict:
    """`result` is None when the data does not decide. `leaves` is the trace, in written order."""

    result: bool | None
    leaves: tuple[LeafResult, ...] = ()
    outcome: Outcome | None = None  # the tree of results; None for the tree that always holds

    @property
    def holds(self) -> bool:
        """Only what is true holds; no data does not."""
        return self.result is True

    def unmet(self) -> Outcome | None:
        """What keeps the verdict from being true; None when it holds.

        The parts that are not true, and no others: in an `all` each is needed, in an `any` that
        failed each would do. `describe_unmet()` puts it in words.
        """
        return None if self.outcome is None else _unmet(self.outcome)

    def as_json(self) -> list[dict[str, Any]]:
        return [leaf.as_json() for leaf in self.leaves]


def evaluate(tree: object, facts: Mapping[str, Any]) -> Verdict:
    """The verdict on facts as they were when the event was stored.

    Raises InvalidCondition for a tree that `validate()` would refuse by its shape, and nothing
    else, whatever the facts hold.
    """
    return verdict_of(parse(tree), facts)


def verdict_of(node: Node | None, facts: Mapping[str, Any]) -> Verdict:
    """As `evaluate()`, of a tree that is parsed already: one tree, many facts."""
    if node is None:
        return Verdict(True)
    outcome = _outcome(node, facts)
    return Verdict(outcome.result, tuple(_leaf_results(outcome)), outcome)


def unmet(tree: object, facts: Mapping[str, Any]) -> Outcome | None:
    return evaluate(tree, facts).unmet()


def _outcome(node: Node, facts: Mapping[str, Any]) -> Outcome:
    if isinstance(node, Leaf):
        return _asked(node, find(facts, node.field))
    parts = tuple(_outcome(part, facts) for part in node.parts)
    return GroupResult(node.kind, _COMBINED[node.kind](part.result for part in parts), parts)


def _asked(leaf: Leaf, actual: object) -> LeafResult:
    if actual is None and leaf.op != "exists":
        return LeafResult(leaf, None, None, "no_data")
    answer = OPERATORS[leaf.op].test(actual, leaf.value)
    return LeafResult(leaf, actual, answer, "not_comparable" if answer is None else None)


def _leaf_results(outcome: Outcome) -> Iterator[LeafResult]:
    if isinstance(outcome, LeafResult):
        yield outcome
        return
    for part in outcome.parts:
        yield from _leaf_results(part)


def _unmet(outcome: Outcome) -> Outcome | None:
    if outcome.result is True:
        return None
    if isinstance(outcome, LeafResult):
        return outcome
    parts = tuple(part for part in map(_unmet, outcome.parts) if part is not None)
    return parts[0] if len(parts) == 1 else replace(outcome, parts=parts)
