"""Texts with placeholders: whatever they and the values hold, nothing is read twice."""

from __future__ import annotations

import re
from html import unescape
from types import SimpleNamespace

from hypothesis import given
from hypothesis import strategies as st

from automation.addressees import usable_address
from automation.letters import as_html
from automation.placeholders import CONTROL, PLACEHOLDERS, fill, plain, problems

NAMES = st.sampled_from(sorted(PLACEHOLDERS))
WORDS = st.text(st.characters(exclude_characters="{}", exclude_categories=["Cs"]), max_size=20)
VALUES = st.fixed_dictionaries({name: st.text(max_size=30) for name in PLACEHOLDERS})


@given(st.lists(st.tuples(WORDS, NAMES), max_size=6), WORDS, VALUES)
def test_each_placeholder_becomes_its_value_and_all_else_stays(parts, end, values):
    text = "".join(f"{words}{{{name}}}" for words, name in parts) + end

    filled = fill(text, values)

    assert list(problems(text, in_subject=False)) == []
    assert filled == "".join(words + values[name] for words, name in parts) + end


@given(st.text(st.sampled_from("{}a. \n") | st.characters(), max_size=40))
def test_a_text_without_problems_leaves_no_brace_of_its_own(text):
    found = list(problems(text, in_subject=False))

    if not found:
        assert not re.search(r"[{}]", fill(text, dict.fromkeys(PLACEHOLDERS, "")))
    assert {problem.code for problem in found} <= {"unknown_placeholder", "unbalanced_brace"}


@given(NAMES)
def test_a_value_that_looks_like_a_placeholder_stays_what_it_is(name):
    values = {one: f"{{{one}}}{{patient.full_name}}" for one in PLACEHOLDERS}

    assert fill(f"{{{name}}}", values) == values[name]


@given(st.text(max_size=300) | st.none() | st.integers())
def test_a_value_is_one_line_without_control_characters(value):
    line = plain(value)

    assert not CONTROL.search(line)
    assert line == " ".join(line.split())
    assert len(line) <= 200
    assert value is not None or line == ""


@given(st.text(max_size=80))
def test_html_is_the_text_and_nothing_that_a_browser_would_act_upon(body):
    page = as_html(SimpleNamespace(body=body, language="es", subject=body))

    tags = set(re.findall(r"<[^>]*>", page))
    fixed = {"<p>", "</p>", "<br>", "<title>", "</title>", "</head>", "</body>", "</html>"}
    fixed |= {"<!DOCTYPE html>", '<html lang="es">', "<head>", '<meta charset="utf-8">'}
    assert tags - fixed == {'<body style="font-family:sans-serif;line-height:1.5">'}
    assert unescape(page.partition("<title>")[2].rpartition("</title>")[0]) == body


@given(st.emails() | st.text(max_size=30), st.text('\r\n,;<>" \t\x00', min_size=1, max_size=3))
def test_nothing_that_could_end_an_address_is_part_of_one(address, end):
    assert usable_address(f"{address}{end}b@example.org") is None
    assert usable_address(f"{address}{end}") is None
    found = usable_address(address)
    assert found is None or (found == address and found.count("@") == 1)


def test_what_a_subject_may_name_is_neither_clinical_nor_a_full_name():
    allowed = {name for name, known in PLACEHOLDERS.items() if known.in_subject}

    assert allowed == {"patient.first_name", "journey.name", "practice.name", "therapist.name"}
    [problem] = problems("{patient.diagnosis}", in_subject=True)
    assert "{practice.name}" in str(problem.message)
    assert "{stage.name}" not in str(problem.message)
