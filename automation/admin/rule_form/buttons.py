"""What a button of the form makes of the rows, what is said of it, and where the focus goes.

A button is "verb:row" or "verb:group:row". Before it acts, what follows a changed choice is
settled: stages of the other journey are none of this one's, and a value belongs to its field.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, TypeVar

from django.utils.translation import gettext as _

from automation.admin.rule_form.choices import Vocabulary
from automation.admin.rule_form.params import parts_of, texts_of
from automation.admin.rule_form.rows import (
    ALL,
    MOST_CONDITIONS,
    ActionRow,
    ConditionRow,
    GroupRow,
    RuleRows,
)
from automation.admin.rule_form.starts import OF_TIMEOUTS
from automation.admin.rule_form.values import NO, YES
from automation.admin.rule_form.written import shape_of
from automation.definition import MOST_ACTIONS
from automation.judging import TIMEOUT
from automation.placeholders import PLACEHOLDERS
from kura.conditions import OPERATORS, Field

_DIGITS: Final = 3  # of a row's number
_Row = TypeVar("_Row")


@dataclass(frozen=True, slots=True)
class Edited:
    """`focus`: the name of a field, or the value of a button."""

    rows: RuleRows
    said: str = ""
    focus: str = ""


def acted(rows: RuleRows, act: str) -> Edited:
    """A button that is none leaves the rows as they are."""
    verb, *about = act.split(":")
    button = _BUTTONS.get(verb)
    if verb == "put" and len(about) == 3 and _is_number(about[0]):  # noqa: PLR2004
        return _put(rows, int(about[0]), about[1], about[2])
    if button is None or not all(map(_is_number, about)):
        return Edited(rows)
    try:
        return button(rows, *map(int, about))
    except (IndexError, TypeError):  # a row that is not there
        return Edited(rows)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= _DIGITS


# --- what follows a changed choice --------------------------------------------------------------


def settled(rows: RuleRows, words: Vocabulary) -> RuleRows:
    return replace(
        rows,
        stage=_stage(rows.journey, rows.journey_was, rows.stage, words),
        journey_was=rows.journey,
        groups=tuple(
            replace(group, conditions=tuple(_condition(row, words) for row in group.conditions))
            for group in rows.groups
        ),
        actions=tuple(_action(row, rows, words) for row in rows.actions),
    )


def _stage(key: str, key_was: str, stage: str, words: Vocabulary) -> str:
    if key == key_was:
        return stage
    journey = words.practice.journeys.get(key)
    return stage if journey is not None and stage in journey.allowed else ""


def _condition(row: ConditionRow, words: Vocabulary) -> ConditionRow:
    field = words.field(row.field)
    if row.field == row.was:
        return replace(row, values=_fitting(row, field))
    fits = [one.name for one in OPERATORS.values() if field and field.type in one.types]
    op = row.op if row.op in fits else next(iter(fits), "")
    changed = replace(row, was=row.field, op=op, values=(), kept="")
    return replace(changed, values=_fitting(changed, field))


def _fitting(row: ConditionRow, field: Field | None) -> tuple[str, ...]:
    """Yes and no are answers to another question than the one before."""
    flags = shape_of(row.op) == "flag"
    if flags and row.values[:1] not in {(YES,), (NO,)}:
        return (YES,)
    if not flags and row.values in {(YES,), (NO,)} and field and field.type != "boolean":
        return () if row.kept == "" or field.choices else row.values
    return row.values


def _action(row: ActionRow, rows: RuleRows, words: Vocabulary) -> ActionRow:
    if row.type != row.was:
        row = _begun(row, rows)
    key = row.texts.get("key", "")
    stage = _stage(key, row.key_was, row.texts.get("status", ""), words)
    texts = dict(row.texts)
    if "status" in texts:
        texts["status"] = stage
    return replace(row, texts=texts, key_was=key)


def _begun(row: ActionRow, rows: RuleRows) -> ActionRow:
    """Another action takes over what is called the same, and begins with what is likely."""
    parts = parts_of(row.type)
    names = [name for part in parts for name in part.names]
    likely = OF_TIMEOUTS.get(row.type, {}) if rows.trigger_event == TIMEOUT else {}
    texts = texts_of(row.type, likely, ".")
    texts |= {name: row.texts[name] for name in names if row.texts.get(name)}
    for part in parts:
        if part.kind == "choice" and texts.get(part.name) not in part.choices:
            texts[part.name] = part.choices[0]
        if part.kind == "journey":
            texts[part.name] = texts.get(part.name) or rows.journey
    return ActionRow(row.type, row.type, texts.get("key", ""), texts)


# --- conditions ---------------------------------------------------------------------------------


def _group_added(rows: RuleRows) -> Edited:
    if _count(rows) >= MOST_CONDITIONS:
        return Edited(rows, _too_many_conditions())
    number = len(rows.groups)
    said = _("New group %(number)s, joined by “or”.") % {"number": number + 1}
    if not number:
        said = _("New group of conditions.")
    return Edited(replace(rows, groups=(*rows.groups, GroupRow())), said, f"g-{number}-0-field")


def _group_removed(rows: RuleRows, number: int) -> Edited:
    groups = _without(rows.groups, number)
    said = _("Group %(number)s is removed.") % {"number": number + 1}
    return Edited(replace(rows, groups=groups), said, _group_focus(groups, number))


def _group_focus(groups: Sequence[GroupRow], number: int) -> str:
    return f"g-{min(number, len(groups) - 1)}-0-field" if groups else "group-add"


def _condition_added(rows: RuleRows, number: int) -> Edited:
    if _count(rows) >= MOST_CONDITIONS:
        return Edited(rows, _too_many_conditions())
    group = rows.groups[number]
    place = len(group.conditions)
    more = GroupRow((*group.conditions, ConditionRow()), ALL)
    said = _("New condition %(number)s.%(place)s.") % {"number": number + 1, "place": place + 1}
    groups = _with(rows.groups, number, more)
    return Edited(replace(rows, groups=groups), said, f"g-{number}-{place}-field")


def _condition_removed(rows: RuleRows, number: int, place: int) -> Edited:
    """The last condition of a group takes the group with it."""
    group = rows.groups[number]
    left = _without(group.conditions, place)
    if not left:
        return _group_removed(rows, number)
    said = _("Condition %(number)s.%(place)s is removed.") % {
        "number": number + 1,
        "place": place + 1,
    }
    groups = _with(rows.groups, number, replace(group, conditions=left))
    focus = f"g-{number}-{min(place, len(left) - 1)}-field"
    return Edited(replace(rows, groups=groups), said, focus)


def _tree_removed(rows: RuleRows) -> Edited:
    return Edited(replace(rows, tree=""), _("The conditions are removed."), "group-add")


def _count(rows: RuleRows) -> int:
    return sum(len(group.conditions) for group in rows.groups)


def _too_many_conditions() -> str:
    return _("A rule has at most %(most)s conditions.") % {"most": MOST_CONDITIONS}


# --- actions ------------------------------------------------------------------------------------


def _action_added(rows: RuleRows) -> Edited:
    number = len(rows.actions)
    if number >= MOST_ACTIONS:
        return Edited(rows, _("A rule has at most %(most)s actions.") % {"most": MOST_ACTIONS})
    said = _("New action %(number)s.") % {"number": number + 1}
    return Edited(replace(rows, actions=(*rows.actions, ActionRow())), said, f"a-{number}-type")


def _action_removed(rows: RuleRows, number: int) -> Edited:
    actions = _without(rows.actions, number)
    said = _("Action %(number)s is removed.") % {"number": number + 1}
    focus = f"a-{min(number, len(actions) - 1)}-type" if actions else "action-add"
    return Edited(replace(rows, actions=actions), said, focus)


def _action_up(rows: RuleRows, number: int) -> Edited:
    return _swapped(rows, number, number - 1)


def _action_down(rows: RuleRows, number: int) -> Edited:
    return _swapped(rows, number, number + 1)


def _swapped(rows: RuleRows, number: int, place: int) -> Edited:
    last = len(rows.actions) - 1
    if not (0 <= number <= last and 0 <= place <= last):
        return Edited(rows)
    actions = list(rows.actions)
    actions[number], actions[place] = actions[place], actions[number]
    way = {0: "down", last: "up"}.get(place, "up" if place < number else "down")
    said = _("The action is now number %(place)s of %(count)s.")
    told = {"place": place + 1, "count": last + 1}
    return Edited(replace(rows, actions=tuple(actions)), said % told, f"action-{way}:{place}")


def _put(rows: RuleRows, number: int, name: str, placeholder: str) -> Edited:
    """A placeholder at the end of a text."""
    if number >= len(rows.actions) or placeholder not in PLACEHOLDERS:
        return Edited(rows)
    row = rows.actions[number]
    if name not in {one for part in parts_of(row.type) for one in part.names}:
        return Edited(rows)
    text = row.texts.get(name, "")
    gap = " " if text and not text[-1].isspace() else ""
    texts = {**row.texts, name: f"{text}{gap}{{{placeholder}}}"}
    actions = _with(rows.actions, number, replace(row, texts=texts))
    said = _("The placeholder stands at the end of the text.")
    return Edited(replace(rows, actions=actions), said, f"a-{number}-{name}")


def _with(rows: Sequence[_Row], number: int, row: _Row) -> tuple[_Row, ...]:
    return (*rows[:number], row, *rows[number + 1 :])


def _without(rows: Sequence[_Row], number: int) -> tuple[_Row, ...]:
    if number >= len(rows):
        raise IndexError
    return (*rows[:number], *rows[number + 1 :])


_BUTTONS: Final[Mapping[str, Callable[..., Edited]]] = {
    "group-add": _group_added,
    "group-remove": _group_removed,
    "condition-add": _condition_added,
    "condition-remove": _condition_removed,
    "tree-remove": _tree_removed,
    "action-add": _action_added,
    "action-remove": _action_removed,
    "action-up": _action_up,
    "action-down": _action_down,
}
