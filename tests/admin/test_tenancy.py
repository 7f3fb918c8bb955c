"""Nothing of another practice appears anywhere, and nothing of it can be written."""

from __future__ import annotations

import pytest
from django.urls import reverse

from kura import tenancy
from kura.accounts.models import User
from patients.models import Patient
from tests.admin import people
from tests.admin.conftest import logged_in, logs_of, text_of
from tests.admin.test_permissions import TABLE, url_of
from tests.sizes import AT_FULL_SIZE


@pytest.mark.parametrize(
    "role",
    ["manager", *(pytest.param(role, marks=AT_FULL_SIZE) for role in ("therapist", "viewer"))],
)
def test_no_page_shows_a_word_of_another_practice(ours, theirs, role):
    client = logged_in(getattr(ours, role))

    for name in TABLE:
        page = text_of(client.get(url_of(name, ours)))
        assert "FOREIGN" not in page, name


@pytest.mark.parametrize(
    "query",
    ["q=FOREIGN", "therapist={therapist}", "journey=retreat&stage=BLOCKED", "status=blocked"],
)
def test_no_search_or_filter_reaches_another_practice(ours, theirs, query):
    client = logged_in(ours.manager)
    asked = query.format(therapist=theirs.therapist.pk)

    page = client.get(f"{reverse('admin:patients_patient_changelist')}?{asked}", follow=True)

    assert "FOREIGN</" not in page.content.decode()


@pytest.mark.parametrize(
    ("model", "field"), [("patient", "therapist"), ("patient", "organization")]
)
def test_autocomplete_never_reaches_another_practice(ours, theirs, model, field):
    url = reverse("admin:autocomplete")

    response = logged_in(ours.manager).get(
        url, {"app_label": "patients", "model_name": model, "field_name": field, "term": ""}
    )

    assert "FOREIGN" not in response.content.decode()


def test_a_foreign_therapist_cannot_be_assigned(ours, theirs):
    fields = {"full_name": "Ana", "language": "es", "therapist": theirs.therapist.pk}

    response = logged_in(ours.manager).post(reverse("admin:patients_patient_add"), fields)

    assert response.status_code == 200
    assert "therapist" in response.context["adminform"].form.errors


@pytest.mark.parametrize("step", ["preview", "apply"])
def test_a_bulk_move_never_reaches_another_practice(ours, theirs, step):
    foreign = str(theirs.patient.pk)
    selected = {"step": step, "patient": [foreign, str(ours.patient.pk)],
                "seen": f"{foreign}:{theirs.enrollment.pk}:2", "reason": "una razón muy larga",
                "target": f"{theirs.template.pk}/AWAITING_SCREENING"}  # fmt: skip

    page = logged_in(ours.manager).post(reverse("admin:patients_patient_bulk_move"), selected)

    assert "FOREIGN" not in page.content.decode()
    assert len(logs_of(theirs.enrollment)) == 2


def test_a_new_patient_belongs_to_the_practice_whatever_the_form_says(ours, theirs):
    fields = {"full_name": "Ana Nueva", "language": "es", "organization": theirs.organization.pk}

    logged_in(ours.therapist).post(reverse("admin:patients_patient_add"), fields)

    with tenancy.every_organization():
        assert Patient.objects.get(full_name="Ana Nueva").organization == ours.organization


def test_an_external_id_twice_is_a_form_error(ours):
    people.patient(ours.organization, "Una", external_id="A-1")
    fields = {"full_name": "Otra", "language": "es", "external_id": "A-1"}

    response = logged_in(ours.therapist).post(reverse("admin:patients_patient_add"), fields)

    assert "Otro paciente ya tiene este número externo." in response.content.decode()


def test_platform_staff_is_told_why_it_cannot_add_patients(db):
    staff = User.objects.create_superuser("root@example.org", "x")

    response = logged_in(staff).get(reverse("admin:patients_patient_add"))

    assert response.status_code == 403
    assert "No perteneces a ningún centro" in response.content.decode()
