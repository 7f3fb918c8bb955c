"""`manage.py check_rules`: are all active rules still rules that could be saved today?

Exit code 0: all are. 1: at least one is not; each is printed with every problem.
"""

from __future__ import annotations

import sys
from typing import Any

from django.core.management.base import BaseCommand

from automation.models import AutomationRule
from automation.selectors.rules import broken_rules
from kura import tenancy
from kura.accounts.models import Organization


class Command(BaseCommand):
    help = "Name every active rule that its practice has outgrown (a stage that is gone, …)."

    def handle(self, **_options: Any) -> None:
        found = sum(self._broken_of(one) for one in Organization.objects.order_by("slug"))
        with tenancy.every_organization():
            active = AutomationRule.objects.filter(is_active=True).count()
        self.stdout.write(f"{active} active rules, {found or 'none'} of them broken.")
        if found:
            sys.exit(1)

    def _broken_of(self, organization: Organization) -> int:
        with tenancy.scope(organization):
            found = list(broken_rules(organization))
        for broken in found:
            self.stdout.write(f"{organization.slug}: “{broken.rule.name}” ({broken.rule.pk})")
            for problem in broken.problems:
                self.stdout.write(f"  {problem.pointer or '/'}: {problem.message}")
        return len(found)
