"""`manage.py openapi`: write `docs/openapi.yaml`; `--check`: is it what the code says?"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from drf_spectacular.drainage import GENERATOR_STATS
from drf_spectacular.renderers import OpenApiYamlRenderer
from drf_spectacular.validation import validate_schema

from kura.api.schema import description


class Command(BaseCommand):
    help = "Write docs/openapi.yaml, or compare it with --check."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--check", action="store_true", help="exit code 1 when it differs")

    def handle(self, **options: Any) -> None:
        text = _described()
        place = Path(settings.BASE_DIR) / "docs" / "openapi.yaml"
        if not options["check"]:
            place.write_bytes(text)
        elif not place.is_file() or place.read_bytes() != text:
            raise CommandError("docs/openapi.yaml is old: run manage.py openapi.")


def _described() -> bytes:
    """Nothing may be guessed: what the generator warns about is an error."""
    found = description()
    if GENERATOR_STATS:
        GENERATOR_STATS.emit_summary()
        raise CommandError("The schema could not be described without guessing.")
    validate_schema(found)  # type: ignore[no-untyped-call]
    text: bytes = OpenApiYamlRenderer().render(found, renderer_context={})  # type: ignore[no-untyped-call]
    return text
