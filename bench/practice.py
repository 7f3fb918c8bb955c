"""The practice that is measured in: a template with a graph, a therapist, many patients.

Patients are made in SQL and enrolled through the door, in statements of 10,000 rows.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from django.contrib.auth.models import Group
from django.db import connection

from bench.database import require_throw_away
from journeys.blueprints import Blueprint, MoveDraft, stages_from_codes
from journeys.services.templates import create_template
from kura import tenancy
from kura.accounts.models import Organization, User

KEY: Final = "intake"
STAGES: Final = (
    "SCREENING_PENDING", "SCREENING_COMPLETED", "AWAITING_PAYMENT", "PAYMENT_PENDING", "CONFIRMED",
)  # fmt: skip
START, NEXT = STAGES[:2]
AT_ONCE: Final = 10_000  # rows a statement


@dataclass(frozen=True, slots=True)
class Practice:
    organization: Organization
    therapist: User


def open_practice(slug: str = "bench") -> Practice:
    """No guards on the moves: conditions are measured by nobody's raw statement."""
    require_throw_away()
    organization = Organization.objects.create(name=slug.capitalize(), slug=slug)
    therapist = User(email=f"therapist@{slug}.example", organization=organization)
    therapist.set_unusable_password()
    therapist.save()
    therapist.groups.add(Group.objects.get(name="therapist"))
    with tenancy.scope(organization):
        create_template(organization=organization, blueprint=blueprint())
    return Practice(organization, therapist)


def blueprint() -> Blueprint:
    """A ring, so that a patient can be moved on for as long as the measuring lasts."""
    ring = zip(STAGES, (*STAGES[1:], START), strict=True)
    return Blueprint(
        key=KEY,
        name="Intake",
        initial_stage=START,
        stages=stages_from_codes(STAGES),
        moves=[MoveDraft(from_stage=one, to_stage=other) for one, other in ring],
        endless=True,
    )


def enrolled_patients(practice: Practice, count: int) -> list[uuid.UUID]:
    """New patients who stand in START."""
    patients = _new_patients(practice, count)
    for start in range(0, count, AT_ONCE):
        append(patients[start : start + AT_ONCE], START)
    settle()
    return patients


def append(patients: Sequence[uuid.UUID], to_stage: str) -> None:
    """One move each, through the door."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO journey_logs (patient_id, journey_key, to_stage, actor_kind)
            SELECT id, %s, %s, 'import' FROM unnest(%s::uuid[]) AS id
            """,
            [KEY, to_stage, list(patients)],
        )


def settle() -> None:
    """Statistics and a clean slate, so that no measurement pays for the loading before it."""
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")
        cursor.execute("CHECKPOINT")


def _new_patients(practice: Practice, count: int) -> list[uuid.UUID]:
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO patients (id, organization_id, full_name, email, phone, language, timezone)
            SELECT kura_time_ordered_uuid(), %s, 'Patient ' || n, '', '', 'es', ''
            FROM generate_series(1, %s) AS n
            RETURNING id
            """,
            [practice.organization.pk, count],
        )
        return [row[0] for row in cursor.fetchall()]
