"""One patient's page reads the same as everything else here, in a fixed number of queries."""

from __future__ import annotations

import uuid
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from automation.models import Message, ReminderPause
from automation.services.pauses import pause_reminders
from journeys.cause import by_rule, by_user
from journeys.models import BlockReview
from journeys.services.transitions import transition
from kura.accounts.models import Organization, User
from kura.standing.chart import EVENTS, Chart, chart_of
from kura.standing.journey import journeys_of
from kura.standing.limits import limits_at
from patients.models import Patient
from tests.automation.practice import a_rule, move
from tests.factories import PatientFactory, a_template, an_event
from tests.standing.practice import (
    NOW,
    STAGES,
    a_journey,
    a_random_practice,
    a_stale_rule,
    a_task,
    hours_ago,
    limits,
    put,
)

SCREENING, PAYMENT, BLOCK, CONFIRMED, COMPLETED = STAGES[:5]


def chart(patient: Patient, reader: User | None = None) -> Chart:
    return chart_of(patient.pk, limits(), reader=by_user(reader) if reader else None)


def a_message(patient: Patient, **fields) -> Message:
    event = an_event(patient, "CUSTOM.x", occurred_at=hours_ago(5))
    rule = a_rule(patient.organization, "CUSTOM.x", move("intake", BLOCK))
    return Message.objects.create(
        organization=patient.organization, patient=patient, event=event, rule=rule,
        action_index=0, audience="patient", recipient="p@example.org", language="es",
        subject="Tu plaza", body="Hola", next_attempt_at=NOW, **fields,
    )  # fmt: skip


@pytest.mark.parametrize("seed", [3, 11])
def test_the_journeys_are_those_that_everything_else_tells(
    organization: Organization, therapist: User, seed: int
) -> None:
    a_random_practice(organization, therapist, seed=seed, size=12)
    patients = list(Patient.objects.values_list("pk", flat=True))
    reader = by_user(therapist)

    told = journeys_of(patients, limits(), reader=reader)

    assert any(told.values())
    for pk in patients:
        assert list(chart_of(pk, limits(), reader=reader).journeys) == told[pk]


def test_repeated_enrollments_are_told_apart(organization: Organization, patient: Patient) -> None:
    a_journey(organization)
    for number, start in enumerate((300, 200, 100), start=1):
        put(patient, SCREENING, hours_ago(start))
        if number < 3:
            put(patient, COMPLETED, hours_ago(start - 50))

    told = chart(patient)

    assert [view.number for view in told.journeys] == [3]
    assert [view.number for view in told.earlier["intake"]] == [2, 1]
    assert len(told.moves) == 5


def test_a_move_names_its_rule_its_person_and_what_they_wrote(
    organization: Organization, patient: Patient, therapist: User
) -> None:
    a_journey(organization)
    rule = a_rule(organization, "CUSTOM.x", move("intake", BLOCK), name="Careful")
    put(patient, SCREENING, hours_ago(9))
    for to_stage, cause in (
        (PAYMENT, by_user(therapist, reason="They called")),
        (BLOCK, by_rule(rule.pk, trigger_event_id=None)),
    ):
        transition(patient_id=patient.pk, journey_key="intake", to_stage=to_stage, cause=cause)

    by_person, rule_move = chart(patient).moves[-2:]

    assert (by_person.line.actor, by_person.line.note) == (str(therapist), "They called")
    assert (rule_move.move.rule, rule_move.move.rule_id) == ("Careful", rule.pk)


def test_what_moved_nobody_is_told_with_whose_it_is(
    organization: Organization, patient: Patient, therapist: User
) -> None:
    now = timezone.now()
    a_journey(organization)
    put(patient, SCREENING, now - timedelta(hours=9))
    enrollment = put(patient, BLOCK, now - timedelta(hours=8))
    pause_reminders(
        enrollment_id=enrollment.pk, until=now + timedelta(days=2), reason="They travel",
        user=therapist, now=now,
    )  # fmt: skip
    BlockReview.objects.create(
        organization=organization, enrollment=enrollment, seq=2, reviewer=therapist, note="Later"
    )
    a_task(patient, enrollment, "Second", due_at=now + timedelta(days=2))
    a_task(patient, None, "First", due_at=now, assigned_to=therapist)
    a_task(patient, None, "Done", done_at=now)
    a_message(patient, is_reminder=True, state="failed", last_error="no_answer_to_data")

    told = chart_of(patient.pk, limits_at(now))

    [pause], [review], [message] = told.pauses.values(), told.reviews, told.messages
    assert pause.created_by == str(therapist)
    assert pause.until == now + timedelta(days=2)
    assert (review.words, review.by, review.number, review.journey_key) == (
        "Later", str(therapist), 2, "intake",
    )  # fmt: skip
    assert (message.words, message.state, message.number) == ("Tu plaza", "failed", 1)
    assert [(task.text, task.assigned_to) for task in told.tasks] == [
        ("First", str(therapist)), ("Second", ""),
    ]  # fmt: skip
    assert told.journeys[0].tasks[0].text == "Second"


def test_nothing_of_another_patient_is_told(organization: Organization, patient: Patient) -> None:
    a_journey(organization)
    other = PatientFactory(organization=organization)
    put(other, SCREENING, hours_ago(3))
    a_task(other)
    a_message(other)
    assert chart(other).messages

    told = chart(patient)

    assert (told.journeys, told.moves, told.tasks) == ([], [], [])
    assert told.messages == []
    assert [event.words for event in told.events] == ["PATIENT_CREATED"]


def test_the_number_of_queries_does_not_grow(
    organization: Organization, patient: Patient, therapist: User
) -> None:
    a_journey(organization)
    a_stale_rule(organization)
    put(patient, PAYMENT, hours_ago(60))
    queries(patient, therapist)  # permissions stay with the reader
    few = queries(patient, therapist)

    for number in range(6):
        key = f"other{number}"
        a_template(organization, key=key, codes=STAGES)
        put(patient, SCREENING, hours_ago(90), key)
        put(patient, PAYMENT, hours_ago(80), key, by=therapist)
        a_task(patient, text=key)
        an_event(patient, "CUSTOM.y", occurred_at=hours_ago(number))
        a_message(patient)

    assert queries(patient, therapist) == few == 4
    assert len(chart(patient).events) == EVENTS


def queries(patient: Patient, reader: User) -> int:
    asked, reads = limits(), by_user(reader)
    with CaptureQueriesContext(connection) as counted:
        chart_of(patient.pk, asked, reader=reads)
    return len(counted)


def test_of_nobody_nothing_is_told(organization: Organization) -> None:
    assert chart_of(uuid.uuid4(), limits()).journeys == []
    assert not ReminderPause.objects.exists()
