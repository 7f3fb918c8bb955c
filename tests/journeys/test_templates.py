"""Templates: what is refused, in which words, and what a used stage keeps."""

from __future__ import annotations

from dataclasses import replace

import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import translation

from journeys import errors
from journeys.blueprints import Blueprint, MoveDraft, problems_of, stages_from_codes
from journeys.models import JourneyStage, JourneyTemplate, StageStatus
from journeys.review import Usage
from journeys.selectors.blueprints import blueprint_of, retired_stages, usage_of
from journeys.selectors.definitions import definitions
from journeys.services.templates import clone_template, create_template, edit_template
from journeys.services.transitions import enroll, transition
from kura.errors import constraint_of
from tests.factories import PatientFactory, a_template, system

BLUEPRINT = Blueprint(
    key="intake",
    name="Intake",
    initial_stage="SCREENING_PENDING",
    stages=stages_from_codes(["SCREENING_PENDING", "BLOCKED", "CONFIRMED", "COMPLETED"]),
)


def only(blueprint: Blueprint, *codes: str) -> Blueprint:
    kept = [stage for stage in blueprint.stages if stage.code in codes]
    return replace(blueprint, stages=kept)


@pytest.fixture
def made(organization):
    return create_template(organization=organization, blueprint=BLUEPRINT)


def test_allowed_stages_are_the_codes_in_order(made):
    assert made.allowed_stages == ["SCREENING_PENDING", "BLOCKED", "CONFIRMED", "COMPLETED"]
    assert made.version == 1


def test_initial_stage_outside_allowed_stages_is_refused_readably(organization):
    stages = ["AWAITING_SCREENING", "AWAITING_PAYMENT", "CONFIRMED", "BLOCKED"]
    blueprint = Blueprint(
        key="retreat_ibiza_2025",
        name="Retiro Ibiza 2025",
        initial_stage="PENDING",
        stages=stages_from_codes(stages),
        endless=True,
    )

    with pytest.raises(errors.InvalidTemplate) as refusal:
        create_template(organization=organization, blueprint=blueprint)

    message = str(refusal.value)
    assert "PENDING" in message
    assert all(stage in message for stage in stages)
    assert not JourneyTemplate.objects.exists()


def test_database_refuses_an_initial_stage_that_is_none(made):
    with pytest.raises(IntegrityError) as refusal, transaction.atomic():
        JourneyTemplate.objects.update(initial_stage="PENDING")
        with connection.cursor() as cursor:
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")

    assert constraint_of(refusal.value) == "journey_template_initial_stage"


def test_template_without_an_end_needs_confirmation(organization):
    endless = only(BLUEPRINT, "SCREENING_PENDING", "CONFIRMED")

    with pytest.raises(errors.InvalidTemplate):
        create_template(organization=organization, blueprint=endless)
    assert create_template(organization=organization, blueprint=replace(endless, endless=True)).pk


@pytest.mark.parametrize(
    "change",
    [
        {"key": "Con Espacios"},
        {"key": ""},
        {"name": "  "},
        {"stages": ()},
        {"stages": stages_from_codes(["SCREENING_PENDING", "SCREENING_PENDING", "COMPLETED"])},
        {"stages": stages_from_codes(["SCREENING_PENDING", "COMPLETED", "minúscula"])},
        {"stages": [replace(s, label_en=" ") for s in BLUEPRINT.stages]},
        {"moves": [MoveDraft(from_stage="CONFIRMED", to_stage="NOWHERE")]},
        {"moves": [MoveDraft(from_stage="CONFIRMED", to_stage="CONFIRMED")]},
        {"moves": [MoveDraft(from_stage="COMPLETED", to_stage="CONFIRMED")]},
        {"moves": [MoveDraft(from_stage=None, to_stage="CONFIRMED")] * 2},
        {"moves": [MoveDraft(from_stage=None, to_stage="CONFIRMED", guard={"field": "x"})]},
        {
            "moves": [
                MoveDraft(
                    from_stage=None,
                    to_stage="CONFIRMED",
                    guard={"field": "events.PAYMENT_SUCCEEDED.count", "op": "before", "value": 1},
                )
            ]
        },
    ],
    ids=lambda change: next(iter(change)),
)
@pytest.mark.parametrize("language", ["es", "en"])
def test_mistakes_are_sentences_in_both_languages(change, language):
    with translation.override(language):
        problems = problems_of(replace(BLUEPRINT, **change))

    assert problems
    assert all(problem.strip().endswith((".", ")")) for problem in problems)


def test_all_problems_are_told_at_once():
    broken = replace(BLUEPRINT, key="NO", name="", initial_stage="PENDING")

    assert len(problems_of(broken)) == 3


def test_key_is_unique_in_the_organization_only(made, organization, other_organization):
    with pytest.raises(errors.TemplateKeyTaken):
        create_template(organization=organization, blueprint=BLUEPRINT)
    assert a_template(other_organization).key == "intake"


def test_stage_where_patients_stand_cannot_be_removed_and_says_how_many(made, organization):
    for _ in range(3):
        person = PatientFactory(organization=organization)
        enroll(patient_id=person.pk, journey_key="intake", cause=system())
    smaller = replace(
        only(BLUEPRINT, "BLOCKED", "CONFIRMED", "COMPLETED"), initial_stage="CONFIRMED"
    )

    with pytest.raises(errors.StageInUse) as refusal:
        edit_template(template_id=made.pk, blueprint=smaller)

    assert refusal.value.context["standing"] == 3
    assert "3" in str(refusal.value)
    assert "SCREENING_PENDING" in made.allowed_stages


def test_stage_never_used_is_deleted_and_a_used_one_retired(made, patient):
    enroll(patient_id=patient.pk, journey_key="intake", cause=system())
    transition(patient_id=patient.pk, journey_key="intake", to_stage="CONFIRMED", cause=system())
    smaller = replace(only(BLUEPRINT, "CONFIRMED", "COMPLETED"), initial_stage="CONFIRMED")

    edited = edit_template(template_id=made.pk, blueprint=smaller)

    assert edited.allowed_stages == ["CONFIRMED", "COMPLETED"]
    assert not JourneyStage.objects.filter(code="BLOCKED").exists()
    assert JourneyStage.objects.get(code="SCREENING_PENDING").is_retired
    definition = definitions([made.pk])[made.pk]
    assert definition.label("SCREENING_PENDING") in {"Cuestionario pendiente", "Screening pending"}


def test_retired_stage_takes_nobody_and_may_return(made, patient):
    enroll(patient_id=patient.pk, journey_key="intake", cause=system())
    transition(patient_id=patient.pk, journey_key="intake", to_stage="CONFIRMED", cause=system())
    smaller = replace(only(BLUEPRINT, "CONFIRMED", "COMPLETED"), initial_stage="CONFIRMED")
    edit_template(template_id=made.pk, blueprint=smaller)

    with pytest.raises(errors.StageNotAllowed):
        transition(
            patient_id=patient.pk,
            journey_key="intake",
            to_stage="SCREENING_PENDING",
            cause=system(),
        )
    edit_template(template_id=made.pk, blueprint=BLUEPRINT)

    assert transition(
        patient_id=patient.pk, journey_key="intake", to_stage="SCREENING_PENDING", cause=system()
    ).changed


def test_used_stage_keeps_its_status(made, patient):
    enroll(patient_id=patient.pk, journey_key="intake", cause=system())
    transition(patient_id=patient.pk, journey_key="intake", to_stage="CONFIRMED", cause=system())
    redefined = replace(
        BLUEPRINT,
        stages=[replace(BLUEPRINT.stages[0], status=StageStatus.ON_HOLD), *BLUEPRINT.stages[1:]],
    )

    with pytest.raises(errors.StageInHistory):
        edit_template(template_id=made.pk, blueprint=redefined)


@pytest.mark.parametrize(
    "change",
    [
        lambda stages: stages.update(code="ANOTHER"),
        lambda stages: stages.update(status="onhold"),
        lambda stages: stages.update(retired_at="2026-01-01T00:00:00Z"),
        lambda stages: stages.delete(),
    ],
    ids=["code", "status", "retired", "deleted"],
)
@pytest.mark.parametrize("role", ["origin", "replica"])
def test_database_keeps_an_occupied_stage_as_it_is(made, patient, change, role):
    enroll(patient_id=patient.pk, journey_key="intake", cause=system())

    with pytest.raises(IntegrityError) as refusal, transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(f"SET LOCAL session_replication_role = {role}")
        change(JourneyStage.objects.filter(code="SCREENING_PENDING"))

    assert constraint_of(refusal.value) == "journey_stage_in_use"


def test_key_of_a_used_template_stays(made, patient):
    enroll(patient_id=patient.pk, journey_key="intake", cause=system())

    with pytest.raises(errors.TemplateInUse):
        edit_template(template_id=made.pk, blueprint=replace(BLUEPRINT, key="other"))


def test_labels_and_order_may_change_any_time(made, patient):
    enroll(patient_id=patient.pk, journey_key="intake", cause=system())
    renamed = [replace(stage, label_es="Otro nombre") for stage in reversed(BLUEPRINT.stages)]

    edited = edit_template(template_id=made.pk, blueprint=replace(BLUEPRINT, stages=renamed))

    assert edited.allowed_stages == [stage.code for stage in renamed]


def test_edit_within_one_transaction_is_seen_by_the_next_move(made, patient):
    enroll(patient_id=patient.pk, journey_key="intake", cause=system())
    moves = [MoveDraft(from_stage="SCREENING_PENDING", to_stage="COMPLETED")]
    edit_template(template_id=made.pk, blueprint=replace(BLUEPRINT, moves=moves))

    with pytest.raises(errors.TransitionNotPermitted):
        transition(
            patient_id=patient.pk, journey_key="intake", to_stage="CONFIRMED", cause=system()
        )


def test_help_is_read_in_the_readers_language_or_else_in_the_other(organization):
    first, second, *rest = BLUEPRINT.stages
    stages = [
        replace(first, help_es="Rellena el cuestionario.", help_en="Fill in the questionnaire."),
        replace(second, help_es="Hay que revisarlo."),
        *rest,
    ]
    made = create_template(organization=organization, blueprint=replace(BLUEPRINT, stages=stages))

    with translation.override("en"):
        read = [stage.help for stage in definitions([made.pk])[made.pk].stages.values()]

    assert read[:3] == ["Fill in the questionnaire.", "Hay que revisarlo.", ""]


@pytest.mark.parametrize("text", ["x" * 2001, "a\x00b", "\ud800"])
def test_help_that_cannot_be_stored_is_refused_in_words(organization, text):
    stages = [replace(stage, help_en=text) for stage in BLUEPRINT.stages]

    with pytest.raises(errors.InvalidTemplate) as refusal:
        create_template(organization=organization, blueprint=replace(BLUEPRINT, stages=stages))

    assert len(refusal.value.context["problems"]) == len(stages)


def test_a_permission_that_cannot_be_stored_is_refused_in_words(organization):
    move = MoveDraft(from_stage=None, to_stage="CONFIRMED", permission="x" * 121)

    with pytest.raises(errors.InvalidTemplate):
        create_template(organization=organization, blueprint=replace(BLUEPRINT, moves=[move]))


def test_a_clone_has_everything_but_what_is_retired_and_is_inactive(made, patient):
    enroll(patient_id=patient.pk, journey_key="intake", cause=system())
    transition(patient_id=patient.pk, journey_key="intake", to_stage="CONFIRMED", cause=system())
    smaller = replace(only(BLUEPRINT, "CONFIRMED", "COMPLETED"), initial_stage="CONFIRMED")
    edit_template(template_id=made.pk, blueprint=smaller)

    copy = clone_template(template_id=made.pk, key="intake_2", name="Intake 2")

    definition = definitions([copy.pk])[copy.pk]
    assert blueprint_of(definition) == replace(
        smaller, key="intake_2", name="Intake 2", is_active=False, moves=[]
    )
    assert retired_stages(definition) == []
    assert [one.code for one in retired_stages(definitions([made.pk])[made.pk])] == [
        "SCREENING_PENDING"
    ]


def test_a_clone_under_a_taken_key_is_refused(made):
    with pytest.raises(errors.TemplateKeyTaken):
        clone_template(template_id=made.pk, key="intake", name="Again")


def test_nobody_clones_another_practices_template(made, other_organization):
    theirs = a_template(other_organization)

    with pytest.raises(errors.TemplateNotFound):
        clone_template(template_id=theirs.pk, key="mine", name="Mine")


def test_usage_counts_who_stands_there_and_remembers_who_did(made, organization):
    for _ in range(2):
        person = PatientFactory(organization=organization)
        enroll(patient_id=person.pk, journey_key="intake", cause=system())
    transition(patient_id=person.pk, journey_key="intake", to_stage="CONFIRMED", cause=system())

    assert usage_of(made.pk) == {
        "SCREENING_PENDING": Usage(1, True),
        "CONFIRMED": Usage(1, True),
        "BLOCKED": Usage(0, False),
        "COMPLETED": Usage(0, False),
    }
