"""A tree in the words of the therapist, in the active language.

Three voices, the first that has something to say: the leaf's own label, the field's claim
("payment received"), or a sentence made from the operator's template. Templates are whole
sentences, so that a translator may turn them round; only the field's name and value are filled
in. Groups are joined with "and" and "or", with parentheses where they nest.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import reduce
from typing import Final, Literal

from django.utils import formats, translation
from django.utils.translation import gettext as _

from kura.conditions import shapes
from kura.conditions.evaluation import GroupResult, LeafResult, Outcome
from kura.conditions.fields import Field, FieldLookup, Fields, Labels, lookup
from kura.conditions.operators import OPERATORS
from kura.conditions.parsing import parse
from kura.conditions.tree import Group, Leaf, Node
from kura.conditions.values import instant

FALLBACK_LANGUAGE: Final = "es"
_FILLED: Final = re.compile(r"%\((field|value)\)s")


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a condition's sentence: the field's name, the value, or the words around them."""

    kind: Literal["field", "value", "words"]
    text: str


def describe(tree: object, fields: Fields) -> str:
    """The whole tree: "A and (B or C)"."""
    node = parse(tree)
    return _("always") if node is None else _whole(node, lookup(fields))


def describe_unmet(unmet: Outcome, fields: Fields) -> str:
    """What `Verdict.unmet()` returned; a leaf that lacked its data says so."""
    return _whole(unmet, lookup(fields))


def describe_leaf(leaf: Leaf, field: Field | None, language: str | None = None) -> str:
    """One condition, in `language` or else the active one; an unknown field goes by its path."""
    with _speaking(language):
        return "".join(part.text for part in leaf_parts(leaf, field))


def leaf_parts(leaf: Leaf, field: Field | None) -> tuple[Part, ...]:
    """`describe_leaf` in pieces, for a page that sets them apart; joined they are that sentence.

    A leaf that speaks for itself, by its label or by the field's claim, is one piece.
    """
    own = _own_words(leaf, field)
    return (Part("words", own),) if own else asked_parts(leaf, field)


def asked_parts(leaf: Leaf, field: Field | None) -> tuple[Part, ...]:
    """What is asked of which field, in pieces, also where a label or a claim says it shorter."""
    return tuple(_pieces(leaf, field))


def _speaking(language: str | None) -> AbstractContextManager[None]:
    return nullcontext() if language is None else translation.override(language)


def _in_language(labels: Labels) -> str:
    active = translation.get_language() or FALLBACK_LANGUAGE
    for language in (active, active.partition("-")[0], FALLBACK_LANGUAGE):
        if language in labels:
            return labels[language]
    return next(iter(labels.values()), "")


# --- groups -----------------------------------------------------------------------------------


def _whole(node: Node | Outcome, field_of: FieldLookup) -> str:
    if isinstance(node, Leaf):
        return describe_leaf(node, field_of(node.field))
    if isinstance(node, LeafResult):
        return _with_note(node, describe_leaf(node.leaf, field_of(node.field)))
    return _joined(node.kind, [_part(part, field_of) for part in node.parts])


def _part(node: Node | Outcome, field_of: FieldLookup) -> str:
    words = _whole(node, field_of)
    nested = isinstance(node, Group | GroupResult) and len(node.parts) > 1
    return f"({words})" if nested else words


def _joined(kind: str, parts: Sequence[str]) -> str:
    template = _("%(one)s and %(other)s") if kind == "all" else _("%(one)s or %(other)s")
    return reduce(lambda one, other: template % {"one": one, "other": other}, parts)


def _with_note(result: LeafResult, words: str) -> str:
    if result.note == "no_data":
        return _("%(condition)s (no data)") % {"condition": words}
    if result.note == "not_comparable":
        return _("%(condition)s (the data is of another kind)") % {"condition": words}
    return words


# --- leaves -----------------------------------------------------------------------------------


def _affirms(leaf: Leaf, field: Field) -> bool:
    """The leaf asks just what the field claims: it is so, or it happened at least once."""
    if field.type == "boolean":
        return (leaf.op, leaf.value) in (("eq", True), ("ne", False))
    return field.type == "integer" and (leaf.op, leaf.value) in (("gte", 1), ("gt", 0))


def _own_words(leaf: Leaf, field: Field | None) -> str:
    if leaf.label:
        return _in_language(leaf.label)
    if field is not None and field.claim and _affirms(leaf, field):
        return _in_language(field.claim)
    return ""


def _pieces(leaf: Leaf, field: Field | None) -> Iterator[Part]:
    """The operator's sentence, cut where the field and the value are filled in."""
    op = OPERATORS[leaf.op]
    template = str(op.denial if op.denial and leaf.value is False else op.sentence)
    done = 0
    for place in _FILLED.finditer(template):
        if template[done : place.start()]:
            yield Part("words", template[done : place.start()])
        if place[1] == "field":
            yield Part("field", _name(leaf, field))
        else:
            yield Part("value", _value(leaf, field))
        done = place.end()
    if template[done:]:
        yield Part("words", template[done:])


def _name(leaf: Leaf, field: Field | None) -> str:
    return _in_language(field.labels) if field and field.labels else leaf.field


def _value(leaf: Leaf, field: Field | None) -> str:
    if OPERATORS[leaf.op].takes is shapes.timestamp:
        return _time(leaf.value)
    if not isinstance(leaf.value, list):
        return _item(leaf.value, field)
    separator = ", " if isinstance(leaf.value[0], str) else "; "  # 2,5 is one Spanish number
    return separator.join(_item(item, field) for item in leaf.value)


def _time(text: str) -> str:
    """The wall clock that its author wrote, not the reader's: the offset is part of the text."""
    when = instant(text)
    return text if when is None else formats.date_format(when, "DATETIME_FORMAT")


def _item(value: object, field: Field | None) -> str:
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if isinstance(value, str):
        names = field.choices.get(value) if field and field.choices else None
        return _in_language(names) if names else value
    return str(formats.localize(value))
