"""Tables for a spreadsheet: CSV that Excel reads as it is, and that runs nothing there.

A cell that begins like a formula would be one. A leading apostrophe makes it text; whoever reads
the file with a program takes one apostrophe off where one of these characters follows.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Final

BOM: Final = "\ufeff"  # without it Excel takes UTF-8 for the code page of the computer
FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
ROWS_AT_ONCE: Final = 500


def separator_of(language: str) -> str:
    """What a spreadsheet of that language expects: where the comma is in numbers, a semicolon."""
    return ";" if language.startswith("es") else ","


def safe(value: object) -> str:
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(FORMULA) else text


def csv_pieces(rows: Iterable[Sequence[object]], separator: str) -> Iterator[str]:
    """The file in pieces of ROWS_AT_ONCE rows, however many there are."""
    waiting = iter(rows)
    yield BOM
    while piece := list(islice(waiting, ROWS_AT_ONCE)):
        yield _written(piece, separator)


def _written(rows: Iterable[Sequence[object]], separator: str) -> str:
    text = io.StringIO()
    writer = csv.writer(text, delimiter=separator)
    writer.writerows([safe(value) for value in row] for row in rows)
    return text.getvalue()


def plain(cell: str) -> str:
    """What a cell says: without the apostrophe of `safe`, and without space around it."""
    text = cell.strip()
    return text[1:] if text.startswith("'") and text[1:].startswith(FORMULA) else text
