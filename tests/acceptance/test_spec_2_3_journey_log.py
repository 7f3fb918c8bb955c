"""Specification 2.3 and 6.1: JourneyLog (audit trail). One test per sentence."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from journeys import errors
from journeys.cause import by_rule
from journeys.models import JourneyLog
from journeys.services.transitions import enroll
from journeys.services.transitions import transition as move
from kura.errors import constraint_of
from tests.factories import PatientFactory, an_event, system


@pytest.fixture
def enrolled(patient, template):
    enroll(patient_id=patient.pk, journey_key="intake", cause=system())
    return patient


def test_table_has_the_specified_name_and_columns(db):
    """`__tablename__ = "journey_logs"` and its columns."""
    with connection.cursor() as cursor:
        table = connection.introspection.get_table_description(cursor, "journey_logs")

    assert {
        "patient_id",
        "journey_key",
        "from_stage",
        "to_stage",
        "changed_at",
        "trigger_event_id",
    } <= {column.name for column in table}


def test_from_stage_is_null_for_the_first_enrollment(enrolled):
    """from_stage: NULL for first enrollment."""
    assert JourneyLog.objects.get().from_stage is None


def test_trigger_event_id_leads_to_the_event(enrolled):
    """trigger_event_id: link to SystemEventLog; 6.1: links to the original for tracing."""
    event = an_event(enrolled, "PAYMENT_SUCCEEDED", occurred_at=timezone.now())

    log = move(
        patient_id=enrolled.pk,
        journey_key="intake",
        to_stage="CONFIRMED",
        cause=by_rule(event.pk, trigger_event_id=event.pk),
    ).log

    assert JourneyLog.objects.get(pk=log.pk).trigger_event == event
    assert event.event_type == "PAYMENT_SUCCEEDED"


def test_event_that_does_not_exist_cannot_be_named_as_the_cause(enrolled):
    """6.1: trigger_event_id links to the original SystemEventLog."""
    cause = by_rule(enrolled.pk, trigger_event_id=enrolled.pk)

    with pytest.raises(errors.OneOrganization):
        move(patient_id=enrolled.pk, journey_key="intake", to_stage="CONFIRMED", cause=cause)


def test_every_transition_is_logged_with_its_time(enrolled):
    """6.1: All transitions logged in `journey_logs` with timestamp."""
    start = timezone.now()
    for stage in ("AWAITING_PAYMENT", "CONFIRMED", "COMPLETED"):
        move(patient_id=enrolled.pk, journey_key="intake", to_stage=stage, cause=system())

    rows = JourneyLog.objects.filter(seq__gt=1).order_by("id")
    assert [row.to_stage for row in rows] == ["AWAITING_PAYMENT", "CONFIRMED", "COMPLETED"]
    assert all(row.changed_at >= start - timedelta(seconds=5) for row in rows)


@pytest.mark.parametrize(
    "change",
    ["UPDATE journey_logs SET to_stage = 'COMPLETED'", "DELETE FROM journey_logs"],
)
def test_log_is_immutable(enrolled, change):
    """6.1: Immutable: No UPDATE/DELETE on journey_logs. 2.3: immutable audit trail."""
    with (
        pytest.raises(IntegrityError) as refusal,
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(change)

    assert constraint_of(refusal.value) == "journey_log_append_only"


def test_average_time_to_payment_can_be_read_from_the_log(organization, template):
    """2.3: Analytics (avg time to payment, conversion rates)."""
    now = timezone.now()
    for days in (2, 4):
        person = PatientFactory(organization=organization)
        for stage, at in (("AWAITING_PAYMENT", 9), ("CONFIRMED", 9 - days)):
            move(
                patient_id=person.pk,
                journey_key="intake",
                to_stage=stage,
                cause=system(),
                changed_at=now - timedelta(days=at),
            )
    waiting = PatientFactory(organization=organization)
    move(patient_id=waiting.pk, journey_key="intake", to_stage="AWAITING_PAYMENT", cause=system())

    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT avg(dwell) FILTER (WHERE to_stage = 'CONFIRMED'),"
            " count(*) FILTER (WHERE to_stage = 'CONFIRMED' AND first_reach)::float"
            " / count(*) FILTER (WHERE to_stage = 'AWAITING_PAYMENT' AND first_reach)"
            " FROM journey_logs WHERE journey_key = 'intake'"
        )
        average, conversion = cursor.fetchone()

    assert average == timedelta(days=3)
    assert conversion == pytest.approx(2 / 3)


def test_time_since_the_last_change_tells_who_is_stuck(organization, template):
    """2.3: Stale journey detection (time since last change)."""
    stuck, fresh = PatientFactory.create_batch(2, organization=organization)
    for person, days in ((stuck, 3), (fresh, 1)):
        move(
            patient_id=person.pk,
            journey_key="intake",
            to_stage="AWAITING_PAYMENT",
            cause=system(),
            changed_at=timezone.now() - timedelta(days=days),
        )

    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT patient_id FROM journey_logs WHERE journey_key = 'intake'"
            " GROUP BY patient_id HAVING max(changed_at) < now() - interval '48 hours'"
        )
        found = [row[0] for row in cursor.fetchall()]

    assert found == [stuck.pk]


def test_index_by_patient_key_and_time_exists_under_its_name(db):
    """Index: ix_journey_logs_patient_key_time (patient_id, journey_key, changed_at)."""
    with connection.cursor() as cursor:
        found = connection.introspection.get_constraints(cursor, "journey_logs")

    assert found["ix_journey_logs_patient_key_time"]["columns"] == [
        "patient_id",
        "journey_key",
        "changed_at",
    ]
