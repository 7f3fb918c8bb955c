"""Messages, rules and tasks: read in words, and a task ended once."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone, translation

from automation.admin.tasks import ended_by
from automation.errors import EventUndecided
from automation.models import DispatchDecision, EventDispatch, Message, StaffTask
from automation.services.staff_tasks import complete
from journeys.models import BlockReview
from journeys.services.transitions import unblock
from kura import tenancy
from tests.admin import people
from tests.admin.automated import CONFIRM, message, rule
from tests.admin.conftest import logged_in
from tests.factories import reviewed

TASKS = "admin:automation_stafftask_changelist"


@pytest.fixture
def client(ours) -> Client:
    return logged_in(ours.therapist)


def read(client: Client, url: str) -> str:
    return client.get(url).content.decode()


# --- messages -----------------------------------------------------------------------------------


def test_the_text_of_a_message_is_on_its_page_alone_and_nothing_in_it_is_markup(client, ours):
    listed = read(client, reverse("admin:automation_message_changelist"))
    page = read(
        client, reverse("admin:automation_message_change", args=[ours.automated.message.pk])
    )

    assert "Asunto Om" in listed
    assert "om@example.org" in listed
    assert "Gracias" not in listed
    assert "&lt;b&gt;Gracias&lt;/b&gt;" in page


@pytest.mark.parametrize(
    ("state", "word"), [("failed", "Falló"), ("unknown", "Quizá enviado"), ("sent", "Enviado")]
)
def test_messages_are_found_by_their_state(client, ours, state, word):
    with tenancy.scope(ours.organization):
        wanted = message(ours.automated.ran, ours.automated.rule, "otra", state=state,
                         action_index=1)  # fmt: skip

    response = client.get(reverse("admin:automation_message_changelist"), {"state": state})

    assert wanted.pk in [row.pk for row in response.context["cl"].result_list]
    assert {row.state for row in response.context["cl"].result_list} == {state}
    assert word in response.content.decode()


def test_a_message_kept_for_the_morning_says_when_that_is_where_the_patient_is(client, ours):
    with tenancy.scope(ours.organization):
        ours.patient.timezone = "America/New_York"
        ours.patient.save(update_fields=["timezone"])
        kept = message(ours.automated.ran, ours.automated.rule, "otra", action_index=1,
                       last_error="quiet_hours")  # fmt: skip
        Message.objects.filter(pk=kept.pk).update(
            next_attempt_at=datetime(2026, 12, 3, 13, 0, tzinfo=UTC)
        )

    listed = read(client, reverse("admin:automation_message_changelist"))
    page = read(client, reverse("admin:automation_message_change", args=[kept.pk]))

    assert "3 dic 2026, 14:00" in listed  # on the practice's clock
    assert "America/New York" in page
    assert "3 dic 2026, 08:00" in page


REASON = "La paciente corrigió su dirección"


def resend_url(sent) -> str:
    return reverse("admin:automation_message_resend", args=[sent.pk])


def correct_address(ours, email: str) -> None:
    with tenancy.scope(ours.organization):
        ours.patient.email = email
        ours.patient.save(update_fields=["email"])


def test_a_message_is_sent_again_once_to_the_address_of_today(client, ours):
    correct_address(ours, "buena@example.org")
    url = resend_url(ours.automated.message)
    assert "buena@example.org" in read(client, url)

    answers = [client.post(url, {"reason": REASON, "seen": ""}) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [302, 302]
    with tenancy.scope(ours.organization):
        again = Message.objects.get(pk=ours.automated.message.pk)
        kept = DispatchDecision.objects.get(kind="resend")
    assert (again.state, again.recipient) == ("queued", "buena@example.org")
    assert (kept.message_id, kept.decided_by, kept.reason) == (again.pk, ours.therapist, REASON)


def test_sending_again_needs_a_reason_and_an_address(client, ours):
    url = resend_url(ours.automated.message)

    poor = client.post(url, {"reason": "Ok"}).content.decode()
    nowhere = client.post(url, {"reason": REASON}).content.decode()

    assert "al menos 10 caracteres" in poor
    assert 'id="id_reason_error"' in nowhere
    assert REASON in nowhere
    with tenancy.scope(ours.organization):
        assert Message.objects.get(pk=ours.automated.message.pk).state == "failed"


def test_a_message_that_was_sent_cannot_be_sent_again(client, ours):
    with tenancy.scope(ours.organization):
        sent = message(ours.automated.ran, ours.automated.rule, "otra", state="sent",
                       action_index=1)  # fmt: skip

    answers = [client.get(resend_url(sent)), client.post(resend_url(sent), {"reason": REASON})]

    assert [answer.status_code for answer in answers] == [409, 409]
    assert REASON in answers[1].content.decode()


def test_a_decision_about_a_message_does_not_hinder_one_about_its_event(client, ours):
    with tenancy.scope(ours.organization):
        lost = message(ours.automated.dead, ours.automated.rule, "otra", state="failed")
    correct_address(ours, "buena@example.org")
    client.post(resend_url(lost), {"reason": REASON, "seen": ""})
    skip = reverse("admin:journeys_systemeventlog_skip", args=[ours.automated.dead.pk])
    form = client.get(skip).context["form"]

    answer = client.post(skip, {"reason": REASON, "seen": form["seen"].value() or ""})

    assert answer.status_code == 302
    with tenancy.scope(ours.organization):
        assert DispatchDecision.objects.filter(event=ours.automated.dead).count() == 2


# --- rules --------------------------------------------------------------------------------------


@pytest.fixture
def reader(ours) -> Client:
    return logged_in(people.person(ours.organization, "viewer", language="en"))


def test_a_rule_is_read_in_words_with_its_versions_and_runs(reader, ours):
    page = read(
        reader, reverse("admin:automation_automationrule_change", args=[ours.automated.rule.pk])
    )

    assert "risk level is high and " in page
    assert "stage in “Retiro Om” is Awaiting payment" in page
    assert "Record the event “Note”" in page
    assert "Version 1" in page
    assert f"#run-{ours.automated.run.pk}" in page


def test_the_list_counts_what_each_rule_did_lately(client, ours):
    page = read(client, reverse("admin:automation_automationrule_changelist"))

    assert "Se ejecutó: 1" in page
    assert "Rechazado: 1" in page
    assert "Falló: 1" in page


def test_a_rule_with_a_time_limit_says_it(reader, ours):
    late = rule(ours.organization, "tarde", "JOURNEY_STAGE_TIMEOUT", CONFIRM, max_hours="1.5",
                journey_key="retreat", stage="AWAITING_PAYMENT")  # fmt: skip

    page = read(reader, reverse("admin:automation_automationrule_change", args=[late.pk]))

    assert "1.5 h have passed in “Awaiting payment” of “Retiro Om”" in page


def test_runs_are_found_by_their_outcome_and_by_their_rule(client, ours):
    url = reverse("admin:automation_rulerun_changelist")

    refused = client.get(url, {"outcome": "refused"}).context["cl"].result_list
    of_rule = client.get(url, {"rule__id__exact": str(ours.automated.rule.pk)})

    assert [row.event_id for row in refused] == [ours.automated.refused.pk]
    assert [row.pk for row in of_rule.context["cl"].result_list] == [ours.automated.run.pk]


# --- tasks --------------------------------------------------------------------------------------


def done_url(task: StaffTask) -> str:
    return reverse("admin:automation_stafftask_done", args=[task.pk])


def test_open_tasks_come_first_and_the_next_due_before_the_others(client, ours):
    with tenancy.scope(ours.organization):
        for text, fields in {
            "hecha": {"done_at": timezone.now(), "done_by": ours.manager},
            "urgente": {"due_at": timezone.now()},
        }.items():
            StaffTask.objects.create(
                organization=ours.organization, kind="rule", text=text, **fields
            )

    response = client.get(reverse(TASKS))

    shown = [row.text for row in response.context["cl"].result_list]
    assert shown[0] == "urgente"
    assert shown[-1] == "hecha"
    assert "Manager Om" in response.content.decode()


def test_a_task_is_done_once_and_names_who_did_it(client, ours):
    task = ours.automated.task
    assert "Nadie" not in read(client, done_url(task))

    answers = [client.post(done_url(task)) for _ in range(2)]

    assert [answer["Location"] for answer in answers] == [reverse(TASKS)] * 2
    with tenancy.scope(ours.organization):
        assert StaffTask.objects.get(pk=task.pk).done_by == ours.therapist


def test_who_comes_second_to_a_task_is_told_who_did_it(client, ours):
    with tenancy.scope(ours.organization):
        complete(task_id=ours.automated.task.pk, user=ours.manager)

    answers = [
        client.get(done_url(ours.automated.task)),
        client.post(done_url(ours.automated.task)),
    ]

    assert [answer.status_code for answer in answers] == [409, 409]
    assert "Manager Om ya marcó esta tarea como hecha" in answers[1].content.decode()


def test_a_task_that_a_review_or_a_lift_ended_leads_to_where_that_is_written(client, ours):
    about = {"patient": ours.blocked.patient, "enrollment_id": ours.blocked.pk}
    with tenancy.scope(ours.organization):
        asked = [
            StaffTask.objects.create(
                organization=ours.organization, kind="block_unreviewed", text="Mira", **about
            )
            for _ in range(2)
        ]
        BlockReview.objects.create(
            organization=ours.organization,
            enrollment=ours.blocked,
            seq=ours.blocked.seq,
            reviewer=ours.manager,
        )
        StaffTask.objects.filter(pk=asked[0].pk).update(
            done_at=None, done_by=None, ended_by_review=None
        )
        lifted = unblock(
            patient_id=ours.blocked.patient_id,
            journey_key="retreat",
            cause=reviewed(ours.therapist),
        ).pk
        by_lift, by_review = StaffTask.objects.filter(kind="block_unreviewed").order_by("id")

    listed, page = (
        read(client, reverse(TASKS)),
        read(client, reverse("admin:automation_stafftask_change", args=[by_review.pk])),
    )

    with translation.override("es"):
        assert reverse("admin:journeys_journeylog_change", args=[lifted]) in ended_by(by_lift)
        assert ended_by(by_lift) in listed
        assert ended_by(by_review) in page
    assert "Manager Om" in page


def test_a_task_about_a_failed_event_is_ended_by_deciding_about_the_event(client, ours):
    with tenancy.scope(ours.organization):
        event = ours.automated.task.event
        EventDispatch.objects.filter(pk=event.pk).update(status="dead")
        StaffTask.objects.filter(pk=ours.automated.task.pk).update(kind="event_failed")

    answers = [
        client.get(done_url(ours.automated.task)),
        client.post(done_url(ours.automated.task)),
    ]

    place = reverse("admin:journeys_systemeventlog_change", args=[event.pk])
    assert [answer["Location"] for answer in answers] == [place] * 2
    with tenancy.scope(ours.organization):
        assert StaffTask.objects.get(pk=ours.automated.task.pk).done_at is None
        with pytest.raises(EventUndecided):
            complete(task_id=ours.automated.task.pk, user=ours.therapist)


def test_my_tasks_are_those_that_name_me(client, ours):
    response = client.get(reverse(TASKS), {"whose": "me"})
    other = logged_in(people.person(ours.organization, "therapist"))

    assert ours.automated.task.pk in [row.pk for row in response.context["cl"].result_list]
    assert list(other.get(reverse(TASKS), {"whose": "me"}).context["cl"].result_list) == []


def test_a_viewer_reads_tasks_and_is_offered_nothing_to_end(ours):
    page = read(logged_in(ours.viewer), reverse(TASKS))

    assert "Llama a Om" in page
    assert done_url(ours.automated.task) not in page


# --- lists without rows -------------------------------------------------------------------------

A_CHOICE = {
    "journeys_systemeventlog": "state=done",
    "automation_automationrule": "active=yes",
    "automation_rulerun": "outcome=done",
    "automation_message": "state=sent",
    "automation_stafftask": "state=open",
}


@pytest.mark.parametrize(("name", "choice"), A_CHOICE.items())
def test_an_empty_list_says_what_belongs_there_and_an_empty_search_how_to_leave_it(
    db, name, choice
):
    new = people.person(people.practice("Clínica nueva"), "manager", "Nueva")
    client, url = logged_in(new), reverse(f"admin:{name}_changelist")

    listed = client.get(url)
    filtered = read(client, f"{url}?{choice}")

    with translation.override("es"):
        words = str(listed.context["cl"].model_admin.empty_words)
    assert words in listed.content.decode()
    assert words not in filtered
    assert '<p class="empty" role="status">' in filtered
    assert '<a href="?">' in filtered


def test_a_list_with_rows_says_nothing_about_emptiness(client, ours):
    assert 'class="empty"' not in read(client, reverse(TASKS))
