"""JSON to tree, or every problem at once with its JSON pointer.

The tree is closed: what is not named here is refused, also when it looks harmless, because a
member that is ignored today would change what a stored rule means tomorrow. `evaluate()` reads
trees through the same parser as `validate()`, so what is accepted and what is understood cannot
drift apart; `validate()` only asks more: that fields exist and that types fit.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, Literal

from django.utils.functional import Promise
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from kura.conditions.fields import FieldLookup, Fields, lookup
from kura.conditions.operators import OPERATORS, Operator
from kura.conditions.shapes import Flaw, is_text
from kura.conditions.tree import Group, Leaf, Node, leaves
from kura.errors import KuraError

MAX_DEPTH: Final = 5  # groups inside groups; a lone leaf has depth 0
MAX_LEAVES: Final = 50
MAX_PATH: Final = 300  # characters of a field's path
MAX_PROBLEMS: Final = 200  # more than a form can show; a hostile tree gets no hostile answer
LANGUAGES: Final = frozenset({"es", "en"})  # of a leaf's own label


@dataclass(frozen=True, slots=True)
class Problem:
    """`pointer` is a JSON pointer (RFC 6901) into the tree; '' is the tree itself."""

    pointer: str
    code: str
    message: str | Promise


class InvalidCondition(KuraError):
    """Not a condition tree, or one that asks what cannot be asked."""

    message = _("This condition cannot be used as it is written.")
    code = "invalid_condition"
    status = 400

    def __init__(self, errors: list[Problem]) -> None:
        super().__init__(errors=errors)
        self.errors = errors


def parse(tree: object) -> Node | None:
    """The tree; None for `{}` and None, which always hold. Raises InvalidCondition."""
    return _Parser(None).tree(tree)


def validate(tree: object, fields: Fields) -> None:
    """Raises InvalidCondition with all problems, among them unknown fields and unfit types.

    `fields` is a mapping by path, or a function for paths that are patterns.
    """
    _Parser(lookup(fields)).tree(tree)


def paths(tree: object) -> set[str]:
    """The fields a tree asks for, so that a loader fetches no others."""
    node = parse(tree)
    return set() if node is None else {leaf.field for leaf in leaves(node)}


def _token(member: object) -> str:
    """A member's name as a step of a JSON pointer, cut where a name is no name any more."""
    name = member if isinstance(member, str) else type(member).__name__
    return "/" + name[:MAX_PATH].replace("~", "~0").replace("/", "~1")


class _Parser:
    """Reads one tree and collects what is wrong with it, never deeper than MAX_DEPTH."""

    def __init__(self, field_of: FieldLookup | None) -> None:
        self.field_of = field_of
        self.problems: list[Problem] = []
        self.leaves_seen = 0

    def tree(self, raw: object) -> Node | None:
        if raw is None or (isinstance(raw, dict) and not raw):
            return None
        node = self.node(raw, "", depth=0)
        if self.problems:
            raise InvalidCondition(self.problems)
        return node

    def refuse(self, pointer: str, code: str, message: str | Promise) -> None:
        if len(self.problems) < MAX_PROBLEMS:
            self.problems.append(Problem(pointer, code, message))

    def node(self, raw: object, at: str, *, depth: int) -> Node | None:
        if not isinstance(raw, dict):
            self.refuse(at, "not_a_condition", _("Give a group or a condition as an object."))
            return None
        if "all" in raw:
            return self.group("all", raw, at, depth=depth + 1)
        if "any" in raw:
            return self.group("any", raw, at, depth=depth + 1)
        return self.counted_leaf(raw, at)

    # --- groups -------------------------------------------------------------------------------

    def group(
        self, kind: Literal["all", "any"], raw: dict[Any, Any], at: str, *, depth: int
    ) -> Group | None:
        self.only_members(raw, {kind}, at)
        if depth > MAX_DEPTH:
            message = _("Groups may stand inside groups {most} deep.")
            self.refuse(at, "too_deep", format_lazy(message, most=MAX_DEPTH))
            return None
        children = self.children(raw[kind], f"{at}/{kind}")
        parts = [
            self.node(child, f"{at}/{kind}/{i}", depth=depth) for i, child in enumerate(children)
        ]
        return Group(kind, tuple(part for part in parts if part is not None))

    def children(self, raw: object, at: str) -> list[Any]:
        if isinstance(raw, list) and raw:
            return raw
        self.refuse(at, "empty_group", _("A group is a list of at least one condition."))
        return []

    # --- leaves -------------------------------------------------------------------------------

    def counted_leaf(self, raw: dict[Any, Any], at: str) -> Leaf | None:
        """Leaves past the limit are named once and not read."""
        self.leaves_seen += 1
        if self.leaves_seen == MAX_LEAVES + 1:
            message = _("A tree holds at most {most} conditions.")
            self.refuse(at, "too_many_leaves", format_lazy(message, most=MAX_LEAVES))
        return self.leaf(raw, at) if self.leaves_seen <= MAX_LEAVES else None

    def leaf(self, raw: dict[Any, Any], at: str) -> Leaf | None:
        """None when the leaf cannot be asked; the reasons are among the problems by then."""
        self.only_members(raw, {"field", "op", "value", "label"}, at)
        self.required_members(raw, ("field", "op", "value"), at)
        path, op = self.path(raw, at), self.operator(raw, at)
        value_is_shaped = op is not None and self.value_is_shaped(raw, op, at)
        self.label(raw, at)
        if path is not None:
            self.fit(raw, path, op if value_is_shaped else None, at)
        if path is None or op is None:
            return None
        return Leaf(at, path, op.name, raw.get("value"), raw.get("label"))

    def only_members(self, raw: dict[Any, Any], allowed: set[str], at: str) -> None:
        for member in raw:
            if member not in allowed:
                message = _("This member is not allowed here.")
                self.refuse(at + _token(member), "unknown_member", message)

    def required_members(self, raw: dict[Any, Any], names: tuple[str, ...], at: str) -> None:
        for name in names:
            if name not in raw:
                self.refuse(f"{at}/{name}", "missing_member", _("This member is missing."))

    def path(self, raw: dict[Any, Any], at: str) -> str | None:
        path = raw.get("field")
        if isinstance(path, str) and is_text(path) and 1 <= len(path) <= MAX_PATH:
            return path
        if "field" in raw:
            self.refuse(f"{at}/field", "unknown_field", _("This is not the name of a field."))
        return None

    def operator(self, raw: dict[Any, Any], at: str) -> Operator | None:
        name = raw.get("op")
        op = OPERATORS.get(name) if isinstance(name, str) else None
        if op is None and "op" in raw:
            message = format_lazy(_("Use one of: {operators}."), operators=", ".join(OPERATORS))
            self.refuse(f"{at}/op", "unknown_operator", message)
        return op

    def value_is_shaped(self, raw: dict[Any, Any], op: Operator, at: str) -> bool:
        if "value" not in raw:
            return False
        return self.without_flaws(op.takes(raw["value"]), f"{at}/value")

    def without_flaws(self, flaws: Iterator[Flaw], at: str) -> bool:
        found = list(flaws)
        for flaw in found:
            self.refuse(at + flaw.within, flaw.code, flaw.message)
        return not found

    def label(self, raw: dict[Any, Any], at: str) -> None:
        if "label" not in raw:
            return
        label = raw["label"]
        if not isinstance(label, dict) or not label:
            self.refuse(f"{at}/label", "wrong_label", _("Give the words by language."))
            return
        self.only_members(label, set(LANGUAGES), f"{at}/label")
        for language in sorted(LANGUAGES & set(label)):
            self.words(label[language], f"{at}/label/{language}")

    def words(self, raw: object, at: str) -> None:
        if not isinstance(raw, str) or not is_text(raw) or not raw.strip():
            message = _("Give a text that is not empty and within bounds.")
            self.refuse(at, "wrong_label", message)

    # --- fields, asked only when a tree is saved ------------------------------------------------

    def fit(self, raw: dict[Any, Any], path: str, op: Operator | None, at: str) -> None:
        if self.field_of is None:
            return
        field = self.field_of(path)
        if field is None:
            message = format_lazy(_("There is no field {path}."), path=path)
            self.refuse(f"{at}/field", "unknown_field", message)
        elif op is not None and field.type not in op.types:
            message = format_lazy(_("{operator} does not fit this field."), operator=op.name)
            self.refuse(f"{at}/op", "unfit_operator", message)
        elif op is not None:
            self.without_flaws(op.unfit(field, raw["value"]), f"{at}/value")
