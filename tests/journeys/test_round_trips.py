"""One move is four round trips: BEGIN, where the patient stands, append and its event, COMMIT."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from journeys.blueprints import Blueprint, stages_from_codes
from journeys.cause import by_system
from journeys.services.bulk import transition_many
from journeys.services.templates import create_template
from journeys.services.transitions import enroll, transition
from kura import tenancy
from kura.accounts.models import Organization
from patients.models import Patient


@pytest.fixture
def patients(db: None) -> Any:
    practice = Organization.objects.create(name="one", slug="one")
    stages = stages_from_codes(["SCREENING_PENDING", "CONFIRMED", "COMPLETED"])
    blueprint = Blueprint(
        key="intake", name="Intake", initial_stage="SCREENING_PENDING", stages=stages
    )
    with tenancy.scope(practice):
        create_template(organization=practice, blueprint=blueprint)
        people = [Patient.objects.create(organization=practice) for _ in range(3)]
        for one in people:
            enroll(patient_id=one.pk, journey_key="intake", cause=by_system())
        yield [one.pk for one in people]


def statements(captured: CaptureQueriesContext) -> list[str]:
    """Savepoints stand for BEGIN and COMMIT here; the template's definition is not yet cached."""
    return [
        query["sql"].split()[0]
        for query in captured.captured_queries
        if "SAVEPOINT" not in query["sql"]
        and "FROM journey_templates t\n" not in query["sql"]
        and "FROM automation_rules" not in query["sql"]  # who listens: asked once a second
    ]


def test_one_move_is_two_statements_in_a_transaction(patients: list[Any]) -> None:
    with CaptureQueriesContext(connection) as captured:
        transition(
            patient_id=patients[0], journey_key="intake", to_stage="CONFIRMED", cause=by_system()
        )

    assert statements(captured) == ["SELECT", "INSERT"]


def test_three_moves_are_as_many(patients: list[Any]) -> None:
    with CaptureQueriesContext(connection) as captured:
        transition_many(
            patient_ids=patients, journey_key="intake", to_stage="CONFIRMED", cause=by_system()
        )

    assert statements(captured) == ["SELECT", "INSERT"]
