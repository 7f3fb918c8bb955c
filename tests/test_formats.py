"""Days and moments, as each language writes them."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from django.utils import translation
from django.utils.formats import date_format

from kura.formats.en import formats as english
from kura.formats.es import formats as spanish

MOMENT = datetime(2026, 11, 24, 8, 12, 5, tzinfo=UTC)
BY_HAND = re.compile(r"""date:['"]j |date_format\([^)]*"j """)


def own(module: object) -> set[str]:
    return {name for name in vars(module) if name.isupper()}


@pytest.mark.parametrize(
    ("language", "name", "written"),
    [
        ("en", "MOMENT", "24 Nov 2026, 08:12"),
        ("es", "MOMENT", "24 nov 2026, 08:12"),
        ("en", "MOMENT_EXACT", "24 Nov 2026, 08:12:05"),
        ("es", "MOMENT_SHORT", "24 nov, 08:12"),
        ("en", "DAY", "24 Nov 2026"),
        ("en", "DATE_FORMAT", "24 November 2026"),
        ("es", "DATE_FORMAT", "24 de noviembre de 2026"),
        ("en", "DAY_LONG", "Tuesday, 24 November 2026"),
        ("es", "DAY_LONG", "martes, 24 de noviembre de 2026"),
    ],
)
def test_each_language_writes_months_in_its_own_way(language, name, written):
    with translation.override(language):
        assert date_format(MOMENT, name) == written


def test_both_languages_know_the_same_formats():
    assert own(english) == own(spanish)


def test_no_page_writes_a_date_by_hand():
    root = Path(__file__).parent.parent
    pages = [
        *root.glob("kura/**/*.html"),
        *root.glob("kura/**/*.py"),
        *root.glob("automation/**/*.py"),
    ]

    assert [page.name for page in pages if BY_HAND.search(page.read_text(encoding="utf-8"))] == []
