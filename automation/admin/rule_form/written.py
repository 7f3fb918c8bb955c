"""The definition that the rows say, and where each part of it stands in the form.

A part that nobody touched is written as it was: `kept` has its label, its list in its order and a
moment with its offset. A touched condition loses its own words, which spoke of what it was.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from automation.admin.rule_form import rows as form
from automation.admin.rule_form.params import CUSTOM, params_of, parts_of
from automation.admin.rule_form.rows import ActionRow, ConditionRow, GroupRow, RuleRows
from automation.admin.rule_form.values import (
    entries_of,
    flag_of,
    hours_of,
    lines,
    moment_of,
    number_of,
    shown,
)
from automation.judging import TIMEOUT
from kura.conditions import OPERATORS, FieldLookup

PAYLOAD: Final = "event.payload."


def _flag(text: str, point: str) -> Any:  # noqa: ARG001
    return flag_of(text)


def _text(text: str, point: str) -> Any:  # noqa: ARG001
    return lines(text)


_READ: Final[Mapping[str, Callable[[str, str], Any]]] = {
    "boolean": _flag,
    "number": number_of,
    "integer": number_of,
}  # every other type is a text


@dataclass(frozen=True, slots=True)
class Reading:
    """What reads the rows: the fields that this trigger has, and the reader's decimal sign."""

    fields: FieldLookup
    point: str


def definition_of(rows: RuleRows, reading: Reading) -> dict[str, Any]:
    point = reading.point
    said: dict[str, Any] = {
        "name": rows.name,
        "trigger_event": rows.trigger_event,
        "journey_key": rows.journey,
        "stage": rows.stage,
        "conditions": tree_of(rows, reading),
        "actions": [action_of(row, point) for row in rows.actions],
    }
    if rows.trigger_event == TIMEOUT:
        said |= {
            "max_hours": hours_of(rows.max_hours, point),
            "repeat_hours": hours_of(rows.repeat_hours, point),
            "max_repeats": _number(rows.max_repeats, point),
        }
    priority = _number(rows.priority, point)
    return said if priority is None else said | {"priority": priority}


def _number(text: str, point: str) -> Any:
    return number_of(text, point) if text.strip() else None


# --- conditions ---------------------------------------------------------------------------------


def tree_of(rows: RuleRows, reading: Reading) -> Any:
    if rows.tree:
        return _loaded(rows.tree)
    nodes = [_group_of(group, reading) for group in rows.groups]
    if not nodes:
        return {}
    return {form.ANY: nodes} if _is_any(rows) else nodes[0]


def _is_any(rows: RuleRows) -> bool:
    return len(rows.groups) > 1 or rows.shape == form.ANY


def _group_of(group: GroupRow, reading: Reading) -> Any:
    leaves = [leaf_of(row, reading) for row in group.conditions]
    return leaves[0] if _is_lone(group) else {form.ALL: leaves}


def _is_lone(group: GroupRow) -> bool:
    return group.shape == form.LEAF and len(group.conditions) == 1


def leaf_of(row: ConditionRow, reading: Reading) -> Any:
    written = _leaf(row, reading)
    kept = _loaded(row.kept)
    if isinstance(kept, dict):
        before = _leaf(form.condition_row(kept, reading.point), reading)
        if _alike(written) == _alike(before):
            return kept
    return written


def _leaf(row: ConditionRow, reading: Reading) -> dict[str, Any]:
    path = path_of(row)
    said: dict[str, Any] = {}
    if path:
        said["field"] = path
    if row.op:
        said["op"] = row.op
    texts = entries_of(row.values) if shape_of(row.op) == "options" else row.values
    if path and row.op and any(text != "" for text in texts):
        said["value"] = _value(row, path, reading)
    return said


def path_of(row: ConditionRow) -> str:
    return PAYLOAD + row.member.strip() if row.field == PAYLOAD else row.field


def _value(row: ConditionRow, path: str, reading: Reading) -> Any:
    shape = shape_of(row.op)
    field = reading.fields(path)
    read = _READ.get(field.type if field else "", _text)
    if shape == "options":
        return [read(text, reading.point) for text in entries_of(row.values)]
    if shape == "flag":
        return flag_of(row.values[0])
    if shape == "timestamp":
        return moment_of(row.values[0])
    if shape == "amount":
        return number_of(row.values[0], reading.point)
    return read(row.values[0], reading.point)


def shape_of(op: str) -> str:
    """What an operator takes: scalar, options, amount, part, flag, timestamp; "" for none."""
    operator = OPERATORS.get(op)
    return operator.takes.__name__ if operator else ""


def _alike(leaf: Mapping[str, Any]) -> Any:
    """Boxes that are ticked have no order."""
    value = leaf.get("value")
    if isinstance(value, list):
        return {**leaf, "value": sorted({shown(one, ".") for one in value})}
    return dict(leaf)


def without_unreadable(rows: RuleRows) -> RuleRows:
    """For telling an unfinished rule: without the conditions that ask nothing yet, and without
    the actions that are none.
    """
    groups = [
        replace(group, conditions=tuple(row for row in group.conditions if _is_complete(row)))
        for group in rows.groups
    ]
    return replace(
        rows,
        groups=tuple(group for group in groups if group.conditions),
        actions=tuple(row for row in rows.actions if row.type),
    )


def _is_complete(row: ConditionRow) -> bool:
    asks = path_of(row) not in {"", PAYLOAD} and row.op in OPERATORS
    return asks and any(text.strip() for text in row.values)


# --- actions ------------------------------------------------------------------------------------


def action_of(row: ActionRow, point: str) -> Any:
    kept = _loaded(row.kept)
    if kept is not None and _action(row, point) == _action(form.action_row(kept, point), point):
        return kept
    return _action(row, point)


def _action(row: ActionRow, point: str) -> dict[str, Any]:
    return {"type": row.type, "params": params_of(row.type, row.texts, point)}


# --- where it stands ----------------------------------------------------------------------------


def places_of(rows: RuleRows) -> dict[str, str]:
    """JSON pointers of the definition -> names of fields in the form."""
    clock = ("max_hours", "repeat_hours", "max_repeats") if rows.trigger_event == TIMEOUT else ()
    places = {f"/{name}": name for name in ("name", "stage", "priority", *clock)}
    places["/trigger_event"] = "custom" if rows.trigger == CUSTOM else "trigger"
    places["/journey_key"] = "journey"
    places |= dict(_condition_places(rows))
    for number, action in enumerate(rows.actions):
        places |= dict(_action_places(number, action))
    return places


def _condition_places(rows: RuleRows) -> Iterator[tuple[str, str]]:
    if rows.tree:
        return
    for number, group in enumerate(rows.groups):
        at = f"/conditions/any/{number}" if _is_any(rows) else "/conditions"
        for place, row in enumerate(group.conditions):
            leaf = at if _is_lone(group) else f"{at}/all/{place}"
            yield from _leaf_places(leaf, f"g-{number}-{place}", row)


def _leaf_places(pointer: str, prefix: str, row: ConditionRow) -> Iterator[tuple[str, str]]:
    field = f"{prefix}-member" if row.field == PAYLOAD else f"{prefix}-field"
    yield pointer, field
    yield f"{pointer}/field", field
    yield f"{pointer}/op", f"{prefix}-op" if path_of(row) else field
    yield f"{pointer}/value", f"{prefix}-value" if row.op else f"{prefix}-op"


def _action_places(number: int, row: ActionRow) -> Iterator[tuple[str, str]]:
    at, prefix = f"/actions/{number}", f"a-{number}"
    yield at, f"{prefix}-type"
    for part in parts_of(row.type):
        pointer = f"{at}/params/{part.name}"
        yield pointer, f"{prefix}-{part.names[0]}"
        if part.kind == "words":
            for name in part.names:
                yield f"{pointer}/{name.rpartition('-')[2]}", f"{prefix}-{name}"


def _loaded(text: str) -> Any:
    """None for nothing, and for what somebody else wrote into the page: also halves of characters,
    which no page can show.
    """
    try:
        found = json.loads(text) if text else None
        json.dumps(found, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        return None
    return found
