"""The patient's page: blocks first, a card a journey, the history with its causes, who may what."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from automation.models import StaffTask
from journeys.blueprints import Blueprint, StageDraft
from journeys.models import BlockReview
from journeys.models.template import JourneyStage, JourneyTemplate, StageStatus
from journeys.services.templates import create_template
from kura import tenancy
from patients.models import Patient
from tests.admin import people
from tests.admin.automated import message, rule
from tests.admin.conftest import logged_in


def url_of(patient: Patient) -> str:
    return reverse("admin:patients_patient_change", args=[patient.pk])


def enrollment_url(page: str, enrollment) -> str:
    return reverse(f"admin:journeys_enrollment_{page}", args=[enrollment.pk])


def read(client: Client, patient: Patient, query: str = "") -> str:
    response = client.get(f"{url_of(patient)}{query}")
    assert response.status_code == 200
    return response.content.decode()


def context_of(client: Client, patient: Patient, **query):
    return client.get(url_of(patient), query).context


@pytest.fixture
def client(ours) -> Client:
    """In English, so that a test reads as the page does."""
    for user in (ours.therapist, ours.viewer):
        user.language = "en"
        user.save()
    return logged_in(ours.therapist)


# --- what needs a person comes first --------------------------------------------------------------


def test_a_block_stands_on_top_with_why_since_when_and_the_way_to_review_it(client, ours):
    page = read(client, ours.blocked.patient)

    banner = page[page.index("chart-block") :]
    banner = banner[: banner.index("</section>")]
    assert "Retiro Om is blocked: action required" in banner
    assert "<time datetime=" in banner
    assert re.search(
        rf'<a class="button warn" href="{enrollment_url("unblock", ours.blocked)}" data-dialog ',
        banner,
    )
    assert page.index("chart-block") < page.index("journey-card")


def test_the_blocked_step_stands_where_the_person_stopped(client, ours):
    [card] = context_of(client, ours.blocked.patient)["cards"]

    states = [(step.state, step.here) for step in card.steps.steps]
    assert states == [
        ("done", False), ("done", False), ("blocked", True), ("todo", False), ("todo", False),
    ]  # fmt: skip
    page = read(client, ours.blocked.patient)
    assert page.count('aria-current="step"') == 1
    assert [page.count(f": {word}. ") for word in ("Completed", "Blocked here", "Pending")] == [
        2, 1, 2,
    ]  # fmt: skip


def test_journeys_come_blocked_then_stuck_then_active_then_over(client, ours):
    someone = people.patient(ours.organization, "Lucía")
    for name in ("a", "b", "c", "d"):
        people.journey(ours.organization, f"j{name}", f"Viaje {name}", moves=())
    with tenancy.scope(ours.organization):
        made = {one.key: one for one in type(ours.template).objects.all()}
    rule(ours.organization, "corta", "JOURNEY_STAGE_TIMEOUT", {"type": "create_task", "params": {}},
         journey_key="jb", stage="AWAITING_PAYMENT", max_hours=1)  # fmt: skip
    people.enrolled(someone, made["ja"], "COMPLETED")
    people.enrolled(someone, made["jc"], "CONFIRMED")
    people.enrolled(someone, made["jb"], "AWAITING_PAYMENT")
    people.enrolled(someone, made["jd"], "AWAITING_PAYMENT", "BLOCKED")

    cards = context_of(client, someone)["cards"]

    assert [card.view.journey_key for card in cards] == ["jd", "jb", "jc", "ja"]
    assert [[badge.kind for badge in card.badges] for card in cards] == [
        ["blocked", "attention"], ["active", "stuck", "attention"], ["active"], ["done"],
    ]  # fmt: skip
    assert cards[3].over.endswith("24 h in all")


def test_the_next_stages_are_offered_and_a_block_last(client, ours):
    paid = people.enrolled(people.patient(ours.organization, "Lía"), ours.template,
                           "AWAITING_PAYMENT")  # fmt: skip
    people.event(paid.patient, journey_key="retreat")
    [card] = context_of(client, paid.patient)["cards"]

    assert {way.label for way in card.ways} == {"Confirmed", "Questionnaire sent", "Blocked"}
    assert card.ways[-1].label == "Blocked"
    assert card.more_url == enrollment_url("move", paid)
    assert f"{enrollment_url('move', paid)}?to=CONFIRMED" in read(client, paid.patient)


def test_a_repeated_enrollment_says_its_number_and_folds_the_earlier_ones(client, ours):
    someone = people.patient(ours.organization, "Lucía")
    yoga = people.journey(ours.organization, "yoga", "Yoga", moves=())
    first = people.enrolled(someone, yoga, "COMPLETED", days_ago=30)
    people.enrolled(someone, yoga, "AWAITING_PAYMENT", days_ago=9)

    page = read(client, someone)
    [card] = context_of(client, someone)["cards"]

    assert card.view.number == 2
    assert [one.number for one in card.earlier] == [1]
    assert enrollment_url("change", first) in page
    assert "1 earlier enrollment" in page


# --- stages ---------------------------------------------------------------------------------------


def long_journey(ours) -> JourneyTemplate:
    stages = [
        StageDraft(code=f"S{n:02}", label_es=f"Paso {n}", label_en=f"Step {n}",
                   status=StageStatus.FINISHED if n == 12 else StageStatus.ACTIVE)
        for n in range(1, 13)
    ]  # fmt: skip
    blueprint = Blueprint(key="long", name="Largo", initial_stage="S01", stages=stages, moves=())
    with tenancy.scope(ours.organization):
        return create_template(organization=ours.organization, blueprint=blueprint)


def test_of_many_stages_the_first_the_neighbours_and_the_last_are_shown(client, ours):
    long = long_journey(ours)
    someone = people.patient(ours.organization, "Lucía")
    people.enrolled(someone, long, "S02", "S06")

    [card] = context_of(client, someone)["cards"]

    assert [step.sign for step in card.steps.steps] == ["1", "+3", "5", "6", "7", "+4", "12"]
    assert "Step 2, Step 3, Step 4" in read(client, someone)


def test_a_retired_stage_says_so_and_breaks_nothing(client, ours):
    yoga = people.journey(ours.organization, "yoga", "Yoga", moves=())
    people.enrolled(ours.patient, yoga, "AWAITING_PAYMENT", "CONFIRMED")
    with tenancy.scope(ours.organization):
        stages = JourneyStage.objects.filter(template=yoga)
        stages.filter(code="AWAITING_PAYMENT").update(retired_at=timezone.now())

    page = read(client, ours.patient)

    assert "Awaiting payment (retired)" in page


# --- history --------------------------------------------------------------------------------------


def test_the_history_tells_moves_reviews_and_messages_the_newest_first(client, ours):
    someone = ours.blocked.patient
    with tenancy.scope(ours.organization):
        BlockReview.objects.create(
            organization=ours.organization, enrollment=ours.blocked, seq=ours.blocked.seq,
            reviewer=ours.therapist, note="Espero al médico",
        )  # fmt: skip
        message(people.event(someone), ours.automated.rule, "Nuria", action_index=7,
                state="sent", sent_at=timezone.now(), is_reminder=True)  # fmt: skip

    lines = context_of(client, someone)["history"].lines
    page = read(client, someone)

    assert [line.mark for line in lines] == ["message", "review", "blocked", "rule", "rule"]
    assert [line.at for line in lines] == sorted((one.at for one in lines), reverse=True)
    assert "Espero al médico" in page
    assert "Reminder: sent" in page


def test_what_staff_was_reminded_of_is_no_reminder_to_the_patient(client, ours):
    someone, sent = ours.blocked.patient, {"state": "sent", "sent_at": timezone.now()}
    with tenancy.scope(ours.organization):
        message(people.event(someone), ours.automated.rule, "Nadie",
                action_index=7, audience="practice", is_reminder=True,
                enrollment_id=ours.blocked.pk, **sent)  # fmt: skip

    page = read(client, someone)

    assert "Reminder: sent" not in page
    assert "Last reminder sent" not in page
    assert "E-mail to practice: sent" in page


def test_the_history_is_narrowed_to_one_journey_and_paged(client, ours):
    yoga = people.journey(ours.organization, "yoga", "Yoga", moves=())
    around = ["CONFIRMED", "AWAITING_PAYMENT"] * 14
    people.enrolled(ours.patient, yoga, *around, days_ago=60)

    first = context_of(client, ours.patient, journey="yoga")["history"]
    last = context_of(client, ours.patient, journey="yoga", page="2")["history"]
    beyond = context_of(client, ours.patient, journey="yoga", page="x")["history"]

    assert (first.total, len(first.lines), len(last.lines)) == (29, 20, 9)
    assert {line.journey_key for line in (*first.lines, *last.lines)} == {"yoga"}
    assert beyond.number == 1
    assert first.after_url == "?journey=yoga&page=2#history"


@pytest.mark.parametrize("key", ["nothing", "%00", "' OR 1=1"])
def test_the_history_of_a_journey_that_they_never_were_in_is_not_found(client, ours, key):
    assert client.get(url_of(ours.patient), {"journey": key}).status_code == 404


def test_each_line_names_its_cause_and_leads_to_why(client, ours):
    page = read(client, ours.patient)
    [line] = [
        one for one in context_of(client, ours.patient)["history"].lines if one.mark == "person"
    ]

    assert line.who == str(ours.therapist)
    assert line.words == "Interesada en la salida"
    assert "Why?" in page
    assert f'href="{reverse("admin:journeys_whole")}"' in page
    assert 'id="unchangeable"' in page


# --- what else there is ---------------------------------------------------------------------------


def test_open_tasks_are_shown_and_done_ones_are_not(client, ours):
    with tenancy.scope(ours.organization):
        for text, done in (("Llamar hoy", None), ("Ya llamada", timezone.now())):
            StaffTask.objects.create(
                organization=ours.organization, patient=ours.patient, kind="rule", text=text,
                due_at=timezone.now() - timedelta(days=1), done_at=done,
            )  # fmt: skip

    page = read(client, ours.patient)

    assert "Llamar hoy" in page
    assert "Ya llamada" not in page
    assert "was due" in page


def test_whoever_does_not_see_contents_sees_no_subject(client, ours):
    subject = ours.automated.message.subject

    assert subject in read(client, ours.patient)
    assert subject not in read(logged_in(ours.viewer), ours.patient)


def test_whoever_only_reads_has_nothing_to_press(ours):
    viewer = logged_in(ours.viewer)

    for patient in (ours.patient, ours.blocked.patient):
        page = read(viewer, patient)
        for way in ("/move/", "/unblock/", "/enroll/", "/pause/", "/done/"):
            assert way not in page


def test_somebody_without_journey_is_offered_one(client, ours):
    someone = people.patient(ours.organization, "Lucía")
    enroll = reverse("admin:patients_patient_enroll", args=[someone.pk])

    assert "Not in any journey yet" in read(client, someone)
    assert read(client, someone).count(enroll) == 2
    assert enroll not in read(logged_in(ours.viewer), someone)


def test_erased_data_leave_a_page_that_is_only_read(client, ours):
    with tenancy.scope(ours.organization):
        Patient.objects.filter(pk=ours.patient.pk).update(erased_at=timezone.now())

    page = read(client, ours.patient)

    assert "data were erased" in page
    for way in ("/move/", "/unblock/", "/enroll/", "/pause/", "/done/"):
        assert way not in page
    assert client.post(url_of(ours.patient), {"full_name": "Otra"}).status_code == 403
    assert 'name="full_name"' not in read(client, ours.patient, "?tab=data")


def test_contact_data_have_their_tab_and_saving_leads_back(client, ours):
    form = client.get(url_of(ours.patient), {"tab": "data"}).context["adminform"].form
    given = {name: form[name].value() or "" for name in form.fields} | {"phone": "+34 600"}

    answer = client.post(url_of(ours.patient), given)

    assert answer["Location"] == url_of(ours.patient)
    assert "+34 600" in read(client, ours.patient)


def test_a_very_long_name_is_shown_whole_and_escaped(client, ours):
    name = "<b>" + "Ñ" * 190
    page = read(client, people.patient(ours.organization, name))

    assert "&lt;b&gt;" + "Ñ" * 190 in page
    assert "<b>Ñ" not in page


def test_nothing_of_another_practice_is_shown(client, ours, theirs):
    assert "FOREIGN" not in read(client, ours.patient)
    foreign = client.get(url_of(theirs.patient))
    unknown = client.get(url_of(Patient(pk="01a217b4-0000-7000-8000-000000000000")))
    assert foreign.status_code == unknown.status_code == 404
    assert foreign.content == unknown.content


def test_the_number_of_queries_does_not_grow_with_what_there_is(client, ours):
    few = queries(client, ours.patient)
    yoga = people.journey(ours.organization, "yoga", "Yoga", moves=())
    for days in (60, 40, 20):
        people.enrolled(ours.patient, yoga, "CONFIRMED", "COMPLETED", days_ago=days)
    with tenancy.scope(ours.organization):
        for number in range(12):
            event = people.event(ours.patient)
            message(event, ours.automated.rule, str(number), state="sent")
            StaffTask.objects.create(
                organization=ours.organization, patient=ours.patient, kind="rule", text="Más",
                assigned_to=ours.manager,
            )  # fmt: skip

    many = queries(client, ours.patient)

    assert many == few
    assert few <= 11


def queries(client: Client, patient: Patient) -> int:
    read(client, patient)
    with CaptureQueriesContext(connection) as counted:
        read(client, patient)
    return len(counted)
