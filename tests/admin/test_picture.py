"""The drawing of a graph: every move once, nothing on top of anything else."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import pairwise

import pytest
from django.template.loader import render_to_string
from hypothesis import given
from hypothesis import strategies as st

from journeys.admin.picture import Picture, picture_of
from journeys.blueprints import Blueprint, MoveDraft, StageDraft
from kura.demo.archetypes import ARCHETYPES, RETREAT
from tests.admin.people import PAID

CODES = [f"S{number}" for number in range(7)]


def blueprint(arrows: list[tuple[int, int]]) -> Blueprint:
    moves = [MoveDraft(from_stage=CODES[start] if start >= 0 else None, to_stage=CODES[end])
             for start, end in arrows]  # fmt: skip
    stages = [StageDraft(code=code, label_es=code, label_en=code) for code in CODES]
    return Blueprint(key="k", name="N", initial_stage="S0", stages=stages, moves=moves)


def drawn(picture: Picture) -> list[tuple[int, int, int, int]]:
    """The bounds of each line: every number of its path, followed step by step."""
    return [bounds(arrow.path) for arrow in picture.arrows]


def bounds(path: str) -> tuple[int, int, int, int]:
    x = y = 0
    xs, ys = [], []
    for command, numbers in re.findall(r"([MHVq])([-\d ]+)", path):
        values = [int(number) for number in numbers.split()]
        if command == "M":
            x, y = values
        elif command == "H":
            x = values[0]
        elif command == "V":
            y = values[0]
        else:
            x, y = x + values[2], y + values[3]
        xs.append(x)
        ys.append(y)
    return min(xs), min(ys), max(xs), max(ys)


@pytest.mark.parametrize("template", ARCHETYPES, ids=lambda one: one.key)
def test_every_stage_and_every_move_is_drawn(template):
    picture = picture_of(template, "Inscripción")

    assert len(picture.boxes) == len(template.stages) + 1
    assert len(picture.arrows) == len(template.moves)
    assert sum(bool(a.mark) for a in picture.arrows) == sum(bool(m.guard) for m in template.moves)


pairs = st.tuples(st.integers(-1, 6), st.integers(0, 6)).filter(lambda one: one[0] != one[1])


@given(st.lists(pairs, unique=True, max_size=49))
def test_any_graph_fits_its_frame_and_no_line_crosses_a_box_of_another_stage(arrows):
    picture = picture_of(blueprint(arrows), "Enrollment")

    tops = [(box.top, box.top + box.height) for box in picture.boxes]
    assert all(above[1] < below[0] for above, below in pairwise(tops))
    assert len(picture.arrows) == len({*arrows, (-1, 0)})
    for left, top, right, bottom in drawn(picture):
        assert 0 <= left <= right <= picture.width
        assert 0 <= top <= bottom <= picture.height


@given(st.lists(pairs, unique=True, max_size=49))
def test_two_targets_never_share_a_stretch_of_a_lane(arrows):
    picture = picture_of(blueprint(arrows), "Enrollment")
    edge = {picture.boxes[0].left, picture.boxes[0].left + picture.boxes[0].width}

    taken: dict[int, list[tuple[int, int, str]]] = {}
    for arrow in picture.arrows:
        left, top, right, bottom = bounds(arrow.path)
        lane = right if right not in edge and right > max(edge) else left
        if lane in edge or left == right:
            continue
        taken.setdefault(lane, []).append((top, bottom, arrow.head))
    for stretches in taken.values():
        for one in stretches:
            for other in stretches:
                same_target = one[2] == other[2]
                assert same_target or one[1] < other[0] or other[1] < one[0]


def test_a_stage_that_nobody_reaches_is_marked():
    picture = picture_of(blueprint([(0, 1), (2, 1)]), "Enrollment")

    assert [box.is_lost for box in picture.boxes] == [False, False, False] + [True] * 5


def test_without_moves_only_the_entrance_is_drawn():
    picture = picture_of(blueprint([]), "Enrollment")

    assert len(picture.arrows) == 1
    assert not any(box.is_lost for box in picture.boxes)


def test_the_picture_has_no_style_and_no_decimal_comma():
    guarded = [replace(RETREAT.moves[0], guard=PAID), *RETREAT.moves[1:]]
    picture = picture_of(replace(RETREAT, moves=guarded), "Inscripción")

    svg = render_to_string(
        "kura/_graph.html", {"picture": picture, "journey": "<b>&", "has_moves": True}
    )

    assert 'role="img"' in svg
    assert "&lt;b&gt;&amp;" in svg
    assert "style" not in svg
    numbers = re.findall(r'(?:viewBox|width|height|x|y|d)="([^"]*)"', svg)
    assert not any("," in number for number in numbers)


def test_a_long_name_is_cut_in_two_lines():
    long = StageDraft(code="S0", label_es="Palabra " * 14, label_en="Word " * 20)
    stages = [long, *blueprint([]).stages[1:]]

    picture = picture_of(replace(blueprint([]), stages=stages), "Enrollment")

    assert len(picture.boxes[1].lines) == 2
    assert picture.boxes[1].lines[1][1].endswith("…")
