"""A practice and whoever is in it, made by plain functions: the smallest thing that is valid.

Words that must never appear elsewhere carry a marker, so that a leak is found by reading a page.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth.models import Group
from django.utils import timezone

from journeys.blueprints import Blueprint, MoveDraft, StageDraft
from journeys.cause import by_system, by_user
from journeys.models.enrollment import Enrollment
from journeys.models.event import SystemEventLog
from journeys.models.template import JourneyTemplate, StageStatus, Turn
from journeys.services.templates import create_template
from journeys.services.transitions import enroll, transition
from kura import tenancy
from kura.accounts.models import Organization, User
from patients.models import Patient, PatientImport

PASSWORD = "a-long-pass-phrase"
PAID = {"field": "events.PAYMENT_SUCCEEDED.count", "op": "gte", "value": 1}


def practice(name: str = "Clínica Om", slug: str = "") -> Organization:
    return Organization.objects.create(name=name, slug=slug or f"p-{uuid.uuid4().hex[:8]}")


def person(organization: Organization | None, role: str, name: str = "", **fields: Any) -> User:
    email = fields.pop("email", f"{uuid.uuid4().hex[:10]}@example.org")
    user = User.objects.create_user(
        email, PASSWORD, organization=organization, display_name=name or role.title(), **fields
    )
    if role:
        user.groups.add(Group.objects.get(name=role))
    return user


STAGES = (
    StageDraft(
        code="AWAITING_SCREENING",
        label_es="Cuestionario enviado",
        label_en="Questionnaire sent",
        status=StageStatus.PLANNED,
        whose_turn=Turn.PATIENT,
    ),
    StageDraft(
        code="AWAITING_PAYMENT",
        label_es="Pendiente de pago",
        label_en="Awaiting payment",
        status=StageStatus.PLANNED,
        whose_turn=Turn.PATIENT,
    ),
    StageDraft(code="CONFIRMED", label_es="Confirmado", label_en="Confirmed"),
    StageDraft(
        code="BLOCKED",
        label_es="Bloqueado",
        label_en="Blocked",
        status=StageStatus.ON_HOLD,
        whose_turn=Turn.THERAPIST,
    ),
    StageDraft(
        code="COMPLETED",
        label_es="Completado",
        label_en="Completed",
        status=StageStatus.FINISHED,
        whose_turn=Turn.NOBODY,
    ),
)
MOVES = (
    MoveDraft(from_stage="AWAITING_SCREENING", to_stage="AWAITING_PAYMENT"),
    MoveDraft(from_stage="AWAITING_PAYMENT", to_stage="CONFIRMED", guard=PAID),
    MoveDraft(from_stage="AWAITING_PAYMENT", to_stage="AWAITING_SCREENING", requires_reason=True),
    MoveDraft(from_stage="CONFIRMED", to_stage="COMPLETED"),
    MoveDraft(from_stage="BLOCKED", to_stage="CONFIRMED", guard=PAID),
)


def journey(
    organization: Organization,
    key: str = "retreat",
    name: str = "Retiro Ibiza 2025",
    moves: Sequence[MoveDraft] = MOVES,
) -> JourneyTemplate:
    with tenancy.scope(organization):
        return create_template(
            organization=organization,
            blueprint=Blueprint(
                key=key, name=name, initial_stage=STAGES[0].code, stages=STAGES, moves=moves
            ),
        )


def patient(organization: Organization, name: str = "Marta Soler", **fields: Any) -> Patient:
    with tenancy.scope(organization):
        return Patient.objects.create(organization=organization, full_name=name, **fields)


def file(uploader: User, name: str) -> PatientImport:
    """Waits to be confirmed: somebody new, and somebody with a problem."""
    rows = f"external id;full name\nN-1;Nueva {name}\n;Sin nada {name}\n"
    with tenancy.scope(uploader.organization):
        return PatientImport.objects.create(
            organization=uploader.organization, uploaded_by=uploader, content=rows.encode()
        )


def enrolled(
    someone: Patient,
    template: JourneyTemplate,
    *stages: str,
    by: User | None = None,
    days_ago: int = 10,
) -> Enrollment:
    """In the journey's first stage, then moved through `stages`, a day each."""
    with tenancy.scope(someone.organization):
        when = timezone.now() - timedelta(days=days_ago)
        cause = by_user(by, reason="Interesada en la salida") if by else by_system()
        log = enroll(patient_id=someone.pk, journey_key=template.key, cause=cause, changed_at=when)
        for number, stage in enumerate(stages, start=1):
            _move(someone, template, stage, when + timedelta(days=number))
        return Enrollment.objects.select_related("patient").get(pk=log.enrollment_id)


def _move(someone: Patient, template: JourneyTemplate, stage: str, when: datetime) -> None:
    transition(
        patient_id=someone.pk,
        journey_key=template.key,
        to_stage=stage,
        cause=by_system(),
        changed_at=when,
    )


def event(someone: Patient, name: str = "PAYMENT_SUCCEEDED", **fields: Any) -> SystemEventLog:
    """What the intake will store; here straight into the table."""
    with tenancy.scope(someone.organization):
        return SystemEventLog.objects.create(
            organization=someone.organization,
            event_type=name,
            patient=someone,
            source=fields.pop("source", "stripe"),
            idempotency_key=uuid.uuid4().hex,
            occurred_at=timezone.now(),
            **fields,
        )
