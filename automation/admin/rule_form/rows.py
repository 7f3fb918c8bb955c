"""What stands in the form of a rule: text as it was typed, complete or not.

A tree of conditions is shown if it is groups joined by OR, each of conditions joined by AND. Any
other one stands whole in `tree`, to be read and kept. `shape` and `kept` remember how a part was
written, so that what nobody touched is written the same again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from automation.admin.rule_form.params import CUSTOM, texts_of
from automation.admin.rule_form.values import as_hours, shown, wall_clock
from automation.definition import DEFAULT_PRIORITY
from kura.conditions import OPERATORS, shapes

ALL: Final = "all"
ANY: Final = "any"
LEAF: Final = "leaf"
MOST_CONDITIONS: Final = 50
MOST_VALUES: Final = 300  # that are ticked on one page: Django reads 1000 fields of a form
_LEAF: Final = frozenset({"field", "op", "value"})


@dataclass(frozen=True, slots=True)
class ConditionRow:
    """`was`: the field for which operator and value were chosen. `kept`: JSON of the condition."""

    field: str = ""
    was: str = ""
    op: str = ""
    values: tuple[str, ...] = ()
    member: str = ""  # of an event of one's own, when `field` is "event.payload."
    kept: str = ""


@dataclass(frozen=True, slots=True)
class GroupRow:
    """`shape`: ALL, or LEAF for a condition that stands without a group."""

    conditions: tuple[ConditionRow, ...] = (ConditionRow(),)
    shape: str = ALL


@dataclass(frozen=True, slots=True)
class ActionRow:
    """`texts`: by the names of `params.Part`. `was`, `key_was`: for what they were chosen."""

    type: str = ""
    was: str = ""
    key_was: str = ""
    texts: Mapping[str, str] = field(default_factory=dict)
    kept: str = ""


@dataclass(frozen=True, slots=True)
class RuleRows:
    """`custom`: the name of an event of one's own, when `trigger` is "CUSTOM."."""

    name: str = ""
    trigger: str = ""
    custom: str = ""
    journey: str = ""
    journey_was: str = ""
    stage: str = ""
    max_hours: str = ""
    repeat_hours: str = ""
    max_repeats: str = ""
    priority: str = str(DEFAULT_PRIORITY)
    shape: str = ""  # ANY: the tree is an `any`, also with one group
    groups: tuple[GroupRow, ...] = ()
    tree: str = ""
    actions: tuple[ActionRow, ...] = ()

    @property
    def trigger_event(self) -> str:
        return self.trigger + self.custom.strip() if self.trigger == CUSTOM else self.trigger


def rows_of(definition: Mapping[str, Any], point: str) -> RuleRows:
    """Of a published definition or a draft, whatever it holds. `point`: the decimal sign."""
    trigger = shown(definition.get("trigger_event"), ".")
    is_custom = trigger.startswith(CUSTOM)
    journey = shown(definition.get("journey_key"), ".")
    rows = RuleRows(
        name=shown(definition.get("name"), "."),
        trigger=CUSTOM if is_custom else trigger,
        custom=trigger.removeprefix(CUSTOM) if is_custom else "",
        journey=journey,
        journey_was=journey,
        stage=shown(definition.get("stage"), "."),
        max_hours=as_hours(definition.get("max_hours"), point),
        repeat_hours=as_hours(definition.get("repeat_hours"), point),
        max_repeats=shown(definition.get("max_repeats"), point),
        priority=shown(definition.get("priority", DEFAULT_PRIORITY), point),
        actions=_actions(definition.get("actions"), point),
    )
    return _with_conditions(rows, definition.get("conditions"), point)


# --- conditions ---------------------------------------------------------------------------------


def _with_conditions(rows: RuleRows, tree: object, point: str) -> RuleRows:
    if not tree:
        return rows
    kind, parts = _group(tree)
    groups = [_group_row(part, point) for part in (parts if kind == ANY else [tree])]
    if kind == ANY and not parts:
        groups = [None]
    shown_groups = tuple(group for group in groups if group is not None)
    if len(shown_groups) != len(groups) or _is_too_large(shown_groups):
        return replace(rows, tree=json.dumps(tree))
    return replace(rows, groups=shown_groups, shape=ANY if kind == ANY else "")


def _group(node: object) -> tuple[str, Sequence[Any]]:
    """("all" or "any", its parts); ("", ()) for what is no group and nothing else."""
    if isinstance(node, dict) and len(node) == 1:
        for kind in (ALL, ANY):
            if isinstance(node.get(kind), list):
                return kind, node[kind]
    return "", ()


def _group_row(node: Any, point: str) -> GroupRow | None:
    """None for what the form cannot show."""
    kind, parts = _group(node)
    leaves = parts if kind == ALL else [node]
    if not leaves or not all(map(_is_leaf, leaves)):
        return None
    rows = tuple(condition_row(leaf, point) for leaf in leaves)
    return GroupRow(rows, ALL if kind == ALL else LEAF)


def _is_leaf(node: Any) -> bool:
    if not isinstance(node, dict) or ALL in node or ANY in node:
        return False
    if not set(node) <= {*_LEAF, "label"}:
        return False
    return all(isinstance(node.get(name, ""), str) for name in ("field", "op"))


def _is_too_large(groups: Sequence[GroupRow]) -> bool:
    rows = [row for group in groups for row in group.conditions]
    return len(rows) > MOST_CONDITIONS or sum(len(row.values) for row in rows) > MOST_VALUES


def condition_row(leaf: Mapping[str, Any], point: str) -> ConditionRow:
    path = shown(leaf.get("field"), ".")
    return ConditionRow(
        field=path,
        was=path,
        op=shown(leaf.get("op"), "."),
        values=_values(leaf, point),
        kept=json.dumps(leaf),
    )


def _values(leaf: Mapping[str, Any], point: str) -> tuple[str, ...]:
    value = leaf.get("value")
    if value is None:
        return ()
    if isinstance(value, list):
        return tuple(shown(one, point) for one in value)
    operator = OPERATORS.get(str(leaf.get("op")))
    if operator is not None and operator.takes is shapes.timestamp:
        return (wall_clock(value),)
    return (shown(value, point),)


# --- actions ------------------------------------------------------------------------------------


def _actions(raw: object, point: str) -> tuple[ActionRow, ...]:
    return tuple(action_row(one, point) for one in raw) if isinstance(raw, list) else ()


_UNCHOSEN: Final = ({"type": ""}, {"type": "", "params": {}})


def action_row(raw: object, point: str) -> ActionRow:
    """What is no action at all has no type, and is kept; one that nobody chose yet is neither."""
    if raw in _UNCHOSEN:
        return ActionRow()
    kept = json.dumps(raw)
    if not isinstance(raw, Mapping) or not isinstance(raw.get("type"), str):
        return ActionRow(kept=kept)
    params = raw.get("params")
    texts = texts_of(raw["type"], params if isinstance(params, Mapping) else {}, point)
    return ActionRow(
        type=raw["type"], was=raw["type"], key_was=texts.get("key", ""), texts=texts, kept=kept
    )
