"""What keeps a rule from being published: every problem at once, each with its JSON pointer.

A rule that could never do what it says is refused as well as one that cannot be read: an unknown
key, a stage that does not exist, a block that blocks nobody, a way out of a block that no rule
may ever take (Spec 6.2). `InvalidRule` is raised here, and so says the same everywhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from django.utils.text import capfirst
from django.utils.translation import gettext as _

from automation import errors, payloads
from automation.actions import ACTIONS
from automation.actions.base import Practice
from automation.definition import MOST_ACTIONS, SCHEMA, hours
from automation.engine import BLOCKING_ACTIONS
from automation.judging import TIMEOUT, question
from automation.problems import Problem
from automation.schemas import missing, schema_problems
from automation.vocabulary import practice_fields
from journeys.event_types import EVENT_TYPES, event_type, is_known
from kura.conditions import InvalidCondition, validate

BLOCK_PREFIX: Final = "BLOCKED"  # a stage of such a name is expected to hold the patient
MOST_WORDS: Final = 5  # problems that a sentence can carry; the list has them all
LEAST_REPEAT: Final = 1  # hours
_CLOCK: Final = ("max_hours", "repeat_hours", "max_repeats")

Definition = Mapping[str, Any]


def require_valid(definition: object, practice: Practice) -> None:
    """InvalidRule with all problems, when there are any. Needs the organization's scope."""
    problems = problems_of(definition, practice)
    if problems:
        raise errors.InvalidRule(problems=problems, problem_words=words_of(problems))


def words_of(problems: Sequence[Problem]) -> str:
    told = [f"{one.pointer or '/'}: {one.message}" for one in problems[:MOST_WORDS]]
    if len(problems) > MOST_WORDS:
        told.append(_("And %(more)s more.") % {"more": len(problems) - MOST_WORDS})
    return " ".join(told)


def problems_of(definition: object, practice: Practice) -> list[Problem]:
    """Empty when the rule may be published. One query, however many problems."""
    unkept = unkeepable(definition)
    if unkept or not isinstance(definition, Mapping):
        return unkept
    found = schema_problems(SCHEMA, definition)
    wrong = {problem.pointer for problem in found}
    for problem in _meant(definition, practice):
        if problem.pointer not in wrong:
            found.append(problem)
    return found


def is_readable(definition: object) -> bool:
    """Whether it can be asked and told, also when a stage that it names is gone. Pure."""
    if not isinstance(definition, Mapping) or schema_problems(SCHEMA, definition):
        return False
    trigger = definition["trigger_event"]
    is_known_event = is_known(trigger) and (
        trigger != TIMEOUT or hours(definition.get("max_hours"))
    )
    return bool(is_known_event) and _asks(definition) and all(map(_acts, definition["actions"]))


def _asks(definition: Definition) -> bool:
    try:
        question({"conditions": {}, **definition})
    except InvalidCondition:
        return False
    return True


def _acts(action: Mapping[str, Any]) -> bool:
    known = ACTIONS.get(action["type"])
    return known is not None and not schema_problems(known.schema, action.get("params", {}))


def unkeepable(definition: object) -> list[Problem]:
    """What keeps it even from being kept as a draft: no object, too large, unstorable texts."""
    flaws = payloads.unstorable(definition)
    return [
        Problem(flaw["pointer"], "wrong_value", f"{capfirst(flaw['detail'])}.") for flaw in flaws
    ]


def _meant(rule: Definition, practice: Practice) -> Iterator[Problem]:
    """What a schema cannot know. Members of the wrong kind are passed over: the schema said so."""
    yield from _name(rule)
    yield from _trigger(rule)
    yield from _place(rule, practice)
    yield from _clock(rule)
    yield from _conditions(rule, practice)
    yield from _actions(rule, practice)


# --- when ---------------------------------------------------------------------------------------


def _name(rule: Definition) -> Iterator[Problem]:
    name = _text(rule, "name")
    if "name" in rule and not any(c.isprintable() and not c.isspace() for c in name):
        yield Problem("/name", "missing_member", _("Give the rule a name."))


def _trigger(rule: Definition) -> Iterator[Problem]:
    trigger = _text(rule, "trigger_event")
    if "trigger_event" in rule and not is_known(trigger):
        words = _("“%(event)s” is no kind of event. Known: %(known)s, and CUSTOM. with a name.")
        told = {"event": trigger, "known": ", ".join(EVENT_TYPES)}
        yield Problem("/trigger_event", "unknown_event_type", words % told)


def _place(rule: Definition, practice: Practice) -> Iterator[Problem]:
    """The journey and the stage that the trigger is narrowed to."""
    key, stage = _text(rule, "journey_key"), _text(rule, "stage")
    if key and key not in practice.journeys:
        words = _("This practice has no journey with the key “%(key)s”.") % {"key": key}
        yield Problem("/journey_key", "unknown_journey", words)
        return
    if not stage:
        return
    if not key and _is_about_person(_text(rule, "trigger_event")):
        words = _("This event is about the person: say in which journey the stage is.")
        yield Problem("/journey_key", "missing_member", words)
    elif key and rule.get("trigger_event") == TIMEOUT and _is_closed(stage, key, practice):
        words = _("Who is in “%(stage)s” has left the journey: nobody waits there.")
        yield Problem("/stage", "unfit_value", words % {"stage": stage})
    elif not any(stage in practice.journeys[one].allowed for one in _keys(key, practice)):
        yield Problem("/stage", "stage_not_allowed", _no_stage(stage, key, practice))


def _is_about_person(trigger: str) -> bool:
    return is_known(trigger) and not event_type(trigger).per_journey


def _is_closed(stage: str, key: str, practice: Practice) -> bool:
    found = practice.journeys[key].allowed.get(stage)
    return found is not None and found.is_closed


def _keys(key: str, practice: Practice) -> list[str]:
    return [key] if key else list(practice.journeys)


def _no_stage(stage: str, key: str, practice: Practice) -> str:
    if not key:
        return _("“%(stage)s” is no stage of any journey of this practice.") % {"stage": stage}
    journey = practice.journeys[key]
    return _("“%(stage)s” is no stage of “%(journey)s”. Its stages: %(stages)s.") % {
        "stage": stage,
        "journey": journey.name,
        "stages": ", ".join(journey.allowed),
    }


# --- how long -----------------------------------------------------------------------------------


def _clock(rule: Definition) -> Iterator[Problem]:
    """A stage's time limit: obligatory for the rules that wait for it, and for no others."""
    if rule.get("trigger_event") != TIMEOUT:
        words = _("Only a rule that waits for the end of a stage's time has this.")
        for name in _CLOCK:
            if rule.get(name) is not None:
                yield Problem(f"/{name}", "unfit_value", words)
        return
    for name in ("journey_key", "stage", "max_hours"):
        if rule.get(name) in (None, ""):
            yield missing(f"/{name}")
    for name in ("max_hours", "repeat_hours"):
        if rule.get(name) not in (None, "") and hours(rule[name]) is None:
            words = _("Give hours greater than 0, below a million, with at most three decimals.")
            yield Problem(f"/{name}", "wrong_value", words)
    exact = hours(rule.get("repeat_hours"))
    if exact is not None and exact < LEAST_REPEAT:
        words = _("The monitor looks each hour: repeat after 1 hour or more.")
        yield Problem("/repeat_hours", "wrong_value", words)
    if rule.get("max_repeats") is not None and rule.get("repeat_hours") is None:
        yield missing("/repeat_hours")


# --- if -----------------------------------------------------------------------------------------


def _conditions(rule: Definition, practice: Practice) -> Iterator[Problem]:
    trigger = _text(rule, "trigger_event")
    if not is_known(trigger):
        return  # its fields are not known either
    fields = practice_fields(trigger, _text(rule, "journey_key"), practice)
    try:
        validate(rule.get("conditions"), fields)
    except InvalidCondition as refusal:
        for flaw in refusal.errors:
            yield Problem(f"/conditions{flaw.pointer}", flaw.code, flaw.message)


# --- then ---------------------------------------------------------------------------------------


def _actions(rule: Definition, practice: Practice) -> Iterator[Problem]:
    actions = rule.get("actions")
    if not isinstance(actions, list):
        return
    for index, action in enumerate(actions[:MOST_ACTIONS]):  # the schema refuses more
        if isinstance(action, Mapping) and isinstance(action.get("type"), str):
            for problem in _action(rule, action, practice):
                yield problem.below(f"/actions/{index}")


def _action(rule: Definition, action: Mapping[str, Any], practice: Practice) -> Iterator[Problem]:
    known = ACTIONS.get(action["type"])
    if known is None:
        words = _("There is no action “%(type)s”. Known: %(known)s.")
        told = {"type": action["type"], "known": ", ".join(ACTIONS)}
        yield Problem("/type", "unknown_action", words % told)
        return
    params = action.get("params", {})
    if not isinstance(params, Mapping):
        return
    found = schema_problems(known.schema, params) or [
        *known.problems(params, practice),
        *_block_problems(rule, action["type"], params, practice),
    ]
    for problem in found:
        yield problem.below("/params")


def _block_problems(
    rule: Definition, kind: str, params: Mapping[str, Any], practice: Practice
) -> Iterator[Problem]:
    """A block that would block nobody, and a way out of a block that is no rule's to take."""
    key, stage = params.get("key", ""), params.get("status") or ""
    journey = practice.journeys.get(key)
    if kind not in BLOCKING_ACTIONS or journey is None or stage not in journey.allowed:
        return
    if stage.startswith(BLOCK_PREFIX) and not journey.allowed[stage].is_blocking:
        words = _("“%(stage)s” of “%(journey)s” is not on hold: it would block nobody.")
        told = {"stage": stage, "journey": journey.name}
        yield Problem("/status", "not_a_block", words % told)
    is_here = key == _text(rule, "journey_key")
    begins = journey.allowed.get(_text(rule, "stage")) if is_here else None
    if begins is not None and begins.is_blocking and begins.code != stage:
        words = _("A rule never moves anybody out of a block: a person does that, with a reason.")
        yield Problem("/status", "unblock_needs_person", words)


def _text(rule: Definition, name: str) -> str:
    value = rule.get(name)
    return value if isinstance(value, str) else ""
