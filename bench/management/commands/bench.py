"""Measure this code on this machine: `manage.py bench [--only PART] [--rounds N] [--json]`.

Works in a database of its own beside the configured one, and never in that. Measurements fail
nobody: the exit code is 0 whether targets are met or not.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.db import connection

from bench import api, backtests, bulk, editor, events, stale, standing, transitions, verification
from bench.database import throw_away_database
from bench.figures import Figure, as_data, table
from bench.practice import Practice, open_practice

PARTS = (
    "transitions",
    "bulk",
    "events",
    "standing",
    "verify",
    "monitor",
    "dry-run",
    "editor",
    "api",
)


class Command(BaseCommand):
    help = "Measure moves, events, pages, verification and the API in a throw-away database."

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
    measures: dict[str, Callable[..., Iterator[Figure]]] = {
        "transitions": partial(transitions.measure, practice),
        "bulk": partial(bulk.measure, practice),
        "events": partial(events.measure, practice),
        "standing": partial(standing.measure, practice),
        "monitor": partial(stale.measure, enrollments=sizes["enrollments"]),
        "dry-run": partial(backtests.measure, practice),
        "editor": partial(editor.measure, practice),
        "verify": partial(verification.measure, practice, rows=sizes["rows"]),
        "api": partial(api.measure, practice),
    }
    return measures[part](rounds=rounds)


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
