"""Reviews of blocks: written by whoever may lift them, about a block that stands, and kept."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from journeys import errors
from journeys.models import BlockReview
from journeys.selectors.history import history_lines, history_of, with_reviews
from journeys.selectors.positions import ANYWHERE, Expectation
from journeys.services.reviews import keep_blocked
from journeys.services.transitions import enroll, transition, unblock
from kura import tenancy
from kura.errors import constraint_of
from tests.factories import PatientFactory, a_user, reviewed, system, the_enrollment
from tests.journeys.test_door import settle


@pytest.fixture
def blocked(patient, template):
    enroll(patient_id=patient.pk, journey_key="intake", cause=system())
    transition(
        patient_id=patient.pk, journey_key="intake", to_stage="BLOCKED_HIGH_RISK", cause=system()
    )
    return patient


def keep(patient, reviewer, note="", expected=ANYWHERE, now=None):
    return keep_blocked(
        patient_id=patient.pk,
        journey_key="intake",
        reviewer=reviewer,
        note=note,
        expected=expected,
        now=now or timezone.now(),
    )


def test_a_review_stands_beside_the_move_that_set_the_block(blocked, therapist):
    keep(blocked, therapist, "Waiting for her doctor")

    newest, first = with_reviews(history_lines(list(history_of(blocked.pk))))
    assert [review.note for review in newest.reviews] == ["Waiting for her doctor"]
    assert first.reviews == ()


def test_a_later_block_of_the_enrollment_has_reviews_of_its_own(blocked, therapist):
    keep(blocked, therapist, "The first block")
    unblock(patient_id=blocked.pk, journey_key="intake", cause=reviewed(therapist))
    transition(
        patient_id=blocked.pk, journey_key="intake", to_stage="BLOCKED_HIGH_RISK", cause=system()
    )

    keep(blocked, therapist, "The second block")

    lines = with_reviews(history_lines(list(history_of(blocked.pk))))
    told = [[review.note for review in line.reviews] for line in lines]
    assert told == [["The second block"], [], ["The first block"], []]


def test_the_same_click_twice_is_one_review_and_an_hour_later_it_is_another(blocked, therapist):
    one = keep(blocked, therapist, "Still waiting")

    again = keep(blocked, therapist, "Still waiting ")
    later = keep(blocked, therapist, "Still waiting", now=timezone.now() + timedelta(hours=1))

    assert one.pk == again.pk
    assert later.pk != one.pk


def test_history_costs_one_query_for_all_reviews(
    blocked, therapist, django_assert_num_queries, organization
):
    for number in range(8):
        keep(blocked, therapist, f"Note {number}")
    logs = list(history_of(blocked.pk))

    with django_assert_num_queries(3):
        with_reviews(history_lines(logs))


@pytest.mark.parametrize(
    ("change", "refusal"),
    [
        ({"expected": Expectation(seq=1)}, errors.StageMoved),
        ({"note": "half of a pair: \ud800"}, errors.UnstorableText),
    ],
)
def test_what_cannot_be_kept_is_refused_by_name(blocked, therapist, change, refusal):
    with pytest.raises(refusal):
        keep(blocked, therapist, **change)

    assert not BlockReview.objects.exists()


def test_who_may_not_lift_a_block_does_not_review_it(blocked, viewer):
    with pytest.raises(errors.UnblockNotPermitted):
        keep(blocked, viewer)


def test_a_journey_that_is_not_blocked_has_nothing_to_review(patient, template, therapist):
    with pytest.raises(errors.NotBlocked):
        keep(patient, therapist)


def test_a_foreign_patient_is_unknown(blocked, therapist, other_organization):
    with tenancy.scope(other_organization), pytest.raises(errors.PatientNotFound):
        keep(blocked, therapist)


# --- the database -----------------------------------------------------------------------------


def refused(statement: str, *parameters: object) -> str:
    with (
        pytest.raises(IntegrityError) as caught,
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(statement, parameters)
    return constraint_of(caught.value)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE block_reviews SET note = 'Something else'",
        "UPDATE block_reviews SET reviewed_at = now() - interval '1 day'",
        "UPDATE block_reviews SET note = '', seq = 7",
        "DELETE FROM block_reviews",
        "TRUNCATE block_reviews CASCADE",
    ],
)
def test_a_review_stays_as_it_was_written(blocked, therapist, statement):
    keep(blocked, therapist, "As it was")
    settle()

    assert refused(statement) == "block_review_erase_only"
    assert BlockReview.objects.get().note == "As it was"


def test_a_note_can_be_erased_and_who_looked_stays(blocked, therapist):
    keep(blocked, therapist, "Names her mother")

    BlockReview.objects.update(note="")

    kept = BlockReview.objects.get()
    assert (kept.note, kept.reviewer_id) == ("", therapist.pk)


INSERT = """
INSERT INTO block_reviews (id, organization_id, enrollment_id, seq, reviewer_id, note)
VALUES (gen_random_uuid(), %s, %s, %s, %s, '')
"""


def test_a_shell_writes_no_review_of_what_is_no_block_or_by_a_stranger(
    blocked, therapist, organization, other_organization
):
    enrollment = the_enrollment(blocked)
    stranger = a_user(other_organization)
    other = PatientFactory(organization=organization)
    open_log = enroll(patient_id=other.pk, journey_key="intake", cause=system())

    wrong = [
        (organization.pk, enrollment.pk, 1, therapist.pk),
        (organization.pk, enrollment.pk, 2, stranger.pk),
        (other_organization.pk, enrollment.pk, 2, stranger.pk),
        (organization.pk, open_log.enrollment_id, 1, therapist.pk),
    ]

    assert {refused(INSERT, *values) for values in wrong} == {"block_review_of_block"}
