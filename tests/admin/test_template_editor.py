"""The editor: rows that are added, ordered and removed, what refuses, what asks, who was faster."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.urls import reverse

from journeys.blueprints import Blueprint, MoveDraft, StageDraft
from journeys.models.template import JourneyTemplate, StageStatus
from journeys.selectors.blueprints import blueprint_of
from journeys.selectors.definitions import definitions
from journeys.services.templates import edit_template
from kura import tenancy
from tests.admin import people
from tests.admin.conftest import logged_in
from tests.admin.people import PAID

DEEP = {
    "all": [PAID, {"any": [{"field": "patient.language", "op": "eq", "value": "es"},
                           {"field": "journey.number", "op": "gt", "value": 1}]}]
}  # fmt: skip


@pytest.fixture
def client(ours):
    ours.manager.language = "en"
    ours.manager.save()
    return logged_in(ours.manager)


@pytest.fixture
def template(ours):
    """Nobody is or was in it."""
    moves = [*people.MOVES, MoveDraft(from_stage=None, to_stage="AWAITING_PAYMENT", guard=DEEP,
                                      permission="journeys.unblock")]  # fmt: skip
    return people.journey(ours.organization, "fresh", "Fresh", moves=moves)


def url(template: JourneyTemplate) -> str:
    return reverse("admin:journeys_journeytemplate_edit", args=[template.pk])


def shown(client: Client, template: JourneyTemplate) -> dict[str, str]:
    return fields_of(client.get(url(template)))


def fields_of(response: object) -> dict[str, str]:
    """What a browser would send from this page, without a button."""
    context = response.context
    rows = context["rows"]
    fields = {
        "version": str(context["version"]),
        "stages-count": str(len(rows.stages)),
        "moves-count": str(len(rows.moves)),
    }
    for form in (rows.head, *rows.stages, *rows.moves):
        for field in form:
            value = field.value()
            if field.name != "reason":
                fields[field.html_name] = str(value or "")
            elif value:
                fields[field.html_name] = "on"
    return fields


def press(client: Client, template: JourneyTemplate, fields: dict[str, str], act: str):
    return client.post(url(template), {**fields, "act": act})


def saved(template: JourneyTemplate) -> Blueprint:
    with tenancy.every_organization():
        return blueprint_of(definitions([template.pk])[template.pk])


def codes(response: object) -> list[str]:
    return [form["code"].value() for form in response.context["rows"].stages]


def place(fields: dict[str, str], label: str) -> int:
    found = [name for name, value in fields.items() if name.endswith("label_en") and value == label]
    return int(found[0].split("-")[1])


# --- what the page shows and keeps ----------------------------------------------------------------


def test_saving_what_is_shown_changes_nothing(client, template):
    before = saved(template)

    response = press(client, template, shown(client, template), "save")

    assert response.status_code == 302
    assert saved(template) == before


def test_a_deep_condition_is_shown_whole_and_kept_when_its_move_is_edited(client, template):
    response = client.get(url(template))
    fields = fields_of(response)
    [number] = [n for n in range(len(people.MOVES) + 1) if fields[f"moves-{n}-condition"] == "own"]

    press(client, template, fields | {f"moves-{number}-end": "CONFIRMED"}, "save")

    page = response.content.decode()
    assert page.count('<ul class="condition">') == 2
    assert "language is Spanish" in page
    [move] = [move for move in saved(template).moves if move.from_stage is None]
    assert (move.to_stage, move.guard, move.permission) == ("CONFIRMED", DEEP, "journeys.unblock")


def test_a_condition_is_chosen_in_words(client, template):
    fields = shown(client, template)
    first = next(n for n in range(6) if fields[f"moves-{n}-start"] == "AWAITING_SCREENING")

    press(
        client,
        template,
        fields | {f"moves-{first}-condition": "after:FORM_SUBMISSION_COMPLETED"},
        "save",
    )

    [move] = [move for move in saved(template).moves if move.from_stage == "AWAITING_SCREENING"]
    assert move.guard == {
        "field": "events.FORM_SUBMISSION_COMPLETED.count", "op": "gte", "value": 1,
    }  # fmt: skip


def test_words_of_both_languages_and_the_turn_are_saved(client, template):
    fields = shown(client, template) | {
        "name": "  Retreat 2026 ",
        "stages-0-label_es": "Formulario",
        "stages-0-label_en": "Form",
        "stages-0-help_es": "Rellena.\r\nGracias.",
        "stages-0-help_en": "Fill in.",
        "stages-0-whose_turn": "nobody",
    }

    press(client, template, fields, "save")

    now = saved(template)
    assert (now.name, now.key) == ("Retreat 2026", "fresh")
    assert now.stages[0] == StageDraft(
        code="AWAITING_SCREENING", label_es="Formulario", label_en="Form",
        status=StageStatus.PLANNED, whose_turn="nobody", help_es="Rellena.\nGracias.",
        help_en="Fill in.",
    )  # fmt: skip


# --- buttons --------------------------------------------------------------------------------------


def test_up_and_down_reorder_without_saving(client, template):
    fields = shown(client, template)

    up = press(client, template, fields | {"stages-1-label_en": "Typed"}, "stage-up:1")
    down = press(client, template, fields_of(up), "stage-down:0")

    assert codes(up)[:2] == ["AWAITING_PAYMENT", "AWAITING_SCREENING"]
    assert codes(down) == [stage.code for stage in people.STAGES]
    assert fields_of(down)["stages-1-label_en"] == "Typed"
    assert up.context["focus"] == "stage-down:0"  # at the top there is no way further up
    assert "“Typed” is now number 1 of 5." in up.content.decode()
    assert saved(template).stages == list(people.STAGES)


@pytest.mark.parametrize(
    "act", ["stage-up:0", "stage-down:4", "stage-up:99", "stage-up:-1", "stage-up:x",
            "stage-remove:99", "move-remove:99", "stage-restore:NOWHERE", "nonsense", ""],
)  # fmt: skip
def test_a_button_that_cannot_be_leaves_everything_as_it_is(client, template, act):
    fields = shown(client, template)

    response = press(client, template, fields, act)

    assert response.status_code == 200
    assert fields_of(response) == fields


def test_a_new_stage_gets_a_code_of_its_own_and_moves_can_name_it(client, template):
    added = press(client, template, shown(client, template), "stage-add:0")
    fields = fields_of(added) | {"stages-5-label_es": "Añadida", "stages-5-label_en": "Confirmed"}
    named = press(client, template, fields, "move-add:0")
    last = len(people.MOVES) + 1
    fields = fields_of(named) | {
        f"moves-{last}-start": "CONFIRMED",
        f"moves-{last}-end": "CONFIRMED_2",
        "confirmed": "",
    }
    asked = press(client, template, fields, "save")
    seal = asked.context["seal"]
    press(client, template, fields_of(asked) | {"confirmed": seal}, "save")

    assert 'name="stages-5-label_es"' in added.content.decode()
    assert "autofocus" in added.content.decode().split('name="stages-5-label_es"')[1][:200]
    assert [one.code for one in asked.context["cautions"]] == ["dead_end"]
    assert saved(template).codes[-1] == "CONFIRMED_2"
    assert ("CONFIRMED", "CONFIRMED_2") in {
        (m.from_stage, m.to_stage) for m in saved(template).moves
    }


def test_a_new_stages_code_may_be_typed_and_its_moves_follow(client, template):
    fields = fields_of(press(client, template, shown(client, template), "stage-add:0"))
    fields |= {"stages-5-label_es": "Fin", "stages-5-label_en": "End",
               "stages-5-status": "finished"}  # fmt: skip
    fields = fields_of(press(client, template, fields, "move-add:0"))
    last = len(people.MOVES) + 1
    fields |= {f"moves-{last}-start": "CONFIRMED", f"moves-{last}-end": "END"}

    press(client, template, fields | {"stages-5-code": "THE_END"}, "save")

    assert saved(template).codes[-1] == "THE_END"
    assert "THE_END" in {move.to_stage for move in saved(template).moves}


def test_a_removed_stage_takes_its_moves_and_comes_back_with_them(client, template):
    before = shown(client, template)
    gone = press(client, template, before, f"stage-remove:{place(before, 'Awaiting payment')}")
    back = press(client, template, fields_of(gone), "stage-restore:AWAITING_PAYMENT")

    assert "AWAITING_PAYMENT" not in codes(gone)
    assert "4 moves go with it." in gone.content.decode()
    assert codes(back)[-1] == "AWAITING_PAYMENT"
    edges = {(move["start"].value(), move["end"].value()) for move in back.context["rows"].moves}
    assert ("AWAITING_PAYMENT", "CONFIRMED") in edges
    assert fields_of(back)["moves-count"] == before["moves-count"]


def test_a_retired_stage_can_be_brought_back(client, ours):
    someone = people.patient(ours.organization, "Otra")
    people.enrolled(someone, ours.template, "AWAITING_PAYMENT", "AWAITING_SCREENING", "BLOCKED")
    leaner = people.journey(ours.organization, "lean", "Lean", moves=())
    people.enrolled(someone, leaner, "CONFIRMED", "AWAITING_PAYMENT")
    kept = [stage for stage in people.STAGES if stage.code != "CONFIRMED"]
    with tenancy.every_organization():
        edit_template(template_id=leaner.pk, blueprint=replace(saved(leaner), stages=kept))

    page = client.get(url(leaner))
    back = press(client, leaner, fields_of(page), "stage-restore:CONFIRMED")
    press(client, leaner, fields_of(back), "save")

    assert "Bring “Confirmed” back" in page.content.decode()
    assert saved(leaner).stages[-1] == people.STAGES[2]


# --- what refuses, what asks ----------------------------------------------------------------------


def test_a_mistake_is_told_beside_its_field_and_nothing_is_lost(client, template):
    fields = shown(client, template) | {
        "stages-0-label_en": "", "stages-1-label_es": "Pago", "moves-1-end": "AWAITING_SCREENING",
    }  # fmt: skip
    start = fields["moves-1-start"]

    response = press(client, template, fields, "save")

    page = response.content.decode()
    assert start == "AWAITING_SCREENING"
    assert response.context["mistakes"] == 2
    assert 'aria-invalid="true"' in page
    assert 'id="id_stages-0-label_en_error"' in page
    assert "this move goes nowhere" in page
    assert fields_of(response) == fields
    assert saved(template).stages == list(people.STAGES)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"moves-1-start": ""}, "Choose a stage."),
        ({"moves-1-end": "NOWHERE"}, "Choose one of the list."),
        ({"moves-1-start": "COMPLETED"}, "This stage closes the journey"),
        ({"moves-1-condition": "after:NOTHING"}, "Choose one of the list."),
        ({"moves-1-kept": "[1]"}, "cannot be read"),
        ({"moves-1-kept": "[" * 5000}, "cannot be read"),
        ({"moves-2-start": "AWAITING_SCREENING", "moves-2-end": "AWAITING_PAYMENT"},
         "This move is listed twice."),
        ({"stages-0-status": "sleeping"}, "Select a valid choice."),
        ({"stages-0-help_en": "x" * 2001}, "at most 2000 characters"),
        ({"stages-0-label_en": "a\x00b"}, "Null characters"),
        ({"initial_stage": "NOWHERE"}, "Choose a stage."),
        ({"name": " "}, "This field is required."),
    ],
    ids=lambda value: str(value)[:40],
)  # fmt: skip
def test_what_cannot_be_is_refused_in_words(client, template, changes, words):
    before = saved(template)

    response = press(client, template, shown(client, template) | changes, "save")

    assert response.status_code == 200
    assert words in response.content.decode()
    assert saved(template) == before


@pytest.mark.parametrize(
    "changes",
    [{"stages-count": "x"}, {"stages-count": "41"}, {"moves-count": "121"}, {"moves-count": "-1"},
     {"stages-count": "9" * 5000}, {"stages-count": "²"}],
)  # fmt: skip
def test_a_form_that_this_page_never_sends_is_a_bad_request(client, template, changes):
    assert press(client, template, shown(client, template) | changes, "save").status_code == 400


def test_an_occupied_stage_is_not_removed_and_the_page_says_how_many_are_there(client, ours):
    fields = shown(client, ours.template)
    fields = fields_of(
        press(client, ours.template, fields, f"stage-remove:{place(fields, 'Awaiting payment')}")
    )

    response = press(client, ours.template, fields, "save")

    page = response.content.decode()
    assert "“Awaiting payment” cannot be removed or redefined: 1 patients stand there." in page
    assert "Bring “Awaiting payment” back" in page
    assert "AWAITING_PAYMENT" in saved(ours.template).codes


def test_a_caution_is_confirmed_before_it_is_saved(client, template):
    fields = shown(client, template) | {"initial_stage": "BLOCKED"}

    asked = press(client, template, fields, "save")
    wrong = press(client, template, fields | {"confirmed": "something else"}, "save")
    seal = asked.context["seal"]
    done = press(client, template, fields | {"confirmed": seal}, "save")

    assert "each new patient waits for a therapist at once" in asked.content.decode()
    assert "Patients begin in “Blocked” instead of “Questionnaire sent”." in asked.content.decode()
    assert [asked.status_code, wrong.status_code, done.status_code] == [200, 200, 302]
    assert saved(template).initial_stage == "BLOCKED"


def test_cautions_are_shown_before_anybody_asks_to_save(client, template):
    fields = shown(client, template) | {"initial_stage": "COMPLETED"}

    page = press(client, template, fields, "look").content.decode()

    assert "each enrollment is over as soon as it begins" in page
    assert 'name="confirmed"' not in page


def test_an_edit_is_listed_in_the_edits_of_the_record(client, template, ours):
    press(client, template, shown(client, template) | {"name": "Renamed"}, "save")

    entry = LogEntry.objects.get(object_id=str(template.pk))
    history = client.get(reverse("admin:journeys_journeytemplate_history", args=[template.pk]))
    assert entry.user == ours.manager
    assert "“Fresh” becomes “Renamed”" in entry.change_message
    assert "“Fresh” becomes “Renamed”" in history.content.decode()


def test_a_template_too_large_for_one_page_is_sent_to_the_file(client, ours):
    stages = [replace(people.STAGES[4], code=f"STAGE_{n}") for n in range(41)]
    large = people.journey(ours.organization, "large", "Large", moves=())
    with tenancy.every_organization():
        edit_template(template_id=large.pk, blueprint=replace(
            saved(large), stages=stages, initial_stage="STAGE_0"))  # fmt: skip

    page = client.get(url(large)).content.decode()

    assert "more stages or moves than one page can carry" in page
    assert json.loads(client.get(url(large).replace("/edit/", "/export/")).content)["stages"]
