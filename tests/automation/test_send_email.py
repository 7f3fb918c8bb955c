"""Writing a message: to whom, in which language, once, and about which stage."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from automation.actions import ACTIONS
from automation.actions.base import Practice
from automation.models import Message, RuleRun, StaffTask
from automation.services.decisions import replay
from automation.validation import problems_of
from journeys.models import Enrollment
from journeys.services.transitions import enroll, transition
from tests.automation.messages import mail, task, the_message
from tests.automation.practice import a_rule, drain, move, tell
from tests.factories import a_user, system


@pytest.fixture
def enrolled(template, patient):
    patient.email = "lia@example.org"
    patient.full_name = "Lía Martín"
    patient.save()
    enroll(patient_id=patient.pk, journey_key="intake", cause=system())
    return patient


def outcome():
    return RuleRun.objects.get().actions[0]


def test_a_rule_writes_to_the_patient_in_the_patients_language(organization, enrolled):
    enrolled.language = "en"
    enrolled.save()
    texts = {
        "subject": {"es": "Hola {patient.first_name}", "en": "Hello {patient.first_name}"},
        "body": {"es": "{journey.name}", "en": "“{stage.name}” in {journey.name}"},
    }
    a_rule(organization, "PAYMENT_SUCCEEDED", mail(**texts))

    tell(enrolled, "PAYMENT_SUCCEEDED")
    drain()

    message = the_message()
    assert (message.recipient, message.state) == ("lia@example.org", "queued")
    assert message.subject == "Hello Lía"
    assert message.body == "“Screening pending” in Intake"
    assert outcome()["message_ids"] == [str(message.pk)]


def test_without_an_address_a_person_has_the_task_and_the_run_says_so(organization, enrolled):
    enrolled.email = ""
    enrolled.save()
    a_rule(organization, "PAYMENT_SUCCEEDED", mail(), move("intake", "CONFIRMED"))

    tell(enrolled, "PAYMENT_SUCCEEDED")
    drain()

    assert not Message.objects.exists()
    assert StaffTask.objects.get().kind == "no_address"
    assert "Hola Lía" in StaffTask.objects.get().text
    run = RuleRun.objects.get()
    assert (run.status, run.actions[0]["error_code"]) == ("done", "no_address")
    assert run.actions[1]["status"] == "done"


@pytest.mark.parametrize(
    "address",
    [
        "nobody",
        "a@b",
        "a@example.org, b@example.org",
        "a@example.org\nBcc: b@example.org",
        "<a@example.org>",
        '"a b"@example.org',
        "a@example.org;b@example.org",
    ],
)
def test_what_is_not_exactly_one_address_is_none(organization, enrolled, address):
    type(enrolled).objects.filter(pk=enrolled.pk).update(email=address)
    a_rule(organization, "PAYMENT_SUCCEEDED", mail())

    tell(enrolled, "PAYMENT_SUCCEEDED")
    drain()

    assert not Message.objects.exists()
    assert StaffTask.objects.get().kind == "no_address"


def test_staff_is_told_the_therapist_first_and_the_practice_else(organization, enrolled):
    manager = a_user(organization, "manager", email="boss@example.org", language="en")
    a_user(organization, "manager", email="gone@example.org", is_active=False)
    a_rule(organization, "PAYMENT_SUCCEEDED", mail("therapist"))

    tell(enrolled, "PAYMENT_SUCCEEDED", "1")
    drain()
    enrolled.therapist = a_user(organization, "therapist", email="jon@example.org")
    enrolled.save()
    tell(enrolled, "PAYMENT_SUCCEEDED", "2")
    drain()
    organization.settings |= {"email": "practice@example.org"}
    organization.save()
    enrolled.therapist.is_active = False
    enrolled.therapist.save()
    tell(enrolled, "PAYMENT_SUCCEEDED", "3")
    drain()

    told = Message.objects.order_by("id").values_list("recipient", "language")
    assert list(told) == [
        (manager.email, "en"),
        ("jon@example.org", "es"),
        ("practice@example.org", "es"),
    ]


def test_each_of_several_managers_gets_a_message_of_their_own(organization, enrolled):
    for name in ("a", "b"):
        a_user(organization, "manager", email=f"{name}@example.org")
    a_rule(organization, "PAYMENT_SUCCEEDED", mail("practice"))

    tell(enrolled, "PAYMENT_SUCCEEDED")
    drain()

    recipients = set(Message.objects.values_list("recipient", flat=True))
    assert recipients == {"a@example.org", "b@example.org"}


def test_a_replay_writes_no_second_message(organization, enrolled, therapist):
    """The move after it was refused; only the move is tried again."""
    a_rule(organization, "PAYMENT_SUCCEEDED", mail(), move("intake", "NOWHERE"))
    told = tell(enrolled, "PAYMENT_SUCCEEDED")
    drain()
    assert RuleRun.objects.get().status == "refused"

    replay(event_id=told.event_id, user=therapist, reason="Tried once more")
    drain()

    assert Message.objects.count() == 1


def test_a_confirmation_is_about_the_stage_that_its_rule_reached(organization, enrolled):
    a_rule(organization, "PAYMENT_SUCCEEDED", move("intake", "CONFIRMED"), mail())

    tell(enrolled, "PAYMENT_SUCCEEDED")
    drain()

    message, place = the_message(), Enrollment.objects.get()
    assert (message.stage, message.stage_seq) == ("CONFIRMED", place.seq)
    assert (message.enrollment_id, message.is_reminder) == (place.pk, False)


def test_a_receipt_is_about_no_stage_and_a_reminder_about_where_the_patient_stands(
    organization, enrolled
):
    a_rule(organization, "PAYMENT_SUCCEEDED", mail())
    a_rule(organization, "PAYMENT_FAILED", mail(reminder=True))

    tell(enrolled, "PAYMENT_SUCCEEDED", "1")
    tell(enrolled, "PAYMENT_FAILED", "2")
    drain()

    receipt, reminder = Message.objects.order_by("id")
    assert (receipt.stage, receipt.enrollment_id, receipt.journey_key) == ("", None, "intake")
    assert (reminder.stage, reminder.stage_seq) == ("SCREENING_PENDING", 1)
    assert reminder.is_reminder


def test_what_greets_a_patient_in_a_stage_is_about_that_move(organization, enrolled):
    a_rule(organization, "JOURNEY_STAGE_CHANGED", mail(body="{stage.name}"), journey_key="intake")

    for stage in ("AWAITING_PAYMENT", "CONFIRMED"):
        transition(patient_id=enrolled.pk, journey_key="intake", to_stage=stage, cause=system())
    drain()

    told = Message.objects.order_by("id").values_list("stage", "stage_seq", "body")
    assert list(told) == [
        ("AWAITING_PAYMENT", 2, "Pendiente de pago"),
        ("CONFIRMED", 3, "Confirmado"),
    ]


def test_the_name_of_a_block_is_not_told_to_the_patient(organization, enrolled):
    words = {"body": "{stage.name}"}
    a_rule(
        organization,
        "CUSTOM.block",
        move("intake", "BLOCKED_HIGH_RISK"),
        mail(**words),
        mail("practice", **words),
    )
    a_user(organization, "manager")

    tell(enrolled, "CUSTOM.block")
    drain()

    bodies = dict(Message.objects.values_list("audience", "body"))
    assert bodies["patient"] in ("under review", "en revisión")
    assert bodies["practice"] == "Bloqueado por riesgo alto"


def test_a_task_is_given_once_to_the_therapist_with_a_time_to_do_it(organization, enrolled):
    enrolled.therapist = a_user(organization, "therapist", language="en")
    enrolled.save()
    text = {"es": "Llama a {patient.full_name}", "en": "Call {patient.full_name}"}
    a_rule(organization, "PAYMENT_FAILED", task(text=text, due_in_hours=1.5))

    tell(enrolled, "PAYMENT_FAILED")
    drain()

    given = StaffTask.objects.get()
    assert (given.kind, given.text) == ("rule", "Call Lía Martín")
    assert given.assigned_to == enrolled.therapist
    assert 5000 < (given.due_at - given.created_at).total_seconds() <= 5400
    assert outcome()["task_id"] == str(given.pk)


def test_a_task_for_the_practice_is_nobodys_in_particular(organization, enrolled):
    enrolled.therapist = a_user(organization, "therapist")
    enrolled.save()
    a_rule(organization, "PAYMENT_FAILED", task("practice"))

    tell(enrolled, "PAYMENT_FAILED")
    drain()

    assert StaffTask.objects.get().assigned_to is None


def problems(action):
    found = ACTIONS[action["type"]].problems(action["params"], Practice(organization=None))
    return [(problem.pointer, problem.code) for problem in found]


def test_texts_are_checked_when_the_rule_is_saved():
    bad = mail(
        subject={"es": "{stage.name}", "en": "two\nlines"},
        body="{patient.diagnosis} and { alone",
    )

    assert problems(bad) == [
        ("/subject/es", "placeholder_not_in_subject"),
        ("/subject/en", "subject_one_line"),
        ("/body", "unknown_placeholder"),
        ("/body", "unbalanced_brace"),
    ]
    assert problems(mail()) == []
    assert problems(task(text=" ")) == [("/text", "text_missing")]


def test_five_managers_cost_no_more_statements_than_one(organization, enrolled):
    a_rule(organization, "PAYMENT_SUCCEEDED", mail("practice"))
    a_user(organization, "manager")

    def statements() -> int:
        tell(enrolled, "PAYMENT_SUCCEEDED", f"e-{Message.objects.count()}")
        with CaptureQueriesContext(connection) as made:
            drain()
        return len(made)

    statements()  # what is read once a process
    for_one = statements()
    for _ in range(4):
        a_user(organization, "manager")

    assert statements() == for_one
    assert Message.objects.count() == 1 + 1 + 5


def test_a_language_that_is_missing_is_named(organization, template):
    rule = {"name": "x", "trigger_event": "PAYMENT_SUCCEEDED", "conditions": {}}
    one_language = mail(subject={"es": "Hola"}, body=5)

    found = problems_of(rule | {"actions": [one_language]}, Practice(organization=organization))

    assert [(problem.pointer, problem.code) for problem in found] == [
        ("/actions/0/params/subject/en", "missing_member"),
        ("/actions/0/params/body", "wrong_value"),
    ]
