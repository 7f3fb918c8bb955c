"""A file of patients: each row is told beforehand, and then all happen or none."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from automation.models import AutomationRule
from journeys.models import SystemEventLog
from kura import tenancy
from patients import errors, importing
from patients.importing import confirm, forget_files, keep_file, look_ahead
from patients.models import Patient, PatientImport
from tests.factories import PatientFactory, a_user

HEAD = "external id;full name;email;telephone;language;time zone;therapist\n"


@pytest.fixture
def manager(organization):
    return a_user(organization, "manager")


@pytest.fixture
def pend(organization, manager):
    def keep(rows: str, head: str = HEAD) -> PatientImport:
        return keep_file(user=manager, organization=organization, content=(head + rows).encode())

    return keep


def kinds(pending: PatientImport) -> list[str]:
    return [row.kind for row in look_ahead(pending).rows]


def do(pending: PatientImport, seen: str | None = None):
    digest = look_ahead(pending).digest if seen is None else seen
    return confirm(pending=pending, user=pending.uploaded_by, seen=digest)


def test_a_new_row_becomes_a_patient_with_everything_it_says(pend, organization, therapist):
    address = therapist.email.upper()

    do(pend(f"P-1;Íñigo Ñúñez;i@example.org;+34 600;inglés;Atlantic/Canary;{address}\n"))

    made = Patient.objects.get()
    assert (made.external_id, made.full_name, made.email, made.phone, made.language,
            made.timezone, made.therapist, made.organization) == (
        "P-1", "Íñigo Ñúñez", "i@example.org", "+34 600", "en", "Atlantic/Canary", therapist,
        organization)  # fmt: skip
    assert made.sort_key
    assert made.journey_status == {}


def test_looking_ahead_changes_nothing(pend):
    pending = pend("P-1;Ana;;;;;\n")

    assert kinds(pending) == ["new"]
    assert not Patient.objects.exists()
    assert not SystemEventLog.objects.exists()


def test_each_row_is_told_as_new_changed_or_unchanged(pend, organization):
    PatientFactory(organization=organization, external_id="P-1", full_name="Ana")
    PatientFactory(organization=organization, external_id="P-2", full_name="Eva", phone="600")

    plan = look_ahead(pend("P-1;Ana;;;;;\nP-2;Eva María;;601;;;\nP-3;Zoe;;;;;\n"))

    assert [row.kind for row in plan.rows] == ["unchanged", "changed", "new"]
    assert [(one.before, one.after) for one in plan.rows[1].changes] == [
        ("Eva", "Eva María"), ("600", "601"),
    ]  # fmt: skip
    assert plan.counts == {"new": 1, "changed": 1, "unchanged": 1, "wrong": 0}
    assert [row.number for row in plan.rows] == [2, 3, 4]


def test_an_empty_cell_and_a_missing_column_change_nothing(pend, organization, therapist):
    PatientFactory(organization=organization, external_id="P-1", full_name="Ana", phone="600",
                   email="a@example.org", language="en", therapist=therapist)  # fmt: skip

    do(pend("P-1;Ana Soler;;;;;\n"))

    kept = Patient.objects.get()
    assert (kept.full_name, kept.phone, kept.email, kept.language, kept.therapist) == (
        "Ana Soler", "600", "a@example.org", "en", therapist,
    )  # fmt: skip
    assert kinds(pend("P-1;Ana Soler\n", "external id;full name\n")) == ["unchanged"]


def test_without_a_number_somebody_is_recognised_by_the_address(pend, organization):
    known = PatientFactory(organization=organization, full_name="Ana", email="Ana@Example.org")

    plan = do(pend(";Ana Soler;ana@example.org;;;;\n"))

    assert [row.patient_id for row in plan.rows] == [known.pk]
    assert Patient.objects.get().full_name == "Ana Soler"


def test_a_number_is_added_to_whoever_had_only_an_address(pend, organization):
    known = PatientFactory(organization=organization, full_name="Ana", email="a@example.org")

    do(pend("P-1;Ana;a@example.org;;;;\n"))

    assert Patient.objects.get().pk == known.pk
    assert Patient.objects.get().external_id == "P-1"


def test_relatives_share_an_address_and_the_plan_says_so(pend, organization):
    PatientFactory(organization=organization, external_id="P-1", full_name="Ana",
                   email="a@example.org")  # fmt: skip

    plan = look_ahead(pend("P-2;Eva;a@example.org;;;;\n"))

    assert [row.kind for row in plan.rows] == ["new"]
    assert "Ana" in plan.rows[0].note


@pytest.mark.parametrize(
    ("rows", "wrong"),
    [
        (";Ana;;;;;\n", [True]),
        ("P-1;Ana;;;;;\nP-1;Eva;;;;;\n", [True, True]),
        (";Ana;a@example.org;;;;\n;Eva;A@example.org;;;;\n", [True, True]),
        ("P-1;;;;;;\n", [True]),
        ("P-1;Ana;no address;;;;\n", [True]),
        ("P-1;Ana;;;fr;;\n", [True]),
        ("P-1;Ana;;;;Mars/Olympus;\n", [True]),
        ("P-1;Ana;;;;;nobody@example.org\n", [True]),
        (f"P-1;{'a' * 201};;;;;\n", [True]),
        (f"{'1' * 121};Ana;;;;;\n", [True]),
        ("P-1;Ana;no address;;;;\nP-2;Eva;;;;;\n", [True, False]),
    ],
)
def test_a_row_with_a_problem_says_which_and_lets_nothing_in(pend, rows, wrong):
    pending = pend(rows)
    plan = look_ahead(pending)

    assert [row.kind == "wrong" for row in plan.rows] == wrong
    assert all(row.problems for row in plan.rows if row.kind == "wrong")
    assert not plan.may_be_confirmed
    with pytest.raises(errors.PlanChanged):
        do(pending)
    assert not Patient.objects.exists()
    assert PatientImport.objects.filter(pk=pending.pk).exists()


def test_two_rows_about_the_same_patient_are_a_problem(pend, organization):
    PatientFactory(organization=organization, external_id="P-1", email="a@example.org")

    assert kinds(pend("P-1;Ana;;;;;\n;Ana;a@example.org;;;;\n")) == ["changed", "wrong"]


def test_an_address_of_several_patients_needs_a_number(pend, organization):
    for number in ("P-1", "P-2"):
        PatientFactory(organization=organization, external_id=number, email="a@example.org")

    assert kinds(pend(";Ana;a@example.org;;;;\n")) == ["wrong"]


def test_whoever_was_erased_is_not_filled_in_again(pend, organization):
    PatientFactory(organization=organization, external_id="P-1", erased_at=timezone.now())

    assert kinds(pend("P-1;Ana;;;;;\n")) == ["wrong"]


# --- practices ----------------------------------------------------------------------------------


def test_another_practices_patient_is_never_recognised(pend, other_organization):
    with tenancy.scope(other_organization):
        foreign = PatientFactory(
            organization=other_organization, external_id="P-1", email="a@example.org",
            full_name="FOREIGN",
        )  # fmt: skip

    plan = do(pend("P-1;Ana;a@example.org;;;;\n"))

    assert [(row.kind, row.note) for row in plan.rows] == [("new", "")]
    with tenancy.scope(other_organization):
        assert Patient.objects.get() == foreign
        assert Patient.objects.get().full_name == "FOREIGN"


def test_another_practices_therapist_is_nobody(pend, other_organization, therapist):
    stranger = a_user(other_organization, "therapist")
    gone = a_user(therapist.organization, "therapist", is_active=False)

    for one in (stranger, gone):
        plan = look_ahead(pend(f"P-1;Ana;;;;;{one.email}\n"))
        assert [row.kind for row in plan.rows] == ["wrong"]


# --- all or nothing, once -----------------------------------------------------------------------


def test_each_new_patient_is_an_event_that_rules_hear(pend, organization):
    AutomationRule.objects.create(
        organization=organization, name="Hola", trigger_event="PATIENT_CREATED", actions=[]
    )
    PatientFactory(organization=organization, external_id="P-1", full_name="Ana")
    before = SystemEventLog.objects.count()

    do(pend("P-1;Ana María;;;;;\nP-2;Eva;;;;;\nP-3;Zoe;;;;;\n"))

    made = SystemEventLog.objects.order_by("-id")[: SystemEventLog.objects.count() - before]
    assert {event.event_type for event in made} == {"PATIENT_CREATED"}
    assert {event.patient.full_name for event in made} == {"Eva", "Zoe"}
    assert {event.dispatch.status for event in made} == {"queued"}


def test_the_second_confirmation_imports_nothing(pend):
    pending = pend("P-1;Ana;;;;;\n")
    seen = look_ahead(pending).digest
    do(pending, seen)

    with pytest.raises(errors.ImportGone):
        do(pending, seen)

    assert Patient.objects.count() == 1


@pytest.mark.parametrize(
    "meanwhile",
    [
        lambda organization: PatientFactory(organization=organization, external_id="P-2"),
        lambda organization: Patient.objects.filter(external_id="P-1").update(phone="699"),
        lambda organization: Patient.objects.update(external_id="P-9"),
    ],
    ids=[
        "somebody made the new one",
        "somebody changed the known one",
        "the known one has another number",
    ],
)
def test_what_has_changed_since_it_was_seen_is_shown_again_first(pend, organization, meanwhile):
    PatientFactory(organization=organization, external_id="P-1", full_name="Ana")
    pending = pend("P-1;Ana María;;;;;\nP-2;Eva;;;;;\n")
    seen = look_ahead(pending).digest
    meanwhile(organization)
    before = set(Patient.objects.values_list("external_id", "full_name", "phone"))

    with pytest.raises(errors.PlanChanged):
        do(pending, seen)

    assert set(Patient.objects.values_list("external_id", "full_name", "phone")) == before
    do(pending)
    assert Patient.objects.filter(full_name="Ana María").exists()


def test_nothing_is_half_imported_when_the_database_refuses(pend, monkeypatch):
    monkeypatch.setattr(importing.PatientResource._meta, "batch_size", 1)
    pending = pend("P-1;Ana;;;;;\nP-2;Eva;;;;;\n")
    seen = look_ahead(pending).digest
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE patients ADD CONSTRAINT no_eva CHECK (full_name <> 'Eva')")

    with pytest.raises(errors.PlanChanged):
        do(pending, seen)

    assert not Patient.objects.exists()


def test_where_patients_stand_is_not_imported(pend, organization):
    head = "external id;full name;journey_status\n"

    plan = do(pend('P-1;Ana;{"intake": "COMPLETED"}\n', head))

    assert list(plan.ignored) == ["journey_status"]
    assert Patient.objects.get().journey_status == {}


def test_who_imported_how_many_is_kept_and_the_file_is_not(pend, manager):
    do(pend("P-1;Ana;;;;;\n"))

    entry = LogEntry.objects.get()
    assert (entry.user, entry.change_message) == (manager, "imported: 1 new, 0 changed")
    assert not PatientImport.objects.exists()


def test_files_that_nobody_confirms_are_forgotten_after_a_day(pend):
    old, new = pend("P-1;Ana;;;;;\n"), pend("P-2;Eva;;;;;\n")
    now = timezone.now()
    PatientImport.objects.filter(pk=old.pk).update(created_at=now - timedelta(hours=25))

    forget_files(now=now)

    assert list(PatientImport.objects.all()) == [new]


def test_number_of_queries_does_not_grow_with_the_rows(pend, organization, therapist):
    def rows(number: int) -> str:
        return "".join(f"P-{n};Ana {n};;;;;{therapist.email}\n" for n in range(number))

    for number in range(0, 20, 2):
        PatientFactory(organization=organization, external_id=f"P-{number}", therapist=therapist)

    few, many = counted(pend(rows(3))), counted(pend(rows(20)))

    assert few == many
    assert few <= 15


def counted(pending: PatientImport) -> int:
    with CaptureQueriesContext(connection) as queries:
        look_ahead(pending)
    return len(queries)
