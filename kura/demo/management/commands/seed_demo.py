"""`manage.py seed_demo`: two practices to try Kura out with. A second run changes nothing."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from journeys.models import Enrollment, JourneyLog, StageStatus
from kura import tenancy
from kura.accounts.models import Organization
from kura.demo.people import Practice
from kura.demo.practices import PASSWORD, PRACTICES, make_practice
from patients.models import Patient

ALLOW = "--yes-create-demo-logins"


class Command(BaseCommand):
    help = "Make the demo practices, unless they are there already."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            ALLOW,
            action="store_true",
            dest="allowed",
            help="Make them although KURA_DEMO is off: anybody who knows the password may log in.",
        )

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ARG002  Django's signature
        if not (settings.DEMO or options["allowed"]):
            raise CommandError(
                "This would create log-ins whose password everybody knows, and KURA_DEMO is off. "
                f"Nothing was changed. Set KURA_DEMO=1, or say {ALLOW} if you mean it."
            )
        now = timezone.now()
        for practice in PRACTICES:
            made = make_practice(practice, now=now)
            self.stdout.write(_made(practice) if made else _kept(practice))
        self.stdout.write(_log_ins())


def _kept(practice: Practice) -> str:
    return f"{practice.name}: there already, left as it is."


def _made(practice: Practice) -> str:
    with tenancy.scope(Organization.objects.get(slug=practice.slug)):
        patients, moves = Patient.objects.count(), JourneyLog.objects.count()
        under_way = Enrollment.objects.filter(closed_at__isnull=True)
        blocked = under_way.filter(status=StageStatus.ON_HOLD)
        return (
            f"{practice.name}: made, {patients} patients, {moves} moves, "
            f"{under_way.count()} journeys under way, {blocked.count()} of them blocked."
        )


def _log_ins() -> str:
    people = [f"{one.email} ({one.role})" for each in PRACTICES for one in each.colleagues]
    return f"Log in as {', '.join(people)}. Password, unless changed since: {PASSWORD}"
