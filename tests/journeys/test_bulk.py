"""Many patients at a time: a result for each, and nobody held up by another."""

from __future__ import annotations

import uuid
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from journeys import errors
from journeys.blueprints import MoveDraft
from journeys.cause import by_user
from journeys.models import JourneyLog, JourneyLogNote
from journeys.services import bulk
from journeys.services.bulk import enroll_many, transition_many
from journeys.services.transitions import enroll, transition
from kura import tenancy
from tests.factories import PatientFactory, a_template, an_event, reviewed, system

PAID = {"field": "events.PAYMENT_SUCCEEDED.count", "op": "gte", "value": 1}


def people(organization, number):
    return PatientFactory.create_batch(number, organization=organization)


def ids(patients):
    return [patient.pk for patient in patients]


def test_each_patient_gets_a_result_in_the_order_asked(organization, template, therapist):
    waiting, done, blocked, outside = people(organization, 4)
    enroll_many(patient_ids=ids([waiting, done, blocked]), journey_key="intake", cause=system())
    transition(patient_id=done.pk, journey_key="intake", to_stage="COMPLETED", cause=system())
    transition(
        patient_id=blocked.pk, journey_key="intake", to_stage="BLOCKED_HIGH_RISK", cause=system()
    )
    unknown = uuid.uuid4()

    results = transition_many(
        patient_ids=[unknown, *ids([done, waiting, outside, blocked])],
        journey_key="intake",
        to_stage="CONFIRMED",
        cause=by_user(therapist),
    )

    assert [(r.outcome, r.refusal.code if r.refusal else None) for r in results] == [
        ("refused", "not_found"),
        ("refused", "journey_closed"),
        ("moved", None),
        ("refused", "not_enrolled"),
        ("refused", "reason_required"),
    ]
    assert JourneyLog.objects.filter(to_stage="CONFIRMED").count() == 1


def test_same_stage_is_unchanged_and_a_patient_named_twice_moves_once(organization, template):
    one, two = people(organization, 2)
    enroll_many(patient_ids=ids([one, two]), journey_key="intake", cause=system())
    transition(patient_id=two.pk, journey_key="intake", to_stage="CONFIRMED", cause=system())

    results = transition_many(
        patient_ids=[one.pk, one.pk, two.pk],
        journey_key="intake",
        to_stage="CONFIRMED",
        cause=system(),
    )

    assert [r.outcome for r in results] == ["moved", "unchanged"]


def test_guards_are_asked_for_each_patient(organization):
    a_template(
        organization,
        codes=["AWAITING_PAYMENT", "CONFIRMED", "COMPLETED"],
        moves=[MoveDraft(from_stage="AWAITING_PAYMENT", to_stage="CONFIRMED", guard=PAID)],
    )
    paid, unpaid = people(organization, 2)
    enroll_many(patient_ids=ids([paid, unpaid]), journey_key="intake", cause=system())
    an_event(paid, "PAYMENT_SUCCEEDED", occurred_at=timezone.now())

    results = transition_many(
        patient_ids=ids([paid, unpaid]), journey_key="intake", to_stage="CONFIRMED", cause=system()
    )

    assert [r.outcome for r in results] == ["moved", "refused"]
    assert isinstance(results[1].refusal, errors.GuardFailed)


def test_back_dating_refuses_only_those_it_does_not_fit(organization, template):
    old, new = people(organization, 2)
    ago = timezone.now() - timedelta(days=5)
    enroll(patient_id=old.pk, journey_key="intake", cause=system(), changed_at=ago)
    enroll(patient_id=new.pk, journey_key="intake", cause=system())

    results = transition_many(
        patient_ids=ids([old, new]),
        journey_key="intake",
        to_stage="CONFIRMED",
        cause=system(),
        changed_at=timezone.now() - timedelta(days=1),
    )

    assert [r.outcome for r in results] == ["moved", "refused"]
    assert isinstance(results[1].refusal, errors.TimeOrder)


def test_what_the_database_alone_refuses_is_a_result_for_each_too(organization, template):
    """No guard knows the database's clock: the statement fails, then each row on its own."""
    patients = people(organization, 3)
    enroll_many(patient_ids=ids(patients), journey_key="intake", cause=system())

    results = transition_many(
        patient_ids=ids(patients),
        journey_key="intake",
        to_stage="CONFIRMED",
        cause=system(),
        changed_at=timezone.now() + timedelta(hours=1),
    )

    assert [r.refusal.code for r in results] == ["time_order"] * 3
    assert not JourneyLog.objects.filter(to_stage="CONFIRMED").exists()


def test_reason_in_words_is_kept_for_each_row(organization, template, therapist):
    patients = people(organization, 3)

    enroll_many(patient_ids=ids(patients), journey_key="intake", cause=reviewed(therapist))

    assert JourneyLogNote.objects.count() == 3


def test_enrolling_skips_who_is_in_the_journey_already(organization, template):
    one, two = people(organization, 2)
    enroll(patient_id=one.pk, journey_key="intake", cause=system())

    results = enroll_many(patient_ids=ids([one, two]), journey_key="intake", cause=system())

    assert [r.outcome for r in results] == ["refused", "moved"]
    assert results[0].refusal.code == "already_enrolled"


def test_patients_of_another_organization_are_unknown(organization, other_organization, template):
    with tenancy.scope(other_organization):
        stranger = PatientFactory(organization=other_organization)

    [result] = enroll_many(patient_ids=[stranger.pk], journey_key="intake", cause=system())

    assert result.refusal.code == "not_found"


@pytest.mark.parametrize("size", [1, 40])
def test_a_chunk_costs_one_read_and_one_write(organization, template, size):
    patients = people(organization, size)
    enroll_many(patient_ids=ids(patients), journey_key="intake", cause=system())

    with CaptureQueriesContext(connection) as queries:
        transition_many(
            patient_ids=ids(patients), journey_key="intake", to_stage="CONFIRMED", cause=system()
        )

    statements = [q["sql"] for q in queries if "SAVEPOINT" not in q["sql"]]
    assert len([sql for sql in statements if "INSERT INTO journey_logs" in sql]) == 1
    assert len([sql for sql in statements if "kura_journey_position" in sql]) == 1


def test_more_patients_than_a_chunk_are_moved_in_several(organization, template, monkeypatch):
    monkeypatch.setattr(bulk, "CHUNK", 3)
    patients = people(organization, 7)

    results = enroll_many(patient_ids=ids(patients), journey_key="intake", cause=system())

    assert [r.patient_id for r in results] == ids(patients)
    assert JourneyLog.objects.count() == 7
