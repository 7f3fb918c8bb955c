"""Patients get no mail in the night: it is kept until their morning, and asked about again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.core import mail as django_mail

from automation import outbox
from automation.models import Message
from automation.services.messages import resend
from journeys.services.transitions import enroll, transition
from patients.models import Patient
from tests.automation.messages import deliver, mail, the_message
from tests.automation.practice import a_rule, drain, tell
from tests.automation.smtp_server import Script, smtp_server
from tests.factories import a_user, system
from tests.sizes import sized

EVENING = datetime(2030, 3, 1, 20, 30, tzinfo=UTC)  # 21:30 in Madrid, 15:30 in New York
MORNING = datetime(2030, 3, 2, 7, 0, tzinfo=UTC)  # 08:00 in Madrid


def clock_at(moment):
    return lambda: moment


@pytest.fixture
def enrolled(organization, template, patient):
    organization.settings = {}
    organization.save()
    patient.email = "lia@example.org"
    patient.save()
    enroll(patient_id=patient.pk, journey_key="intake", cause=system())
    return patient


def written(organization, patient, *, audience="patient", **params) -> Message:
    a_rule(organization, "PAYMENT_FAILED", mail(audience, **params))
    told = tell(patient, "PAYMENT_FAILED")
    drain()
    return Message.objects.get(event=told.event_id)


@pytest.mark.parametrize("is_reminder", [True, False])
def test_in_the_night_mail_to_a_patient_waits_for_the_morning(organization, enrolled, is_reminder):
    written(organization, enrolled, reminder=is_reminder)

    deliver(clock=clock_at(EVENING))

    kept = the_message()
    assert (kept.state, kept.last_error, kept.attempts) == ("queued", "quiet_hours", 0)
    assert kept.next_attempt_at == MORNING
    deliver(clock=clock_at(MORNING - timedelta(seconds=1)))
    assert the_message().state == "queued"
    deliver(clock=clock_at(MORNING))
    assert the_message().state == "sent"


@pytest.mark.parametrize(
    ("timezone", "state"),
    [("", "queued"), ("America/New_York", "sent"), ("Asia/Kolkata", "queued"),
     ("Mars/Base", "queued"), ("Europe", "queued")],
)  # fmt: skip
def test_the_patients_own_clock_counts_or_else_the_practices(
    organization, enrolled, timezone, state
):
    Patient.objects.filter(pk=enrolled.pk).update(timezone=timezone)
    written(organization, enrolled)

    deliver(clock=clock_at(EVENING))

    assert the_message().state == state


@pytest.mark.parametrize("audience", ["therapist", "practice"])
def test_mail_to_the_team_goes_at_any_hour(organization, enrolled, audience):
    a_user(organization, "manager")
    written(organization, enrolled, audience=audience, reminder=True)

    deliver(clock=clock_at(EVENING))

    assert the_message().state == "sent"


def test_a_practice_may_switch_quiet_hours_off(organization, enrolled):
    organization.settings = {"quiet_hours": None}
    organization.save()
    written(organization, enrolled)

    deliver(clock=clock_at(EVENING))

    assert the_message().state == "sent"


def test_a_window_within_the_day(organization, enrolled):
    organization.settings = {"quiet_hours": {"from": "21:00", "until": "22:00"}}
    organization.save()
    written(organization, enrolled)

    deliver(clock=clock_at(EVENING))

    assert the_message().next_attempt_at == EVENING + timedelta(minutes=30)


def test_who_moved_on_in_the_night_gets_no_mail_in_the_morning(organization, enrolled):
    written(organization, enrolled, reminder=True)
    deliver(clock=clock_at(EVENING))
    transition(patient_id=enrolled.pk, journey_key="intake", to_stage="CONFIRMED", cause=system())

    deliver(clock=clock_at(MORNING))

    assert (the_message().state, the_message().last_error) == ("cancelled", "left_stage")
    assert django_mail.outbox == []


def test_the_hours_of_tries_begin_with_the_first_one(organization, enrolled):
    written(organization, enrolled)
    Message.objects.update(created_at=EVENING - timedelta(hours=71))
    deliver(clock=clock_at(EVENING))

    taken = outbox.take_next(MORNING)

    assert isinstance(taken, Message)
    assert taken.tried_since == MORNING


def test_a_try_that_failed_in_the_evening_is_repeated_in_the_morning(
    organization, enrolled, settings
):
    settings.EMAIL_BACKEND = "automation.smtp.EmailBackend"
    written(organization, enrolled)
    before = EVENING - timedelta(minutes=30, seconds=1)  # a second before nine
    Message.objects.update(created_at=before)
    with smtp_server(Script(data="451 Busy")) as port:
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", port
        deliver(clock=clock_at(before))
    assert (the_message().state, the_message().attempts) == ("queued", 1)

    deliver(clock=clock_at(before + timedelta(minutes=1)))

    assert (the_message().last_error, the_message().next_attempt_at) == ("quiet_hours", MORNING)


def test_what_a_person_sends_again_at_night_waits_as_well(organization, enrolled, therapist):
    failed = written(organization, enrolled)
    Message.objects.update(state="failed", attempts=9, tried_since=EVENING, last_error="550 No")

    resend(message_id=failed.pk, user=therapist, reason="She gave us another address")
    Message.objects.update(next_attempt_at=EVENING)
    deliver(clock=clock_at(EVENING))

    assert the_message().last_error == "quiet_hours"
    taken = outbox.take_next(MORNING)
    assert isinstance(taken, Message)
    assert (taken.attempts, taken.tried_since) == (1, MORNING)


@pytest.mark.soak
def test_in_the_morning_all_that_waited_goes(organization, enrolled):
    first = written(organization, enrolled)
    waiting = sized(reduced=100, full=300)
    copies = [_like(first, f"{number}@example.org") for number in range(waiting)]
    Message.objects.bulk_create(copies)

    assert deliver(clock=clock_at(EVENING)) == 0
    deliver(clock=clock_at(MORNING), seconds=60)

    assert set(Message.objects.values_list("state", flat=True)) == {"sent"}


def _like(message: Message, recipient: str) -> Message:
    names = [field.attname for field in Message._meta.concrete_fields if field.attname != "id"]
    return Message(**{name: getattr(message, name) for name in names} | {"recipient": recipient})
