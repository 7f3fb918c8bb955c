"""Templates: made from codes, read in words by everybody of the practice."""

from __future__ import annotations

import pytest
from django.urls import reverse

from journeys.blueprints import MoveDraft
from journeys.models.template import JourneyTemplate
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
