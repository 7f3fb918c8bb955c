"""Spanish names are sorted and found without an extension or a collation."""

from __future__ import annotations

import unicodedata

import pytest
from django.db import IntegrityError, connection, transaction
from hypothesis import given
from hypothesis import strategies as st

from patients.models import Patient
from tests.factories import PatientFactory

ALPHABET = [
    "Ábalos", "Álvarez", "Beltrán", "Ceballos", "Nadal", "Núñez", "Nuzo", "Ñáñez", "Ñuflo",
    "Ónega", "Oña", "Ortiz", "Zapata", "Zúñiga",
]  # fmt: skip


def fold(text: str) -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT kura_fold(%s)", [text])
        return cursor.fetchone()[0]


def test_names_are_in_spanish_alphabetical_order(organization):
    for name in reversed(ALPHABET):
        PatientFactory(organization=organization, full_name=name)

    assert [patient.full_name for patient in Patient.objects.all()] == ALPHABET


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("Ñandú", "nandu"),
        ("  Álvarez   PÉREZ ", "alvarez perez"),
        ("Ángel", "angel"),
        ("Søren Łukasz", "soren lukasz"),
        ("ﬁnca", "finca"),
        ("", ""),
    ],
)
def test_folding(db, text, folded):
    assert fold(text) == folded


def test_keys_follow_every_writer(organization):
    patient = PatientFactory(organization=organization, full_name="Ana", email="Ana@Example.org")

    Patient.objects.filter(pk=patient.pk).update(full_name="Íñigo", search_key="x", sort_key="x")

    patient.refresh_from_db()
    assert patient.search_key == "inigo ana@example.org"
    assert patient.sort_key == "in{igo"


def test_search_key_holds_address_digits_and_external_id(organization):
    patient = PatientFactory(
        organization=organization,
        full_name="Ana",
        email="ana@example.org",
        phone="+34 600-111-222",
        external_id="CRM-7",
    )

    patient.refresh_from_db()
    assert patient.search_key == "ana ana@example.org 34600111222 crm-7"


@given(st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=30))
def test_folding_twice_changes_nothing(django_db_blocker, django_db_setup, text):
    with django_db_blocker.unblock():
        once = fold(text)
        assert fold(once) == once
    assert not [c for c in once if "\u0300" <= c <= "\u036f"]
    assert not [c for c in once if "LATIN" in unicodedata.name(c, "") and c in "áéíóúñÁÉÍÓÚÑ"]


def test_version_counts_every_change_and_the_clock_is_the_databases(patient):
    patient.refresh_from_db()
    assert patient.version == 1

    for _ in range(2):
        patient.phone += "6"
        patient.version = 99
        patient.save()

    patient.refresh_from_db()
    assert patient.version == 3
    assert patient.updated_at > patient.created_at


def test_external_id_is_unique_in_the_organization(organization, other_organization):
    PatientFactory(organization=organization, external_id="7")
    PatientFactory(organization=other_organization, external_id="7")

    with pytest.raises(IntegrityError), transaction.atomic():
        PatientFactory(organization=organization, external_id="7")
