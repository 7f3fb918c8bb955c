"""Keep a block after looking at it: no move, and still a trace of who looked, when and why."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from typing import Final

from django.db import transaction

from journeys import errors
from journeys.cause import UNBLOCK, by_user
from journeys.models.review import BlockReview
from journeys.selectors.positions import Expectation, locked_positions
from kura.accounts.models import User
from kura.errors import database_refusals

SENT_TWICE: Final = timedelta(minutes=1)  # the browser's second try of one click


@transaction.atomic
def keep_blocked(
    *,
    patient_id: uuid.UUID,
    journey_key: str,
    reviewer: User,
    expected: Expectation,
    now: datetime,
    note: str = "",
) -> BlockReview:
    """Write the review down. Locks the patient, as a move would.

    The same words of the same person within a minute are one review. Raises UnblockNotPermitted,
    PatientNotFound, StageMoved, NotBlocked, UnstorableText.
    """
    words = by_user(reviewer, reason=note).reason
    if not reviewer.has_perm(UNBLOCK):
        raise errors.UnblockNotPermitted
    positions = locked_positions([patient_id], journey_key)
    if not positions:
        raise errors.PatientNotFound(patient_id=patient_id)
    [position] = positions
    expected.check(position)
    block, seq = position.enrollment_id, position.seq
    if block is None or seq is None or not position.is_blocked:
        raise errors.NotBlocked(journey_key=journey_key)
    review = BlockReview(
        organization_id=position.organization_id,
        enrollment_id=block,
        seq=seq,
        reviewer=reviewer,
        note=words,
    )
    return _written_before(review, now) or _written(review)


def _written_before(review: BlockReview, now: datetime) -> BlockReview | None:
    return BlockReview.objects.filter(
        enrollment_id=review.enrollment_id,
        seq=review.seq,
        reviewer=review.reviewer,
        note=review.note,
        reviewed_at__gte=now - SENT_TWICE,
    ).first()


def _written(review: BlockReview) -> BlockReview:
    with database_refusals():
        review.save(force_insert=True)
    review.refresh_from_db()
    return review
