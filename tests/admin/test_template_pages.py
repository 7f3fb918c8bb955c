"""Clone, switch on and off, export and import: each says first what will happen."""

from __future__ import annotations

import json

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from journeys.blueprint_files import MAX_BYTES, written
from journeys.models.template import JourneyTemplate
from kura import tenancy
from tests.admin import people
from tests.admin.conftest import logged_in
from tests.admin.test_template_editor import saved

IMPORT = "/admin/journeys/journeytemplate/import/"


@pytest.fixture
def client(ours):
    ours.manager.language = "en"
    ours.manager.save()
    return logged_in(ours.manager)


def page(verb: str, template: JourneyTemplate) -> str:
    return reverse(f"admin:journeys_journeytemplate_{verb}", args=[template.pk])


def templates_of(practice) -> dict[str, JourneyTemplate]:
    with tenancy.scope(practice.organization):
        return {template.key: template for template in JourneyTemplate.objects.all()}


# --- clone ------------------------------------------------------------------------------------


def test_a_clone_is_made_inactive_and_the_editor_goes_on(client, ours):
    response = client.post(page("clone", ours.template), {"name": "Retreat 2026", "key": "r-2026"})

    copy = templates_of(ours)["r-2026"]
    assert response["Location"] == page("edit", copy)
    assert (copy.name, copy.is_active) == ("Retreat 2026", False)
    assert saved(copy).moves == saved(ours.template).moves


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"name": "x", "key": "retreat"}, "exists already"),
        ({"name": "x", "key": "Con Espacios"}, "small letters, digits"),
        ({"name": "", "key": "x"}, "This field is required."),
        ({"name": "x" * 201, "key": "x"}, "at most 200 characters"),
    ],
)
def test_a_clone_that_cannot_be_is_refused_beside_its_field(client, ours, fields, words):
    response = client.post(page("clone", ours.template), fields)

    assert words in response.content.decode()
    assert "x" not in templates_of(ours)


# --- on and off -------------------------------------------------------------------------------


def test_switching_off_says_how_many_patients_go_on(client, ours):
    text = client.get(page("switch", ours.template)).content.decode()

    assert "2 patients are in this journey now." in text
    assert "They go on as before." in text


def test_a_click_sent_twice_does_not_switch_back(client, ours):
    for _ in range(2):
        client.post(page("switch", ours.template), {"to": "off"})
    off = templates_of(ours)["retreat"].is_active
    client.post(page("switch", ours.template), {"to": "on"})

    assert (off, templates_of(ours)["retreat"].is_active) == (False, True)


def test_a_switch_without_a_direction_changes_nothing(client, ours):
    response = client.post(page("switch", ours.template), {"to": "sideways"})

    assert response.status_code == 200
    assert templates_of(ours)["retreat"].is_active


# --- export and import ------------------------------------------------------------------------


def exported(client: Client, template: JourneyTemplate) -> dict[str, object]:
    return json.loads(client.get(page("export", template)).content)


def upload(client: Client, document: object):
    content = document if isinstance(document, bytes) else json.dumps(document).encode()
    return client.post(IMPORT, {"file": SimpleUploadedFile("template.json", content)})


def apply(client: Client, preview: object, **fields: str):
    found = preview.context["found"]
    return client.post(IMPORT, {"document": found.text, "version": str(found.version), **fields})


def test_an_export_is_a_file_that_says_the_template(client, ours):
    response = client.get(page("export", ours.template))

    assert response["Content-Disposition"] == 'attachment; filename="retreat-v1.json"'
    assert response["Content-Type"] == "application/json; charset=utf-8"
    assert response.content.decode() == written(saved(ours.template))


def test_a_file_of_a_known_key_shows_its_changes_and_writes_when_confirmed(client, ours):
    document = exported(client, ours.template)
    document["stages"][0]["label"]["en"] = "Form sent"
    before = saved(ours.template)

    preview = upload(client, document)
    untouched = saved(ours.template) == before
    response = apply(client, preview)

    assert "named “Cuestionario enviado” in Spanish and “Form sent” in English" in (
        preview.content.decode()
    )
    assert untouched
    assert response["Location"] == page("change", ours.template)
    assert saved(ours.template).stages[0].label_en == "Form sent"
    assert saved(ours.template).is_active


def test_a_file_of_a_new_key_makes_an_inactive_template(client, ours):
    preview = upload(client, exported(client, ours.template) | {"key": "other", "name": "Other"})
    apply(client, preview)

    made = templates_of(ours)["other"]
    assert "the file would make a new one, inactive" in preview.content.decode()
    assert (made.name, made.is_active) == ("Other", False)
    assert saved(made).moves == saved(ours.template).moves


def test_the_key_of_another_practice_is_a_new_key_here(client, ours, theirs):
    foreign = people.journey(theirs.organization, "secret", "FOREIGN journey")
    preview = upload(client, exported(client, ours.template) | {"key": "secret"})
    apply(client, preview)

    assert "would make a new one" in preview.content.decode()
    assert saved(foreign).name == "FOREIGN journey"
    assert templates_of(ours)["secret"].pk != foreign.pk


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"{", "The file is no JSON: line 1, column 2."),
        (b"\xff", "not a text in UTF-8"),
        (b"", "The file is empty."),
        (b" " * (MAX_BYTES + 1), "larger than 256 KB"),
        (b"[" * 1000, "too deep"),
        (rb'{"\ud800": 1, "\ud800": 1}', "stands twice"),
    ],
)
def test_a_file_that_is_no_template_is_refused_in_words(client, ours, content, words):
    response = upload(client, content)

    assert response.status_code == 200
    assert words in response.content.decode()


def test_without_a_file_the_field_says_so(client, ours):
    assert "This field is required." in client.post(IMPORT).content.decode()


def test_unknown_members_and_wrong_values_are_told_with_their_place(client, ours):
    document = exported(client, ours.template) | {"colour": "red"}
    document["stages"][1]["status"] = "paused"

    text = upload(client, document).content.decode()

    assert "/: unknown members: colour." in text
    assert "/stages/1/status: must be one of: planned, waitlist" in text


def test_a_file_without_sense_is_shown_with_its_problems_and_cannot_be_applied(client, ours):
    document = exported(client, ours.template) | {"initial_stage": "NOWHERE"}
    before = saved(ours.template)

    preview = upload(client, document)
    again = apply(client, preview)

    assert "The initial stage NOWHERE is not among the allowed stages" in preview.content.decode()
    assert "Change the template" not in preview.content.decode()
    assert again.status_code == 200
    assert saved(ours.template) == before


def test_a_file_that_would_remove_an_occupied_stage_is_refused(client, ours):
    document = exported(client, ours.template)
    document["stages"] = [one for one in document["stages"] if one["code"] != "BLOCKED"]
    document["moves"] = [one for one in document["moves"] if one["from"] != "BLOCKED"]

    text = upload(client, document).content.decode()

    assert "“Blocked” cannot be removed or redefined: 1 patients stand there." in text


def test_cautions_of_a_file_are_confirmed_as_in_the_editor(client, ours):
    document = exported(client, ours.template) | {"key": "other", "moves": []}
    document["stages"] = [one for one in document["stages"] if one["code"] != "COMPLETED"]

    preview = upload(client, document)
    apply(client, preview)
    refused = "other" not in templates_of(ours)
    apply(client, preview, confirmed=preview.context["found"].review.seal)

    assert "No stage finishes or cancels this journey" in preview.content.decode()
    assert refused
    assert "other" in templates_of(ours)


def test_a_template_edited_between_preview_and_import_is_a_conflict(client, ours):
    document = exported(client, ours.template) | {"name": "From the file"}
    preview = upload(client, document)

    late = client.post(IMPORT, {"document": preview.context["found"].text, "version": "99"})

    assert late.status_code == 409
    assert "Somebody else edited this template in the meantime." in late.content.decode()
    assert saved(ours.template).name == "Retiro Om"


def test_the_same_import_sent_twice_is_no_conflict(client, ours):
    preview = upload(client, exported(client, ours.template) | {"key": "other"})

    answers = [apply(client, preview).status_code for _ in range(2)]

    assert answers == [302, 302]


def test_the_import_reads_the_same_number_of_queries_for_more_stages(
    client, ours, django_assert_max_num_queries
):
    document = exported(client, ours.template)
    more = [document["stages"][2] | {"code": f"MORE_{number}"} for number in range(30)]

    with django_assert_max_num_queries(8):
        upload(client, document | {"stages": document["stages"] + more})
