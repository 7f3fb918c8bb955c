"""What if this event came in under the rules of today? A card beside the trace of an event.

One rule is asked, as it is published now or as its draft says, by what was kept with the event:
`automation.backtest.ask`, which only reads. What is asked is in the address, so the card needs no
script. Who may not see what the conditions ask about is told nothing that would say the same.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from django.db.models import Q
from django.http import HttpRequest
from django.utils.text import capfirst
from django.utils.translation import gettext as _

from automation.actions.base import Practice
from automation.admin.dry_runs import DRAFT, PUBLISHED, VIEW, as_mapping, edit_url_of, named_by
from automation.admin.rule_form.fields import Mistake
from automation.admin.sight import sight_of
from automation.backtest import ask, is_what_runs
from automation.definition import normal
from automation.hindsight import Foretold
from automation.models.rule import AutomationRule
from automation.outline import verdicts_of
from automation.selectors.event_page import ConditionGroup, EventPage, condition_groups
from automation.selectors.trace import RunTold
from automation.selectors.tried import STATUSES, sees_all, why_words
from automation.sentences import action_words
from automation.services.rules import UNPUBLISHED
from automation.validation import problems_of
from automation.vocabulary import practice_fields
from kura.accounts.models import User
from kura.accounts.tenant_admin import editor_of

ASKED: Final = "what_if"
MOST_RULES: Final = 50  # that are offered: those that had a say come first


@dataclass(frozen=True, kw_only=True, slots=True)
class Option:
    """One rule as it is published, or its draft."""

    rule: AutomationRule
    kind: str
    is_chosen: bool

    @property
    def value(self) -> str:
        return f"{self.rule.pk}:{self.kind}"

    @property
    def label(self) -> str:
        told = {"rule": self.rule.name, "version": self.rule.version}
        words = _("%(rule)s, draft") if self.kind == DRAFT else _("%(rule)s, version %(version)s")
        return words % told

    @property
    def definition(self) -> Mapping[str, Any]:
        return as_mapping(self.rule.draft) if self.kind == DRAFT else self.rule.definition


@dataclass(frozen=True, kw_only=True, slots=True)
class ActionLine:
    words: str
    status: str
    why: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Told:
    """`mistakes`: it cannot be asked. `is_hidden`: from this reader. `then`: what it said when the
    event came in, None where it was not asked.
    """

    option: Option
    mistakes: Sequence[Mistake] = ()
    edit_url: str | None = None
    is_hidden: bool = False
    is_heard: bool = False
    result: bool | None = None
    groups: Sequence[ConditionGroup] = ()
    actions: Sequence[ActionLine] = ()
    then: RunTold | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class WhatIf:
    options: Sequence[Option]
    told: Told | None


def what_if(request: HttpRequest, page: EventPage) -> WhatIf | None:
    """None where there is nothing to ask, or nobody who may. One query, and with a rule asked those
    of the journeys.
    """
    reader = editor_of(request)
    is_whole = page.event.patient_id is not None and hasattr(page.event, "payload_row")
    if not is_whole or not reader.has_perm(VIEW):
        return None
    options = _options(page, request.GET.get(ASKED, ""))
    chosen = next((one for one in options if one.is_chosen), None)
    told = _told(chosen, page, reader) if chosen else None
    return WhatIf(options=options, told=told) if options else None


# --- what can be asked ----------------------------------------------------------------------------


def _options(page: EventPage, asked: str) -> list[Option]:
    found = [
        Option(rule=rule, kind=kind, is_chosen=asked == f"{rule.pk}:{kind}")
        for rule in _rules(page)
        for kind in (PUBLISHED, DRAFT)
    ]
    return [one for one in found if _is_there(one)]


def _is_there(option: Option) -> bool:
    rule = option.rule
    return rule.draft is not None if option.kind == DRAFT else rule.version != UNPUBLISHED


def _rules(page: EventPage) -> list[AutomationRule]:
    """Those that were asked then, in their order; then those for this kind of event today, of its
    journey before those of another.
    """
    kind, asked = page.event.event_type, [line.run.rule_id for line in page.runs]
    for_it = Q(trigger_event=kind) | Q(draft__trigger_event=kind) | Q(pk__in=asked)
    of_practice = AutomationRule.objects.filter(organization=page.event.organization_id)
    rules = of_practice.filter(for_it, archived_at=None).order_by("priority", "id")
    places: dict[uuid.UUID, int] = {rule_id: place for place, rule_id in enumerate(asked)}
    here = ("", page.event.journey_key or "")

    def order(rule: AutomationRule) -> tuple[int, bool]:
        return places.get(rule.pk, len(places)), rule.journey_key not in here

    return sorted(rules, key=order)[:MOST_RULES]


# --- the answer -----------------------------------------------------------------------------------


def _told(option: Option, page: EventPage, reader: User) -> Told:
    practice = Practice(organization=page.event.organization)
    published = option.rule if option.rule.version != UNPUBLISHED else None
    problems = problems_of(option.definition, practice)
    if problems and not is_what_runs(option.definition, published):
        mistakes = named_by(option.definition, practice)(problems)
        return Told(option=option, mistakes=mistakes, edit_url=edit_url_of(option.rule, reader))
    definition = normal(option.definition)
    if not sees_all(definition, sight_of(reader)):
        return Told(option=option, is_hidden=True)
    answer = ask(
        practice=practice,
        definition=definition,
        event=page.event,
        published=published,
    )
    then = next((line.run for line in page.runs if line.run.rule_id == option.rule.pk), None)
    if answer.judgement is None:
        return Told(option=option, then=then)
    told = Told(option=option, is_heard=True, result=answer.judgement.matched, then=then)
    fields = practice_fields(definition["trigger_event"], definition["journey_key"], practice)
    place, judged = verdicts_of(definition, answer.judgement.trace, fields)
    return replace(
        told,
        groups=list(condition_groups(place, judged, fields, sight_of(reader))),
        actions=_actions(answer.actions, definition, practice),
    )


def _actions(
    foretold: Sequence[Foretold], definition: Mapping[str, Any], practice: Practice
) -> list[ActionLine]:
    return [
        ActionLine(
            words=capfirst(action_words(said["type"], said.get("params") or {}, practice)),
            status=str(STATUSES[one.status]),
            why=why_words(one.code),
        )
        for one, said in zip(foretold, definition["actions"], strict=False)  # none unless it runs
    ]
