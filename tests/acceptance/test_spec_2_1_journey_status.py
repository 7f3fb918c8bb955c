"""Specification 2.1: Patient.journey_status (JSONB). One test per sentence."""

from __future__ import annotations

import pytest
from django.db import connection

from journeys.services.transitions import enroll, transition
from patients.models import Patient
from tests.factories import PatientFactory, a_template, system

EXAMPLE = {
    "retreat_ibiza_2025": "AWAITING_PAYMENT",
    "intake_flow": "COMPLETED",
    "yoga_urban_om": "CONFIRMED",
}


@pytest.fixture
def in_three_journeys(organization):
    patient = PatientFactory(organization=organization)
    for key, stage in EXAMPLE.items():
        a_template(organization, key=key)
        transition(patient_id=patient.pk, journey_key=key, to_stage=stage, cause=system())
    patient.refresh_from_db()
    return patient


def column(name: str) -> tuple[str, str]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT data_type, column_default FROM information_schema.columns"
            " WHERE table_name = 'patients' AND column_name = %s",
            [name],
        )
        return cursor.fetchone()


def test_journey_status_is_a_jsonb_column_of_patients_with_an_empty_default(db):
    """`journey_status: Mapped[dict] = mapped_column(JSONB, default={})`"""
    data_type, default = column("journey_status")

    assert data_type == "jsonb"
    assert default.startswith("'{}'")


def test_new_patient_has_an_empty_journey_status(patient):
    """`default={}`"""
    assert patient.journey_status == {}


def test_structure_is_journey_to_stage_as_in_the_example(in_three_journeys):
    """The structure example."""
    assert in_three_journeys.journey_status == EXAMPLE


def test_each_key_is_a_journey_and_its_value_the_current_stage(in_three_journeys):
    """Each key represents a journey type, and the value is the current stage within it."""
    transition(
        patient_id=in_three_journeys.pk,
        journey_key="retreat_ibiza_2025",
        to_stage="CONFIRMED",
        cause=system(),
    )

    in_three_journeys.refresh_from_db()
    assert in_three_journeys.journey_status == EXAMPLE | {"retreat_ibiza_2025": "CONFIRMED"}


def test_patient_takes_part_in_several_journeys_at_once(in_three_journeys):
    """Single patient can participate in multiple simultaneous journeys."""
    assert in_three_journeys.enrollments.filter(closed_at=None).count() == 2


def test_new_journey_type_needs_no_schema_change(organization, patient):
    """No rigid schema - new journey types are dynamically addable."""
    a_template(organization, key="sound_healing_2027")

    enroll(patient_id=patient.pk, journey_key="sound_healing_2027", cause=system())

    patient.refresh_from_db()
    assert "sound_healing_2027" in patient.journey_status


@pytest.mark.parametrize(
    "condition",
    [
        """journey_status @> '{"retreat_ibiza_2025": "AWAITING_PAYMENT"}'""",
        "journey_status ->> 'intake_flow' = 'COMPLETED'",
        "journey_status ? 'yoga_urban_om'",
    ],
)
def test_jsonb_operators_find_the_patient(in_three_journeys, organization, condition):
    """Efficient queries via PostgreSQL JSONB operators."""
    PatientFactory(organization=organization)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT id FROM patients WHERE {condition}")
        found = [row[0] for row in cursor.fetchall()]

    assert found == [in_three_journeys.pk]


def test_orm_lookups_on_the_status_work_too(in_three_journeys):
    """Efficient queries via PostgreSQL JSONB operators."""
    found = Patient.objects.filter(journey_status__yoga_urban_om="CONFIRMED")

    assert list(found) == [in_three_journeys]
