"""Bring both catalogues up to the code: collect, fill English with itself, compile.

Needs GNU gettext. What is new stays empty in Spanish until somebody translates it, and a test
fails until then. docs/translations.md
"""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any, Final

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand

IGNORED: Final = ["tests", ".kura", "docs"]
ENGLISH: Final = Path("en/LC_MESSAGES/django.po")
HEADER: Final = r"""# Kura OS Journeys in English: made from the code by refresh_translations.
msgid ""
msgstr ""
"Project-Id-Version: Kura OS Journeys\n"
"Language: en\n"
"MIME-Version: 1.0\n"
"Content-Type: text/plain; charset=UTF-8\n"
"Content-Transfer-Encoding: 8bit\n"
"Plural-Forms: nplurals=2; plural=(n != 1);\n"
"""


class Command(BaseCommand):
    help = "Collect all sentences into locale/, fill the English catalogue, compile both."

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ARG002
        english = Path(settings.LOCALE_PATHS[0]) / ENGLISH
        english.unlink(missing_ok=True)  # made anew: it is the code itself
        collect()
        _fill(english)
        call_command("compilemessages", locale=["es", "en"], verbosity=0)
        self.stdout.write("Catalogues collected and compiled.")


def collect() -> None:
    """Every sentence of the code below the working directory, into its locale/."""
    call_command(
        "makemessages",
        locale=["es", "en"],
        no_location=True,
        no_obsolete=True,
        ignore_patterns=IGNORED,
        verbosity=0,
    )


def _fill(english: Path) -> None:
    """The code speaks English: each sentence is its own translation."""
    path = str(english)
    for command in (["msgen", "-o", path, path], ["msgattrib", "--clear-fuzzy", "-o", path, path]):
        subprocess.run(command, check=True)  # noqa: S603  fixed commands
    _template_header, _blank, sentences = english.read_text(encoding="utf-8").partition("\n\n")
    english.write_text(f"{HEADER}\n{sentences}", encoding="utf-8")
