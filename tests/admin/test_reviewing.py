"""The page that reviews a block: why it stands, what each decision would cause, keeping it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from automation.models import AutomationRule, StaffTask
from journeys.cause import by_user
from journeys.models import BlockReview, Enrollment
from journeys.services.transitions import transition
from kura import tenancy
from kura.accounts.models import User
from tests.admin import automated, people
from tests.admin.conftest import logged_in, logs_of
from tests.admin.test_moving import LONG, move_url, stage_of, unblock_url, unblocking

BLOCK = {"type": "update_journey_status", "params": {"key": "retreat", "status": "BLOCKED"}}
CALL = {"type": "create_task", "params": {"text": {"en": "Call", "es": "Llamar"},
                                          "audience": "therapist"}}  # fmt: skip
SAID = {"risk_level": "HIGH", "medication_active": True}


@pytest.fixture
def client(ours) -> Client:
    return logged_in(ours.therapist)


@pytest.fixture
def blocked(ours) -> Enrollment:
    """By a rule, on a risk that an analysis found."""
    automated.rule(ours.organization, "bloquea", "RISK_ANALYSIS_COMPLETED", BLOCK,
                   journey_key="retreat", conditions=automated.HIGH)  # fmt: skip
    someone = people.patient(ours.organization, "Rosa Riesgo")
    people.enrolled(someone, ours.template, "AWAITING_PAYMENT")
    automated.tell(someone, "RISK_ANALYSIS_COMPLETED", "rosa", SAID)
    automated.process()
    with tenancy.scope(ours.organization):
        return Enrollment.objects.select_related("patient").get(patient=someone)


def shown(client: Client, enrollment: Enrollment) -> str:
    return client.get(unblock_url(enrollment)).content.decode()


# --- evidence ---------------------------------------------------------------------------------


def test_the_page_names_the_rule_its_version_its_run_and_the_values_of_then(client, blocked):
    page = shown(client, blocked)

    assert "Regla bloquea, versión 1" in page
    assert "#run-" in page
    assert "Nivel de riesgo: alto" in page
    assert "Toma medicación: sí" in page
    assert "Análisis de riesgo terminado" in page


def test_a_rule_renamed_since_is_called_what_it_was_called(client, blocked, ours):
    with tenancy.scope(ours.organization):
        AutomationRule.objects.filter(name="Regla bloquea").update(name="Otro nombre", version=2)

    page = shown(client, blocked)

    assert "Regla bloquea, versión 1" in page
    assert "Otro nombre" not in page


def test_whoever_may_not_read_events_reviews_without_their_values(blocked, ours):
    person = people.person(ours.organization, "viewer")
    may = Permission.objects.filter(codename__in=["unblock_enrollment", "transition_enrollment"])
    person.user_permissions.add(*may)

    page = shown(logged_in(User.objects.get(pk=person.pk)), blocked)

    assert "Regla bloquea, versión 1" in page
    assert "oculto para ti" in page
    assert "Nivel de riesgo: alto" not in page
    assert "Toma medicación" not in page


def test_a_block_set_by_a_person_shows_who_and_why(client, ours):
    someone = people.enrolled(people.patient(ours.organization, "Eva"), ours.template)
    with tenancy.scope(ours.organization):
        transition(patient_id=someone.patient_id, journey_key="retreat", to_stage="BLOCKED",
                   cause=by_user(ours.manager, reason="Lo pidió su médica"))  # fmt: skip

    page = shown(client, someone)

    assert "Manager Om" in page
    assert "Lo pidió su médica" in page


# --- consequences -----------------------------------------------------------------------------


def test_each_decision_says_which_rules_would_answer_it(client, blocked, ours):
    to_payment = {"field": "event.payload.to_stage", "op": "eq", "value": "AWAITING_PAYMENT"}
    make = automated.rule
    make(ours.organization, "enlace", "JOURNEY_STAGE_CHANGED", CALL, conditions=to_payment)
    make(ours.organization, "tarde", "JOURNEY_STAGE_TIMEOUT", CALL, journey_key="retreat",
         stage="AWAITING_PAYMENT", max_hours=48)  # fmt: skip
    make(ours.organization, "apagada", "JOURNEY_STAGE_CHANGED", CALL, is_active=False)
    make(ours.organization, "ajena", "JOURNEY_STAGE_CHANGED", CALL, journey_key="yoga")

    page = shown(client, blocked)

    assert page.count("(regla «Regla enlace»)") == 1
    assert (
        "Tras 48\N{NO-BREAK SPACE}h allí: crear una tarea para la terapeuta: «Llamar» "
        "(regla «Regla tarde»)"
    ) in page
    assert "Regla apagada" not in page
    assert "Regla ajena" not in page


def test_what_no_arrow_reaches_is_folded_away_and_what_is_missing_is_in_words(client, ours):
    page = shown(client, ours.blocked)

    assert "Etapas a las que no se llega desde aquí" in page
    assert "Desbloquear y volver a «Pendiente de pago»" in page


def test_what_came_in_during_the_block_is_listed_to_be_replayed(client, ours):
    page = shown(client, ours.blocked)

    assert reverse("admin:journeys_systemeventlog_replay", args=[ours.automated.refused.pk]) in page
    with tenancy.scope(ours.organization):
        StaffTask.objects.filter(kind="held_back").update(done_at=timezone.now())
    assert "Llegaron durante el bloqueo" not in shown(client, ours.blocked)


def test_messages_that_wait_for_the_block_alone_are_counted(client, ours):
    automation, event = ours.automated, ours.automated.refused
    with tenancy.scope(ours.organization):
        automated.message(event, automation.rule, "a", action_index=1)
        automated.message(event, automation.rule, "b", action_index=2, is_reminder=True,
                          enrollment_id=ours.blocked.pk, stage_seq=2)  # fmt: skip
    before = shown(client, ours.blocked)
    with tenancy.scope(ours.organization):
        automated.message(event, automation.rule, "c", action_index=3, journey_key="retreat")
        automated.message(event, automation.rule, "d", action_index=4, is_reminder=True)

    assert "que espera" not in before
    assert "Saldrán 2 mensajes que esperan por el bloqueo" in shown(client, ours.blocked)


# --- keeping it -------------------------------------------------------------------------------


def keep(client: Client, enrollment: Enrollment, reason: str = "", **fields: object):
    given = {"decision": "keep", "reason": reason, "expected_seq": 3, **fields}
    return client.post(unblock_url(enrollment), given)


def reviews() -> list[BlockReview]:
    with tenancy.every_organization():
        return list(BlockReview.objects.select_related("reviewer"))


@pytest.mark.parametrize("note", ["Ok", "", "  Falta hablar con su médica  "])
def test_keeping_a_block_moves_nobody_and_leaves_who_when_and_the_note(client, ours, note):
    response = keep(client, ours.blocked, note)

    [review] = reviews()
    assert response["Location"].endswith(f"#journey-{ours.blocked.pk}")
    assert (review.reviewer, review.note, review.seq) == (ours.therapist, note.strip(), 3)
    assert len(logs_of(ours.blocked)) == 3
    patient = client.get(response["Location"], follow=True).content.decode()
    assert "Tu revisión queda en el historial" in patient
    banner = patient[patient.index('class="banner chart-block"') : patient.index("</section>")]
    assert f"{ours.therapist} lo revisó y mantuvo el bloqueo <time" in banner
    assert "hasta que una terapeuta lo revise" not in banner
    assert "lo revisó y mantuvo el bloqueo" in patient
    assert note.strip() in shown(client, ours.blocked)


def test_a_double_click_is_one_review_and_another_note_another(client, ours):
    answers = [keep(client, ours.blocked, note) for note in (LONG, LONG, "Otra cosa distinta")]

    assert {answer.status_code for answer in answers} == {302}
    assert [review.note for review in reviews()] == ["Otra cosa distinta", LONG]


def test_keeping_what_somebody_has_lifted_answers_409_and_writes_nothing(client, ours):
    logged_in(ours.manager).post(unblock_url(ours.blocked), unblocking())

    response = keep(client, ours.blocked, "Mi texto tan pensado")

    page = response.content.decode()
    assert response.status_code == 409
    assert "Manager Om ya movió" in page
    assert "Mi texto tan pensado" in page
    assert reviews() == []


def test_keep_is_no_decision_on_the_page_that_moves(client, ours):
    response = client.post(move_url(ours.enrollment), {"decision": "keep", "expected_seq": 2})

    assert response.status_code == 200
    assert reviews() == []


@pytest.mark.parametrize(("role", "status"), [("viewer", 403), ("therapist", 302)])
def test_only_who_may_lift_a_block_reviews_it(ours, role, status):
    assert keep(logged_in(getattr(ours, role)), ours.blocked).status_code == status


def test_a_foreign_block_is_neither_seen_nor_kept_nor_lifted(client, theirs, ours):
    answers = [keep(client, theirs.blocked), client.post(unblock_url(theirs.blocked), unblocking())]

    assert [answer.status_code for answer in answers] == [404, 404]
    assert reviews() == []
    assert stage_of(theirs.blocked) == "BLOCKED"


# --- in the dialog ----------------------------------------------------------------------------


def htmx(page: str) -> dict[str, str]:
    return {"HX-Request": "true", "HX-Current-URL": f"http://testserver{page}"}


def test_success_sends_the_whole_window_to_the_card_and_reloads_if_it_is_there(client, ours):
    patient = reverse("admin:patients_patient_change", args=[ours.blocked.patient_id])

    response = client.post(unblock_url(ours.blocked), unblocking(), headers=htmx(patient))

    assert response.status_code == 200
    assert response.headers["HX-Redirect"] == f"{patient}#journey-{ours.blocked.pk}"
    assert response.headers["HX-Refresh"] == "true"
    assert "Location" not in response.headers


def test_from_elsewhere_nothing_is_reloaded(client, ours):
    response = client.post(unblock_url(ours.blocked), unblocking(), headers=htmx("/admin/"))

    assert "HX-Redirect" in response.headers
    assert "HX-Refresh" not in response.headers


def test_a_session_that_ended_leads_to_the_log_in_and_back(ours):
    response = Client().post(unblock_url(ours.blocked), unblocking(), headers=htmx("/admin/"))

    login = reverse("admin:login")
    assert response.headers["HX-Redirect"] == f"{login}?next={unblock_url(ours.blocked)}&unsent=1"
    assert stage_of(ours.blocked) == "BLOCKED"


def test_without_htmx_a_redirect_stays_a_redirect(client, ours):
    assert client.post(unblock_url(ours.blocked), unblocking()).status_code == 302


# --- cost -------------------------------------------------------------------------------------


def test_the_page_costs_the_same_with_many_rules_reviews_events_and_messages(client, blocked, ours):
    client.get(unblock_url(blocked))
    few = queries(client, blocked)
    for number in range(10):
        automated.rule(ours.organization, f"r{number}", "JOURNEY_STAGE_CHANGED", CALL)
        limit = {"journey_key": "retreat", "stage": "AWAITING_PAYMENT", "max_hours": number + 1}
        automated.rule(ours.organization, f"t{number}", "JOURNEY_STAGE_TIMEOUT", CALL, **limit)
        keep(client, blocked, f"Nota número {number}")
        automated.tell(blocked.patient, "PAYMENT_SUCCEEDED", f"paid{number}", {"currency": "EUR"})
    automated.process()

    assert queries(client, blocked) <= few + 1  # the reviews, once there are any
    assert few <= 30


def queries(client: Client, enrollment: Enrollment) -> int:
    with CaptureQueriesContext(connection) as found:
        client.get(unblock_url(enrollment))
    return len(found)


def test_how_long_it_stands_is_said(client, blocked):
    assert timezone.now() - blocked.entered_at < timedelta(hours=1)
    assert "minuto" in shown(client, blocked)
