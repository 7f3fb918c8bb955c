"""Questions about rules as a whole: which ones their practice has outgrown, which close a cycle."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from automation.actions.base import Practice
from automation.graph import Listener, proven_cycle
from automation.models.rule import AutomationRule
from automation.problems import Problem
from automation.validation import problems_of
from kura.accounts.models import Organization


@dataclass(frozen=True, slots=True)
class BrokenRule:
    rule: AutomationRule
    problems: tuple[Problem, ...]


def broken_rules(organization: Organization) -> Iterator[BrokenRule]:
    """For example after a stage was retired. Needs the tenant scope; three queries for all."""
    practice = Practice(organization=organization)
    active = AutomationRule.objects.filter(organization=organization, is_active=True)
    for rule in active.order_by("priority", "id"):
        problems = problems_of(rule.definition, practice)
        if problems:
            yield BrokenRule(rule, tuple(problems))


def cycle_through(
    definition: Mapping[str, Any], practice: Practice, *, besides: uuid.UUID | None = None
) -> list[str] | None:
    """The proven cycle that this rule would close if it were active: names, the first again last.

    `besides`: the rule whose next version it would be. Needs the tenant scope.
    """
    active = AutomationRule.objects.filter(organization=practice.organization, is_active=True)
    others = [Listener(rule.name, rule.definition) for rule in active if rule.pk != besides]
    cycle = proven_cycle(Listener(str(definition["name"]), definition), others, practice)
    return None if cycle is None else [listener.name for listener in (*cycle, cycle[0])]
