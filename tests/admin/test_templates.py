"""Templates: made from codes, read in words by everybody of the practice."""

from __future__ import annotations

import pytest
from django.urls import reverse

from journeys.blueprints import Blueprint, MoveDraft
from journeys.models.template import JourneyTemplate
from journeys.review import review
from journeys.starts import STARTS
from kura import tenancy
from tests.admin import people
from tests.admin.conftest import logged_in
from tests.admin.people import PAID

STAGES = "AWAITING_SCREENING\nAWAITING_PAYMENT\nCONFIRMED\nBLOCKED"


@pytest.fixture
def client(ours):
    return logged_in(ours.manager)


def blueprint(**fields: str) -> dict[str, str]:
    return {
        "key": "retreat_ibiza_2026", "name": "Retiro Ibiza 2026", "allowed_stages": STAGES,
        "initial_stage": "AWAITING_SCREENING", "endless": "on", **fields,
    }  # fmt: skip


def test_the_specifications_own_example_fails_with_readable_words(client):
    response = client.post(
        reverse("admin:journeys_journeytemplate_add"), blueprint(initial_stage="PENDING")
    )

    assert (
        "La etapa inicial PENDING no está entre las etapas permitidas "
        "(AWAITING_SCREENING, AWAITING_PAYMENT, CONFIRMED, BLOCKED)."
    ) in response.content.decode()


def test_a_template_without_an_end_wants_a_confirmation(client):
    response = client.post(reverse("admin:journeys_journeytemplate_add"), blueprint(endless=""))

    assert "confirma que el journey no tiene final" in response.content.decode()


def test_a_key_twice_is_a_form_error(client, ours):
    response = client.post(
        reverse("admin:journeys_journeytemplate_add"), blueprint(key=ours.template.key)
    )

    assert "Ya existe una plantilla con esta clave." in response.content.decode()


def test_a_template_is_made_from_codes_and_the_editor_goes_on(client, ours):
    response = client.post(reverse("admin:journeys_journeytemplate_add"), blueprint())

    with tenancy.scope(ours.organization):
        made = JourneyTemplate.objects.get(key="retreat_ibiza_2026")
        assert made.allowed_stages == STAGES.split()
    assert response["Location"] == reverse("admin:journeys_journeytemplate_edit", args=[made.pk])


# --- something to begin with ----------------------------------------------------------------------


def make(client, ours, **fields):
    """The template, or the page that asks again."""
    given = {"name": "Retiro de otoño", "start": "simple", **fields}
    response = client.post(reverse("admin:journeys_journeytemplate_add"), given)
    if response.status_code != 302:
        return response
    with tenancy.scope(ours.organization):
        return JourneyTemplate.objects.latest("id")


@pytest.mark.parametrize("start", STARTS.values(), ids=lambda one: one.key)
def test_what_a_journey_begins_with_is_complete_and_warns_of_nothing(start):
    blueprint = Blueprint(
        key="x",
        name="X",
        initial_stage=start.stages[0].code,
        stages=start.stages,
        moves=start.moves,
    )

    found = review(blueprint)

    assert (found.problems, found.cautions) == ([], [])


@pytest.mark.parametrize("start", STARTS)
def test_a_name_is_enough(client, ours, start):
    made = make(client, ours, start=start)

    assert (made.key, made.is_active) == ("retiro_de_otono", False)
    with tenancy.scope(ours.organization):
        assert made.allowed_stages == [stage.code for stage in STARTS[start].stages]
        assert made.transitions.count() == len(STARTS[start].moves)


def test_the_key_is_made_from_the_name_and_told(client, ours):
    keys = [make(client, ours, name=name).key for name in ("Retiro", "Retiro", "¡¿?!")]
    page = client.get(reverse("admin:journeys_journeytemplate_changelist")).content.decode()

    assert keys == ["retiro", "retiro_2", "journey"]
    assert "retiro_2" in page


def test_a_list_in_plain_words_gives_codes_and_both_names(client, ours):
    made = make(
        client,
        ours,
        start="own",
        allowed_stages="Acogida / Welcome\n\nEn curso\nEn curso\nCOMPLETED\n",
    )

    with tenancy.scope(ours.organization):
        told = [(one.code, one.label_es, one.label_en) for one in made.stages.order_by("position")]
    assert told == [
        ("WELCOME", "Acogida", "Welcome"),
        ("EN_CURSO", "En curso", "En curso"),
        ("EN_CURSO_2", "En curso", "En curso"),
        ("COMPLETED", "Completado", "Completed"),
    ]
    assert made.initial_stage == "WELCOME"


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"name": ""}, "name"),
        ({"start": "own"}, "allowed_stages"),
        ({"start": "no such"}, "start"),
        ({"key": "Not A Key"}, "key"),
    ],
)
def test_what_is_missing_is_said_at_its_field_and_nothing_typed_is_lost(
    client, ours, fields, wrong
):
    response = make(client, ours, **fields)

    form = response.context["adminform"].form
    assert wrong in form.errors
    assert (fields.get("name", "Retiro de otoño") or "simple") in response.content.decode()
    with tenancy.scope(ours.organization):
        assert not JourneyTemplate.objects.filter(is_active=False).exists()


def test_the_page_offers_stages_by_name_and_shows_no_code(client):
    page = client.get(reverse("admin:journeys_journeytemplate_add")).content.decode()

    assert "Cuestionario completado" in page
    assert page.count('type="radio"') == len(STARTS) + 1
    assert "SCREENING" not in page


def test_the_list_says_in_words_which_are_on_and_what_its_numbers_count(client, ours):
    make(client, ours)

    page = client.get(reverse("admin:journeys_journeytemplate_changelist")).content.decode()

    assert "Activada" in page
    assert "Desactivada" in page
    assert '<span class="only-narrow">Etapas: </span>5' in page
    assert '<span class="only-narrow">Pacientes en curso: </span>2' in page


# --- read -----------------------------------------------------------------------------------------


def test_stages_and_guards_are_read_in_words(client, ours):
    url = reverse("admin:journeys_journeytemplate_change", args=[ours.template.pk])

    page = client.get(url).content.decode()

    assert "pago recibido" in page
    assert "Pendiente de pago" in page
    assert "AWAITING_PAYMENT" not in page


def test_a_deep_condition_is_read_whole_and_in_its_groups(client, ours):
    spanish = {"field": "patient.language", "op": "eq", "value": "es"}
    reachable = {"field": "patient.email", "op": "exists", "value": True}
    deep = {"all": [PAID, {"any": [spanish, reachable]}]}
    move = MoveDraft(from_stage="AWAITING_SCREENING", to_stage="CONFIRMED", guard=deep)
    template = people.journey(ours.organization, "deep", "Deep", moves=[move])

    page = client.get(url_of(template)).content.decode()

    assert "pago recibido" in page
    assert "idioma es español" in page
    assert page.count('<ul class="condition">') == 2


@pytest.mark.parametrize("role", ["viewer", "therapist"])
def test_others_read_the_page_and_get_no_controls(ours, role):
    page = logged_in(getattr(ours, role)).get(url_of(ours.template)).content.decode()

    assert 'role="img"' in page
    assert "Pendiente de pago" in page
    for verb in ("edit", "clone", "switch", "export"):
        assert f"/{verb}/" not in page


def test_the_page_says_how_many_patients_stand_in_each_stage(client, ours):
    rows = client.get(url_of(ours.template)).context["stages"]

    assert {row.stage.code: row.standing for row in rows} == {
        "AWAITING_SCREENING": 0, "AWAITING_PAYMENT": 1, "CONFIRMED": 0, "BLOCKED": 1,
        "COMPLETED": 0,
    }  # fmt: skip


def test_nothing_is_saved_through_the_page_that_is_read(client, ours):
    assert client.post(url_of(ours.template), {"name": "Otro"}).status_code == 405


def url_of(template: JourneyTemplate) -> str:
    return reverse("admin:journeys_journeytemplate_change", args=[template.pk])
