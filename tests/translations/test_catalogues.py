"""Both catalogues are complete, compiled, and hold every sentence of the code."""

from __future__ import annotations

import ast
import gettext
import re
import shutil
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from django.conf import settings

from kura.admin.management.commands.refresh_translations import collect

ROOT = Path(settings.BASE_DIR)
LANGUAGES = ("es", "en")
needs_gettext = pytest.mark.skipif(
    not shutil.which("xgettext"), reason="GNU gettext is not installed: apt-get install gettext"
)


@dataclass
class Entry:
    flags: set[str] = field(default_factory=set)
    parts: dict[str, str] = field(default_factory=dict)  # msgid, msgid_plural, msgstr, msgstr[0] …

    @property
    def key(self) -> str:
        context = self.parts.get("msgctxt")
        return f"{context}\x04{self.parts['msgid']}" if context else self.parts["msgid"]

    @property
    def translations(self) -> list[str]:
        return [text for name, text in self.parts.items() if name.startswith("msgstr")]


def entries(catalogue: Path) -> list[Entry]:
    return [_entry(block) for block in catalogue.read_text(encoding="utf-8").split("\n\n")]


def _entry(block: str) -> Entry:
    entry, name = Entry(), ""
    for line in block.splitlines():
        if line.startswith("#,"):
            entry.flags |= {flag.strip() for flag in line[2:].split(",")}
        if match := re.match(r'(msg\S+) (".*")$', line):
            name = match[1]
            entry.parts[name] = ""
        if match or line.startswith('"'):
            entry.parts[name] += ast.literal_eval(match[2] if match else line)
    return entry


def sentences(root: Path, language: str) -> list[Entry]:
    found = entries(root / "locale" / language / "LC_MESSAGES" / "django.po")
    return [entry for entry in found if entry.parts.get("msgid")]


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_entry_is_empty_or_fuzzy(language):
    unfinished = [
        entry.key
        for entry in sentences(ROOT, language)
        if "fuzzy" in entry.flags or not all(entry.translations)
    ]

    assert not unfinished


@pytest.mark.parametrize("language", LANGUAGES)
def test_compiled_catalogue_says_what_its_source_says(language):
    compiled = ROOT / "locale" / language / "LC_MESSAGES" / "django.mo"
    with compiled.open("rb") as file:
        known = gettext.GNUTranslations(file)._catalog

    said = {}
    for entry in sentences(ROOT, language):
        plural = "msgid_plural" in entry.parts
        said |= {
            (entry.key, number) if plural else entry.key: text
            for number, text in enumerate(entry.translations)
        }
    assert {key: text for key, text in known.items() if key} == said


def test_placeholders_survive_translation():
    names = re.compile(r"%\(\w+\)[sd]|\{\w+\}")

    wrong = [
        entry.key
        for entry in sentences(ROOT, "es")
        if "msgid_plural" not in entry.parts
        and set(names.findall(entry.key)) != set(names.findall(entry.translations[0]))
    ]

    assert not wrong


def test_spanish_has_no_exclamation_and_no_usted():
    words = re.compile(
        r"[!¡]|\b(usted|su contraseña|introduzca|seleccione|escoja)\b", re.IGNORECASE
    )

    assert not [
        text for entry in sentences(ROOT, "es") for text in entry.translations if words.search(text)
    ]


@needs_gettext
def test_catalogues_hold_every_sentence_of_the_code(tmp_path, monkeypatch):
    for package in ("automation", "bench", "journeys", "kura", "patients"):
        shutil.copytree(ROOT / package, tmp_path / package)
    (tmp_path / "locale").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(settings, "LOCALE_PATHS", [])

    collect()

    wanted = {entry.key for entry in sentences(tmp_path, "es")}
    for language in LANGUAGES:
        known = {entry.key for entry in sentences(ROOT, language)}
        assert wanted - known == set(), "run: python manage.py refresh_translations"
