"""Two people import at once, or one clicks twice: nobody is made twice."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from django.db import connection

from kura import tenancy
from kura.accounts.models import Organization, User
from kura.errors import KuraError
from patients.importing import confirm, keep_file, look_ahead
from patients.models import Patient, PatientImport
from tests.admin import people

ROWS = b"external id;full name;email\nN-1;Ana;a@example.org\n;Eva;e@example.org\n"


def pending(organization: Organization, user: User) -> PatientImport:
    with tenancy.scope(organization):
        return keep_file(user=user, organization=organization, content=ROWS)


@pytest.mark.parametrize("clicks", ["one file twice", "the same file by two people"])
def test_of_two_confirmations_at_once_one_imports(committed_db, clicks):
    practice = people.practice()
    first, second = (people.person(practice, "manager", name) for name in ("Ana", "Eva"))
    one = pending(practice, first)
    other = one if clicks == "one file twice" else pending(practice, second)
    together = Barrier(2)

    def click(file: PatientImport) -> str:
        with tenancy.scope(practice):
            seen = look_ahead(file).digest
            together.wait()
            try:
                confirm(pending=file, user=file.uploaded_by, seen=seen)
            except KuraError as refusal:
                return refusal.code
            finally:
                connection.close()
        return "done"

    with ThreadPoolExecutor(2) as pool:
        answers = sorted(pool.map(click, (one, other)))

    refused = "import_gone" if clicks == "one file twice" else "import_plan_changed"
    assert answers == sorted(["done", refused])
    with tenancy.scope(practice):
        assert sorted(Patient.objects.values_list("full_name", flat=True)) == ["Ana", "Eva"]


def test_a_patient_made_by_hand_meanwhile_is_not_made_again(committed_db):
    practice = people.practice()
    file = pending(practice, people.person(practice, "manager"))
    with tenancy.scope(practice):
        seen = look_ahead(file).digest
    people.patient(practice, "Ana", external_id="N-1")

    with tenancy.scope(practice), pytest.raises(KuraError):
        confirm(pending=file, user=file.uploaded_by, seen=seen)

    with tenancy.scope(practice):
        assert Patient.objects.count() == 1
