"""Patients from a file, as a manager or therapist does it: choose, look, confirm."""

from __future__ import annotations

import io

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from kura import tenancy
from patients.models import Patient, PatientImport
from patients.tables import MAX_BYTES
from tests.admin import people
from tests.admin.conftest import logged_in

URL = "/admin/patients/patient/import/"
ROWS = "external id;full name;email\nN-1;Nueva Uno;uno@example.org\nN-2;Nueva Dos;\n"


@pytest.fixture
def client(ours):
    return logged_in(ours.therapist)


def upload(client: Client, content: bytes | str, name: str = "pacientes.csv"):
    file = io.BytesIO(content if isinstance(content, bytes) else content.encode())
    file.name = name
    return client.post(URL, {"file": file})


def uploaded(client: Client, rows: str) -> str:
    response = upload(client, rows)
    assert response.status_code == 302, response.context["form"].errors
    return str(response["Location"])


def names(practice) -> set[str]:
    with tenancy.scope(practice.organization):
        return set(Patient.objects.values_list("full_name", flat=True))


def test_choose_look_and_confirm(ours, client):
    before = names(ours)
    preview = uploaded(client, ROWS)

    page = client.get(preview)
    assert names(ours) == before
    done = client.post(preview, {"seen": page.context["plan"].digest, "confirm": "1"})

    assert page.context["plan"].counts["new"] == 2
    assert done["Location"] == reverse("admin:patients_patient_changelist")
    assert names(ours) - before == {"Nueva Uno", "Nueva Dos"}
    assert client.get(preview).status_code == 404


def test_the_link_is_on_the_list_for_those_who_may(ours):
    patients = reverse("admin:patients_patient_changelist")

    assert URL in logged_in(ours.therapist).get(patients).content.decode()
    assert URL not in logged_in(ours.viewer).get(patients).content.decode()


def test_a_stale_confirmation_shows_the_new_plan_and_imports_nothing(ours, client):
    preview = uploaded(client, ROWS)
    seen = client.get(preview).context["plan"].digest
    people.patient(ours.organization, "Otra", external_id="N-1")

    answer = client.post(preview, {"seen": seen, "confirm": "1"})

    assert answer.status_code == 409
    assert answer.context["plan"].counts == {"new": 1, "changed": 1, "unchanged": 0, "wrong": 0}
    assert "Nueva Dos" not in names(ours)


@pytest.mark.parametrize("seen", ["", "x" * 64])
def test_nobody_confirms_what_was_not_looked_at(ours, client, seen):
    preview = uploaded(client, ROWS)

    assert client.post(preview, {"seen": seen, "confirm": "1"}).status_code == 409
    assert "Nueva Uno" not in names(ours)


def test_a_plan_with_problems_cannot_be_confirmed_by_hand_either(ours, client):
    preview = uploaded(client, "external id;full name\nN-1;Nueva Uno\n;Sin nada\n")
    page = client.get(preview)

    answer = client.post(preview, {"seen": page.context["plan"].digest, "confirm": "1"})

    assert 'name="confirm"' not in page.content.decode()
    assert answer.status_code == 409
    assert "Nueva Uno" not in names(ours)


def test_discarding_leaves_nothing(ours, client):
    preview = uploaded(client, ROWS)

    client.post(preview, {"discard": "1"})

    assert client.get(preview).status_code == 404
    assert "Nueva Uno" not in names(ours)
    with tenancy.scope(ours.organization):
        assert not PatientImport.objects.filter(uploaded_by=ours.therapist).exists()


@pytest.mark.parametrize(
    "content", [b"", b"full name\nAna\n", b"\x81\x8d\x00", b"a" * (MAX_BYTES + 1),
                b"external id\n" + b"1\n" * 5001],
)  # fmt: skip
def test_a_file_that_is_none_is_refused_beside_its_field(ours, client, content):
    response = upload(client, content)

    assert response.status_code == 200
    assert response.context["form"].errors["file"]
    with tenancy.scope(ours.organization):
        assert not PatientImport.objects.filter(uploaded_by=ours.therapist).exists()


def test_sending_no_file_says_so(client):
    assert client.post(URL, {}).context["form"].errors["file"]


def test_what_a_file_says_is_never_markup(ours, client):
    preview = uploaded(client, "external id;full name;<b>x\nN-1;<script>alert(1)</script>;1\n")

    page = client.get(preview).content.decode()

    assert "<script>alert" not in page
    assert "<b>x" not in page


def test_the_template_has_the_headings_of_the_readers_language(ours, client):
    response = client.get(reverse("admin:patients_patient_import_template"))

    assert "text/csv" in response["Content-Type"]
    assert response.content.decode("utf-8-sig").startswith("número externo;nombre completo;")


def test_another_practices_import_is_not_there_to_see_confirm_or_discard(ours, theirs):
    url = reverse("admin:patients_patient_import_preview", args=[theirs.pending.pk])
    client = logged_in(ours.manager)

    answers = [client.get(url), client.post(url, {"discard": "1"}), client.post(url, {"seen": "x"})]

    assert [answer.status_code for answer in answers] == [404, 404, 404]
    with tenancy.scope(theirs.organization):
        assert PatientImport.objects.filter(pk=theirs.pending.pk).exists()


def test_no_word_of_another_practice_is_in_a_preview(ours, theirs, client):
    rows = (
        f"external id;full name;email;therapist\n{theirs.patient.external_id or 'P-1'};Ana;"
        f"{theirs.patient.email};{theirs.therapist.email}\n;Eva;{theirs.manager.email};\n"
    )

    page = client.get(uploaded(client, rows)).content.decode()

    assert "FOREIGN" not in page


@pytest.mark.parametrize("method", ["get", "post"])
def test_a_viewer_cannot_import_by_hand(ours, method):
    assert getattr(logged_in(ours.viewer), method)(URL).status_code == 403


def test_platform_staff_is_told_why_it_cannot_import(db):
    staff = logged_in(people.person(None, "", is_superuser=True))

    assert staff.get(URL).status_code == 403


def test_number_of_queries_does_not_grow_with_the_rows(ours, client):
    def rows(number: int) -> str:
        return "external id;full name\n" + "".join(f"N-{n};Ana {n}\n" for n in range(number))

    few, many = (counted(client, uploaded(client, rows(number))) for number in (2, 40))

    assert few == many
    assert few <= 20


def counted(client: Client, url: str) -> int:
    client.get(url)
    with CaptureQueriesContext(connection) as queries:
        assert client.get(url).status_code == 200
    return len(queries)
