"""Move, unblock, enroll: by hand, by many, twice, too late."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from journeys.cause import by_user
from journeys.models.enrollment import Enrollment
from journeys.models.log import JourneyLogNote
from journeys.services.transitions import transition
from kura import tenancy
from patients.models import Patient
from tests.admin import people
from tests.admin.conftest import logged_in, logs_of

LONG = "Revisado con la doctora, puede seguir"


def move_url(enrollment: Enrollment) -> str:
    return reverse("admin:journeys_enrollment_move", args=[enrollment.pk])


def unblock_url(enrollment: Enrollment) -> str:
    return reverse("admin:journeys_enrollment_unblock", args=[enrollment.pk])


def stage_of(enrollment: Enrollment) -> str:
    with tenancy.every_organization():
        return Enrollment.objects.get(pk=enrollment.pk).stage


def unblocking(**fields: object) -> dict[str, object]:
    return {
        "to_stage": "AWAITING_PAYMENT", "reason_code": "reviewed_safe", "reason": LONG,
        "expected_seq": 3, **fields,
    }  # fmt: skip


@pytest.fixture
def client(ours) -> Client:
    return logged_in(ours.therapist)


def test_therapist_moves_a_patient_and_the_log_names_her(client, ours):
    paid = people.event(ours.patient, journey_key="retreat")

    response = client.post(
        move_url(ours.enrollment), {"to_stage": "CONFIRMED", "expected_seq": 2}, follow=True
    )

    log = logs_of(ours.enrollment)[-1]
    assert (log.to_stage, log.actor_id, log.via) == ("CONFIRMED", ours.therapist.pk, "admin")
    assert paid
    assert "está ahora en «Confirmado»" in response.content.decode()


def test_move_page_says_what_is_missing_for_an_impossible_stage(client, ours):
    with tenancy.scope(ours.organization):
        ours.template.transitions.filter(to_stage="CONFIRMED").exists()

    page = client.get(move_url(people.enrolled(
        people.patient(ours.organization, "Sin Pagar"), ours.template, "AWAITING_PAYMENT"
    ))).content.decode()  # fmt: skip

    assert "Falta: pago recibido" in page
    assert 'value="CONFIRMED"' not in page


def test_a_refused_stage_sent_by_hand_moves_nobody(client, ours):
    someone = people.patient(ours.organization, "Sin Pagar")
    enrollment = people.enrolled(someone, ours.template, "AWAITING_PAYMENT")

    response = client.post(move_url(enrollment), {"to_stage": "CONFIRMED", "expected_seq": 2})

    assert "Esta etapa no es posible ahora." in response.content.decode()
    assert stage_of(enrollment) == "AWAITING_PAYMENT"


def test_a_move_that_needs_a_reason_says_so_next_to_the_field(client, ours):
    response = client.post(
        move_url(ours.enrollment), {"to_stage": "AWAITING_SCREENING", "expected_seq": 2}
    )

    page = response.content.decode()
    assert 'aria-invalid="true"' in page
    assert 'id="id_reason_error"' in page
    assert "al menos 10 caracteres" in page


@pytest.mark.parametrize("confirmed", ["", "CONFIRMED"])
def test_going_back_asks_first_and_an_answer_about_another_stage_does_not_count(
    client, ours, confirmed
):
    back = {"to_stage": "AWAITING_SCREENING", "expected_seq": 2, "reason": LONG}

    asked = client.post(move_url(ours.enrollment), {**back, "confirmed": confirmed})
    page = asked.content.decode()
    standing = stage_of(ours.enrollment)
    client.post(move_url(ours.enrollment), {**back, "confirmed": "AWAITING_SCREENING"})

    assert "Sí, volver de «Pendiente de pago» a «Cuestionario enviado»." in page
    assert LONG in page
    assert standing == "AWAITING_PAYMENT"
    assert stage_of(ours.enrollment) == "AWAITING_SCREENING"


def test_a_link_over_stages_asks_at_once_and_a_step_or_a_block_does_not(client, ours):
    template = people.journey(ours.organization, "yoga", "Yoga", moves=())
    enrollment = people.enrolled(ours.patient, template)

    pages = {
        code: client.get(f"{move_url(enrollment)}?to={code}").content.decode()
        for code in ("CONFIRMED", "AWAITING_PAYMENT", "BLOCKED")
    }

    asked = [code for code, page in pages.items() if 'name="confirmed"' in page]
    assert asked == ["CONFIRMED"]
    assert "saltar lo que hay en medio" in pages["CONFIRMED"]


def test_back_dated_move_keeps_its_time_and_refuses_the_future(client, ours):
    later = (timezone.now() + timedelta(days=2)).strftime("%Y-%m-%dT%H:%M")
    fields = {"to_stage": "BLOCKED", "expected_seq": 2}

    refused = client.post(move_url(ours.enrollment), {**fields, "changed_at": later})
    friday = (timezone.now() - timedelta(days=2)).strftime("%Y-%m-%dT%H:%M")
    client.post(move_url(ours.enrollment), {**fields, "changed_at": friday})

    assert "no puede estar en el futuro" in refused.content.decode()
    assert logs_of(ours.enrollment)[-1].changed_at < timezone.now() - timedelta(days=1)


# --- blocks -----------------------------------------------------------------------------------


def test_unblock_goes_back_to_the_stage_before_with_reason_and_note(client, ours):
    page = client.get(unblock_url(ours.blocked)).content.decode()

    client.post(unblock_url(ours.blocked), unblocking())

    log = logs_of(ours.blocked)[-1]
    assert 'value="AWAITING_PAYMENT" checked' in page
    assert (log.to_stage, log.reason_code) == ("AWAITING_PAYMENT", "reviewed_safe")
    with tenancy.scope(ours.organization):
        assert JourneyLogNote.objects.get(log=log).body == LONG


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"reason": "Ok"}, "al menos 10 caracteres"),
        ({"reason": "          "}, "al menos 10 caracteres"),
        ({"reason_code": ""}, "Elige un motivo"),
        ({"reason_code": "nonsense"}, "Elige una opción válida"),
        ({"expected_seq": ""}, "Este campo es obligatorio"),
    ],
)
def test_unblock_refuses_a_poor_reason_and_keeps_what_was_typed(client, ours, wrong, words):
    response = client.post(unblock_url(ours.blocked), unblocking(**wrong))

    assert words in response.content.decode()
    assert stage_of(ours.blocked) == "BLOCKED"


def test_double_submit_makes_one_log_line_and_one_answer(client, ours):
    answers = [client.post(unblock_url(ours.blocked), unblocking()) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [302, 302]
    assert answers[0]["Location"] == answers[1]["Location"]
    assert len(logs_of(ours.blocked)) == 4


def test_somebody_faster_is_named_and_nothing_changes(client, ours):
    with tenancy.scope(ours.organization):
        transition(
            patient_id=ours.blocked.patient_id,
            journey_key="retreat",
            to_stage="AWAITING_PAYMENT",
            cause=by_user(ours.manager, reason_code="other", reason=LONG),
        )

    response = client.post(unblock_url(ours.blocked), unblocking(reason="Mi texto tan pensado"))

    page = response.content.decode()
    assert response.status_code == 409
    assert f"Manager Om ya movió a {ours.blocked.patient} a «Pendiente de pago»" in page
    assert "hace un momento" in page
    assert "Mi texto tan pensado" in page
    assert len(logs_of(ours.blocked)) == 4


def test_a_blocked_journey_is_only_left_through_the_unblock_page(client, ours):
    response = client.get(move_url(ours.blocked))

    assert response["Location"] == unblock_url(ours.blocked)


# --- stale forms ------------------------------------------------------------------------------


def test_stale_contact_form_saves_the_data_and_leaves_stage_and_log(client, ours):
    url = reverse("admin:patients_patient_change", args=[ours.patient.pk])
    form = client.get(url, {"tab": "data"}).context["adminform"].form
    opened = {name: form[name].value() or "" for name in form.fields}
    client.post(
        move_url(ours.enrollment),
        {"to_stage": "AWAITING_SCREENING", "confirmed": "AWAITING_SCREENING",
         "expected_seq": 2, "reason": LONG},
    )  # fmt: skip

    response = client.post(url, {**opened, "phone": "+34 600 000 000"})

    assert response.status_code == 302
    with tenancy.scope(ours.organization):
        patient = Patient.objects.get(pk=ours.patient.pk)
    assert patient.phone == "+34 600 000 000"
    assert patient.journey_status == {"retreat": "AWAITING_SCREENING"}
    assert len(logs_of(ours.enrollment)) == 3


# --- enroll -----------------------------------------------------------------------------------


def test_enroll_begins_in_the_initial_stage_once_even_when_sent_twice(client, ours):
    newcomer = people.patient(ours.organization, "Recién Llegada")
    url = reverse("admin:patients_patient_enroll", args=[newcomer.pk])

    answers = [client.post(url, {"journey": "retreat"}) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [302, 302]
    with tenancy.scope(ours.organization):
        [enrollment] = Enrollment.objects.filter(patient=newcomer)
    assert enrollment.stage == "AWAITING_SCREENING"
    assert len(logs_of(enrollment)) == 1


def test_enroll_page_says_why_a_journey_is_not_possible(client, ours):
    url = reverse("admin:patients_patient_enroll", args=[ours.patient.pk])

    page = client.get(url).content.decode()

    assert "ya está inscrito en «Retiro Om»" in page


def test_whoever_acts_in_one_journey_is_told_of_a_block_in_another(ours):
    """A block holds its own journey only: a person has to know of it."""
    reader = logged_in(people.person(ours.organization, "therapist", "Eva Ruiz", language="en"))
    yoga = people.journey(ours.organization, "yoga", "Yoga", moves=())
    beside = people.enrolled(ours.blocked.patient, yoga)
    free = people.enrolled(ours.patient, yoga)
    enroll = [
        reverse("admin:patients_patient_enroll", args=[one])
        for one in (ours.blocked.patient_id, ours.patient.pk)
    ]
    told = "Blocked in another journey: Retiro Om."

    assert told in reader.get(move_url(beside)).content.decode()
    assert told in reader.get(enroll[0]).content.decode()
    for calm in (move_url(free), unblock_url(ours.blocked), enroll[1]):
        assert "Blocked in another" not in reader.get(calm).content.decode()
