"""Every move has its event, whatever appended it; the bell is rung only where a rule listens."""

from __future__ import annotations

import pytest
from django.db import connection
from django_q.models import OrmQ

from automation import bell, receivers
from automation.models import EventDispatch
from automation.sources import TRANSITIONS
from journeys.models import JourneyLog, SystemEventLog
from journeys.services.bulk import enroll_many
from journeys.services.transitions import enroll, transition
from tests.automation.practice import a_rule, drain, move, tell
from tests.factories import PatientFactory, system

INSERT = (
    "INSERT INTO journey_logs (patient_id, journey_key, to_stage, actor_kind)"
    " SELECT id, 'intake', stage, 'import' FROM patients, unnest(%s::text[]) AS stage"
    " WHERE organization_id = %s"
)


def events_of_moves() -> list[tuple[str, str, str]]:
    """Type, key and stages, in the order of the log."""
    events = SystemEventLog.objects.filter(source=str(TRANSITIONS)).select_related("payload_row")
    told = {event.idempotency_key: event for event in events}
    return [
        (told[str(log.pk)].event_type, str(log.from_stage), log.to_stage)
        for log in JourneyLog.objects.order_by("id")
        if told[str(log.pk)].payload_row.payload["to_stage"] == log.to_stage
        and told[str(log.pk)].occurred_at == log.changed_at
        and told[str(log.pk)].patient_id == log.patient_id
    ]


@pytest.mark.parametrize("session_role", ["origin", "replica"])
def test_a_shell_that_appends_several_moves_leaves_an_event_for_each(
    organization, template, patient, session_role
):
    with connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL session_replication_role = {session_role}")
        cursor.execute(INSERT, [["SCREENING_PENDING", "CONFIRMED"], organization.pk])

    assert events_of_moves() == [
        ("JOURNEY_ENROLLED", "None", "SCREENING_PENDING"),
        ("JOURNEY_STAGE_CHANGED", "SCREENING_PENDING", "CONFIRMED"),
    ]


def test_a_bulk_enrollment_leaves_an_event_for_each_patient(organization, template):
    patients = PatientFactory.create_batch(3, organization=organization)

    enroll_many(patient_ids=[one.pk for one in patients], journey_key="intake", cause=system())

    assert [kind for kind, *_ in events_of_moves()] == ["JOURNEY_ENROLLED"] * 3


def test_an_insert_of_nothing_leaves_nothing(organization, template, patient):
    with connection.cursor() as cursor:
        cursor.execute(INSERT, [[], organization.pk])

    assert events_of_moves() == []


def test_the_event_of_a_move_that_a_rule_made_is_its_events_child(organization, template, patient):
    enroll(patient_id=patient.pk, journey_key="intake", cause=system())
    a_rule(organization, "PAYMENT_SUCCEEDED", move("intake", "CONFIRMED"))

    told = tell(patient, "PAYMENT_SUCCEEDED")
    drain()

    child = SystemEventLog.objects.get(event_type="JOURNEY_STAGE_CHANGED")
    assert (child.parent_event_id, child.root_event_id) == (told.event_id, told.event_id)
    assert (child.source, child.depth) == (str(TRANSITIONS), 1)


@pytest.mark.parametrize("listens", [True, False])
def test_the_bell_is_rung_for_a_move_only_where_a_rule_listens(
    organization, template, patient, listens
):
    enroll(patient_id=patient.pk, journey_key="intake", cause=system())
    if listens:
        a_rule(organization, "JOURNEY_STAGE_CHANGED")
    receivers._heard.clear()
    bell._last_rung.clear()
    rung = OrmQ.objects.count()

    transition(patient_id=patient.pk, journey_key="intake", to_stage="CONFIRMED", cause=system())

    assert OrmQ.objects.count() == rung + listens
    place = EventDispatch.objects.get(event__event_type="JOURNEY_STAGE_CHANGED")
    assert place.status == ("queued" if listens else "done")
