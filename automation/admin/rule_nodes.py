"""A rule as three nodes: WHEN, IF, THEN, from the same definition that its sentence is made of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from django.utils.functional import Promise
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from automation.actions import ACTIONS
from automation.actions.base import Practice
from automation.engine import readable_actions
from automation.judging import TIMEOUT
from automation.outline import Asked, Branch, Outline, outline_of, takes_of, what_it_takes
from automation.sentences import action_words, when_words
from automation.values import in_language
from automation.vocabulary import practice_fields
from journeys.admin.badges import Badge, badge_of
from journeys.admin.nodes import Group, Node, NodeKind, Row, count_of_actions
from journeys.selectors.history import event_label
from kura.conditions import InvalidCondition, Part

_TAGS: Final[Mapping[str, Promise]] = {
    "RISK_ANALYSIS_COMPLETED": gettext_lazy("AI event"),
    TIMEOUT: gettext_lazy("Time limit"),
}


def rule_nodes(
    rule: Mapping[str, Any], practice: Practice, *, name: str = "rule", note: str = ""
) -> list[Node]:
    """`rule`: a definition that could be kept. `name`: apart from other rules of the page.

    `note`: what is known of its event besides.
    """
    when = [f"{capfirst(when_words(rule, practice))}.", note]
    return [
        Node(
            kind=NodeKind.TRIGGER,
            id=f"{name}-when",
            title=event_label(rule["trigger_event"]),
            tag=tag_of(rule["trigger_event"]),
            note=" ".join(one for one in when if one),
        ),
        _if(rule, practice, f"{name}-if"),
        Node(
            kind=NodeKind.ACTION,
            id=f"{name}-then",
            title=count_of_actions(len(readable_actions(rule["actions"]))),
            rows=[_action(*one, practice) for one in readable_actions(rule["actions"])],
            numbered=True,
        ),
    ]


def tag_of(event_type: str) -> str:
    """What kind of event it is, where that is worth a word."""
    return str(_TAGS.get(event_type, ""))


def _if(rule: Mapping[str, Any], practice: Practice, name: str) -> Node:
    fields = practice_fields(rule["trigger_event"], rule.get("journey_key") or "", practice)
    try:
        outline = outline_of(rule.get("conditions"), fields)
    except InvalidCondition as unreadable:
        return Node(kind=NodeKind.CONDITION, id=name, title=str(unreadable), state="failed")
    return Node(
        kind=NodeKind.CONDITION,
        id=name,
        title=what_it_takes(outline),
        note="" if outline else _("The rule has no conditions: it runs each time."),
        rows=rows_of(outline),
        either=isinstance(outline, Branch) and outline.kind == "any",
    )


def rows_of(outline: Outline | None) -> Sequence[Row | Group]:
    """Its parts; where some are groups, a lone condition stands in a group as well."""
    if outline is None:
        return ()
    if isinstance(outline, Asked):
        return [Row(parts=outline.parts)]
    if not any(isinstance(part, Branch) for part in outline.parts):
        return [Row(parts=part.parts) for part in outline.parts if isinstance(part, Asked)]
    return list(_groups(outline, ""))


def _groups(branch: Branch, number: str) -> Iterator[Group]:
    for index, part in enumerate(branch.parts, start=1):
        own = f"{number}{index}"
        group = part if isinstance(part, Branch) else Branch("all", (part,))
        nested = any(isinstance(one, Branch) for one in group.parts)
        yield Group(
            title=_("Group %(number)s") % {"number": own},
            note=takes_of(group.kind) if len(group.parts) > 1 else "",
            rows=list(_groups(group, f"{own}.")) if nested else rows_of(group),
            either=group.kind == "any",
        )


def _action(kind: str, params: Mapping[str, Any], practice: Practice) -> Row:
    known = ACTIONS.get(kind)
    label = in_language(known.labels) if known else _("An action that cannot be read.")
    words = action_words(kind, params, practice)
    return Row(
        parts=[Part("field", label)],
        note=f"{capfirst(words)}." if known and words != kind else "",
        badge=_stage(params, practice) if kind == "update_journey_status" else None,
    )


def _stage(params: Mapping[str, Any], practice: Practice) -> Badge | None:
    journey = practice.journeys.get(params.get("key", ""))
    stage = journey.stages.get(params.get("status", "")) if journey else None
    return badge_of(stage) if stage else None
