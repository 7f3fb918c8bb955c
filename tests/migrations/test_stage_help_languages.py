"""A stage's help in two languages: the text that was there is kept, and no word is lost back."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.core.management import call_command
from django.db import connection

from journeys.models import JourneyStage
from kura import tenancy
from tests.factories import OrganizationFactory, a_template

BEFORE, AFTER = "0004", "0005"


@pytest.fixture
def migrated(committed_db) -> Iterator[None]:
    yield
    call_command("migrate", verbosity=0)


def helps() -> dict[str, tuple[str, ...]]:
    """By template: what the help columns of its CONFIRMED stage hold."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT t.key, to_jsonb(s) ->> 'help_text', to_jsonb(s) ->> 'help_es',"
            " to_jsonb(s) ->> 'help_en' FROM journey_stages s"
            " JOIN journey_templates t ON t.id = s.template_id WHERE s.code = 'CONFIRMED'"
        )
        return {key: texts for key, *texts in cursor.fetchall()}


def written(**texts: str) -> None:
    with tenancy.every_organization():
        JourneyStage.objects.filter(code="CONFIRMED", template__key=texts.pop("key")).update(
            **texts
        )


def test_text_goes_to_the_practices_language_and_comes_back_whole(migrated):
    a_template(OrganizationFactory(language="es"), "spanish")
    a_template(OrganizationFactory(language="en"), "english")
    a_template(OrganizationFactory(language="es"), "empty")
    written(key="spanish", help_es="Confirmado.", help_en="Confirmed.")
    written(key="english", help_en="Confirmed.")

    call_command("migrate", "journeys", BEFORE, verbosity=0)
    back = helps()
    call_command("migrate", "journeys", AFTER, verbosity=0)

    assert {key: texts[0] for key, texts in back.items()} == {
        "spanish": "Confirmado.\n\nConfirmed.", "english": "Confirmed.", "empty": "",
    }  # fmt: skip
    assert helps() == {
        "spanish": [None, "Confirmado.\n\nConfirmed.", ""],
        "english": [None, "", "Confirmed."],
        "empty": [None, "", ""],
    }
