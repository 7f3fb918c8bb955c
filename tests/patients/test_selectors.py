"""One patient by id: of the tenant in scope, whole, and never outside a scope."""

from __future__ import annotations

import uuid

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from kura import tenancy
from patients.models import Patient
from patients.selectors import patient_of
from tests.factories import PatientFactory


def test_a_patient_is_read_whole_in_one_statement(organization):
    patient = PatientFactory(organization=organization)

    with tenancy.scope(organization), CaptureQueriesContext(connection) as queries:
        found = patient_of(patient.pk)
        stored = Patient.objects.get(pk=patient.pk)

    assert len(queries) == 2
    assert found == stored
    names = [f.attname for f in Patient._meta.concrete_fields if not f.attname.endswith("_key")]
    assert [getattr(found, n) for n in names] == [getattr(stored, n) for n in names]


def test_anothers_patient_and_an_unknown_one_are_nobody(organization, other_organization):
    stranger = PatientFactory(organization=other_organization)

    with tenancy.scope(organization):
        assert patient_of(stranger.pk) is None
        assert patient_of(uuid.uuid4()) is None
    with tenancy.every_organization():
        assert patient_of(stranger.pk) == stranger


def test_outside_a_scope_nobody_is_read(db):
    with pytest.raises(tenancy.TenantScopeMissing):
        patient_of(uuid.uuid4())
