"""Measure this code on this machine: `manage.py bench [--only PART] [--rounds N] [--json]`.

Works in a database of its own beside the configured one, and never in that. Measurements fail
nobody: the exit code is 0 whether targets are met or not.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.db import connection

from bench import bulk, events, stale, standing, transitions, verification
from bench.database import throw_away_database
from bench.figures import Figure, as_data, table
from bench.practice import Practice, open_practice

PARTS = ("transitions", "bulk", "events", "standing", "verify", "monitor")


class Command(BaseCommand):
    help = "Measure moves, events, where patients stand and verification in a throw-away database."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--only", choices=PARTS, help="one part (default: all)")
        parser.add_argument("--rounds", type=int, default=5, help="alternating rounds")
        parser.add_argument("--rows", type=int, default=verification.ROWS, help="to verify")
        parser.add_argument(
            "--enrollments", type=int, default=max(stale.SIZES), help="at most, for the monitor"
        )
        parser.add_argument("--json", action="store_true", help="one JSON document on stdout")

    def handle(self, *, only: str | None, rounds: int, json: bool, **options: Any) -> None:
        with throw_away_database() as name:
            self.stderr.write(f"measuring in {name}")
            machine = _machine()
            figures = list(self._figures([only] if only else PARTS, rounds, options))
        self.stdout.write(_document(machine, figures) if json else _page(machine, figures))

    def _figures(
        self, parts: Sequence[str], rounds: int, sizes: Mapping[str, int]
    ) -> Iterator[Figure]:
        practice = open_practice()
        for part in parts:
            for figure in _measured(part, practice, rounds, sizes):
                self.stderr.write(f"{figure.name}: {figure.value_is} {figure.value:.3g}")
                yield figure


def _measured(
    part: str, practice: Practice, rounds: int, sizes: Mapping[str, int]
) -> Iterator[Figure]:
    if part == "transitions":
        return transitions.measure(practice, rounds=rounds)
    if part == "bulk":
        return bulk.measure(practice, rounds=rounds)
    if part == "events":
        return events.measure(practice, rounds=rounds)
    if part == "standing":
        return standing.measure(practice, rounds=rounds)
    if part == "monitor":
        return stale.measure(rounds=rounds, enrollments=sizes["enrollments"])
    return verification.measure(practice, rounds=rounds, rows=sizes["rows"])


def _machine() -> dict[str, Any]:
    """What the figures depend on; the load tells how alone the measurement was."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('server_version'), current_setting('fsync')")
        version, fsync = cursor.fetchone()
    return {
        "cores": os.cpu_count(),
        "postgresql": version,
        "fsync": fsync,
        "load_before": round(os.getloadavg()[0], 1),
    }


def _page(machine: dict[str, Any], figures: list[Figure]) -> str:
    facts = ", ".join(f"{name} {value}" for name, value in machine.items())
    return f"{facts}\n\n{table(figures)}"


def _document(machine: dict[str, Any], figures: list[Figure]) -> str:
    return json.dumps({"machine": machine, "figures": [as_data(one) for one in figures]}, indent=2)
