"""A rule as one sentence, and in its three parts: WHEN, IF, THEN, in the active language.

Every part is a template of its own, so that a translator may turn it round; only names are filled
in. What cannot be read is said as it is written: a rule written past the services is shown, too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

from django.utils import formats
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from automation.actions import ACTIONS
from automation.actions.base import Practice
from automation.actions.targets import stage_words
from automation.definition import hours
from automation.engine import readable_actions
from automation.judging import TIMEOUT
from automation.schemas import schema_problems
from automation.values import in_language
from automation.vocabulary import practice_fields
from journeys.selectors.history import event_label
from kura.conditions import (
    OPERATORS,
    FieldLookup,
    InvalidCondition,
    Leaf,
    describe,
    describe_leaf,
)

Definition = Mapping[str, Any]
_OPEN = "…"  # what a draft does not say yet
_DAY = 24  # hours
_IN_HOURS = 72  # practices say 48 h and 72 h, then days


@dataclass(frozen=True, slots=True)
class RuleWords:
    """`if_` is "" for a rule without conditions; `then` has one entry an action."""

    when: str
    if_: str
    then: tuple[str, ...]

    @property
    def sentence(self) -> str:
        told = {"when": self.when, "if": self.if_, "then": joined(self.then)}
        if self.if_:
            return _("When %(when)s, if %(if)s: %(then)s.") % told
        return _("When %(when)s: %(then)s.") % told


def sentence(rule: Definition, practice: Practice) -> str:
    return words_of_rule(rule, practice).sentence


def words_of_rule(rule: Definition, practice: Practice) -> RuleWords:
    """`rule` is a definition. Needs the organization's tenant scope; one query a practice."""
    return RuleWords(
        when_words(rule, practice), if_words(rule, practice), tuple(then_words(rule, practice))
    )


def when_words(rule: Definition, practice: Practice) -> str:
    """The trigger, in its journey and stage."""
    event = _uncapitalized(event_label(rule["trigger_event"])) or _OPEN
    key, stage = rule.get("journey_key") or "", rule.get("stage") or ""
    journey, label = stage_words(key, stage, practice) if key else ("", _any_label(stage, practice))
    if rule["trigger_event"] == TIMEOUT:
        return _timeout(rule, journey or _OPEN, label if stage else _OPEN)
    told = {"event": event, "journey": journey, "stage": label}
    if key and stage:
        return _("“%(event)s” happens while in “%(stage)s” of “%(journey)s”") % told
    if key:
        return _("“%(event)s” happens in “%(journey)s”") % told
    if stage:
        return _("“%(event)s” happens while in “%(stage)s”") % told
    return _("“%(event)s” happens") % told


def _timeout(rule: Definition, journey: str, stage: str) -> str:
    told = {
        "journey": journey,
        "stage": stage,
        "limit": limit_words(rule) or _OPEN,
        "repeat": _duration(rule.get("repeat_hours")),
        "most": _number(rule.get("max_repeats")),
    }
    if not rule.get("repeat_hours"):
        words = _("%(limit)s have passed in “%(stage)s” of “%(journey)s”")
    elif not rule.get("max_repeats"):
        words = _("%(limit)s have passed in “%(stage)s” of “%(journey)s”, again every %(repeat)s")
    else:
        words = _(
            "%(limit)s have passed in “%(stage)s” of “%(journey)s”, "
            "again every %(repeat)s, %(most)s times in all at most"
        )
    return words % told


def limit_words(rule: Definition) -> str:
    """The limit of a rule about time, as it is read; "" for none."""
    return _duration(rule.get("max_hours"))


def _duration(value: object) -> str:
    """As practices say it: 48 h, 72 h, 7 days."""
    exact = hours(value)
    if exact is None:
        return ""
    days, rest = divmod(exact, _DAY)
    if exact > _IN_HOURS and not rest:
        return ngettext("%(number)s day", "%(number)s days", int(days)) % {"number": int(days)}
    return _("%(hours)s h") % {"hours": _number(value)}


def if_words(rule: Definition, practice: Practice) -> str:
    """All conditions; "" when there are none."""
    tree = rule.get("conditions")
    if not tree:
        return ""
    fields = practice_fields(rule["trigger_event"], rule.get("journey_key") or "", practice)
    try:
        return describe(tree, fields)
    except InvalidCondition as unreadable:
        return str(unreadable)


def then_words(rule: Definition, practice: Practice) -> list[str]:
    """A sentence an action, in their order."""
    return [
        action_words(kind, params, practice) for kind, params in readable_actions(rule["actions"])
    ]


def action_words(kind: str, params: Mapping[str, Any], practice: Practice) -> str:
    """What the action says of itself; only what it is called when its parameters are unreadable,
    and its bare name when nobody knows it.
    """
    known = ACTIONS.get(kind)
    if known is None:
        return kind
    if schema_problems(known.schema, params):
        return in_language(known.labels)
    return known.sentence(params, practice)


def joined(parts: Sequence[str]) -> str:
    if not parts:
        return _("nothing")
    return reduce(lambda one, other: _("%(one)s, then %(other)s") % _two(one, other), parts)


def _two(one: str, other: str) -> dict[str, str]:
    return {"one": one, "other": other}


def _any_label(stage: str, practice: Practice) -> str:
    """A stage of whatever journey, by the first one's name for it."""
    found = (j.label(stage) for j in practice.journeys.values() if stage in j.stages)
    return next(found, stage)


def _number(value: object) -> str:
    exact = hours(value)
    if exact is None:
        return ""
    return str(formats.localize(int(exact) if exact == int(exact) else exact.normalize()))


def _uncapitalized(words: str) -> str:
    return words[:1].lower() + words[1:]


def readable_condition(told: Mapping[str, Any], fields: FieldLookup) -> str:
    """One entry of a run's trace in words; a value that was cut is shown as it was kept."""
    leaf = Leaf(told["pointer"], told["field"], told["op"], told["expected"])
    if leaf.op not in OPERATORS:
        return f"{leaf.field} {leaf.op}"
    return describe_leaf(leaf, fields(leaf.field))
