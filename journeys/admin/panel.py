"""What stands below a patient's contact data: a card for each journey, and the history."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from django.urls import reverse

from journeys.cause import MOVE, UNBLOCK
from journeys.guards import Decision
from journeys.models.enrollment import Enrollment
from journeys.selectors.definitions import Definition, Stage, definitions
from journeys.selectors.history import HistoryLine, history_lines, history_of, with_reviews
from journeys.selectors.options import allowed_transitions_of, newest_by_key
from kura.accounts.models import User
from patients.models import Patient

SHOWN_LINES: Final = 20  # the rest is one link away, in the journey log


@dataclass(frozen=True, slots=True)
class NextStage:
    label: str
    url: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Card:
    """One journey of a patient: the newest enrollment in it, and where it may go."""

    enrollment: Enrollment
    journey: str
    stage: Stage | None
    next_stages: Sequence[NextStage]
    unblock_url: str

    @property
    def is_blocked(self) -> bool:
        return self.enrollment.is_open and self.enrollment.is_blocked


def cards(patient: Patient, user: User) -> list[Card]:
    """Blocked first, then open, then closed ones."""
    newest = list(newest_by_key(Enrollment.objects.filter(patient=patient)).values())
    known = definitions({one.template_id for one in newest})
    options = allowed_transitions_of([one for one in newest if one.is_open], user)
    made = [_card(one, known, options.get(one.pk, []), user) for one in newest]
    return sorted(made, key=lambda card: (not card.is_blocked, not card.enrollment.is_open))


def _card(
    enrollment: Enrollment,
    known: Mapping[uuid.UUID, Definition],
    options: Sequence[Decision],
    user: User,
) -> Card:
    definition = known[enrollment.template_id]
    blocked = enrollment.is_open and enrollment.is_blocked
    may_unblock = blocked and user.has_perm(UNBLOCK)
    return Card(
        enrollment=enrollment,
        journey=definition.name,
        stage=definition.stages.get(enrollment.stage),
        next_stages=[] if blocked else _next(enrollment, definition, options, user),
        unblock_url=reverse("admin:journeys_enrollment_unblock", args=[enrollment.pk])
        if may_unblock
        else "",
    )


def _next(
    enrollment: Enrollment, definition: Definition, options: Sequence[Decision], user: User
) -> list[NextStage]:
    if not user.has_perm(MOVE):
        return []
    url = reverse("admin:journeys_enrollment_move", args=[enrollment.pk])
    return [
        NextStage(definition.label(option.to_stage), f"{url}?to={option.to_stage}")
        for option in options
        if option.allowed
    ]


@dataclass(frozen=True, slots=True)
class History:
    """The newest lines. `more`: there are others before them."""

    lines: list[HistoryLine]
    more: bool


def history(patient: Patient) -> History:
    logs = list(history_of(patient.pk)[: SHOWN_LINES + 1])
    return History(with_reviews(history_lines(logs[:SHOWN_LINES])), more=len(logs) > SHOWN_LINES)
