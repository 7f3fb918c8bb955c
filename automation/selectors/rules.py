"""Rules whose practice has changed under them: active, yet not to be saved as they are today."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from automation.actions.base import Practice
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
