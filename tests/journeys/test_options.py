"""`allowed_transitions`: the one answer to "what may happen next?"."""

from __future__ import annotations

import pytest
from django.utils import timezone, translation

from journeys import errors
from journeys.blueprints import MoveDraft
from journeys.cause import by_user
from journeys.models import Enrollment
from journeys.selectors.options import allowed_transitions, allowed_transitions_of
from journeys.services.transitions import enroll, transition
from tests.factories import PatientFactory, a_template, a_user, an_event, system, the_enrollment

PAID = {"field": "events.PAYMENT_SUCCEEDED.count", "op": "gte", "value": 1}


@pytest.fixture
def guarded(organization, patient):
    a_template(
        organization,
        codes=["AWAITING_PAYMENT", "CONFIRMED", "COMPLETED", "BLOCKED", "CANCELLED"],
        moves=[
            MoveDraft(from_stage="AWAITING_PAYMENT", to_stage="CONFIRMED", guard=PAID),
            MoveDraft(from_stage="AWAITING_PAYMENT", to_stage="CANCELLED", requires_reason=True),
        ],
    )
    enroll(patient_id=patient.pk, journey_key="intake", cause=system())
    return patient


def codes(patient, user):
    return {
        option.to_stage: option.code
        for option in allowed_transitions(the_enrollment(patient), user)
    }


def test_every_stage_gets_an_answer_with_its_reason(guarded, therapist):
    assert codes(guarded, therapist) == {
        "AWAITING_PAYMENT": "stage_unchanged",
        "CONFIRMED": "guard_failed",
        "COMPLETED": "transition_not_permitted",
        "BLOCKED": None,
        "CANCELLED": None,
    }


def test_missing_conditions_are_in_words_and_reasons_announced(guarded, therapist):
    with translation.override("es"):
        options = {o.to_stage: o for o in allowed_transitions(the_enrollment(guarded), therapist)}

    assert [one.words for one in options["CONFIRMED"].missing] == ["pago recibido"]
    assert options["CANCELLED"].requires_reason


def test_block_answers_by_permission(guarded, therapist, viewer):
    transition(patient_id=guarded.pk, journey_key="intake", to_stage="BLOCKED", cause=system())

    assert codes(guarded, therapist)["AWAITING_PAYMENT"] is None
    assert set(codes(guarded, viewer).values()) == {"unblock_not_permitted", "stage_unchanged"}


def test_closed_journey_offers_nothing(guarded, therapist):
    transition(
        patient_id=guarded.pk,
        journey_key="intake",
        to_stage="CANCELLED",
        cause=by_user(therapist, reason="Changed her plans"),
    )

    assert set(codes(guarded, therapist).values()) == {"journey_closed"}


@pytest.mark.parametrize("paid", [True, False])
@pytest.mark.parametrize("role", ["viewer", "therapist", "manager"])
def test_what_is_offered_is_what_the_service_does(guarded, organization, role, paid):
    user = a_user(organization, role)
    if paid:
        an_event(guarded, "PAYMENT_SUCCEEDED", occurred_at=timezone.now())
    cause = by_user(user, reason_code="other", reason="Long enough a reason")

    for option in allowed_transitions(the_enrollment(guarded), user):
        person = PatientFactory(organization=organization)
        enroll(patient_id=person.pk, journey_key="intake", cause=system())
        if paid:
            an_event(person, "PAYMENT_SUCCEEDED", occurred_at=timezone.now())
        try:
            moved = transition(
                patient_id=person.pk, journey_key="intake", to_stage=option.to_stage, cause=cause
            ).changed
            code = None if moved else errors.StageUnchanged.code
        except errors.KuraError as refusal:
            code = refusal.code
        assert code == option.code


def test_answers_for_many_cost_as_many_queries_as_for_few(
    guarded, organization, therapist, django_assert_max_num_queries
):
    therapist.has_perm("journeys.transition_enrollment")
    for _ in range(30):
        person = PatientFactory(organization=organization)
        enroll(patient_id=person.pk, journey_key="intake", cause=system())
    enrollments = list(Enrollment.objects.all())

    with django_assert_max_num_queries(2):
        answers = allowed_transitions_of(enrollments, therapist)

    assert len(answers) == 31
