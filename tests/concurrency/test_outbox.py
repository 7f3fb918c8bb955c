"""Two workers at the outbox, each on a connection of its own, with real commits."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connections
from django.utils import timezone

from automation import outbox
from automation.models import Message
from journeys.services.transitions import enroll
from kura import tenancy
from tests.automation.messages import mail
from tests.automation.practice import a_rule, drain, tell
from tests.factories import OrganizationFactory, PatientFactory, a_template, system
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
