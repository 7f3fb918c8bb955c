"""The rows as the names and values that a browser sends, and back.

`as_posted` is what the page's fields hold, in the order of the page; a page that carries the form
along unseen (a question before publishing) writes the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from django.core.exceptions import SuspiciousOperation
from django.http import QueryDict

from automation.admin.rule_form.params import CUSTOM, parts_of
from automation.admin.rule_form.rows import (
    MOST_CONDITIONS,
    ActionRow,
    ConditionRow,
    GroupRow,
    RuleRows,
)
from automation.admin.rule_form.values import entries_of
from automation.admin.rule_form.written import path_of, shape_of
from automation.definition import MOST_ACTIONS

HEAD: Final = ("name", "trigger", "custom", "journey", "journey_was", "stage", "max_hours",
               "repeat_hours", "max_repeats", "priority", "shape", "tree")  # fmt: skip
_DIGITS: Final = 3  # of a number of rows


# --- to the page --------------------------------------------------------------------------------


def as_posted(rows: RuleRows) -> list[tuple[str, str]]:
    return list(_posted(rows))


def _posted(rows: RuleRows) -> Iterator[tuple[str, str]]:
    for name in HEAD:
        yield name, getattr(rows, name)
    yield "groups", str(len(rows.groups))
    for number, group in enumerate(rows.groups):
        yield f"g-{number}-shape", group.shape
        yield f"g-{number}-count", str(len(group.conditions))
        for place, row in enumerate(group.conditions):
            yield from _condition(f"g-{number}-{place}", row)
    yield "actions", str(len(rows.actions))
    for number, action in enumerate(rows.actions):
        yield from _action(f"a-{number}", action)


def _condition(prefix: str, row: ConditionRow) -> Iterator[tuple[str, str]]:
    for name in ("field", "was", "op", "member", "kept"):
        yield f"{prefix}-{name}", getattr(row, name)
    for value in row.values:
        yield f"{prefix}-value", value


def _action(prefix: str, row: ActionRow) -> Iterator[tuple[str, str]]:
    for name in ("type", "was", "key_was", "kept"):
        yield f"{prefix}-{name}", getattr(row, name)
    for name, text in row.texts.items():
        yield f"{prefix}-{name}", text


# --- from the page ------------------------------------------------------------------------------


def posted_rows(data: QueryDict) -> RuleRows:
    """As the page sent it. What no page of ours sends is refused."""
    head = {name: data.get(name, "") for name in HEAD}
    groups = tuple(_group(data, f"g-{n}") for n in range(_count(data, "groups", MOST_CONDITIONS)))
    actions = tuple(_action_row(data, f"a-{n}") for n in range(_count(data, "actions", MOST_ROWS)))
    return _named(RuleRows(**head, groups=groups, actions=actions))


MOST_ROWS: Final = MOST_ACTIONS + 20  # a draft may hold more than can be published


def _count(data: QueryDict, name: str, most: int) -> int:
    text = data.get(name, "0")
    if not (text.isascii() and text.isdecimal() and len(text) <= _DIGITS and int(text) <= most):
        raise SuspiciousOperation(f"{name} is no number of rows")
    return int(text)


def _group(data: QueryDict, prefix: str) -> GroupRow:
    count = _count(data, f"{prefix}-count", MOST_CONDITIONS)
    rows = tuple(_condition_row(data, f"{prefix}-{place}") for place in range(count))
    return GroupRow(rows, data.get(f"{prefix}-shape", ""))


def _condition_row(data: QueryDict, prefix: str) -> ConditionRow:
    said = {name: data.get(f"{prefix}-{name}", "") for name in ("field", "was", "op", "member")}
    row = ConditionRow(
        **said,
        values=tuple(data.getlist(f"{prefix}-value")),
        kept=data.get(f"{prefix}-kept", ""),
    )
    return row if shape_of(row.op) != "options" else replace(row, values=_entries(row))


def _entries(row: ConditionRow) -> tuple[str, ...]:
    return tuple(entries_of(row.values))


def _action_row(data: QueryDict, prefix: str) -> ActionRow:
    kind = data.get(f"{prefix}-type", "")
    kinds = (data.get(f"{prefix}-was", ""), kind)
    names = [name for one in kinds for part in parts_of(one) for name in part.names]
    there = {name: data.get(f"{prefix}-{name}", "") for name in names if f"{prefix}-{name}" in data}
    return ActionRow(
        type=kind,
        was=kinds[0],
        key_was=data.get(f"{prefix}-key_was", ""),
        texts=there,
        kept=data.get(f"{prefix}-kept", ""),
    )


def _named(rows: RuleRows) -> RuleRows:
    """A member of an event of one's own that was typed becomes the condition's field."""
    if rows.trigger != CUSTOM:
        return rows
    groups = tuple(
        replace(group, conditions=tuple(map(_with_member, group.conditions)))
        for group in rows.groups
    )
    return replace(rows, groups=groups)


def _with_member(row: ConditionRow) -> ConditionRow:
    if not row.member.strip():
        return row
    path = path_of(row)
    return replace(row, field=path, was=path, member="")
