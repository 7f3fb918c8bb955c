"""The list of patients: quick views, filters, what a row says, and what it costs."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from automation.models import StaffTask
from kura import tenancy
from kura.standing.people import QuickView
from patients.models import Patient
from tests.admin import people
from tests.admin.conftest import logged_in

LIST = "admin:patients_patient_changelist"
MOST_QUERIES = 8  # session, and the person with practice and permissions, among them
NARROWED = 1  # whatever is narrowed further has to be counted


def page(user, **asked):
    return logged_in(user).get(reverse(LIST), asked)


def names(user, **asked):
    return [row.full_name for row in page(user, **asked).context["cl"].result_list]


def row_of(response, name):
    return next(one for one in response.content.decode().split("<tr") if name in one)


@pytest.fixture
def crowd(ours):
    """Somebody in each quick view."""
    yoga = people.journey(ours.organization, "yoga", "Yoga Urban Om", moves=())
    people.enrolled(people.patient(ours.organization, "Ana Acabada"), yoga, "COMPLETED")
    people.enrolled(ours.blocked.patient, yoga)
    people.patient(ours.organization, "Sin Nada", email="sin@example.org", phone="+34 600 11")
    asked = people.patient(ours.organization, "Tomás Tarea")
    with tenancy.scope(ours.organization):
        StaffTask.objects.create(
            organization=ours.organization, patient=asked, kind="rule", text="Llamar el lunes"
        )
    return ours


@pytest.mark.parametrize("view", list(QuickView))
def test_the_number_of_a_quick_view_is_the_number_of_its_rows(crowd, view):
    response = page(crowd.viewer, view=view.value)

    number = next(one.number for one in response.context["chips"] if one.view is view)
    assert response.context["cl"].result_count == number
    assert [one.view for one in response.context["chips"] if one.chosen] == [view]


def test_who_needs_a_person_comes_first(crowd):
    listed = names(crowd.viewer)

    assert listed[0] == "Nuria Om"
    assert listed.index("Tomás Tarea") < listed.index("Ana Acabada") < listed.index("Sin Nada")


def test_a_row_shows_all_journeys_the_most_urgent_first_and_one_button(crowd):
    row = row_of(page(crowd.therapist), "Nuria Om")

    assert row.index("Retiro Om") < row.index("Yoga Urban Om")
    assert "badge-blocked" in row
    assert row.count('class="button') == 1
    assert reverse("admin:journeys_enrollment_unblock", args=[crowd.blocked.pk]) in row


def test_a_task_alone_says_why_the_person_is_in_the_list(crowd):
    row = row_of(page(crowd.therapist, view="action_required"), "Tomás Tarea")

    assert "badge-attention" in row
    assert "Llamar el lunes" in row
    assert "/admin/automation/stafftask/" in row


def test_who_has_no_journey_can_be_enrolled(crowd):
    row = row_of(page(crowd.therapist), "Sin Nada")
    someone = Patient.objects.none()
    with tenancy.scope(crowd.organization):
        someone = Patient.objects.get(full_name="Sin Nada")

    assert reverse("admin:patients_patient_enroll", args=[someone.pk]) in row


def test_a_viewer_sees_no_buttons(crowd):
    content = page(crowd.viewer).content.decode()

    assert 'class="button' not in content.split('id="result_list"')[1].split("</table>")[0]


def test_a_view_and_a_journey_speak_of_one_enrollment(crowd):
    assert names(crowd.viewer, view="blocked", journey="retreat") == ["Nuria Om"]
    assert names(crowd.viewer, view="blocked", journey="yoga") == []
    assert names(crowd.viewer, view="active", journey="yoga") == ["Nuria Om"]
    assert names(crowd.viewer, journey="retreat", stage="AWAITING_PAYMENT") == ["Marta Om"]


@pytest.mark.parametrize("typed", ["tomas", "TARÉA", "sin@example", "600 11"])
def test_search_keeps_the_quick_view(crowd, typed):
    found = names(crowd.viewer, q=typed)

    assert len(found) == 1
    assert names(crowd.viewer, q=typed, view="blocked") == []


def test_nobody_found_says_so_and_leads_back(crowd):
    content = page(crowd.viewer, q="nadie-así").content.decode()

    assert 'class="empty" role="status"' in content
    assert '<a href="?">' in content


@pytest.mark.parametrize(
    "asked", [{"view": "x"}, {"journey": "theirs"}, {"stage": "NOPE"}, {"therapist": "1"}]
)
def test_an_unknown_filter_is_left_out(crowd, asked):
    response = logged_in(crowd.viewer).get(reverse(LIST), asked, follow=True)

    assert response.status_code == 200
    assert response.context["cl"].result_count == 5


def test_the_filter_offers_who_may_be_responsible_and_who_is(ours, theirs):
    former = people.person(ours.organization, "viewer", "Antes Terapeuta", is_active=False)
    people.patient(ours.organization, "De Antes", therapist=former)
    people.person(ours.organization, "therapist", "Se Fue", is_active=False)

    shown = page(ours.viewer).context["cl"].filter_specs
    [offered] = [spec.lookup_choices for spec in shown if spec.parameter_name == "therapist"]

    assert [label for _value, label in offered] == [
        "Antes Terapeuta", "Manager Om", "Therapist Om", "Sin asignar",
    ]  # fmt: skip
    assert names(ours.viewer, therapist=str(former.pk)) == ["De Antes"]


def test_a_filter_of_another_practice_is_as_unknown_as_any(ours, theirs):
    people.journey(theirs.organization, "secret", "FOREIGN secret")
    client = logged_in(ours.manager)

    answers = [
        client.get(reverse(LIST), asked)
        for asked in (
            {"journey": "secret"},
            {"journey": "nowhere"},
            {"therapist": str(theirs.therapist.pk)},
        )
    ]

    assert {one.status_code for one in answers} == {302}
    assert {one["Location"] for one in answers} == {f"{reverse(LIST)}?e=1"}


def test_an_erased_patient_is_marked_and_has_no_button(ours):
    with tenancy.scope(ours.organization):
        gone = people.patient(ours.organization, "Paciente borrada")
        Patient.objects.filter(pk=gone.pk).update(erased_at=timezone.now())

    row = row_of(page(ours.manager), "Paciente borrada")

    assert "badge-closed" in row
    assert 'class="button' not in row


def test_twenty_five_a_page(ours):
    for n in range(30):
        people.patient(ours.organization, f"Persona {n:02}")

    first, second = page(ours.viewer), page(ours.viewer, p=2)

    assert len(first.context["cl"].result_list) == 25
    assert len(second.context["cl"].result_list) == 7
    assert (second.context["cl"].first_row, second.context["cl"].last_row) == (26, 32)


def queries(client: Client, **asked: str) -> int:
    with CaptureQueriesContext(connection) as counted:
        assert client.get(reverse(LIST), asked).status_code == 200
    return len(counted)


def test_a_view_lists_as_many_as_its_link_says_page_by_page(ours):
    for n in range(60):
        someone = people.patient(ours.organization, f"Persona {n:02}")
        if n % 2:
            people.enrolled(someone, ours.template, "AWAITING_PAYMENT", "BLOCKED")
    client = logged_in(ours.manager)

    for view in QuickView.values:
        pages = all_pages(client, view)
        [chip] = [one for one in pages[0].context["chips"] if one.chosen]
        listed = [row.pk for page in pages for row in page.context["cl"].result_list]
        assert chip.number == len(listed) == len(set(listed)), view


def all_pages(client: Client, view: str) -> list[Any]:
    pages: list[Any] = []
    while not pages or pages[-1].context["cl"].paginator.num_pages > len(pages):
        pages.append(client.get(reverse(LIST), {"view": view, "p": str(len(pages) + 1)}))
    return pages


def test_the_list_costs_the_same_for_few_and_for_a_hundred(ours):
    client = logged_in(ours.manager)
    most = {
        "": MOST_QUERIES,
        "all=": MOST_QUERIES,
        "view=active": MOST_QUERIES,
        "view=active&journey=retreat": MOST_QUERIES + NARROWED,
        "q=a": MOST_QUERIES + NARROWED,
    }
    queries(client)
    few = {asked: queries(client, **parsed(asked)) for asked in most}

    for n in range(100):
        someone = people.patient(ours.organization, f"Persona {n}", therapist=ours.therapist)
        if n % 4:
            people.enrolled(someone, ours.template, "AWAITING_PAYMENT", by=ours.manager)

    assert {asked: queries(client, **parsed(asked)) for asked in most} == few
    assert not {asked: number for asked, number in few.items() if number > most[asked]}


def parsed(query: str) -> dict[str, str]:
    return dict(parse_qsl(query, keep_blank_values=True))
