"""A history that contradicts itself is said in red, with what to do; one that is whole, calmly."""

from __future__ import annotations

import pytest
from django.urls import reverse
from django.utils import timezone

from automation.verification import verify
from kura.accounts.models import User
from tests.admin.conftest import Practice, logged_in
from tests.journeys.test_verify_journeys import guards_off

WHOLE = reverse("admin:journeys_whole")
PANEL = reverse("admin:index")


def take_a_row_from(practice: Practice) -> None:
    with guards_off() as cursor:
        cursor.execute(
            "DELETE FROM journey_logs WHERE enrollment_id = %s AND seq = 2", [practice.blocked.pk]
        )


def page(practice: Practice, url: str, role: str = "viewer") -> str:
    return logged_in(getattr(practice, role)).get(url).content.decode()


def page_of(patient_id: object) -> str:
    return reverse("admin:patients_patient_change", args=[patient_id])


def test_the_badge_of_a_whole_history_leads_to_what_it_means(ours):
    shown = page(ours, page_of(ours.blocked.patient_id))

    assert f'unchangeable" href="{WHOLE}"' in shown
    assert "se acaba de comprobar: está íntegro" in shown
    assert 'id="not-whole"' not in shown


def test_a_history_that_contradicts_itself_warns_on_its_own_page_at_once(ours):
    take_a_row_from(ours)

    broken, sound = (page(ours, page_of(one)) for one in (ours.blocked.patient_id, ours.patient.pk))

    assert "se contradice en 4 puntos" in broken
    assert "avisa hoy a quien se encarga de Kura" in broken
    assert "No íntegro" in broken
    assert "está íntegro" not in broken
    assert "se contradice" not in sound


def test_the_panel_says_what_the_night_found_to_whom_it_concerns(ours, theirs):
    take_a_row_from(theirs)
    before = page(theirs, PANEL)

    verify(now=timezone.now())

    assert "El historial no está íntegro" not in before
    assert "aún sin comprobar" in before
    assert "El historial no está íntegro" in page(theirs, PANEL)
    assert "El historial no está íntegro" not in page(ours, PANEL)


def test_the_page_names_the_patients_concerned_and_no_foreign_one(ours, theirs):
    for practice in (ours, theirs):
        take_a_row_from(practice)
    verify(now=timezone.now())

    shown = page(ours, WHOLE)

    assert "Nuria Om" in shown
    assert page_of(ours.blocked.patient_id) in shown
    assert "Se contradice en 4 puntos" in shown
    assert "FOREIGN" not in shown
    assert str(theirs.blocked.patient_id) not in shown


@pytest.mark.parametrize(("language", "words"), [("es", "todo encaja"), ("en", "fits together")])
def test_the_page_of_a_whole_history_says_when_it_was_read(ours, language, words):
    verify(now=timezone.now())
    User.objects.filter(pk=ours.viewer.pk).update(language=language)

    shown = logged_in(User.objects.get(pk=ours.viewer.pk)).get(WHOLE).content.decode()

    assert words in shown
    assert "<time" in shown


def test_a_reading_that_is_long_ago_is_said_to_be(ours):
    verify(now=timezone.now() - timezone.timedelta(days=4))

    assert "Hace mucho de eso" in page(ours, WHOLE)
