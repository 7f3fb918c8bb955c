"""Messages leave once, or are tried again, or a person is told: whatever the mail server does.

A real server on loopback; time passes because the clock that the outbox is given says so.
"""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core import mail as django_mail
from django.utils import timezone

from automation import errors, outbox, posting
from automation.models import DispatchDecision, EventDispatch, Heartbeat, Message, StaffTask
from automation.services.messages import resend
from journeys.errors import ReasonRequired
from journeys.services.transitions import enroll, transition, unblock
from kura import tenancy
from tests.automation.messages import deliver, mail, the_message
from tests.automation.practice import a_rule, drain, move, tell
from tests.automation.smtp_server import (
    DIE_LOST,
    DIE_TAKEN,
    HANG,
    Script,
    odd_server,
    silent,
    smtp_server,
    trickling,
    unused_port,
)
from tests.factories import PatientFactory, a_template, a_user, reviewed, system

NOW = timezone.now()


def at(**passed):
    """A clock that stands still, so much later."""
    moment = timezone.now() + timedelta(**passed)
    return lambda: moment


@pytest.fixture
def enrolled(template, patient):
    patient.email = "lia@example.org"
    patient.full_name = "Lía <b>Martín</b>"
    patient.save()
    enroll(patient_id=patient.pk, journey_key="intake", cause=system())
    return patient


@pytest.fixture
def write(organization, enrolled):
    """A message in the outbox, by a rule that says this."""
    a_rule(organization, "PAYMENT_SUCCEEDED", mail(body="Hola {patient.full_name}"))

    def written(key: str = "e-1") -> Message:
        told = tell(enrolled, "PAYMENT_SUCCEEDED", key)
        drain()
        return Message.objects.get(event=told.event_id)

    return written


@pytest.fixture
def mail_server(settings):
    """Point Django at a port. The conversation may take 0.6 seconds."""

    def point_to(port: int) -> None:
        settings.EMAIL_BACKEND = "automation.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", port
        settings.EMAIL_TIMEOUT = 0.5
        settings.DEFAULT_FROM_EMAIL = "journeys@practice.example"

    return point_to


def ask(mail_server, script: Script, clock=timezone.now) -> int:
    with smtp_server(script) as port:
        mail_server(port)
        return deliver(clock=clock)


def states() -> list[str]:
    return list(Message.objects.order_by("id").values_list("state", flat=True))


# --- it arrives -----------------------------------------------------------------------------------


def test_a_message_arrives_once_with_text_html_and_its_own_id(organization, write, mail_server):
    organization.name = "Clínica Om"
    organization.settings |= {"email": "om@practice.example"}
    organization.save()
    written = write()
    script = Script()

    assert ask(mail_server, script) == 1
    assert ask(mail_server, script) == 0

    [arrived] = script.taken
    message = the_message()
    assert (message.state, message.attempts, message.last_error) == ("sent", 1, "")
    assert message.sent_at is not None
    assert arrived["Message-ID"] == message.message_id == f"<{written.pk}@practice.example>"
    assert arrived["From"] == "Clínica Om <journeys@practice.example>"
    assert (arrived["To"], arrived["Reply-To"]) == ("lia@example.org", "om@practice.example")
    assert arrived["Auto-Submitted"] == "auto-generated"
    text, html = arrived.iter_parts()
    assert text.get_content().strip() == "Hola Lía <b>Martín</b>"
    assert "<p>Hola Lía &lt;b&gt;Martín&lt;/b&gt;</p>" in html.get_content()
    assert "http" not in html.get_content()
    assert script.envelopes == [("journeys@practice.example", ["lia@example.org"])]


def test_lines_of_one_dot_arrive_whole(organization, enrolled, mail_server):
    body = "uno\n.\n..\ndos\n"
    a_rule(organization, "PAYMENT_SUCCEEDED", mail(body=body))
    tell(enrolled, "PAYMENT_SUCCEEDED")
    drain()
    script = Script()

    ask(mail_server, script)

    arrived = next(script.taken[0].iter_parts()).get_content()
    assert arrived.splitlines() == body.splitlines()


def test_other_backends_of_django_are_served_as_well(write):
    write()

    deliver()

    assert states() == ["sent"]
    assert [one.to for one in django_mail.outbox] == [["lia@example.org"]]


# --- it does not arrive, and is tried again -----------------------------------------------------


@pytest.mark.parametrize(
    ("script", "why"),
    [
        (Script(rcpt="450 4.2.0 Try later"), "450 4.2.0 Try later"),
        (Script(data="451 4.3.0 Busy"), "451 4.3.0 Busy"),
    ],
)
def test_a_refusal_for_now_is_tried_again_in_a_minute(write, mail_server, script, why):
    write()

    ask(mail_server, script)

    message = the_message()
    assert (message.state, message.attempts, message.last_error) == ("queued", 1, why)
    assert message.next_attempt_at - message.claimed_at >= timedelta(minutes=1)
    assert not Heartbeat.objects.exists()
    ask(mail_server, Script(), clock=at(minutes=2))
    assert states() == ["sent"]


def test_nobody_listens(write, mail_server):
    write()
    mail_server(unused_port())

    deliver()

    message = the_message()
    assert (message.state, message.attempts) == ("queued", 1)
    assert message.last_error == "ConnectionRefusedError connect"


@pytest.mark.parametrize("talk", [silent, trickling])
def test_a_server_that_never_gets_to_the_point_is_left_in_time(write, mail_server, talk):
    write()

    with odd_server(talk) as port:
        mail_server(port)
        deliver()

    assert (the_message().state, the_message().attempts) == ("queued", 1)
    assert posting.LONGEST < 15


def test_a_server_that_does_not_answer_is_not_asked_for_each_message(write, mail_server):
    for number in range(3):
        write(f"e-{number}")
    mail_server(unused_port())

    assert deliver() == 1
    assert deliver() == 0
    assert Heartbeat.objects.get(name="mail").detail == {"trouble": "ConnectionRefusedError"}
    ask(mail_server, Script(), clock=at(minutes=2))

    assert states() == ["sent", "sent", "sent"]
    assert Heartbeat.objects.get(name="mail").detail == {}


def test_tries_become_rarer_and_end_after_three_days():
    waits, now, attempts = [], NOW, 1
    while (again := outbox.next_attempt(attempts, NOW, now)) is not None:
        waits.append(again - now)
        now, attempts = again, attempts + 1

    minutes = [wait / timedelta(minutes=1) for wait in waits]
    assert minutes[:6] == [1, 5, 15, 60, 240, 240]
    assert set(minutes[4:-1]) == {240}
    assert sum(waits, timedelta()) == timedelta(hours=72)


def test_after_three_days_of_trying_a_person_has_the_task(write, mail_server):
    write()
    ask(mail_server, Script(data="451 Busy"))

    ask(mail_server, Script(data="451 Busy"), clock=at(hours=73))
    ask(mail_server, Script(), clock=at(hours=99))

    assert states() == ["failed"]
    given = StaffTask.objects.get()
    assert given.kind == "message_failed"
    assert "451 Busy" in given.text


def test_one_that_nobody_came_to_try_for_three_days_is_a_task_after_its_first(write, mail_server):
    message = write()
    Message.objects.filter(pk=message.pk).update(created_at=NOW - timedelta(hours=73))

    ask(mail_server, Script(data="451 Busy"))

    assert states() == ["failed"]
    assert StaffTask.objects.get().kind == "message_failed"


def test_without_a_mail_server_in_the_settings_messages_wait_and_say_so(write, settings):
    settings.EMAIL_BACKEND = "automation.smtp.NotSetUp"
    write()

    deliver()

    message = the_message()
    assert (message.state, message.last_error) == ("queued", "mail_not_set_up")
    assert message.why != message.last_error


# --- it will never arrive -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "script", [Script(rcpt="550 5.1.1 Nobody"), Script(data="554 5.7.1 Not that")]
)
def test_a_refusal_for_good_becomes_a_task_at_once(write, mail_server, script):
    write()

    ask(mail_server, script)
    ask(mail_server, Script(), clock=at(hours=30))

    assert (the_message().state, the_message().last_error[:1]) == ("failed", "5")
    assert StaffTask.objects.get().kind == "message_failed"


@pytest.mark.parametrize(
    "odd",
    [
        {"subject": "Hola\nBcc: other@example.org"},
        {"recipient": "a@example.org, b@example.org"},
        {"recipient": "a@example.org>\r\nRCPT TO:<b@example.org"},
        {"message_id": "<1@x>\r\nBcc: other@example.org"},
    ],
)
def test_a_row_that_would_add_a_header_or_a_recipient_is_not_sent(write, mail_server, odd):
    Message.objects.filter(pk=write().pk).update(**odd)
    script = Script()

    ask(mail_server, script)

    assert script.taken == []
    assert (the_message().state, the_message().last_error) == ("failed", "bad_message")
    assert StaffTask.objects.get().kind == "message_failed"


# --- nobody knows ---------------------------------------------------------------------------------


@pytest.mark.parametrize("end", [HANG, DIE_TAKEN, DIE_LOST])
def test_without_an_answer_to_the_contents_it_is_not_sent_again(write, mail_server, end):
    write()
    script = Script(data=end)

    ask(mail_server, script)
    later = Script()
    ask(mail_server, later, clock=at(hours=2))
    ask(mail_server, later, clock=at(days=5))

    assert later.taken == []
    assert (the_message().state, the_message().last_error) == ("unknown", "no_answer_to_data")
    assert StaffTask.objects.get().kind == "message_failed"


def test_whoever_died_while_sending_leaves_a_message_that_a_person_decides_about(write):
    write()
    taken = outbox.take_next(timezone.now())
    assert isinstance(taken, Message)

    deliver(clock=at(seconds=20))
    assert states() == ["sending"]
    deliver(clock=at(seconds=40))

    assert (the_message().state, the_message().last_error) == ("unknown", "worker_died")
    assert StaffTask.objects.get().kind == "message_failed"


def test_a_worker_that_comes_back_too_late_changes_nothing(write):
    write()
    taken = outbox.take_next(timezone.now())
    deliver(clock=at(seconds=40))

    outbox.settle(taken, posting.Answer(posting.Fate.LATER), timezone.now())

    assert states() == ["unknown"]


# --- a person sends it again --------------------------------------------------------------------


@pytest.fixture
def failed(write, mail_server):
    message = write()
    ask(mail_server, Script(rcpt="550 Nobody"))
    return message


def test_a_person_sends_it_again_to_the_address_of_today(failed, enrolled, mail_server, therapist):
    enrolled.email = "right@example.org"
    enrolled.save()

    resend(message_id=failed.pk, user=therapist, reason="Corrected the address")
    script = Script()
    ask(mail_server, script)

    assert script.envelopes[0][1] == ["right@example.org"]
    assert (the_message().state, the_message().attempts) == ("sent", 1)
    assert StaffTask.objects.get().done_by == therapist
    decision = DispatchDecision.objects.get()
    assert (decision.kind, decision.message_id) == ("resend", failed.pk)
    assert decision.reason == "Corrected the address"


def test_what_fails_again_is_a_task_again(failed, mail_server, therapist):
    resend(message_id=failed.pk, user=therapist, reason="Perhaps it works now")

    ask(mail_server, Script(rcpt="550 Nobody"))

    assert StaffTask.objects.get().done_at is None


def test_who_may_not_or_gives_no_reason_sends_nothing(failed, viewer, therapist):
    with pytest.raises(errors.ResendNotPermitted):
        resend(message_id=failed.pk, user=viewer, reason="Because I want it")
    with pytest.raises(ReasonRequired):
        resend(message_id=failed.pk, user=therapist, reason=" ")
    assert states() == ["failed"]


def test_what_was_sent_is_not_sent_again(write, mail_server, therapist):
    message = write()
    ask(mail_server, Script())

    with pytest.raises(errors.NotResendable):
        resend(message_id=message.pk, user=therapist, reason="Once more please")


# --- it is not true any more, or must wait ------------------------------------------------------


@pytest.fixture
def remind(organization, enrolled):
    a_rule(organization, "PAYMENT_FAILED", mail(reminder=True))

    def reminded(key: str = "r-1") -> Message:
        told = tell(enrolled, "PAYMENT_FAILED", key)
        drain()
        return Message.objects.get(event=told.event_id)

    return reminded


def go(patient, stage: str, key: str = "intake") -> None:
    transition(patient_id=patient.pk, journey_key=key, to_stage=stage, cause=system())


def test_a_reminder_is_cancelled_when_the_patient_has_left_the_stage(remind, enrolled):
    remind()
    go(enrolled, "CONFIRMED")

    deliver()

    assert (the_message().state, the_message().last_error) == ("cancelled", "left_stage")
    assert django_mail.outbox == []


def test_coming_back_to_a_stage_does_not_revive_a_reminder(remind, enrolled):
    remind()
    go(enrolled, "CONFIRMED")
    go(enrolled, "SCREENING_PENDING")

    deliver()

    assert states() == ["cancelled"]


def test_a_move_by_the_same_rule_does_not_cancel_what_it_says(organization, enrolled):
    """ "Your place was released", and then the rule releases it."""
    a_rule(organization, "PAYMENT_FAILED", mail(reminder=True), move("intake", "COMPLETED"))
    tell(enrolled, "PAYMENT_FAILED")
    drain()

    deliver()

    assert states() == ["sent"]


def test_a_receipt_arrives_though_the_patient_was_moved_on(write, enrolled):
    write()
    go(enrolled, "CONFIRMED")

    deliver()

    assert states() == ["sent"]


def test_reminders_wait_while_any_journey_is_on_hold(organization, remind, enrolled, therapist):
    a_template(organization, "retreat")
    enroll(patient_id=enrolled.pk, journey_key="retreat", cause=system())
    remind()
    go(enrolled, "BLOCKED_HIGH_RISK", "retreat")

    deliver()

    message = the_message()
    assert (message.state, message.last_error, message.attempts) == ("queued", "on_hold", 0)
    unblock(patient_id=enrolled.pk, journey_key="retreat", cause=reviewed(therapist))
    deliver()
    assert states() == ["queued"]
    deliver(clock=at(minutes=6))
    assert states() == ["sent"]


def test_reminders_wait_while_an_event_that_may_be_a_block_failed_for_good(remind, enrolled):
    remind()
    failed = tell(enrolled, "CUSTOM.risk", "failed")
    EventDispatch.objects.filter(pk=failed.event_id).update(status="dead")

    deliver()

    assert (the_message().state, the_message().last_error) == ("queued", "on_hold")
    EventDispatch.objects.filter(pk=failed.event_id).update(status="skipped")
    deliver(clock=at(minutes=6))
    assert states() == ["sent"]


def test_what_was_withheld_for_long_has_its_three_days_still(
    remind, enrolled, therapist, mail_server
):
    remind()
    Message.objects.update(created_at=NOW - timedelta(hours=73), last_error="on_hold")

    ask(mail_server, Script(data="451 Busy"))

    assert states() == ["queued"]


def test_a_withheld_reminder_ends_when_the_patient_is_moved_out_of_its_stage(
    remind, enrolled, therapist
):
    remind()
    go(enrolled, "BLOCKED_HIGH_RISK")
    deliver()

    unblock(
        patient_id=enrolled.pk,
        journey_key="intake",
        to_stage="CONFIRMED",
        cause=reviewed(therapist),
    )
    deliver(clock=at(minutes=6))

    assert states() == ["cancelled"]


def test_other_mail_about_a_journey_on_hold_waits_and_staff_is_told_at_once(organization, enrolled):
    a_user(organization, "manager")
    a_rule(
        organization, "CUSTOM.block", move("intake", "BLOCKED_HIGH_RISK"), mail(), mail("practice")
    )
    tell(enrolled, "CUSTOM.block")
    drain()

    deliver()

    told = dict(Message.objects.values_list("audience", "state"))
    assert told == {"patient": "queued", "practice": "sent"}


def test_mail_about_another_journey_goes_during_a_hold(organization, enrolled):
    a_template(organization, "retreat")
    enroll(patient_id=enrolled.pk, journey_key="retreat", cause=system())
    go(enrolled, "BLOCKED_HIGH_RISK", "retreat")
    a_rule(organization, "PAYMENT_SUCCEEDED", mail())
    tell(enrolled, "PAYMENT_SUCCEEDED")
    drain()

    deliver()

    assert states() == ["sent"]


def test_of_reminders_that_piled_up_only_the_newest_goes(remind):
    for number in range(3):
        remind(f"r-{number}")

    deliver()

    assert states() == ["cancelled", "cancelled", "sent"]
    assert Message.objects.order_by("id")[0].last_error == "newer_reminder"


def test_the_same_reminder_rests_for_a_day(remind):
    remind("r-1")
    deliver()
    remind("r-2")

    deliver()
    deliver(clock=at(hours=23))
    assert states() == ["sent", "queued"]
    deliver(clock=at(hours=25))

    assert states() == ["sent", "sent"]


def test_an_erased_patient_is_written_to_no_more(write, enrolled):
    write()
    type(enrolled).objects.filter(pk=enrolled.pk).update(erased_at=timezone.now())

    deliver()

    assert (the_message().state, the_message().last_error) == ("cancelled", "erased")


# --- fair -----------------------------------------------------------------------------------------


def test_many_messages_of_one_practice_do_not_hold_back_another(write, other_organization):
    """One of theirs behind 30 of ours: within a few claims it is gone."""
    flood = write()
    copies = [Message(**_like(flood, recipient=f"{n}@example.org")) for n in range(30)]
    Message.objects.bulk_create(copies)
    with tenancy.scope(other_organization):
        stranger = PatientFactory(organization=other_organization, email="other@example.org")
        a_rule(other_organization, "CUSTOM.x", mail())
        tell(stranger, "CUSTOM.x", journey_key=None)
        drain()

    claimed = []
    while not any(one.organization_id == other_organization.pk for one in claimed):
        claimed.append(outbox.take_next(timezone.now()))

    assert len(claimed) < 25


def _like(message: Message, **fields):
    kept = ("organization", "patient", "event", "rule", "action_index", "audience", "language")
    same = {name: getattr(message, name) for name in (*kept, "subject", "body", "next_attempt_at")}
    return same | fields
