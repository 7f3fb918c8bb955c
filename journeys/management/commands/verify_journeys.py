"""Check the whole database against the journey log and name every violation.

Exit code 0: no violation. 1: at least one. 130: stopped with Ctrl-C before the end.
Violations are printed as they are found; nothing is collected, so a million of them need no more
memory than none. `--json` prints one document, a violation a line, complete even when stopped.
"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import asdict
from typing import Any, Final, TextIO

from django.core.management.base import BaseCommand, CommandParser

from journeys.selectors.verification import Counts, Violation, counts, snapshot, violations

INTERRUPTED: Final = 130  # as shells count: 128 + SIGINT
BAR: Final = 30  # characters


class Command(BaseCommand):
    help = "Check log, enrollments, journey_status and database guards of all organizations."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="one JSON document on stdout")

    def handle(self, *, json: bool, verbosity: int, **_options: Any) -> None:
        progress = Progress(self.stderr, verbosity)
        report = Document(self.stdout, progress) if json else Lines(self.stdout, progress)
        try:
            with snapshot():
                report.begin(counts())
                for violation in violations(progress.advance):
                    report.add(violation)
        except KeyboardInterrupt:
            report.end(complete=False)
            sys.exit(INTERRUPTED)
        report.end(complete=True)
        if report.found:
            sys.exit(1)


class Progress:
    """On a terminal a bar; elsewhere nothing, or with `--verbosity 2` a line a percent."""

    def __init__(self, out: Any, verbosity: int) -> None:
        self.out, self.is_bar = out, out.isatty() and verbosity > 0
        self.is_lines = not self.is_bar and verbosity > 1
        self.total, self.done, self.percent = 1, 0, -1

    def advance(self, rows: int) -> None:
        self.done += rows
        percent = min(100, 100 * self.done // self.total)
        if percent > self.percent:
            self.percent = percent
            self.draw()

    def draw(self) -> None:
        if self.is_bar:
            bar = "#" * (BAR * self.percent // 100)
            self._write(f"\r[{bar:<{BAR}}] {self.percent:3} %")
        elif self.is_lines:
            self._write(f"{self.percent} %\n")

    def clear(self) -> None:
        """Make room for a line of the report, which may share the terminal."""
        if self.is_bar:
            self._write("\r" + " " * (BAR + 8) + "\r")

    def _write(self, text: str) -> None:
        self.out.write(text, ending="")
        self.out.flush()


class Report:
    """What both forms share: what was to be read, how much was found, since when."""

    def __init__(self, out: Any, progress: Progress) -> None:
        self.out: TextIO = out
        self.progress = progress
        self.size = Counts(0, 0, 0, 0)
        self.found = 0
        self.started = time.monotonic()

    def begin(self, size: Counts) -> None:
        self.size = size
        self.progress.total = max(1, size.steps)

    def add(self, violation: Violation) -> None:
        self.progress.clear()
        self.out.write(self.line(violation))
        self.found += 1

    def end(self, *, complete: bool) -> None:
        self.progress.clear()
        self.out.write(self.summary(complete=complete))

    def line(self, violation: Violation) -> str:
        raise NotImplementedError

    def summary(self, *, complete: bool) -> str:
        raise NotImplementedError

    @property
    def seconds(self) -> float:
        return round(time.monotonic() - self.started, 1)


class Lines(Report):
    """For people: a line a violation, and one that sums up."""

    def line(self, violation: Violation) -> str:
        said = _said(violation)
        code, sentence = said.pop("code"), said.pop("sentence")
        ids = " ".join(f"{name}={value}" for name, value in said.items())
        return f"{code}: {sentence} ({ids})"

    def summary(self, *, complete: bool) -> str:
        found = {0: "no violation", 1: "1 violation"}.get(self.found, f"{self.found} violations")
        stopped = "" if complete else ", stopped before the end"
        return (
            f"{self.size.enrollments} enrollments, {self.size.log_rows} log rows, "
            f"{found}{stopped} ({self.seconds} s)"
        )


class Document(Report):
    """For programs: one JSON object, written as it grows."""

    def begin(self, size: Counts) -> None:
        super().begin(size)
        self.out.write('{"violations": [')

    def line(self, violation: Violation) -> str:
        return ("," if self.found else "") + json.dumps(_said(violation), default=str)

    def summary(self, *, complete: bool) -> str:
        facts = {
            "count": self.found,
            "complete": complete,
            "enrollments": self.size.enrollments,
            "log_rows": self.size.log_rows,
            "seconds": self.seconds,
        }
        return "], " + json.dumps(facts).removeprefix("{")


def _said(violation: Violation) -> dict[str, Any]:
    """Its fields, without those that it says nothing about."""
    return {name: value for name, value in asdict(violation).items() if value is not None}
