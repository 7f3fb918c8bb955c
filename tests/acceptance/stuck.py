"""People who are stuck in a stage, and full hours at which the cluster looks."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

from django.core import mail as django_mail
from django.utils import timezone

from automation import dispatch, monitor, outbox
from journeys.models import JourneyLog
from kura.accounts.models import Organization
from patients.models import Patient
from tests.factories import PatientFactory

RETREAT, STAGE = "retreat_ibiza_2025", "AWAITING_PAYMENT"
NOW: Final = timezone.now() - timedelta(days=10)  # later looks lie in the past, too
PAST_48: Final = NOW - timedelta(hours=49)


def hours(number: float) -> timedelta:
    return timedelta(hours=number)


def stands(patient: Patient, stage: str, since: datetime, key: str = RETREAT) -> None:
    """Past the graph, as an import does."""
    row = {"journey_key": key, "to_stage": stage, "changed_at": since, "actor_kind": "import"}
    JourneyLog.objects.bulk_create([JourneyLog(patient=patient, **row)])


def somebody(
    organization: Organization,
    since: datetime = PAST_48,
    stage: str = STAGE,
    key: str = RETREAT,
) -> Patient:
    email = f"p{JourneyLog.objects.count()}@example.org"
    patient = PatientFactory(organization=organization, email=email)
    stands(patient, stage, since, key)
    return patient


def check(now: datetime = NOW, **asked: Any) -> monitor.Report:
    return monitor.check(clock=lambda: now, **asked)


def look(now: datetime = NOW) -> list[str]:
    """What the cluster does at a full hour; to whom it has sent mail so far."""
    check(now)
    dispatch.drain(linger=0, clock=lambda: now)
    outbox.deliver(linger=0, clock=lambda: now)
    return [mail.to[0] for mail in django_mail.outbox]
