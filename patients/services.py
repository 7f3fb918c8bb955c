"""Make a patient and change how to reach them. Where they stand is the journey log's business."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from django.db import transaction

from kura.accounts.models import Organization
from kura.errors import database_refusals
from patients.models import Patient

CONTACT: Final = frozenset(
    {"external_id", "full_name", "email", "phone", "language", "timezone", "therapist_id"}
)


@transaction.atomic
def create_patient(*, organization: Organization, contact: Mapping[str, Any]) -> Patient:
    """`contact`: some of CONTACT, valid; they are written to in the practice's language unless it
    names another. Recorded as a PATIENT_CREATED event. DuplicatePatient.
    """
    given = {"language": organization.language, **contact}
    patient = Patient(organization=organization, **_known(given))
    with database_refusals(), transaction.atomic():
        patient.save(force_insert=True)
    patient.refresh_from_db()
    return patient


@transaction.atomic
def change_contact(*, patient: Patient, contact: Mapping[str, Any]) -> Patient:
    """Write what differs; nothing does, no new version. The row is locked. DuplicatePatient."""
    changed = {n: value for n, value in _known(contact).items() if getattr(patient, n) != value}
    if not changed:
        return patient
    for name, value in changed.items():
        setattr(patient, name, value)
    with database_refusals(), transaction.atomic():
        patient.save(update_fields=[_field(name) for name in changed])
    patient.refresh_from_db()
    return patient


def _known(contact: Mapping[str, Any]) -> dict[str, Any]:
    unknown = contact.keys() - CONTACT
    if unknown:
        raise TypeError(f"no contact data: {', '.join(sorted(unknown))}")
    return dict(contact)


def _field(name: str) -> str:
    """As Django names it: the therapist, not the column."""
    return name.removesuffix("_id") if name == "therapist_id" else name
