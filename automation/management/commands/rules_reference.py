"""`manage.py rules_reference [--write docs/rules.md]`: what rules may ask and do, as tables."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.utils import translation

from automation.reference import block, filled, tables


class Command(BaseCommand):
    help = "Print the tables of docs/rules.md, or write them into it."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--write", type=Path, metavar="FILE", help="fill the marked tables")

    def handle(self, *, write: Path | None, **_options: Any) -> None:
        with translation.override("en"):
            if write is None:
                self.stdout.write("\n\n".join(block(*one) for one in tables().items()))
                return
            write.write_text(filled(write.read_text(encoding="utf-8")), encoding="utf-8")
        self.stdout.write(f"{write} is up to date.")
