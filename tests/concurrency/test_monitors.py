"""Many monitors at once: each step is said once, with the lock and without it."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

import pytest
from django.db import connections
from django.utils import timezone

from automation import dispatch, errors, monitor
from automation.models import RuleRun, StaffTask
from automation.models.stage_timer import StageTimer
from automation.monitor import Report, VisitOutcome
from journeys.models import SystemEventLog
from journeys.services.bulk import enroll_many
from journeys.services.transitions import transition
from kura import tenancy
from patients.models import Patient
from tests.automation.messages import task
from tests.automation.practice import a_rule
from tests.concurrency.test_events import at_once
from tests.factories import OrganizationFactory, a_template, system
from tests.sizes import sized

MONITORS: Final = sized(reduced=4, full=8)
STUCK: Final = sized(reduced=40, full=200)
ROUNDS: Final = sized(reduced=3, full=20)
LIMIT: Final = 48  # hours
BEGIN: Final = timezone.now() - timedelta(days=2)  # events may lie a day ahead at most
STAGE, NEXT = "SCREENING_PENDING", "AWAITING_PAYMENT"


@pytest.fixture
def practice(committed_db):
    organization = OrganizationFactory()
    a_template(organization)
    with tenancy.scope(organization):
        a_rule(
            organization,
            "JOURNEY_STAGE_TIMEOUT",
            task(),
            journey_key="intake",
            stage=STAGE,
            max_hours=LIMIT,
            repeat_hours=1,
        )
        yield organization


@pytest.fixture
def stuck(practice) -> list[Patient]:
    """All past the limit at BEGIN, by less than an hour."""
    patients = Patient.objects.bulk_create(
        [Patient(organization=practice, full_name=f"P {n}") for n in range(STUCK)]
    )
    enroll_many(
        patient_ids=[patient.pk for patient in patients],
        journey_key="intake",
        cause=system(),
        changed_at=BEGIN - timedelta(hours=LIMIT, minutes=30),
    )
    return patients


def checked(now: datetime) -> Report | None:
    """By the front door; None: another check is at work."""
    try:
        with tenancy.every_organization():
            return monitor.check(clock=lambda: now)
    except errors.CheckInProgress:
        return None


def worked(now: datetime) -> Report:
    """What the lock protects, without it."""
    report = Report(dry_run=False, started_at=now, finished_at=now)
    with tenancy.every_organization():
        monitor._work(report, "", time.monotonic() + 600)
    return report


def steps() -> list[tuple[str, int]]:
    """Visit and occurrence of all that was said."""
    events = SystemEventLog.objects.filter(event_type="JOURNEY_STAGE_TIMEOUT")
    said = events.values_list("payload_row__payload", flat=True)
    return [(payload["enrollment_id"], payload["occurrence"]) for payload in said]


def go_round(number: int, one: Callable[[datetime], Report | None]) -> list[Report]:
    """All monitors at one moment, `number` steps after the first; those that had a turn."""
    now = BEGIN + timedelta(hours=number)
    reports = at_once(*[lambda: one(now)] * MONITORS)
    return [report for report in reports if isinstance(report, Report)]


@pytest.mark.soak
@pytest.mark.parametrize("one", [checked, worked], ids=["with the lock", "without the lock"])
def test_however_many_monitors_look_each_step_is_said_once(practice, stuck, one):
    for number in range(ROUNDS):
        reports = go_round(number, one)

        said = steps()
        assert len(said) == len(set(said)) == STUCK * (number + 1)
        assert sum(step == number + 1 for _visit, step in said) == STUCK
        assert sum(report.emitted for report in reports) == STUCK
        assert [report.errors for report in reports] == [[]] * len(reports)
    assert set(StageTimer.objects.values_list("occurrence", flat=True)) == {ROUNDS}


@pytest.mark.soak
def test_without_lock_and_without_timers_the_keys_alone_hold(practice, stuck):
    """Each monitor takes everything for new; the database knows better."""
    go_round(0, worked)
    StageTimer.objects.all().delete()
    go_round(0, worked)
    StageTimer.objects.all().delete()

    report = worked(BEGIN)

    assert len(steps()) == STUCK
    assert report.counts[VisitOutcome.SKIPPED_RECENT_REMINDER] == report.due == STUCK
    assert report.emitted == 0


@pytest.mark.soak
def test_while_one_is_at_work_the_others_are_told_so(practice, stuck):
    with tenancy.every_organization(), monitor._turn():
        assert at_once(*[lambda: checked(BEGIN)] * MONITORS) == [None] * MONITORS
    assert steps() == []

    assert checked(BEGIN) is not None
    assert len(steps()) == STUCK


@pytest.mark.soak
@pytest.mark.parametrize("key", ["", "intake"], ids=["a practice", "a journey"])
def test_a_check_of_a_part_does_not_take_the_turn_of_the_check_of_all(practice, stuck, key):
    """Else whoever runs one by hand at the full hour would silence all others for an hour."""
    with monitor._turn(key):  # in the practice's scope
        [report] = at_once(lambda: checked(BEGIN))

    assert isinstance(report, Report)
    assert report.emitted == STUCK


@pytest.mark.soak
def test_a_monitor_that_dies_keeps_nobody_out(practice, stuck):
    def die() -> None:
        with tenancy.every_organization():
            turn = monitor._turn()
            turn.__enter__()
        assert checked_elsewhere() == [None]
        connections.close_all()

    def checked_elsewhere() -> list[object]:
        return at_once(lambda: checked(BEGIN))

    at_once(die)

    assert checked(BEGIN) is not None
    assert len(steps()) == STUCK


@pytest.mark.soak
@pytest.mark.parametrize("one", [checked, worked], ids=["with the lock", "without the lock"])
def test_who_moves_on_meanwhile_is_announced_once_at_most_and_asked_nothing(practice, stuck, one):
    leaving, staying = stuck[::2], stuck[1::2]

    def move(patients: list[Patient]) -> None:
        with tenancy.scope(practice):
            for patient in patients:
                transition(
                    patient_id=patient.pk, journey_key="intake", to_stage=NEXT, cause=system()
                )

    halves = leaving[::2], leaving[1::2]
    at_once(*[lambda: one(BEGIN)] * MONITORS, *[lambda half=half: move(half) for half in halves])
    checked(BEGIN)
    at_once(*[lambda: dispatch.drain(seconds=300, linger=0.3)] * 2)

    said = steps()
    assert len(said) == len(set(said))
    told = SystemEventLog.objects.filter(event_type="JOURNEY_STAGE_TIMEOUT")
    assert {one.pk for one in staying} <= set(told.values_list("patient_id", flat=True))
    asked = list(StaffTask.objects.values_list("patient_id", flat=True))
    assert sorted(asked) == sorted(patient.pk for patient in staying)
    left = RuleRun.objects.filter(patient_id__in=[patient.pk for patient in leaving])
    assert {run.actions[0]["error_code"] for run in left} <= {"left_stage"}
