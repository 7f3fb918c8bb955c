"""Specification 3.2: standard journey stages. One test per sentence."""

from __future__ import annotations

import pytest
from django.utils import translation

from journeys.blueprints import Blueprint, stages_from_codes
from journeys.models import StageStatus
from journeys.services.templates import create_template
from journeys.services.transitions import transition as move
from journeys.vocabulary import STANDARD_STAGES, JourneyStatus
from tests.factories import system

SPECIFIED = {
    "SCREENING_PENDING",
    "SCREENING_COMPLETED",
    "BLOCKED_HIGH_RISK",
    "AWAITING_PAYMENT",
    "PAYMENT_PENDING",
    "CONFIRMED",
    "COMPLETED",
    "CANCELLED",
}


def test_the_enum_has_exactly_the_specified_stages():
    """`class JourneyStatus(str, Enum)`"""
    assert {stage.value for stage in JourneyStatus} == SPECIFIED
    assert all(isinstance(stage, str) and stage.name == stage.value for stage in JourneyStatus)


@pytest.fixture
def standard(organization):
    return create_template(
        organization=organization,
        blueprint=Blueprint(
            key="standard",
            name="Standard",
            initial_stage="SCREENING_PENDING",
            stages=stages_from_codes(JourneyStatus),
        ),
    )


@pytest.mark.parametrize("stage", JourneyStatus)
def test_each_standard_stage_can_be_stood_in_and_has_names(standard, patient, stage):
    """Intake/screening and booking flow."""
    assert move(
        patient_id=patient.pk, journey_key="standard", to_stage=stage, cause=system()
    ).changed

    names = set()
    for language in ("es", "en"):
        with translation.override(language):
            names.add(standard.stages.get(code=stage).label)
    assert len(names) == 2
    assert stage.value not in names


def test_meaning_of_the_standard_stages():
    """BLOCKED_HIGH_RISK blocks, COMPLETED finishes, CANCELLED cancels; the others are open."""
    statuses = {code: STANDARD_STAGES[code].status for code in SPECIFIED}

    assert statuses.pop("BLOCKED_HIGH_RISK") == StageStatus.ON_HOLD
    assert statuses.pop("COMPLETED") == StageStatus.FINISHED
    assert statuses.pop("CANCELLED") == StageStatus.CANCELLED
    assert set(statuses.values()) <= {StageStatus.PLANNED, StageStatus.ACTIVE}


def test_custom_stages_can_be_defined_for_specialized_journeys(organization, patient):
    """Custom stages can be defined in `JourneyTemplate.allowed_stages`."""
    create_template(
        organization=organization,
        blueprint=Blueprint(
            key="carta_natal",
            name="Carta natal",
            initial_stage="AWAITING_BIRTH_DATA",
            stages=stages_from_codes(["AWAITING_BIRTH_DATA", "CHART_DRAWN", "COMPLETED"]),
        ),
    )

    assert move(
        patient_id=patient.pk, journey_key="carta_natal", to_stage="CHART_DRAWN", cause=system()
    ).changed


def test_custom_stage_called_blocked_blocks(organization):
    """Two readings of an unknown BLOCKED_…: the one that protects the patient holds."""
    [stage] = stages_from_codes(["BLOCKED_MEDICATION"])

    assert stage.status == StageStatus.ON_HOLD
