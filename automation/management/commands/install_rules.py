"""`manage.py install_rules --organization SLUG`: the ready rules of the practice's journeys."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from automation.library import READY_RULES, install
from automation.management.organizations import add_organization, organization_named
from kura import tenancy
from kura.errors import KuraError


class Command(BaseCommand):
    help = "Install the ready rules that are missing. What is there is never changed."

    def add_arguments(self, parser: CommandParser) -> None:
        add_organization(parser)
        keys = sorted({rule.journey_key for rule in READY_RULES})
        parser.add_argument("--journey", action="append", choices=keys, help="only of this one")

    def handle(self, *, organization: str, journey: list[str] | None, **_options: Any) -> None:
        practice = organization_named(organization)
        try:
            with tenancy.scope(practice):
                made = install(practice, journey)
        except KuraError as refusal:
            raise CommandError(f"{refusal} Nothing was installed. ({refusal.code})") from refusal
        for rule in made:
            self.stdout.write(f"{rule.code}: {rule.name}")
        self.stdout.write(f"{len(made)} rules installed.")
