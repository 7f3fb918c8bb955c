"""People read sentences, never codes: each code that can be stored has one."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import translation

import automation
from automation.wording import error_words, is_known, source_words, took_words

PACKAGE = Path(automation.__file__).parent
MARKS = {"last_error", "code", "error"}  # where a code is kept


def codes_of(path: Path) -> Iterator[str]:
    """Texts given as `code=`, `last_error=` or `error=`, or as the default of a field of that
    name, and constants in capitals that are used so.
    """
    tree = ast.parse(path.read_text(encoding="utf-8"))
    constants = {
        node.target.id: node.value.value
        for node in ast.walk(tree)
        if isinstance(node, ast.AnnAssign)
        and isinstance(node.target, ast.Name)
        and isinstance(node.value, ast.Constant)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.keyword) and node.arg in MARKS:
            if isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
                yield node.value.value
            elif isinstance(node.value, ast.Name) and node.value.id in constants:
                yield constants[node.value.id]


def _kept_by() -> Iterator[Path]:
    """Not the HTTP skin: what it answers is not stored, and has words of its own."""
    return (path for path in PACKAGE.rglob("*.py") if "api" not in path.relative_to(PACKAGE).parts)


def stored_codes() -> set[str]:
    found = {code for path in _kept_by() for code in codes_of(path)}
    in_sql = {"worker_died", "loop_budget"}
    in_constants = {"after_refusal", "linked"}
    return {code for code in found | in_sql | in_constants if code}


def test_every_code_that_automation_stores_has_words():
    codes = stored_codes()

    assert {"duplicate", "stage_unchanged", "after_refusal"} <= codes
    assert {code for code in codes if not is_known(code)} == set()


def test_words_of_a_refusal_are_found_by_code_and_by_name():
    with translation.override("en"):
        assert error_words("superseded") == error_words("Superseded")
        assert error_words("journey_blocked").startswith("The journey is blocked.")
        assert error_words("") == ""


def test_what_nobody_foresaw_goes_by_its_technical_name():
    with translation.override("en"):
        assert error_words("KeyError") == "Something went wrong that nobody foresaw (KeyError)."


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("integration:clinic", "Integration · clinic"),
        ("form:a:b", "Form · a:b"),
        ("system:transitions", "Kura, after a move"),
        ("stripe", "stripe"),
        ("", ""),
    ],
)
def test_a_source_is_named_by_its_kind(source, words):
    with translation.override("en"):
        assert source_words(source) == words


@pytest.mark.parametrize(
    ("length", "words"),
    [
        (timedelta(microseconds=400), "0 ms"),
        (timedelta(milliseconds=38), "38 ms"),
        (timedelta(seconds=1.5), "1.5 s"),
        (timedelta(seconds=42.4), "42 s"),
        (timedelta(seconds=67), "1 min"),
        (timedelta(hours=3, minutes=5), "3 h"),
    ],
)
def test_how_long_something_took_is_as_exact_as_is_worth_telling(length, words):
    with translation.override("en"):
        assert took_words(length) == words
