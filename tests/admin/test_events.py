"""The page of an event says why; the pages that decide about it act once, with a reason."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from automation.models import DispatchDecision, EventDispatch, RuleRun, StaffTask
from automation.services.decisions import retry, skip
from journeys.models import JourneyLog, SystemEventLog, SystemEventPayload
from kura import tenancy
from tests.admin import people
from tests.admin.automated import (
    CONFIRM,
    NOTE,
    message,
    process,
    rule,
    tell,
    tell_of_nobody,
)
from tests.admin.conftest import Practice, logged_in

REASON = "La clínica ya arregló el formulario"
LIST = "admin:journeys_systemeventlog_changelist"


def page_of(event: SystemEventLog) -> str:
    return reverse("admin:journeys_systemeventlog_change", args=[event.pk])


def decide(verb: str, event: SystemEventLog) -> str:
    return reverse(f"admin:journeys_systemeventlog_{verb}", args=[event.pk])


def state_of(event: SystemEventLog) -> str:
    with tenancy.every_organization():
        return EventDispatch.objects.get(pk=event.pk).status


def decisions_of(event: SystemEventLog) -> list[DispatchDecision]:
    with tenancy.every_organization():
        found = DispatchDecision.objects.filter(event=event).select_related("decided_by")
        return list(found.order_by("decided_at"))


@pytest.fixture
def client(ours: Practice) -> Client:
    return logged_in(ours.therapist)


def read(client: Client, url: str) -> str:
    return client.get(url).content.decode()


# --- why did this happen, and why did that not? -------------------------------------------------


def test_the_page_names_rules_conditions_values_actions_and_what_came_of_it(client, ours):
    page = read(client, page_of(ours.automated.ran))

    assert "2 reglas escucharon este evento" in page
    assert "Nivel de riesgo es alto" in page
    assert '<th scope="row">Etapa en «Retiro Om»</th><td>es Pendiente de pago</td>' in page
    assert ">Marta Om</span>" in page  # the value of «name» at that moment
    assert "Registrar el evento «Note»" in page
    assert "Llama a Om" in page
    assert "Asunto Om" in page
    assert "AWAITING_PAYMENT" not in page.replace("&quot;", "")


def test_a_rule_that_did_not_match_names_its_first_condition(client, ours):
    page = read(client, page_of(ours.automated.ran))

    assert "Regla calla Om" in page
    assert "Toma medicación es sí" in page
    assert "Sin datos" in page


def test_a_refusal_says_which_block_and_offers_a_replay(client, ours):
    page = read(client, page_of(ours.automated.refused))

    assert "El journey está bloqueado en «Bloqueado»" in page
    assert decide("replay", ours.automated.refused) in page
    assert decide("skip", ours.automated.refused) not in page


def test_an_event_and_what_it_caused_lead_to_each_other(client, ours):
    with tenancy.scope(ours.organization):
        child = SystemEventLog.objects.get(parent_event_id=ours.automated.ran.pk)

    assert page_of(child) in read(client, page_of(ours.automated.ran))
    assert page_of(ours.automated.ran) in read(client, page_of(child))


def test_a_move_leads_to_the_event_that_caused_it(client, ours):
    rule(ours.organization, "mueve", "FORM_SUBMISSION_COMPLETED", {
        "type": "update_journey_status", "params": {"key": "retreat", "status": "BLOCKED"},
    })  # fmt: skip
    told = tell(ours.patient, "FORM_SUBMISSION_COMPLETED", "form")
    process()

    with tenancy.scope(ours.organization):
        log = JourneyLog.objects.get(trigger_event=told)
    patient = read(client, reverse("admin:patients_patient_change", args=[ours.patient.pk]))
    line = read(client, reverse("admin:journeys_journeylog_change", args=[log.pk]))
    unblock = read(client, reverse("admin:journeys_enrollment_unblock", args=[log.enrollment_id]))
    assert all(page_of(told) in page for page in (patient, line, unblock))
    assert reverse("admin:journeys_journeylog_change", args=[log.pk]) in read(client, page_of(told))


def test_an_event_that_nobody_listened_to_says_so(client, ours):
    told = tell(ours.patient, "BOOKING_CONFIRMED", "quiet")
    process()

    page = read(client, page_of(told))

    assert "Ninguna regla escuchó este evento" in page
    assert "No causó nada más" in page


def test_a_run_leads_to_its_place_on_the_page_of_the_event(client, ours):
    run = ours.automated.run

    answer = client.get(reverse("admin:automation_rulerun_change", args=[run.pk]))

    assert answer["Location"] == f"{page_of(ours.automated.ran)}#run-{run.pk}"
    assert f'id="run-{run.pk}"' in read(client, page_of(ours.automated.ran))


# --- who sees what ------------------------------------------------------------------------------


def test_a_viewer_sees_what_happened_and_not_what_the_event_said(ours):
    page = read(logged_in(ours.viewer), page_of(ours.automated.ran))

    assert "El contenido del evento está oculto para ti" in page
    assert "marker" not in page
    assert ">Marta Om</span>" in page  # a viewer may see patients
    assert page.count("oculto para ti</span>") == 2 * 2  # what the payload said, and if it was met
    assert '<span class="visually-hidden">Valor en ese momento: </span>alto' not in page


def test_a_therapist_sees_what_the_event_said(client, ours):
    page = read(client, page_of(ours.automated.ran))

    assert "Contenido del evento" in page
    assert "marker" in page


def test_values_are_hidden_from_who_may_not_see_patients(ours):
    clerk = people.person(ours.organization, "", "Clerk")
    clerk.user_permissions.add(Permission.objects.get(codename="view_systemeventlog"))

    page = read(logged_in(clerk), page_of(ours.automated.ran))

    assert ">Marta Om</span>" not in page
    assert page.count("oculto para ti</span>") == 2 * 4  # neither results nor values
    assert "Una condición que está oculta para ti no se cumplió." in page


def test_contents_that_were_erased_leave_a_page_that_says_so(client, ours):
    with tenancy.scope(ours.organization):
        SystemEventPayload.objects.filter(event=ours.automated.ran).delete()

    page = read(client, page_of(ours.automated.ran))

    assert "El contenido del evento se borró" in page


# --- the list -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "name"), [("dead", "dead"), ("unmatched", "unmatched"), ("waiting", "")]
)
def test_the_list_filters_by_state_and_its_links_count_what_waits(client, ours, state, name):
    response = client.get(reverse(LIST), {"state": state})

    found = [row.pk for row in response.context["cl"].result_list]
    assert found == ([getattr(ours.automated, name).pk] if name else [])
    page = response.content.decode()
    assert "Fallo definitivo (1)" in page
    assert "Paciente desconocido (1)" in page


@pytest.mark.parametrize("query", ["state=x", "state=%00", "event=%27", "journey=%00"])
def test_a_nonsense_filter_is_no_server_error(client, ours, query):
    assert client.get(f"{reverse(LIST)}?{query}").status_code in {200, 302}


def test_a_patients_page_leads_to_all_their_events_and_no_others(client, ours, theirs):
    page = read(client, reverse("admin:patients_patient_change", args=[ours.patient.pk]))
    url = f"{reverse(LIST)}?patient__id__exact={ours.patient.pk}"

    shown = client.get(url).context["cl"].result_list

    assert url in page
    assert ours.automated.dead.pk in {row.pk for row in shown}
    assert {row.patient_id for row in shown} == {ours.patient.pk}
    foreign = client.get(f"{reverse(LIST)}?patient__id__exact={theirs.patient.pk}")
    assert list(foreign.context["cl"].result_list) == []


# --- decisions ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("verb", "name", "after"),
    [
        ("retry", "dead", "queued"),
        ("skip", "dead", "skipped"),
        ("skip", "unmatched", "skipped"),
        ("replay", "refused", "queued"),
    ],
)
def test_a_decision_acts_once_and_keeps_who_and_why(client, ours, verb, name, after):
    event = getattr(ours.automated, name)
    url = decide(verb, event)
    assert "Qué pasará" in read(client, url)

    answers = [client.post(url, {"reason": REASON, "seen": ""}) for _ in range(2)]

    assert [answer["Location"] for answer in answers] == [page_of(event)] * 2
    [kept] = decisions_of(event)
    assert (kept.kind, kept.decided_by, kept.reason) == (verb, ours.therapist, REASON)
    assert state_of(event) == after
    assert REASON in read(client, page_of(event))
    assert "Therapist Om" in read(client, page_of(event))


@pytest.mark.parametrize("verb", ["retry", "skip"])
@pytest.mark.parametrize("poor", ["", "Ok", "            ", "\u200b" * 12])
def test_a_decision_needs_a_reason_and_keeps_what_was_typed(client, ours, verb, poor):
    response = client.post(decide(verb, ours.automated.dead), {"reason": poor})

    page = response.content.decode()
    assert response.status_code == 200
    assert 'id="id_reason_error"' in page
    assert "al menos 10 caracteres" in page
    assert (f">\r\n{poor}</textarea>" in page) or (f"\n{poor}</textarea>" in page)
    assert decisions_of(ours.automated.dead) == []


def test_an_event_that_was_linked_gives_a_new_one_for_the_patient(client, ours):
    event = ours.automated.unmatched
    fields = {"reason": REASON, "patient": str(ours.patient.pk), "q": "Marta"}

    answers = [client.post(decide("link", event), fields) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [302, 302]
    with tenancy.scope(ours.organization):
        linked = SystemEventLog.objects.get(parent_event_id=event.pk)
    assert linked.patient == ours.patient
    assert len(decisions_of(event)) == 1
    assert page_of(linked) in read(client, page_of(event))


def test_the_search_for_a_patient_begins_with_whom_the_source_named(client, ours):
    with tenancy.scope(ours.organization):
        people.patient(ours.organization, "Una", email="dos@example.org")
        people.patient(ours.organization, "Otra", email="dos@example.org")
    told = tell_of_nobody(ours.organization, "two", "dos@example.org")

    page = read(client, decide("link", told))

    assert 'value="dos@example.org"' in page
    assert page.count('name="patient"') == 2
    assert "checked" not in page  # of two, nobody is proposed


def test_a_patient_of_another_practice_cannot_be_linked(client, ours, theirs):
    response = client.post(
        decide("link", ours.automated.unmatched),
        {"reason": REASON, "patient": str(theirs.patient.pk), "q": "Marta"},
    )

    assert response.status_code == 200
    assert "No existe ese paciente" in response.content.decode()
    assert state_of(ours.automated.unmatched) == "unmatched"


def test_who_was_slower_is_told_who_was_faster_and_nothing_changes(client, ours):
    event = ours.automated.dead
    with tenancy.scope(ours.organization):
        skip(event_id=event.pk, user=ours.manager, reason="Ya no hace falta")

    response = client.post(decide("retry", event), {"reason": "Mi texto tan pensado", "seen": ""})

    page = response.content.decode()
    assert response.status_code == 409
    assert "Manager Om omitió este evento hace un momento" in page
    assert "Mi texto tan pensado" in page
    assert len(decisions_of(event)) == 1
    assert state_of(event) == "skipped"


def test_a_click_that_comes_again_after_the_event_failed_again_decides_nothing(client, ours):
    event = ours.automated.dead
    client.post(decide("retry", event), {"reason": REASON, "seen": ""})
    process()
    assert state_of(event) == "dead"

    client.post(decide("retry", event), {"reason": REASON, "seen": ""})

    assert len(decisions_of(event)) == 1
    assert state_of(event) == "dead"


def test_a_second_failure_can_be_decided_anew(client, ours):
    event = ours.automated.dead
    with tenancy.scope(ours.organization):
        retry(event_id=event.pk, user=ours.manager, reason=REASON)
    process()
    form = client.get(decide("retry", event)).context["form"]

    client.post(decide("retry", event), {"reason": REASON, "seen": form["seen"].value()})

    assert [one.decided_by for one in decisions_of(event)] == [ours.manager, ours.therapist]


@pytest.mark.parametrize(
    ("verb", "name"), [("retry", "ran"), ("skip", "ran"), ("link", "ran"), ("replay", "ran")]
)
def test_what_waits_for_nobody_cannot_be_decided(client, ours, verb, name):
    response = client.get(decide(verb, getattr(ours.automated, name)))

    assert response.status_code == 409
    assert "ya no espera esa decisión" in response.content.decode()


def test_a_replay_takes_effect_once_the_block_is_gone(client, ours):
    event = ours.automated.refused
    unblock = reverse("admin:journeys_enrollment_unblock", args=[ours.blocked.pk])
    client.post(unblock, {"to_stage": "AWAITING_PAYMENT", "reason_code": "reviewed_safe",
                          "reason": REASON, "expected_seq": 3})  # fmt: skip

    client.post(decide("replay", event), {"reason": REASON, "seen": ""})
    process()

    with tenancy.scope(ours.organization):
        assert RuleRun.objects.get(event=event).status == "done"
        assert JourneyLog.objects.get(trigger_event=event).to_stage == "CONFIRMED"
    assert "Mover a «Confirmado» en «Retiro Om»" in read(client, page_of(event))


def test_deciding_about_a_dead_event_ends_its_task(client, ours):
    client.post(decide("skip", ours.automated.dead), {"reason": REASON, "seen": ""})

    with tenancy.scope(ours.organization):
        task = StaffTask.objects.get(kind="event_failed")
    assert task.done_by == ours.therapist


# --- queries ------------------------------------------------------------------------------------


def queries(client: Client, url: str) -> int:
    client.get(url)
    with CaptureQueriesContext(connection) as counted:
        assert client.get(url).status_code == 200
    return len(counted)


def crowd(ours: Practice) -> SystemEventLog:
    """Many rules that listen to one event, and what they leave behind."""
    for number in range(8):
        rule(ours.organization, f"más {number}", "BOOKING_CONFIRMED", NOTE)
        rule(ours.organization, f"nunca {number}", "BOOKING_CONFIRMED", CONFIRM)
    for number in range(4):
        tell(ours.patient, "BOOKING_CONFIRMED", f"crowd-{number}")
        tell(ours.patient, "BOOKING_CANCELLED", f"broken-{number}")
        tell_of_nobody(ours.organization, f"nobody-{number}", "x@example.org")
    told = tell(ours.patient, "BOOKING_CONFIRMED", "crowd")
    process()
    with tenancy.scope(ours.organization):
        for number in range(8):
            message(told, ours.automated.rule, "más", action_index=number)
            StaffTask.objects.create(
                organization=ours.organization,
                patient=ours.patient,
                event=told,
                kind="rule",
                text="más",
                action_index=number,
            )
    return told


@pytest.mark.parametrize(
    ("name", "most"),
    [
        ("journeys_systemeventlog_changelist", 11),
        ("automation_rulerun_changelist", 9),
        ("automation_message_changelist", 7),
        ("automation_stafftask_changelist", 7),
        ("automation_automationrule_changelist", 11),
    ],
)
def test_lists_ask_the_same_number_of_times_however_long_they_are(ours, name, most):
    client = logged_in(ours.manager)
    few = queries(client, reverse(f"admin:{name}"))

    crowd(ours)

    assert queries(client, reverse(f"admin:{name}")) == few
    assert few <= most


def test_an_event_asks_the_same_number_of_times_however_much_came_of_it(ours):
    client = logged_in(ours.manager)
    rule(ours.organization, "after it", "RISK_ANALYSIS_COMPLETED", NOTE)  # one that was not asked
    few = queries(client, page_of(ours.automated.ran))

    told = crowd(ours)

    assert queries(client, page_of(told)) <= few
    assert few <= 18


def test_a_rule_asks_the_same_number_of_times_however_often_it_ran(ours):
    client = logged_in(ours.manager)
    page = reverse("admin:automation_automationrule_change", args=[ours.automated.rule.pk])
    few = queries(client, page)

    for number in range(12):
        tell(ours.patient, "RISK_ANALYSIS_COMPLETED", f"r-{number}", {"risk_level": "LOW"})
    process()

    assert queries(client, page) == few
    assert few <= 15
