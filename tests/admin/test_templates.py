"""Templates: made from codes, read in words, renamed, switched off."""

from __future__ import annotations

import pytest
from django.urls import reverse

from journeys.models.template import JourneyTemplate
from kura import tenancy
from tests.admin.conftest import logged_in

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


def test_a_template_is_made_renamed_and_switched_off(client, ours):
    client.post(reverse("admin:journeys_journeytemplate_add"), blueprint())
    with tenancy.scope(ours.organization):
        made = JourneyTemplate.objects.get(key="retreat_ibiza_2026")

    client.post(
        reverse("admin:journeys_journeytemplate_change", args=[made.pk]), {"name": "Otro nombre"}
    )

    with tenancy.scope(ours.organization):
        now = JourneyTemplate.objects.get(pk=made.pk)
        assert now.allowed_stages == STAGES.split()
    assert (now.name, now.is_active, now.key) == ("Otro nombre", False, made.key)


def test_stages_and_guards_are_read_in_words(client, ours):
    url = reverse("admin:journeys_journeytemplate_change", args=[ours.template.pk])

    page = client.get(url).content.decode()

    assert "pago recibido" in page
    assert "Pendiente de pago" in page
    assert "AWAITING_PAYMENT" not in page
