"""The archetype journeys as templates: complete, connected, and named as the specification does."""

from __future__ import annotations

import pytest

from journeys.blueprints import problems_of
from journeys.models.template import CLOSED_STATUSES, StageStatus
from journeys.vocabulary import JourneyStatus
from kura.demo.archetypes import ARCHETYPES, INTAKE, RETREAT

KEY_STAGES = {  # Spec 5
    "retreat_ibiza_2025": {"AWAITING_PAYMENT", "PREPARATION_PHASE"},
    "carta_natal": {"AWAITING_BIRTH_DATA"},
    "despertar_8s": {"ONBOARDING", "DEEP_DIVE"},
    "yoga_urban_om": {"AWAITING_WAIVER"},
    "intake": {"AWAITING_PAYMENT"},
}

each_archetype = pytest.mark.parametrize("blueprint", ARCHETYPES, ids=lambda one: one.key)


def ends_of(blueprint, start):
    return {move.to_stage for move in blueprint.moves if move.from_stage == start}


def statuses(blueprint):
    return {stage.code: stage.status for stage in blueprint.stages}


def test_the_five_journeys_have_the_keys_and_key_stages_of_the_specification():
    stages = {blueprint.key: set(blueprint.codes) for blueprint in ARCHETYPES}

    assert stages.keys() == KEY_STAGES.keys()
    assert all(stages[key] >= wanted for key, wanted in KEY_STAGES.items())


def test_every_standard_stage_of_the_specification_is_somewhere():
    codes = {code for blueprint in ARCHETYPES for code in blueprint.codes}

    assert codes >= {stage.value for stage in JourneyStatus}


@each_archetype
def test_blueprint_has_no_problems(blueprint):
    assert problems_of(blueprint) == []


@each_archetype
def test_every_stage_can_be_reached_from_enrollment(blueprint):
    seen, ahead = set(), ends_of(blueprint, None)
    while ahead:
        seen |= ahead
        ahead = {end for start in ahead for end in ends_of(blueprint, start)} - seen

    assert seen == set(blueprint.codes)


@each_archetype
def test_every_stage_has_a_way_out_unless_it_closes_the_journey(blueprint):
    for stage in blueprint.stages:
        closed = stage.status in CLOSED_STATUSES

        assert bool(ends_of(blueprint, stage.code)) != closed, stage.code


@each_archetype
def test_a_patient_may_cancel_from_every_open_stage(blueprint):
    still_open = [one.code for one in blueprint.stages if one.status not in CLOSED_STATUSES]

    assert all("CANCELLED" in ends_of(blueprint, code) for code in still_open)


@each_archetype
def test_a_person_explains_every_move_out_of_a_block(blueprint):
    blocking = {code for code, status in statuses(blueprint).items() if status == "onhold"}

    assert all(move.requires_reason for move in blueprint.moves if move.from_stage in blocking)


@each_archetype
def test_stages_have_words_of_their_own_in_both_languages_and_a_help_text(blueprint):
    for stage in blueprint.stages:
        raw = stage.code.replace("_", " ").lower()

        assert stage.label_es.lower() != raw
        assert stage.label_es
        assert stage.label_en
        assert stage.help_es.endswith(".")
        assert stage.help_en.endswith(".")
        assert stage.help_es != stage.help_en


@each_archetype
def test_stage_names_within_a_journey_are_all_different(blueprint):
    assert len({stage.label_es for stage in blueprint.stages}) == len(blueprint.stages)
    assert len({stage.label_en for stage in blueprint.stages}) == len(blueprint.stages)


def test_the_retreat_reads_as_in_the_pictures():
    labels = [stage.label_es for stage in RETREAT.stages]

    assert labels == [
        "Cuestionario enviado",
        "Cuestionario completado",
        "Bloqueado",
        "Pendiente de pago",
        "Preparación",
        "Confirmado",
        "Completado",
        "Cancelado",
    ]


@pytest.mark.parametrize("blueprint", [RETREAT, INTAKE], ids=lambda one: one.key)
def test_nobody_is_confirmed_before_the_payment(blueprint):
    into = [move.guard for move in blueprint.moves if move.to_stage == "CONFIRMED"]

    assert into
    assert all(guard["field"] == "events.PAYMENT_SUCCEEDED.count" for guard in into)


@pytest.mark.parametrize("blueprint", [RETREAT, INTAKE], ids=lambda one: one.key)
def test_the_screening_is_completed_by_the_form(blueprint):
    into = [move.guard for move in blueprint.moves if move.to_stage == "SCREENING_COMPLETED"]

    assert into
    assert all(guard["field"] == "events.FORM_SUBMISSION_COMPLETED.count" for guard in into)


def test_high_risk_blocks_the_retreat_and_blocked_blocks_the_intake():
    assert statuses(RETREAT)["BLOCKED_HIGH_RISK"] == StageStatus.ON_HOLD
    assert statuses(INTAKE)["BLOCKED"] == StageStatus.ON_HOLD
