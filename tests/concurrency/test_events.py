"""Events that arrive together, with several drains at once and real commits."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connections

from automation import dispatch
from automation.models import EventDispatch, RuleRun
from journeys.models import Enrollment, JourneyLog
from journeys.models.log import ActorKind
from journeys.services.transitions import enroll
from kura import tenancy
from patients.models import Patient
from tests.automation.practice import a_rule, move, tell
from tests.factories import OrganizationFactory, a_template, system
from tests.sizes import sized

HIGH = {"field": "event.payload.risk_level", "op": "in", "value": ["HIGH", "CRITICAL"]}
PAIRS = sized(reduced=25, full=500)


@pytest.fixture
def practice(committed_db):
    organization = OrganizationFactory()
    a_template(organization)
    with tenancy.scope(organization):
        yield organization


def at_once(*works: Callable[[], object]) -> list[object]:
    """Each on a thread and connection of its own, from one start."""
    start = threading.Barrier(len(works))

    def run(work: Callable[[], object]) -> object:
        try:
            start.wait()
            return work()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(works)) as pool:
        return list(pool.map(run, works))


def drain_all() -> None:
    at_once(*[lambda: dispatch.drain(seconds=300, linger=0.3)] * 4)


def in_scope(practice, work: Callable[[], object]) -> Callable[[], object]:
    def scoped() -> object:
        with tenancy.scope(practice):
            return work()

    return scoped


@pytest.mark.soak
def test_a_risk_and_a_payment_at_once_never_lead_out_of_the_block(practice):
    a_rule(practice, "PAYMENT_SUCCEEDED", move("intake", "CONFIRMED"), priority=1)
    a_rule(
        practice,
        "RISK_ANALYSIS_COMPLETED",
        move("intake", "BLOCKED_HIGH_RISK"),
        conditions=HIGH,
    )
    patients = Patient.objects.bulk_create(
        [Patient(organization=practice, full_name=f"P {n}") for n in range(PAIRS)]
    )
    for patient in patients:
        enroll(patient_id=patient.pk, journey_key="intake", cause=system())

    def pay() -> None:
        for patient in patients:
            tell(patient, "PAYMENT_SUCCEEDED", f"pay-{patient.pk}")

    def warn() -> None:
        for patient in patients:
            tell(
                patient,
                "RISK_ANALYSIS_COMPLETED",
                f"risk-{patient.pk}",
                journey_key=None,
                payload={"risk_level": "HIGH"},
            )

    at_once(in_scope(practice, pay), in_scope(practice, warn), drain_all)

    assert not EventDispatch.objects.exclude(status="done").exists()
    assert set(Enrollment.objects.values_list("stage", flat=True)) == {"BLOCKED_HIGH_RISK"}
    out_of_block = JourneyLog.objects.filter(from_stage="BLOCKED_HIGH_RISK")
    assert not out_of_block.exclude(actor_kind=ActorKind.USER).exists()
    assert RuleRun.objects.filter(matched=True).count() == 2 * PAIRS
    refused = RuleRun.objects.filter(status="refused")
    assert {run.actions[0]["error_code"] for run in refused} <= {"journey_blocked", "superseded"}


@pytest.mark.soak
def test_drains_at_once_process_each_event_once_and_keep_a_patients_order(practice):
    stages = ["AWAITING_PAYMENT", "CONFIRMED"]
    for stage in stages:
        a_rule(practice, f"CUSTOM.{stage}", move("intake", stage), priority=1)
    patients = Patient.objects.bulk_create(
        [Patient(organization=practice, full_name=f"P {n}") for n in range(10)]
    )
    for patient in patients:
        enroll(patient_id=patient.pk, journey_key="intake", cause=system())
    each = sized(reduced=6, full=60)
    for number in range(each):
        for patient in patients:
            tell(patient, f"CUSTOM.{stages[number % 2]}", f"{patient.pk}-{number}")

    drain_all()

    for patient in patients:
        moves = JourneyLog.objects.filter(patient=patient, seq__gt=1).order_by("seq")
        told = [log.trigger_event.idempotency_key for log in moves.select_related("trigger_event")]
        assert told == [f"{patient.pk}-{number}" for number in range(each)]


@pytest.mark.soak
def test_writers_with_the_same_keys_record_each_event_once(practice):
    keys = sized(reduced=30, full=500)
    [patient] = Patient.objects.bulk_create([Patient(organization=practice, full_name="P")])
    patient.organization = practice

    def write() -> int:
        told = [tell(patient, "CUSTOM.same", f"k-{n}") for n in range(keys)]
        return sum(not one.duplicate for one in told)

    new = at_once(*[in_scope(practice, write)] * 8)

    assert sum(new) == keys
    assert EventDispatch.objects.count() == keys
