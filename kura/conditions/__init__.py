"""The closed condition tree that transition guards and automation rules share.

A condition is data, so that a therapist can read it, a dry run can replay it and nobody can put
code into it: `{"all": [node, ...]}`, `{"any": [node, ...]}` or a leaf `{"field", "op", "value"}`
with an optional `"label": {"es", "en"}`. `{}` and None always hold. Everything here is pure: no
database, no clock; the only surroundings it reads are the active language and its formats.

Rooms, from the ground up:

    values.py      what a JSON value is worth: number, instant, storable text
    facts.py       a dotted path through nested facts
    fields.py      what a rule may ask about: path, type, names
    shapes.py      the shapes a leaf's `value` may have
    operators.py   the twelve operators, each one unit
    tree.py        leaves and groups
    parsing.py     JSON -> tree, or every problem with its JSON pointer
    evaluation.py  tree and facts -> verdict with a trace
    words.py       tree -> a sentence a therapist reads

This file is the one door: other packages import from `kura.conditions`.
"""

from kura.conditions.evaluation import (
    GroupResult,
    LeafResult,
    Outcome,
    Verdict,
    evaluate,
    unmet,
    verdict_of,
)
from kura.conditions.fields import Field, FieldLookup, Fields, FieldType, Labels
from kura.conditions.operators import OPERATORS, Operator, every, some
from kura.conditions.parsing import InvalidCondition, Problem, parse, paths, validate
from kura.conditions.tree import Group, Leaf, Node
from kura.conditions.words import (
    Part,
    asked_parts,
    describe,
    describe_leaf,
    describe_unmet,
    leaf_parts,
)

__all__ = [
    "OPERATORS",
    "Field",
    "FieldLookup",
    "FieldType",
    "Fields",
    "Group",
    "GroupResult",
    "InvalidCondition",
    "Labels",
    "Leaf",
    "LeafResult",
    "Node",
    "Operator",
    "Outcome",
    "Part",
    "Problem",
    "Verdict",
    "asked_parts",
    "describe",
    "describe_leaf",
    "describe_unmet",
    "evaluate",
    "every",
    "leaf_parts",
    "parse",
    "paths",
    "some",
    "unmet",
    "validate",
    "verdict_of",
]
