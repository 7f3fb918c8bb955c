"""A patient is looked for from every page, with scripts or without."""

from __future__ import annotations

import re

import pytest
from django.contrib.auth.models import Permission
from django.urls import reverse

from tests.admin import people
from tests.admin.conftest import Practice, logged_in

LIST = "admin:patients_patient_changelist"
PAGES = [
    "admin:index",
    "admin:journeys_journeylog_changelist",
    "admin:automation_stafftask_changelist",
]


def form_of(page: str) -> str:
    return re.search(r'<form class="find-patient".*?</form>', page, re.DOTALL)[0]


@pytest.mark.parametrize("role", ["viewer", "therapist", "manager"])
@pytest.mark.parametrize("name", PAGES)
def test_every_page_has_it_for_whoever_sees_patients(ours: Practice, role: str, name: str):
    page = logged_in(getattr(ours, role)).get(reverse(name)).content.decode()

    form = form_of(page)
    assert f'method="get" action="{reverse(LIST)}"' in form
    assert '<label class="visually-hidden" for="find-patient">' in form
    assert 'type="search" id="find-patient" name="q"' in form
    assert page.count('id="find-patient"') == 1


def test_what_is_typed_leads_to_the_list_of_who_is_meant(ours: Practice):
    people.patient(ours.organization, "Álvaro Núñez")

    found = logged_in(ours.viewer).get(reverse(LIST), {"q": "nunez"})

    assert [row.full_name for row in found.context["cl"].result_list] == ["Álvaro Núñez"]


@pytest.mark.parametrize("name", [LIST, "admin:automation_automationrule_changelist"])
def test_a_list_with_a_search_of_its_own_is_found_first_by_the_key(ours: Practice, name: str):
    page = logged_in(ours.viewer).get(reverse(name)).content.decode()

    assert 'type="text" id="find-patient"' in form_of(page)
    assert page.count('type="search"') == 1


def test_who_may_not_see_patients_has_no_search(ours: Practice):
    ours.viewer.groups.clear()
    ours.viewer.user_permissions.add(Permission.objects.get(codename="view_automationrule"))
    page = logged_in(ours.viewer).get(reverse("admin:automation_automationrule_changelist"))

    assert page.status_code == 200
    assert "find-patient" not in page.content.decode()


def test_the_log_in_page_has_none(client):
    assert "find-patient" not in client.get(reverse("admin:login")).content.decode()
