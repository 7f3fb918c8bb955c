"""A rule's definition in words: WHEN, IF, THEN. The same for a rule, its versions and its runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.utils import formats
from django.utils.text import capfirst
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from automation.actions import ACTIONS
from automation.actions.base import Practice
from automation.engine import readable_actions
from automation.judging import TIMEOUT
from automation.selectors.named_fields import named_fields
from journeys.selectors.history import event_label
from kura.conditions import InvalidCondition, describe


@dataclass(frozen=True, kw_only=True, slots=True)
class RuleWords:
    """`only_if` is '' for a rule without conditions."""

    when: str
    where: str
    only_if: str
    then: list[str]


def rule_words(definition: Mapping[str, Any], practice: Practice) -> RuleWords:
    """`definition` as in `AutomationRule.definition`. What cannot be read says so."""
    return RuleWords(
        when=_when(definition, practice),
        where=_where(definition, practice),
        only_if=_only_if(definition, practice),
        then=[action_words(one, practice) for one in definition["actions"] or ()],
    )


def _when(definition: Mapping[str, Any], practice: Practice) -> str:
    hours = definition.get("max_hours")
    if definition["trigger_event"] != TIMEOUT or hours is None:
        return event_label(definition["trigger_event"])
    return _("%(hours)s h in “%(stage)s”") % {
        "hours": formats.localize(float(hours)),
        "stage": _stage(definition, practice),
    }


def _where(definition: Mapping[str, Any], practice: Practice) -> str:
    key, stage = definition.get("journey_key"), definition.get("stage")
    journey = practice.journeys.get(key or "")
    name = journey.name if journey else (key or _("any journey"))
    if not stage or definition["trigger_event"] == TIMEOUT:
        return name
    return _("%(journey)s, in “%(stage)s”") % {
        "journey": name,
        "stage": _stage(definition, practice),
    }


def _stage(definition: Mapping[str, Any], practice: Practice) -> str:
    journey = practice.journeys.get(definition.get("journey_key") or "")
    code: str = definition.get("stage") or ""
    return journey.label(code) if journey else code


def _only_if(definition: Mapping[str, Any], practice: Practice) -> str:
    if not definition["conditions"]:
        return ""
    fields = named_fields(
        definition["trigger_event"], practice.journeys, definition.get("journey_key") or ""
    )
    try:
        return capfirst(describe(definition["conditions"], fields))
    except InvalidCondition:
        return _("These conditions cannot be read.")


def action_words(action: object, practice: Practice) -> str:
    """What an action does; one that was written past the services may not be readable."""
    for kind, params in readable_actions([action]):
        known = ACTIONS.get(kind)
        if known is None:
            break
        try:
            return capfirst(known.sentence(params, practice))
        except (AttributeError, KeyError, TypeError):
            language = "en" if (get_language() or "").startswith("en") else "es"
            return capfirst(known.labels[language])
    return _("An action that cannot be read.")
