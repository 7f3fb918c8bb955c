"""People in journeys, placed through the door at any hour of the past; rules and tasks."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from automation.models import AutomationRule, StaffTask
from journeys.models import Enrollment, JourneyLog, JourneyTemplate
from kura.accounts.models import Organization, User
from kura.standing.limits import Limits, limits_at
from patients.models import Patient
from tests.automation.practice import a_rule
from tests.factories import PatientFactory, a_template, the_enrollment

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
STAGES = [
    "SCREENING_PENDING",
    "AWAITING_PAYMENT",
    "BLOCKED_HIGH_RISK",
    "CONFIRMED",
    "COMPLETED",
    "CANCELLED",
]
ON_HOLD, CLOSED = {"BLOCKED_HIGH_RISK"}, {"COMPLETED", "CANCELLED"}


def limits() -> Limits:
    return limits_at(NOW)


def hours_ago(hours: float) -> datetime:
    return NOW - timedelta(hours=hours)


def a_journey(organization: Organization, key: str = "intake", **fields: Any) -> JourneyTemplate:
    return a_template(organization, key=key, codes=STAGES, **fields)


def a_stale_rule(
    organization: Organization,
    stage: str = "AWAITING_PAYMENT",
    max_hours: str = "48",
    repeat_hours: str | None = None,
    max_repeats: int | None = None,
    key: str = "intake",
    **fields: Any,
) -> AutomationRule:
    return a_rule(
        organization,
        "JOURNEY_STAGE_TIMEOUT",
        journey_key=key,
        stage=stage,
        max_hours=Decimal(max_hours),
        repeat_hours=Decimal(repeat_hours) if repeat_hours else None,
        max_repeats=max_repeats,
        **fields,
    )


def put(
    patient: Patient, stage: str, at: datetime, key: str = "intake", by: User | None = None
) -> Enrollment:
    """Append the move, whatever the graph says of it."""
    who: dict[str, Any] = {"actor_kind": "import"}
    if by:
        who = {"actor_kind": "user", "actor_id": by.pk, "reason_code": "reviewed_safe"}
    JourneyLog.objects.create(
        patient=patient, journey_key=key, to_stage=stage, changed_at=at, **who
    )
    return the_enrollment(patient, key)


def someone(
    organization: Organization, stage: str, hours: float, key: str = "intake", **fields: Any
) -> Enrollment:
    """A new patient who has been in this stage for so many hours."""
    patient = PatientFactory(organization=organization, **fields)
    return put(patient, stage, hours_ago(hours), key)


def a_task(
    patient: Patient, enrollment: Enrollment | None = None, text: str = "Call", **fields: Any
) -> StaffTask:
    return StaffTask.objects.create(
        organization_id=patient.organization_id,
        patient=patient,
        enrollment_id=enrollment.pk if enrollment else None,
        journey_key=enrollment.journey_key if enrollment else "",
        kind="rule",
        text=text,
        **fields,
    )


def a_random_practice(organization: Organization, therapist: User, seed: int, size: int) -> None:
    """Several journeys, repeated enrollments, blocks, rules of all kinds, tasks of all kinds."""
    dice = random.Random(seed)
    for key in ("intake", "yoga"):
        a_journey(organization, key)
        for stage in STAGES:
            for _ in range(dice.choice([0, 1, 1, 2])):
                _a_random_rule(organization, key, stage, dice)
    for _ in range(size):
        patient = PatientFactory(organization=organization)
        for key in dice.choice([[], ["intake"], ["yoga"], ["intake", "yoga"]]):
            _walk(patient, key, therapist, dice)
        _maybe_a_task(patient, dice)


def _a_random_rule(organization: Organization, key: str, stage: str, dice: random.Random) -> None:
    repeat = dice.choice([None, "12", "0.5"])
    a_stale_rule(
        organization,
        stage,
        dice.choice(["0.001", "24", "48", "100.5"]),
        repeat,
        dice.choice([None, 1, 2, 5]) if repeat else None,
        key,
        is_active=dice.random() > 0.2,
    )


def _walk(patient: Patient, key: str, therapist: User, dice: random.Random) -> None:
    at, stage = hours_ago(dice.uniform(300, 600)), None
    for _ in range(dice.randint(1, 6)):
        to_stage = dice.choice([one for one in STAGES if one != stage])
        if stage in CLOSED:
            to_stage = STAGES[0]
        put(patient, to_stage, at, key, by=therapist if stage in ON_HOLD else None)
        stage, at = to_stage, at + timedelta(hours=dice.uniform(0, 48))


def _maybe_a_task(patient: Patient, dice: random.Random) -> None:
    theirs = list(Enrollment.objects.filter(patient=patient))
    if dice.random() < 0.2:
        about = dice.choice([None, *theirs])
        a_task(patient, about, done_at=dice.choice([None, None, NOW]))
