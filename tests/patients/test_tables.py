"""Whatever a spreadsheet saves as CSV is read; what is no table is refused with a sentence."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from patients import errors
from patients.tables import MAX_BYTES, MAX_ROWS, read_table, template

SPANISH = (
    "Id externo;Nombre completo;Correo electrónico;Teléfono\nP-1;Íñigo Ñúñez;i@example.org;600\n"
)
ROW = {"external_id": "P-1", "full_name": "Íñigo Ñúñez", "email": "i@example.org", "phone": "600"}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "latin-1", "utf-16"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_what_excel_writes_is_read(encoding, newline):
    content = SPANISH.replace("\n", newline).encode(encoding)

    assert list(read_table(content).rows.dict) == [ROW]


@pytest.mark.parametrize("separator", [";", ",", "\t"])
def test_the_separator_is_found_out(separator):
    content = SPANISH.replace(";", separator).encode()

    assert list(read_table(content).rows.dict) == [ROW]


def test_excels_own_first_line_counts_as_a_row_of_the_file():
    found = read_table(f"sep=;\n{SPANISH}".encode())

    assert (list(found.rows.dict), list(found.numbers)) == ([ROW], [3])


@pytest.mark.parametrize("headings", ["external_id,full_name,email,phone",
                                      "NÚMERO,Nombre,E-MAIL,Móvil",
                                      " Id  Externo ,name,Correo,phone"])  # fmt: skip
def test_headings_are_known_in_both_languages_and_any_case(headings):
    content = f"{headings}\nP-1,Íñigo Ñúñez,i@example.org,600\n".encode()

    assert list(read_table(content).rows.dict) == [ROW]


@pytest.mark.parametrize("language", ["es", "en"])
def test_the_headings_of_the_template_are_all_known(language):
    table = template(language, ";") + "P-1;Ana;a@example.org;600;es;Europe/Madrid;t@example.org"

    found = read_table(table.encode())

    assert not found.ignored
    assert len(found.rows.headers) == 7


def test_unknown_columns_are_named_and_left_out():
    found = read_table(b"external id,journey_status,full name,Notas\nP-1,{},Ana,x\n")

    assert list(found.rows.dict) == [{"external_id": "P-1", "full_name": "Ana"}]
    assert list(found.ignored) == ["journey_status", "Notas"]


def test_empty_rows_are_left_out_and_the_others_keep_their_numbers():
    found = read_table(b"external id,full name\n\nP-1,Ana\n,\nP-2,Eva\n")

    assert list(found.numbers) == [3, 5]


def test_what_an_export_made_safe_is_read_as_it_was():
    found = read_table(b"external id,phone\nP-1,'+34 600\nP-2,'tis\n")

    assert [row["phone"] for row in found.rows.dict] == ["+34 600", "'tis"]


@pytest.mark.parametrize(
    ("content", "refusal"),
    [
        (b"", errors.FileEmpty),
        (b"\n\n", errors.FileEmpty),
        (b"external id,full name\n", errors.FileEmpty),
        (b"full name,telephone\nAna,600\n", errors.KeyColumnMissing),
        (b"external id,id,full name\n1,2,Ana\n", errors.ColumnTwice),
        (b"external id,full name\nP-1,Soler, Marta\n", errors.RowTooLong),
        (b'external id,full name\nP-1,"Ana\n', errors.NotText),
        (b"PK\x03\x04\x00\x00\x81\x8d", errors.NotText),
        (b"external id\n\x81\x8d\n", errors.NotText),
        (b"external id,full name\nP-1,A\x00na\n", errors.NotText),
        (b"external id\n" + b"x" * 200_000 + b"\n", errors.NotText),
        (b"a" * (MAX_BYTES + 1), errors.FileTooLarge),
        (b"external id\n" + b"1\n" * (MAX_ROWS + 1), errors.TooManyRows),
    ],
)
def test_what_is_no_table_is_refused_by_name(content, refusal):
    with pytest.raises(refusal) as told:
        read_table(content)

    assert str(told.value)


def test_as_many_rows_as_are_allowed_are_read():
    assert len(read_table(b"external id\n" + b"1\n" * MAX_ROWS).rows) == MAX_ROWS


@given(st.binary(max_size=300))
def test_no_bytes_are_a_server_error(content):
    with suppress(errors.FileRefused):
        read_table(content)


@given(st.binary(max_size=300))
def test_no_bytes_below_good_headings_are_a_server_error(content):
    with suppress(errors.FileRefused):
        read_table(b"external id;full name\n" + content)
