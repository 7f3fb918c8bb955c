"""A file with patients, read: whatever a spreadsheet saves as CSV, or a sentence why not.

Excel in Spanish separates with semicolons and writes Windows' code page unless asked for UTF-8.
"""

from __future__ import annotations

import csv
import io
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from tablib import Dataset

from kura.spreadsheets import csv_pieces, plain
from patients import errors

MAX_BYTES: Final = 2 * 1024 * 1024
MAX_ROWS: Final = 5000
COLUMNS: Final[dict[str, tuple[str, ...]]] = {
    "external_id": ("external id", "id externo", "numero externo", "numero", "number", "id"),
    "full_name": ("full name", "nombre completo", "nombre y apellidos", "nombre", "name"),
    "email": ("e-mail address", "e-mail", "email", "correo electronico", "correo", "mail"),
    "phone": ("telephone", "phone", "telefono", "movil", "mobile"),
    "language": ("language", "idioma"),
    "timezone": ("time zone", "timezone", "zona horaria"),
    "therapist": ("therapist", "therapist e-mail", "terapeuta", "correo de la terapeuta"),
}
_SEPARATORS: Final = ";,\t"
_TEMPLATE_HEADINGS: Final = {
    "es": ("número externo", "nombre completo", "correo electrónico", "teléfono", "idioma",
           "zona horaria", "terapeuta"),
    "en": ("external id", "full name", "e-mail address", "telephone", "language", "time zone",
           "therapist"),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class PatientTable:
    """`numbers`: of each row in the file, as a spreadsheet counts. `ignored`: other headings."""

    rows: Dataset
    numbers: Sequence[int]
    ignored: Sequence[str]


def read_table(content: bytes) -> PatientTable:
    """Raises a FileRefused."""
    if len(content) > MAX_BYTES:
        raise errors.FileTooLarge(most=MAX_BYTES // 1024 // 1024)
    lines = _records(_text(content))
    filled = [(number, cells) for number, cells in lines if any(cells)]
    if not filled:
        raise errors.FileEmpty
    headings = filled[0][1]
    columns = [_column(heading) for heading in headings]
    _require_good(headings, columns)
    numbers: list[int] = []
    rows: list[list[str]] = []
    for number, cells in filled[1:]:
        if len(rows) == MAX_ROWS:
            raise errors.TooManyRows(most=MAX_ROWS)
        if any(cells[len(columns) :]):
            raise errors.RowTooLong(row=number)
        numbers.append(number)
        rows.append(_known_cells(cells, columns))
    if not rows:
        raise errors.FileEmpty
    known = [column for column in columns if column]
    ignored = [one for one, column in zip(headings, columns, strict=True) if one and not column]
    return PatientTable(Dataset(*rows, headers=known), numbers, ignored)


def template(language: str, separator: str) -> str:
    """The headings alone: an example would be imported with the rest."""
    headings = _TEMPLATE_HEADINGS.get(language, _TEMPLATE_HEADINGS["en"])
    return "".join(csv_pieces([headings], separator))


def _text(content: bytes) -> str:
    is_wide = content.startswith((b"\xff\xfe", b"\xfe\xff"))
    for encoding in ("utf-16",) if is_wide else ("utf-8-sig", "cp1252"):
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\x00" in text:
            break
        return text
    raise errors.NotText


def _records(text: str) -> list[tuple[int, list[str]]]:
    first, _, rest = text.partition("\n")
    told = first.strip().lower()
    if told.startswith("sep=") and len(told) == len("sep=;"):  # Excel's own first line
        return [(number + 1, cells) for number, cells in _split(rest, told[-1])]
    return _split(text, max(_SEPARATORS, key=first.count))


def _split(text: str, separator: str) -> list[tuple[int, list[str]]]:
    try:
        found = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
        return [(number, [plain(cell) for cell in cells]) for number, cells in enumerate(found, 1)]
    except (csv.Error, TypeError):
        raise errors.NotText from None


def _column(heading: str) -> str:
    """The column of a heading in either language, '' for one that we do not know."""
    folded = unicodedata.normalize("NFKD", heading.casefold())
    written = "".join(one for one in folded if not unicodedata.combining(one))
    written = " ".join(written.replace("_", " ").split())
    return next((name for name, words in COLUMNS.items() if written in words), "")


def _require_good(headings: Sequence[str], columns: Sequence[str]) -> None:
    for heading, column in zip(headings, columns, strict=True):
        if column and columns.count(column) > 1:
            raise errors.ColumnTwice(column=heading)
    if not {"external_id", "email"} & set(columns):
        raise errors.KeyColumnMissing


def _known_cells(cells: Sequence[str], columns: Sequence[str]) -> list[str]:
    filled = [*cells, *[""] * len(columns)]
    return [cell for cell, column in zip(filled, columns, strict=False) if column]
