"""The smallest valid thing of each kind."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import factory
from django.contrib.auth.models import Group

from automation.definition import normal
from automation.models import AutomationRule, RuleVersion
from automation.ready import ReadyRule
from journeys.blueprints import Blueprint, MoveDraft, stages_from_codes
from journeys.cause import Cause, by_system, by_user
from journeys.models import Enrollment, JourneyTemplate, SystemEventLog, SystemEventPayload
from journeys.services.templates import create_template
from kura import tenancy
from kura.accounts.models import Organization, User
from patients.models import Patient

STAGES = ["SCREENING_PENDING", "AWAITING_PAYMENT", "BLOCKED_HIGH_RISK", "CONFIRMED", "COMPLETED"]


class OrganizationFactory(factory.django.DjangoModelFactory[Organization]):
    """Without quiet hours: tests are run at night as well."""

    class Meta:
        model = Organization

    name = factory.Sequence(lambda n: f"Practice {n}")
    slug = factory.Sequence(lambda n: f"practice-{n}")
    settings = factory.LazyFunction(lambda: {"quiet_hours": None})


class PatientFactory(factory.django.DjangoModelFactory[Patient]):
    class Meta:
        model = Patient

    organization = factory.SubFactory(OrganizationFactory)
    full_name = factory.Sequence(lambda n: f"Patient {n}")


def a_user(organization: Organization | None, role: str = "therapist", **fields: Any) -> User:
    """A colleague with this role, read afresh (permissions are cached on the instance)."""
    number = User.objects.count()
    email = fields.pop("email", f"{role}{number}@example.org")
    user = User.objects.create_user(email, "a-long-password", organization=organization, **fields)
    user.groups.add(Group.objects.get(name=role))
    return User.objects.get(pk=user.pk)


def a_template(
    organization: Organization,
    key: str = "intake",
    codes: list[str] | None = None,
    moves: list[MoveDraft] | None = None,
    **fields: Any,
) -> JourneyTemplate:
    """A template of standard stages; without moves any move is allowed."""
    stages = stages_from_codes(codes or STAGES)
    blueprint = Blueprint(
        key=key,
        name=fields.pop("name", key.capitalize()),
        initial_stage=fields.pop("initial_stage", stages[0].code),
        stages=stages,
        moves=moves or [],
        **fields,
    )
    with tenancy.scope(organization):
        return create_template(organization=organization, blueprint=blueprint)


def an_event(
    patient: Patient,
    event_type: str,
    *,
    occurred_at: datetime,
    journey_key: str | None = "intake",
    payload: dict[str, Any] | None = None,
) -> SystemEventLog:
    number = SystemEventLog.objects.count()
    event = SystemEventLog.objects.create(
        organization_id=patient.organization_id,
        event_type=event_type,
        patient=patient,
        journey_key=journey_key,
        source="test",
        idempotency_key=f"event-{number}",
        occurred_at=occurred_at,
    )
    SystemEventPayload.objects.create(event=event, payload=payload or {})
    return event


def system() -> Cause:
    return by_system(via="test")


def reviewed(user: User) -> Cause:
    """A person who gives both reasons that lifting a block needs."""
    return by_user(user, reason_code="reviewed_safe", reason="Looked at it with the patient")


def the_enrollment(patient: Patient, journey_key: str = "intake") -> Enrollment:
    """The newest one."""
    found = Enrollment.objects.filter(patient=patient, journey_key=journey_key)
    return found.order_by("-number")[0]


def with_ready_rules(organization: Organization, ready: Sequence[ReadyRule]) -> None:
    """As `library.install` makes them, for everybody, in two statements."""
    rules = AutomationRule.objects.bulk_create(
        AutomationRule(
            organization=organization,
            code=rule.code,
            **normal(rule.definition(organization.language)),
        )
        for rule in ready
    )
    RuleVersion.objects.bulk_create(
        RuleVersion(rule=rule, version=1, definition=rule.definition) for rule in rules
    )
