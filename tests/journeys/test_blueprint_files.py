"""A template as a file: out and in again the same; anything else is refused in words."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from django.utils import translation

from journeys.blueprint_files import MAX_BYTES, read, written
from journeys.blueprints import Blueprint, stages_from_codes
from journeys.errors import InvalidTemplateFile
from kura.demo.archetypes import ARCHETYPES, RETREAT

ENDLESS = Blueprint(
    key="club",
    name="Club",
    initial_stage="CONFIRMED",
    stages=stages_from_codes(["CONFIRMED"]),
    endless=True,
)


@pytest.mark.parametrize("blueprint", [*ARCHETYPES, ENDLESS], ids=lambda one: one.key)
def test_out_and_in_again_is_the_same(blueprint):
    again = read(written(blueprint).encode())

    assert replace(again, stages=list(again.stages)) == replace(
        blueprint, stages=list(blueprint.stages), moves=list(blueprint.moves)
    )


def document(**changes: object) -> dict[str, object]:
    return json.loads(written(RETREAT)) | changes


def refused(content: bytes) -> str:
    with translation.override("en"), pytest.raises(InvalidTemplateFile) as refusal:
        read(content)
    words = str(refusal.value)
    words.encode()  # whatever the file held, the answer can be sent
    return words


def refused_document(**changes: object) -> str:
    return refused(json.dumps(document(**changes)).encode())


def stage(**changes: object) -> list[dict[str, object]]:
    return [document()["stages"][0] | changes]


def move(**changes: object) -> list[dict[str, object]]:
    return [document()["moves"][1] | changes]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "no JSON: line 1"),
        (b"{", "no JSON"),
        (b"\xff\xfe{}", "not a text in UTF-8"),
        (b"[" * 100_000, "too deep"),
        (b'{"a": ' * 100 + b"1" + b"}" * 100, "too deep"),
        (b"[" + b"9" * 5000 + b"]", "a number that cannot be read"),
        (b'{"format": NaN}', "NaN is no number"),
        (b'{"format": 1, "format": 2}', "“format” stands twice"),
        (rb'{"\ud800": 1, "\ud800": 2}', "stands twice"),
        (rb'{"format": "\ud800"}', "halves of characters"),
        (b" " * (MAX_BYTES + 1), "larger than 256 KB"),
        (b"[]", "no journey template"),
        (b"null", "no journey template"),
        (b'{"format": "other"}', "no journey template"),
    ],
)
def test_what_is_no_template_file_is_refused(content, words):
    assert words in refused(content)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"format_version": 2}, "“format_version” must be 1"),
        ({"format_version": True}, "/format_version: must be 1"),
        ({"colour": "red", "size": 1}, "/: unknown members: colour, size."),
        ({"stages": stage(icon="x")}, "/stages/0: unknown members: icon."),
        ({"stages": stage(label={"es": "x"})}, "/stages/0/label: missing members: en."),
        ({"stages": stage(label="x")}, "/stages/0/label: must be of the type object."),
        ({"stages": stage(status="paused")}, "/stages/0/status: must be one of: planned,"),
        ({"stages": stage(code=7)}, "/stages/0/code: must be of the type string."),
        ({"stages": stage() * 101}, "/stages: has more than 100 entries."),
        ({"moves": move(guard=[])}, "/moves/0/guard: must be of the type object."),
        ({"moves": move(**{"from": 3})}, "/moves/0/from: must be of the type string / null."),
        ({"moves": move() * 1001}, "/moves: has more than 1000 entries."),
    ],
)
def test_each_mistake_of_shape_names_its_place(changes, words):
    assert words in refused_document(**changes)


def test_members_that_may_be_left_out_have_the_usual_value():
    short = {"code": "CONFIRMED", "label": {"es": "Sí", "en": "Yes"}, "status": "active"}

    made = read(json.dumps(document(stages=[short], moves=[{"from": None, "to": "X"}])).encode())

    assert (made.stages[0].whose_turn, made.stages[0].help_es) == ("practice", "")
    assert (made.moves[0].guard, made.moves[0].requires_reason) == ({}, False)


def test_a_byte_order_mark_is_no_mistake():
    assert read(b"\xef\xbb\xbf" + written(RETREAT).encode()).key == RETREAT.key
