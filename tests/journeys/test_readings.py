"""What prepared statements read of journeys is what the ORM would: whole, in scope, and fresh."""

from __future__ import annotations

import uuid
from dataclasses import replace

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from journeys.cause import by_user
from journeys.models import JourneyLog, JourneyTemplate
from journeys.selectors.definitions import definitions
from journeys.selectors.enrollments import enrollment_of
from journeys.selectors.history import history_lines, moves_of, readable
from journeys.services.transitions import enroll, transition
from kura import tenancy
from tests.factories import (
    OrganizationFactory,
    PatientFactory,
    a_template,
    an_event,
    system,
    the_enrollment,
)


def walked(organization, cause):
    """Enrolled by the system, moved by the cause."""
    patient = PatientFactory(organization=organization)
    enroll(patient_id=patient.pk, journey_key="intake", cause=system())
    transition(patient_id=patient.pk, journey_key="intake", to_stage="CONFIRMED", cause=cause)
    return the_enrollment(patient)


def values(row):
    return {field.attname: getattr(row, field.attname) for field in row._meta.concrete_fields}


def test_moves_are_read_whole_in_one_statement(organization, template, therapist, patient):
    event = an_event(patient, "CUSTOM.paid", occurred_at=timezone.now())
    caused = replace(by_user(therapist, reason="Paid in cash"), trigger_event_id=event.pk)
    enrollments = [walked(organization, cause).pk for cause in (caused, system())]

    with CaptureQueriesContext(connection) as queries:
        found = moves_of(enrollments)
    stored = readable(JourneyLog.objects.filter(enrollment_id__in=enrollments))

    assert len(queries) == 1
    assert [values(one) for one in found] == [
        values(one) for one in stored.order_by("enrollment_id", "seq")
    ]
    by_id = {line.log.pk: line for line in history_lines(list(stored))}
    for line in history_lines(found):
        assert line == by_id[line.log.pk]


def test_an_enrollment_is_read_whole_in_one_statement(organization, template):
    stored = walked(organization, system())

    with CaptureQueriesContext(connection) as queries:
        found = enrollment_of(stored.pk)

    assert len(queries) == 1
    assert values(found) == values(stored)


def test_what_is_anothers_or_unknown_is_not_read(organization, other_organization):
    with tenancy.scope(other_organization):
        a_template(other_organization)
        theirs = walked(other_organization, system())
        assert len(moves_of([theirs.pk])) == 2

    assert enrollment_of(theirs.pk) is None
    assert enrollment_of(uuid.uuid4()) is None
    assert moves_of([theirs.pk]) == []
    with tenancy.every_organization():
        assert enrollment_of(theirs.pk) == theirs


def test_outside_a_scope_nothing_is_read(committed_db):
    for read in (lambda: enrollment_of(uuid.uuid4()), lambda: moves_of([uuid.uuid4()])):
        with pytest.raises(tenancy.TenantScopeMissing):
            read()


def test_a_definition_is_kept_until_its_template_changes(committed_db):
    organization = OrganizationFactory()
    with tenancy.scope(organization):
        pk = a_template(organization).pk

    first, second = definitions([pk])[pk], definitions([pk])[pk]
    with tenancy.scope(organization):
        JourneyTemplate.objects.filter(pk=pk).update(name="Another name")
    third = definitions([pk])[pk]

    assert second is first
    assert (third.name, third.version) == ("Another name", first.version + 1)
    assert third.stages == first.stages
    assert definitions([pk, uuid.uuid4()]) == {pk: third}
