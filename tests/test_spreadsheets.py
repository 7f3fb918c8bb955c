"""A file for a spreadsheet runs nothing there, and says what it was given."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kura.spreadsheets import BOM, FORMULA, ROWS_AT_ONCE, csv_pieces, separator_of


def read(text: str, separator: str = ",") -> list[list[str]]:
    assert text.startswith(BOM)
    return list(csv.reader(io.StringIO(text[1:], newline=""), delimiter=separator))


@pytest.mark.parametrize("begin", FORMULA)
def test_what_begins_like_a_formula_is_text(begin):
    [row] = read("".join(csv_pieces([[f"{begin}SUM(1)", "a"]], ",")))

    assert row == [f"'{begin}SUM(1)", "a"]


@given(
    st.lists(st.lists(st.text(st.characters(exclude_characters="\x00")), min_size=2), max_size=9)
)
def test_any_text_comes_back_and_no_cell_is_a_formula(rows):
    found = read("".join(csv_pieces(rows, ";")), ";")

    assert not [cell for row in found for cell in row if cell.startswith(FORMULA)]
    back = [[cell.removeprefix("'") if cell[1:].startswith(FORMULA) and cell[0] == "'" else cell
             for cell in row] for row in found]  # fmt: skip
    assert back == rows or any(cell.startswith("'") for row in rows for cell in row)


def test_nothing_is_an_empty_cell_and_zero_is_not():
    assert read("".join(csv_pieces([[None, 0, ""]], ","))) == [["", "0", ""]]


def test_rows_are_taken_as_they_are_needed():
    taken = []

    def rows():
        for number in range(10 * ROWS_AT_ONCE):
            taken.append(number)
            yield [number]

    pieces = csv_pieces(rows(), ",")
    next(pieces)
    next(pieces)

    assert len(taken) == ROWS_AT_ONCE


@pytest.mark.parametrize(("language", "separator"), [("es", ";"), ("en", ",")])
def test_the_separator_is_what_the_languages_spreadsheet_expects(language, separator):
    assert separator_of(language) == separator
