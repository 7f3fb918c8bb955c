"""Specification 2.2: JourneyTemplate (blueprint). One test per sentence."""

from __future__ import annotations

import pytest
from django.db import IntegrityError, connection, transaction

from journeys import errors
from journeys.blueprints import Blueprint, stages_from_codes
from journeys.models import JourneyTemplate
from journeys.services.templates import create_template
from journeys.services.transitions import enroll
from journeys.services.transitions import transition as move
from kura import tenancy
from tests.factories import PatientFactory, a_template, system

STAGES = ["AWAITING_SCREENING", "AWAITING_PAYMENT", "CONFIRMED", "BLOCKED"]


@pytest.fixture
def retreat(organization):
    return create_template(
        organization=organization,
        blueprint=Blueprint(
            key="retreat_ibiza_2025",
            name="Retiro Ibiza 2025",
            initial_stage="AWAITING_SCREENING",
            stages=stages_from_codes(STAGES),
            endless=True,
        ),
    )


def test_table_has_the_specified_name_and_columns(db):
    """`__tablename__ = "journey_templates"` and its columns."""
    with connection.cursor() as cursor:
        names = {
            c.name
            for c in connection.introspection.get_table_description(cursor, "journey_templates")
        }

    assert {"organization_id", "name", "key", "initial_stage", "is_active"} <= names


def test_template_has_owner_name_and_key(retreat, organization):
    """organization_id, name "Retiro Ibiza 2025", key "retreat_ibiza_2025"."""
    assert (retreat.organization_id, retreat.name, retreat.key, retreat.is_active) == (
        organization.pk,
        "Retiro Ibiza 2025",
        "retreat_ibiza_2025",
        True,
    )


def test_allowed_stages_are_the_list_given(retreat):
    """allowed_stages: ["AWAITING_SCREENING", "AWAITING_PAYMENT", "CONFIRMED", "BLOCKED"]."""
    assert retreat.allowed_stages == STAGES


def test_initial_stage_outside_allowed_stages_fails_readably(organization):
    """initial_stage: "PENDING", which the example's own allowed_stages do not hold."""
    blueprint = Blueprint(
        key="retreat_ibiza_2025",
        name="Retiro Ibiza 2025",
        initial_stage="PENDING",
        stages=stages_from_codes(STAGES),
        endless=True,
    )

    with pytest.raises(errors.InvalidTemplate) as refusal:
        create_template(organization=organization, blueprint=blueprint)

    assert "PENDING" in str(refusal.value)
    assert "AWAITING_SCREENING, AWAITING_PAYMENT, CONFIRMED, BLOCKED" in str(refusal.value)


def test_patient_begins_in_the_initial_stage(retreat, patient):
    """initial_stage."""
    log = enroll(patient_id=patient.pk, journey_key=retreat.key, cause=system())

    assert log.to_stage == "AWAITING_SCREENING"


def test_inactive_template_takes_no_new_patients(retreat, patient):
    """is_active."""
    JourneyTemplate.objects.update(is_active=False)

    with pytest.raises(errors.TemplateInactive):
        enroll(patient_id=patient.pk, journey_key=retreat.key, cause=system())


def test_journey_without_a_template_does_not_exist(patient):
    """Formalizes journey configurations (previously magic strings)."""
    with pytest.raises(errors.UnknownJourney):
        enroll(patient_id=patient.pk, journey_key="magic_string", cause=system())


def test_stage_outside_the_template_is_refused_by_service_and_database(retreat, patient):
    """Validates stage transitions (prevents invalid states)."""
    with pytest.raises(errors.StageNotAllowed):
        move(patient_id=patient.pk, journey_key=retreat.key, to_stage="ANYTHING", cause=system())
    with (
        pytest.raises(IntegrityError, match="ANYTHING"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(
            "INSERT INTO journey_logs (patient_id, journey_key, to_stage, actor_kind)"
            " VALUES (%s, %s, 'ANYTHING', 'system')",
            [patient.pk, retreat.key],
        )


def test_two_organizations_define_the_same_journey_differently(
    retreat, patient, other_organization
):
    """Per-organization (allows customization per therapist)."""
    a_template(other_organization, key=retreat.key, codes=["PENDING", "COMPLETED"])
    with tenancy.scope(other_organization):
        theirs = PatientFactory(organization=other_organization)
        log = enroll(patient_id=theirs.pk, journey_key=retreat.key, cause=system())

    ours = enroll(patient_id=patient.pk, journey_key=retreat.key, cause=system())

    assert (ours.to_stage, log.to_stage) == ("AWAITING_SCREENING", "PENDING")
