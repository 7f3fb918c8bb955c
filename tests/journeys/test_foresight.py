"""A move decided beforehand ends as one decided after looking: same row, same refusal."""

from __future__ import annotations

import uuid
from dataclasses import replace
from itertools import product

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from journeys import errors
from journeys.blueprints import Blueprint, MoveDraft, stages_from_codes
from journeys.models import JourneyLog, JourneyLogNote
from journeys.selectors.positions import Expectation
from journeys.services import foresight
from journeys.services.templates import create_template, edit_template
from journeys.services.transitions import transition
from kura import tenancy
from kura.errors import KuraError
from tests.factories import OrganizationFactory, PatientFactory, a_user, by_user, system

BLOCK = "BLOCKED_HIGH_RISK"
CODES = ["SCREENING_PENDING", "AWAITING_PAYMENT", "CONFIRMED", BLOCK, "COMPLETED"]
UNMET = {"field": "events.FORM_SUBMISSION_COMPLETED.count", "op": "gte", "value": 1}
MOVES = [
    MoveDraft(from_stage="SCREENING_PENDING", to_stage="AWAITING_PAYMENT"),
    MoveDraft(from_stage="SCREENING_PENDING", to_stage="CONFIRMED", guard=UNMET),
    MoveDraft(from_stage="AWAITING_PAYMENT", to_stage="CONFIRMED", requires_reason=True),
    MoveDraft(from_stage="CONFIRMED", to_stage="AWAITING_PAYMENT"),
    MoveDraft(from_stage="CONFIRMED", to_stage="COMPLETED"),
    MoveDraft(from_stage="CONFIRMED", to_stage=BLOCK),
    MoveDraft(from_stage=BLOCK, to_stage="CONFIRMED"),
]
BLUEPRINT = Blueprint(
    key="intake",
    name="Intake",
    initial_stage="SCREENING_PENDING",
    stages=stages_from_codes(CODES),
    moves=MOVES,
)


@pytest.fixture
def practice(committed_db):
    """Committed: a template that its own transaction still makes is never foreseen."""
    organization = OrganizationFactory()
    with tenancy.scope(organization):
        create_template(organization=organization, blueprint=BLUEPRINT)
        known = patient_in(organization, "SCREENING_PENDING")
        move(known, "AWAITING_PAYMENT")  # from here on this process knows the template
        yield organization


def patient_in(practice, *stages):
    patient = PatientFactory(organization=practice)
    for stage in stages:
        with connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO journey_logs (patient_id, journey_key, to_stage, actor_kind)"
                " VALUES (%s, 'intake', %s, 'import')",
                [patient.pk, stage],
            )
    return patient


def move(patient, to_stage, cause=None, **options):
    return transition(
        patient_id=patient.pk,
        journey_key="intake",
        to_stage=to_stage,
        cause=cause or system(),
        **options,
    )


def outcome(patient, to_stage, cause, **options):
    try:
        done = move(patient, to_stage, cause, **options)
    except KuraError as refusal:
        return refusal.code, set(refusal.context)
    row = done.log
    return row and (row.seq, row.from_stage, row.to_stage, row.actor_kind, row.first_reach)


def statements(captured):
    return [
        query["sql"].split()[0]
        for query in captured.captured_queries
        if "journey_logs" in query["sql"] or "kura_journey_position" in query["sql"]
    ]


def test_move_along_a_free_arrow_is_one_statement(practice):
    patient = patient_in(practice, "SCREENING_PENDING")

    with CaptureQueriesContext(connection) as captured:
        done = move(patient, "AWAITING_PAYMENT")

    assert statements(captured) == ["INSERT"]
    assert (done.log.seq, done.log.from_stage) == (2, "SCREENING_PENDING")


def test_guarded_move_looks_first(practice):
    patient = patient_in(practice, "SCREENING_PENDING")

    with CaptureQueriesContext(connection) as captured, pytest.raises(errors.GuardFailed):
        move(patient, "CONFIRMED")

    # Asked beforehand for those who come by the free arrow; it moved nobody.
    assert statements(captured)[-1] == "SELECT"
    assert JourneyLog.objects.filter(patient=patient).count() == 1


@pytest.mark.parametrize("who", ["system", "therapist", "therapist with a reason", "viewer"])
def test_every_move_ends_as_if_one_had_looked_first(practice, monkeypatch, who):
    reason = {"reason": "The family called today."} if who.endswith("reason") else {}
    cause = system() if who == "system" else by_user(a_user(practice, who.split()[0]), **reason)
    ways = [
        ((), *CODES[:1]),
        *product([(code,) for code in CODES], CODES),
        *product([("CONFIRMED", BLOCK)], CODES),
    ]

    def outcomes():
        return [outcome(patient_in(practice, *been), to, cause) for been, to in ways]

    foreseen = outcomes()
    monkeypatch.setattr(foresight, "newest_known", lambda *_: None)

    assert foreseen == outcomes()


@pytest.mark.parametrize(
    "expected",
    [Expectation(stage="CONFIRMED"), Expectation(seq=4), Expectation(enrollment_id=uuid.uuid4())],
)
def test_older_view_moves_nobody(practice, expected):
    patient = patient_in(practice, "SCREENING_PENDING")

    with pytest.raises(errors.StageMoved):
        move(patient, "AWAITING_PAYMENT", expected=expected)

    assert JourneyLog.objects.filter(patient=patient).count() == 1


def test_true_view_is_one_statement_too(practice):
    patient = patient_in(practice, "SCREENING_PENDING")
    here = JourneyLog.objects.get(patient=patient)
    seen = Expectation(stage=here.to_stage, seq=here.seq, enrollment_id=here.enrollment_id)

    with CaptureQueriesContext(connection) as captured:
        move(patient, "AWAITING_PAYMENT", expected=seen)

    assert statements(captured) == ["INSERT"]


def test_reason_in_words_is_written_with_its_move(practice):
    patient = patient_in(practice, "SCREENING_PENDING", "AWAITING_PAYMENT")
    cause = by_user(a_user(practice), reason="Paid in cash this morning.")

    done = move(patient, "CONFIRMED", cause)

    assert JourneyLogNote.objects.get(log=done.log).body == "Paid in cash this morning."


def test_patient_of_another_practice_is_not_moved(practice):
    other = OrganizationFactory()
    with tenancy.scope(other):
        create_template(organization=other, blueprint=BLUEPRINT)
        patient = patient_in(other, "SCREENING_PENDING")

    with pytest.raises(errors.PatientNotFound):
        move(patient, "AWAITING_PAYMENT")


def test_edit_in_the_same_transaction_is_obeyed(practice):
    """The version that this process knows allows the move; the one being made does not."""
    patient = patient_in(practice, "SCREENING_PENDING")
    template_id = foresight.newest_known(practice.pk, "intake").template_id
    edited = replace(BLUEPRINT, moves=MOVES[1:])

    with transaction.atomic(), pytest.raises(errors.TransitionNotPermitted):
        edit_template(template_id=template_id, blueprint=edited)
        move(patient, "AWAITING_PAYMENT")
