"""What is refused and what wants to be confirmed before a template is saved."""

from __future__ import annotations

from dataclasses import replace

import pytest
from django.utils import translation

from journeys.blueprints import Blueprint, MoveDraft, stages_from_codes
from journeys.models import StageStatus
from journeys.review import Usage, review
from kura.demo.archetypes import ARCHETYPES


@pytest.fixture(autouse=True)
def in_english():
    with translation.override("en"):
        yield


def moves(*arrows: str) -> list[MoveDraft]:
    pairs = [arrow.split(">") for arrow in arrows]
    return [MoveDraft(from_stage=start or None, to_stage=end) for start, end in pairs]


SOUND = Blueprint(
    key="intake",
    name="Intake",
    initial_stage="PENDING",
    stages=stages_from_codes(["PENDING", "CONFIRMED", "BLOCKED", "COMPLETED"]),
    moves=moves("PENDING>CONFIRMED", "CONFIRMED>COMPLETED", "BLOCKED>CONFIRMED"),
)


def cautions(blueprint: Blueprint, **context: object) -> list[tuple[str, str]]:
    return [(one.code, one.stage) for one in review(blueprint, **context).cautions]


def with_status(code: str, status: StageStatus) -> Blueprint:
    changed = [replace(s, status=status) if s.code == code else s for s in SOUND.stages]
    return replace(SOUND, stages=changed)


def without(*codes: str) -> Blueprint:
    kept = [stage for stage in SOUND.stages if stage.code not in codes]
    known = {stage.code for stage in kept}
    ways = [m for m in SOUND.moves if {m.from_stage, m.to_stage} <= known]
    return replace(SOUND, stages=kept, moves=ways)


@pytest.mark.parametrize("blueprint", [SOUND, *ARCHETYPES], ids=lambda one: one.key)
def test_a_sound_template_is_saved_without_a_word(blueprint):
    assert review(blueprint) == review(blueprint, before=blueprint)
    assert (review(blueprint).problems, review(blueprint).cautions) == ([], [])


@pytest.mark.parametrize(
    ("blueprint", "caution"),
    [
        (with_status("PENDING", StageStatus.ON_HOLD), ("initial_on_hold", "PENDING")),
        (replace(SOUND, initial_stage="COMPLETED"), ("initial_closed", "COMPLETED")),
        (with_status("COMPLETED", StageStatus.CANCELLED), ("no_finished_stage", "")),
        (without("COMPLETED"), ("no_end", "")),
        (
            replace(SOUND, moves=moves("PENDING>CONFIRMED", "BLOCKED>CONFIRMED")),
            ("dead_end", "CONFIRMED"),
        ),
        (
            replace(SOUND, moves=moves("PENDING>CONFIRMED", "CONFIRMED>COMPLETED")),
            ("block_without_exit", "BLOCKED"),
        ),
        (replace(SOUND, moves=moves("BLOCKED>CONFIRMED", "PENDING>CONFIRMED",
                                    "CONFIRMED>PENDING")), ("unreachable", "COMPLETED")),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)  # fmt: skip
def test_each_weakness_is_a_caution_that_names_its_stage(blueprint, caution):
    assert caution in cautions(blueprint)
    assert review(blueprint).problems == []


def test_an_entry_of_its_own_and_a_block_can_be_reached():
    doors = [*SOUND.moves, *moves(">CONFIRMED")]
    only_by_door = replace(SOUND, moves=[m for m in doors if m.from_stage != "PENDING"])

    assert ("unreachable", "CONFIRMED") not in cautions(only_by_door)
    assert ("unreachable", "BLOCKED") not in cautions(SOUND)


def test_without_moves_every_way_is_open_and_nothing_is_a_dead_end():
    assert cautions(replace(SOUND, moves=())) == []


def test_taking_the_last_move_away_opens_every_way_and_says_so():
    assert cautions(replace(SOUND, moves=()), before=SOUND) == [("graph_removed", "")]


def test_a_dead_end_says_how_many_patients_are_there():
    stuck = replace(SOUND, moves=moves("PENDING>CONFIRMED", "BLOCKED>CONFIRMED", ">COMPLETED"))

    [words] = [
        one.words
        for one in review(stuck, usage={"CONFIRMED": Usage(standing=2)}).cautions
        if one.code == "dead_end"
    ]

    assert "2 patients are there now" in words


def test_a_stage_of_the_history_is_retired_and_the_manager_is_told():
    usage = {"BLOCKED": Usage(in_history=True)}

    assert cautions(without("BLOCKED"), before=SOUND, usage=usage) == [("retires", "BLOCKED")]


@pytest.mark.parametrize("changed", [without("CONFIRMED"),
                                     with_status("CONFIRMED", StageStatus.WAITLIST)])  # fmt: skip
def test_an_occupied_stage_is_neither_removed_nor_redefined(changed):
    usage = {"CONFIRMED": Usage(standing=3, in_history=True)}

    [problem] = review(changed, before=SOUND, usage=usage).problems

    assert "3 patients stand there" in problem
    assert "“Confirmed”" in problem


def test_a_used_stage_keeps_its_status():
    usage = {"CONFIRMED": Usage(in_history=True)}
    changed = with_status("CONFIRMED", StageStatus.WAITLIST)

    [problem] = review(changed, before=SOUND, usage=usage).problems

    assert "histories" in problem


def test_an_end_that_was_missing_before_is_not_asked_for_again():
    endless = replace(without("COMPLETED"), endless=True)

    assert ("no_end", "") not in cautions(replace(endless, name="Other"), before=endless)


def test_a_confirmation_of_other_cautions_is_none_of_these():
    one = review(without("COMPLETED"))
    other = review(with_status("PENDING", StageStatus.ON_HOLD))

    assert one.seal != other.seal
    assert one.seal == review(without("COMPLETED")).seal
