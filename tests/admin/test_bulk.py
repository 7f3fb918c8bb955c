"""Many at once: chosen in a list, previewed, done as previewed, and told one by one."""

from __future__ import annotations

import re

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from automation import receivers
from journeys.admin import bulk
from journeys.cause import by_user
from journeys.models import Enrollment
from journeys.services.transitions import transition
from kura import tenancy
from tests.admin import people
from tests.admin.conftest import Practice, logged_in, logs_of
from tests.admin.test_moving import LONG, stage_of

MOVE, ENROLL = "patients_patient_bulk_move", "patients_patient_bulk_enroll"


@pytest.fixture
def client(ours) -> Client:
    return logged_in(ours.therapist)


def to(practice: Practice, stage: str) -> str:
    return f"{practice.template.pk}/{stage}"


def post(client: Client, name: str, step: str, **fields: object) -> str:
    response = client.post(reverse(f"admin:{name}"), {"step": step, "reason": LONG, **fields})
    assert response.status_code == 200
    return response.content.decode()


def preview(client: Client, name: str, *patients: object, **fields: object) -> str:
    ids = [str(getattr(one, "pk", one)) for one in patients]
    return post(client, name, "preview", patient=ids, **fields)


def apply(client: Client, name: str, page: str, **fields: object) -> str:
    """As the preview's own button does: what it showed, and nothing else."""
    seen = re.findall(r'name="seen" value="([^"]+)"', page)
    return post(client, name, "apply", seen=seen, **fields)


def a_move(client: Client, enrollment: Enrollment, stage: str) -> None:
    with tenancy.every_organization():
        transition(
            patient_id=enrollment.patient_id,
            journey_key=enrollment.journey_key,
            to_stage=stage,
            cause=by_user(people.person(enrollment.organization, "manager"), reason=LONG),
        )


# --- preview ----------------------------------------------------------------------------------


def test_the_preview_names_who_moves_who_stays_and_why_and_moves_nobody(client, ours):
    outside = people.patient(ours.organization, "Sin Journey")
    there = people.enrolled(people.patient(ours.organization, "Ya Está"), ours.template)

    page = preview(
        client, MOVE, ours.patient, ours.blocked.patient, outside, there.patient,
        target=to(ours, "AWAITING_SCREENING"),
    )  # fmt: skip

    assert "Cambiarán 1 de 4" in page
    assert "Vuelve atrás." in page
    assert "un bloqueo se revisa en su propia página" in page
    assert "no está inscrito en «Retiro Om»" in page
    assert "Ya está ahí." in page
    assert page.count('name="seen"') == 1
    assert len(logs_of(ours.enrollment)) == 2


def test_the_preview_tells_of_a_block_in_another_journey(ours):
    reader = logged_in(people.person(ours.organization, "therapist", "Eva Ruiz", language="en"))
    yoga = people.journey(ours.organization, "yoga", "Yoga", moves=())
    both = (ours.blocked.patient, ours.patient)

    page = preview(reader, ENROLL, *both, target=str(yoga.pk))

    assert page.count('name="seen"') == len(both)
    assert page.count("Blocked in another journey: Retiro Om.") == 1


def test_a_move_that_needs_a_reason_is_refused_in_the_preview_without_one(client, ours):
    page = preview(client, MOVE, ours.patient, target=to(ours, "AWAITING_SCREENING"), reason="")

    assert "Nadie cambiaría" in page
    assert "al menos 10 caracteres" in page


def test_only_journeys_that_somebody_chosen_is_in_are_offered(client, ours):
    people.journey(ours.organization, "yoga", "Yoga", moves=())

    page = post(client, MOVE, "ask", patient=str(ours.patient.pk))

    assert f'value="{to(ours, "CONFIRMED")}"' in page
    assert "Yoga" not in page


def test_what_was_typed_survives_going_back_and_an_error(client, ours):
    ids = {"patient": str(ours.patient.pk), "target": to(ours, "CONFIRMED")}

    back = post(client, MOVE, "ask", **ids)
    wrong = post(client, MOVE, "preview", **(ids | {"target": "nonsense"}))

    assert LONG in back
    assert f'value="{to(ours, "CONFIRMED")}" selected' in back
    assert LONG in wrong
    assert "Esto ya no es posible" in wrong


# --- doing it ---------------------------------------------------------------------------------


def test_who_was_previewed_moves_with_one_cause_and_a_result_each(client, ours):
    goal = {"target": to(ours, "AWAITING_SCREENING")}
    page = preview(client, MOVE, ours.patient, ours.blocked.patient, **goal)

    done = apply(client, MOVE, page, **goal)

    log = logs_of(ours.enrollment)[-1]
    assert "Cambiaron: 1 de 1." in done
    assert (log.to_stage, log.actor_id, log.via) == (
        "AWAITING_SCREENING",
        ours.therapist.pk,
        "admin",
    )
    assert stage_of(ours.blocked) == "BLOCKED"


def test_whoever_moved_since_the_preview_stays_and_is_named(client, ours):
    goal = {"target": to(ours, "AWAITING_SCREENING")}
    page = preview(client, MOVE, ours.patient, **goal)
    a_move(client, ours.enrollment, "BLOCKED")

    done = apply(client, MOVE, page, **goal)

    assert "Cambiaron: 0 de 1." in done
    assert "ha movido a este paciente" in done or "movió" in done
    assert stage_of(ours.enrollment) == "BLOCKED"


def test_the_same_click_twice_moves_once_and_says_so_calmly(client, ours):
    goal = {"target": to(ours, "AWAITING_SCREENING")}
    page = preview(client, MOVE, ours.patient, **goal)

    answers = [apply(client, MOVE, page, **goal) for _ in range(2)]

    assert "Ya está ahí." in answers[1]
    assert len(logs_of(ours.enrollment)) == 3


def test_a_block_is_never_lifted_among_many_even_by_hand(client, ours):
    seen = f"{ours.blocked.patient_id}:{ours.blocked.pk}:{ours.blocked.seq}"

    done = post(client, MOVE, "apply", seen=seen, reason_code="reviewed_safe",
                target=to(ours, "AWAITING_PAYMENT"))  # fmt: skip

    assert "un bloqueo se revisa en su propia página" in done
    assert stage_of(ours.blocked) == "BLOCKED"


def test_many_are_enrolled_and_who_is_in_already_stays(client, ours):
    new = people.patient(ours.organization, "Recién Llegada")
    goal = {"target": str(ours.template.pk)}
    page = preview(client, ENROLL, new, ours.patient, **goal)

    done = apply(client, ENROLL, page, **goal)

    assert "ya está inscrito en «Retiro Om»" in page
    assert "Cambiaron: 1 de 1." in done
    with tenancy.scope(ours.organization):
        assert Enrollment.objects.get(patient=new).stage == "AWAITING_SCREENING"


@pytest.mark.parametrize("name", [MOVE, ENROLL])
def test_a_viewer_previews_and_moves_nobody(ours, name):
    fields = {"step": "apply", "patient": str(ours.patient.pk), "target": "x"}

    response = logged_in(ours.viewer).post(reverse(f"admin:{name}"), fields)

    assert response.status_code == 403


@pytest.mark.parametrize(
    "ids", [[], ["nonsense"], ["\x00"], ["00000000-0000-0000-0000-000000000000"]]
)
def test_nobody_known_leads_back_to_the_list(client, ours, ids):
    response = client.post(reverse(f"admin:{MOVE}"), {"step": "preview", "patient": ids})

    assert response["Location"] == reverse("admin:patients_patient_changelist")


# --- from the lists ---------------------------------------------------------------------------


def from_list(client: Client, name: str, ids: list[object], action: str = "move", **more: object):
    fields = {"action": action, "_selected_action": [str(one) for one in ids], **more}
    return client.post(reverse(f"admin:{name}"), fields, follow=True).content.decode()


@pytest.mark.parametrize("action", ["move", "enroll"])
def test_the_list_of_patients_hands_over_who_was_chosen(client, ours, action):
    page = from_list(client, "patients_patient_changelist", [ours.patient.pk], action)

    assert f'name="patient" value="{ours.patient.pk}"' in page
    assert str(ours.blocked.patient_id) not in page


def test_all_pages_of_a_list_can_be_chosen_up_to_a_limit(client, ours, monkeypatch):
    for number in range(30):
        people.patient(ours.organization, f"Persona {number}")
    chosen = {"ids": [ours.patient.pk], "select_across": "1"}

    page = from_list(client, "patients_patient_changelist", **chosen)
    monkeypatch.setattr(bulk, "MAX_SELECTED", 10)
    refused = from_list(client, "patients_patient_changelist", **chosen)

    assert page.count('name="patient"') == 32
    assert "Selecciona como máximo 10 pacientes" in refused


def test_the_list_of_enrollments_wants_one_journey_and_leaves_out_what_is_closed(client, ours):
    yoga = people.journey(ours.organization, "yoga", "Yoga", moves=())
    old = people.enrolled(ours.patient, yoga, "COMPLETED", days_ago=20)
    new = people.enrolled(ours.patient, yoga)
    other = people.enrolled(ours.blocked.patient, yoga)

    mixed = from_list(client, "journeys_enrollment_changelist", [other.pk, ours.enrollment.pk])
    one = from_list(client, "journeys_enrollment_changelist", [old.pk, other.pk])

    assert "Selecciona pacientes de un solo journey" in mixed
    assert "Las inscripciones cerradas se dejaron fuera" in one
    assert f'name="patient" value="{ours.patient.pk}"' not in one
    assert "Retiro Om" not in one
    assert stage_of(new) == "AWAITING_SCREENING"


@pytest.mark.parametrize("name", ["patients_patient_changelist", "journeys_enrollment_changelist"])
def test_the_lists_offer_a_viewer_nothing_to_do(ours, name):
    page = logged_in(ours.viewer).get(reverse(f"admin:{name}")).content.decode()

    assert 'name="action"' not in page


# --- cost -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [MOVE, ENROLL])
def test_preview_and_result_cost_the_same_for_few_and_for_many(client, ours, name, monkeypatch):
    monkeypatch.setattr(receivers, "REMEMBERED", 0.0)  # asked each time, not once a second
    monkeypatch.setattr(receivers, "_heard", {})  # what the practice's making has remembered
    goal = {"target": to(ours, "CONFIRMED") if name == MOVE else str(ours.template.pk)}
    _cost(client, name, _group(ours, 2, name), goal)  # what is read once and remembered
    few = _least(client, ours, name, goal, size=2)
    many = _least(client, ours, name, goal, size=20)

    assert few == many
    assert max(many) <= 30


def _least(
    client: Client, ours: Practice, name: str, goal: dict[str, str], *, size: int
) -> tuple[int, int]:
    """Of three: what is written once in a while, by the clock, falls into one of them."""
    costs = [_cost(client, name, _group(ours, size, name), goal) for _ in range(3)]
    return min(first for first, _ in costs), min(second for _, second in costs)


def _group(ours: Practice, size: int, name: str) -> list[object]:
    """Some of whom may and some of whom may not."""
    group = [people.patient(ours.organization, f"Persona {n}") for n in range(size)]
    for number, one in enumerate(group):
        if name == MOVE:
            people.enrolled(one, ours.template, "AWAITING_PAYMENT")
        elif number == 0:
            people.enrolled(one, ours.template)
        if number:
            people.event(one, journey_key="retreat")
    return group


def _cost(client: Client, name: str, group: list[object], goal: dict[str, str]) -> tuple[int, int]:
    with CaptureQueriesContext(connection) as first:
        page = preview(client, name, *group, **goal)
    with CaptureQueriesContext(connection) as second:
        done = apply(client, name, page, **goal)
    assert f"Cambiaron: {len(group) - 1} de {len(group) - 1}." in done
    return _asked(first), _asked(second)


def _asked(queries: CaptureQueriesContext) -> int:
    """Without the template: one that this transaction has made is read afresh for each patient.
    And without the bell, which is not rung again when it has just been.
    """
    aside = ("FROM journey_templates t\n", "django_q_ormq")
    return len([one for one in queries if not any(part in one["sql"] for part in aside)])
