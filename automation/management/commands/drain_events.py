"""`manage.py drain_events`: process what waits, once. Safe beside a running cluster."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from automation import dispatch


class Command(BaseCommand):
    help = "Process the events that wait, once. Any number of these may run at the same time."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--seconds", type=float, default=600, help="stop after this long")

    def handle(self, *, seconds: float, **_options: Any) -> None:
        tried = dispatch.drain(seconds=seconds, linger=0)
        self.stdout.write(f"{tried} events processed.")
