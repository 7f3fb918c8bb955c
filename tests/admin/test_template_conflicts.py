"""Two managers at one template, in transactions of their own: nothing typed is lost, nothing of
the other's is overwritten unasked.
"""

from __future__ import annotations

from dataclasses import replace

import pytest
from django.test import Client

from journeys.models.template import JourneyTemplate
from journeys.services.templates import edit_template
from kura import tenancy
from tests.admin import people
from tests.admin.conftest import logged_in
from tests.admin.test_template_editor import fields_of, press, saved, shown


@pytest.fixture
def template(committed_db) -> JourneyTemplate:
    return people.journey(people.practice(), "fresh", "Fresh")


@pytest.fixture
def client(template) -> Client:
    return logged_in(people.person(template.organization, "manager", language="en"))


def version(template: JourneyTemplate) -> int:
    with tenancy.every_organization():
        return JourneyTemplate.objects.get(pk=template.pk).version


def test_who_was_slower_loses_nothing_and_overwrites_nothing(client, template):
    fields = shown(client, template) | {"stages-0-label_en": "Mine"}
    theirs = replace(saved(template), name="Theirs")
    with tenancy.every_organization():
        edit_template(template_id=template.pk, blueprint=theirs)

    conflict = press(client, template, fields, "save")
    kept = fields_of(conflict)
    page = conflict.content.decode()

    assert conflict.status_code == 409
    assert saved(template) == theirs
    assert kept == fields | {"version": "2"}
    assert "“Theirs” becomes “Fresh”" in page
    assert "“Mine” in English" in page

    done = press(client, template, kept | {"name": "Theirs"}, "save")

    assert done.status_code == 302
    assert (saved(template).name, saved(template).stages[0].label_en) == ("Theirs", "Mine")


@pytest.mark.parametrize("act", ["stage-up:1", "move-add:0", "look"])
def test_an_overtaken_page_says_so_at_the_next_button_already(client, template, act):
    fields = shown(client, template)
    with tenancy.every_organization():
        edit_template(template_id=template.pk, blueprint=replace(saved(template), name="Theirs"))

    response = press(client, template, fields, act)

    assert response.status_code == 409
    assert fields_of(response) == fields | {"version": "2"}


def test_the_same_click_sent_twice_is_no_conflict(client, template):
    fields = shown(client, template) | {"name": "Renamed"}

    answers = [press(client, template, fields, "save").status_code for _ in range(2)]

    assert answers == [302, 302]
    assert version(template) == 2
