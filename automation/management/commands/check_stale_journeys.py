"""`manage.py check_stale_journeys [--dry-run]`: the monitor once. Safe beside a running cluster.

`--dry-run` lists whom it would find, by which rule and since when, and writes nothing. Patients
are named by their ids: the terminal of an operator keeps no personal data.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from automation import errors, monitor
from automation.management.organizations import organization_named
from automation.monitor import Item, Report, VisitOutcome
from kura import tenancy

WORDS = {
    VisitOutcome.WOULD_EMIT: "would be announced",
    VisitOutcome.EMITTED: "announced",
    VisitOutcome.SKIPPED_RECENT_REMINDER: "announced before",
    VisitOutcome.SKIPPED_MOVED_ON: "moved on meanwhile",
    VisitOutcome.FAILED: "failed",
}


class Command(BaseCommand):
    help = "Find the patients who are stuck and announce them, once. --dry-run writes nothing."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="list them, write nothing")
        parser.add_argument("--organization", metavar="SLUG", help="only of this practice")
        parser.add_argument("--journey", metavar="KEY", default="", help="only of this journey")

    def handle(
        self, *, dry_run: bool, organization: str | None, journey: str, **_options: Any
    ) -> None:
        try:
            with _scope(organization):
                report = monitor.check(dry_run=dry_run, journey_key=journey)
        except errors.CheckInProgress as refusal:
            raise CommandError(f"{refusal} ({refusal.code})") from refusal
        for item in report.items:
            self.stdout.write(_line(item, report))
        if report.truncated:
            self.stdout.write(f"… and {report.stale - len(report.items)} more.")
        self.stdout.write(_summary(report))
        if report.errors:
            raise CommandError(f"{len(report.errors)} failed: {', '.join(report.errors[:5])}.")


def _scope(slug: str | None) -> AbstractContextManager[None]:
    return tenancy.scope(organization_named(slug)) if slug else tenancy.every_organization()


def _line(item: Item, report: Report) -> str:
    visit = item.visit
    return (
        f"{visit.patient_id} {visit.journey_key} {visit.stage} since "
        f"{visit.entered_at:%Y-%m-%d %H:%M} UTC ({visit.hours_in_stage(report.started_at)} h), "
        f"“{visit.rule_name}”, reminder {visit.occurrence}: {WORDS[item.outcome]}"
    )


def _summary(report: Report) -> str:
    told = ", ".join(f"{number} {WORDS[what]}" for what, number in report.counts.items() if number)
    took = (report.finished_at - report.started_at).total_seconds()
    found = f"{report.rules_checked} rules, {report.stale} stale: {told or 'nobody'}; {took:.1f} s."
    return found + (" Nothing was written." if report.dry_run else "")
