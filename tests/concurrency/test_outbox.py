"""Two workers at the outbox, each on a connection of its own, with real commits."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connection, connections, transaction
from django.utils import timezone

from automation import outbox
from automation.models import Message
from automation.services.pauses import pause_reminders, resume_reminders
from journeys.services.transitions import enroll
from kura import tenancy
from tests.automation.messages import mail
from tests.automation.practice import a_rule, drain, tell
from tests.factories import (
    OrganizationFactory,
    PatientFactory,
    a_template,
    a_user,
    system,
    the_enrollment,
)
from tests.sizes import sized

ROUNDS = sized(reduced=10, full=200)
WORKERS = 2


@pytest.fixture
def practice(committed_db):
    organization = OrganizationFactory()
    with tenancy.scope(organization):
        a_template(organization)
        for trigger in ("PAYMENT_FAILED", "BOOKING_CANCELLED"):
            a_rule(organization, trigger, mail(reminder=True))
        yield organization


@pytest.mark.soak
def test_two_workers_never_remind_a_patient_twice(practice):
    for number in range(ROUNDS):
        patient = PatientFactory(organization=practice, email=f"{number}@example.org")
        enroll(patient_id=patient.pk, journey_key="intake", cause=system())
        for trigger in ("PAYMENT_FAILED", "BOOKING_CANCELLED"):
            tell(patient, trigger, f"{trigger}-{number}")
        drain()

        took = at_once(lambda: outbox.take_next(timezone.now()))

        taken = [one for one in took if isinstance(one, Message)]
        kept = [one for one in took if isinstance(one, outbox.Leave)]
        assert (len(taken), [one.why for one in kept]) == (1, ["reminded_recently"])
        states = Message.objects.filter(patient=patient).values_list("state", flat=True)
        assert sorted(states) == ["queued", "sending"]
        Message.objects.filter(patient=patient).update(state="cancelled")


def test_who_resumes_while_a_worker_holds_a_reminder_back_still_sends_it(practice):
    user = a_user(practice, "therapist")
    patient = PatientFactory(organization=practice, email="lia@example.org")
    enroll(patient_id=patient.pk, journey_key="intake", cause=system())
    now, enrollment = timezone.now(), the_enrollment(patient).pk
    pause_reminders(
        enrollment_id=enrollment, until=now + timedelta(days=7), reason="She is travelling",
        user=user, now=now,
    )  # fmt: skip
    tell(patient, "PAYMENT_FAILED")
    drain()

    with ThreadPoolExecutor(1) as pool:
        with tenancy.every_organization(), transaction.atomic():
            held = outbox.take_next(timezone.now())  # its row is locked until this block ends
            resumed = pool.submit(in_scope, practice, lambda: resume(enrollment, user))
            assert waits_for_a_lock()
        resumed.result(timeout=30)

    assert (held.why, Message.objects.get().last_error) == ("paused", "paused")
    assert isinstance(outbox.take_next(timezone.now()), Message)


def resume(enrollment, user) -> None:
    resume_reminders(enrollment_id=enrollment, user=user, now=timezone.now())


def in_scope(practice, act) -> None:
    try:
        with tenancy.scope(practice):
            act()
    finally:
        connections.close_all()


def waits_for_a_lock() -> bool:
    """Somebody does, within ten seconds."""
    for _ in range(200):
        with connection.cursor() as cursor:
            cursor.execute("SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)")
            if cursor.fetchone()[0]:
                return True
        time.sleep(0.05)
    return False


def at_once(act) -> list[object]:
    start = threading.Barrier(WORKERS)

    def run(_number: int) -> object:
        try:
            start.wait()
            return act()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(WORKERS) as pool:
        return list(pool.map(run, range(WORKERS)))
