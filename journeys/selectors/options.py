"""Where may a patient go next, and which journeys may they enter? One answer for admin, API and
services, for every stage and every template.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from django.utils import timezone

from journeys.cause import Cause, by_user
from journeys.guards import Decision, asked_for, decide_entry, decide_move
from journeys.models.enrollment import Enrollment
from journeys.models.template import JourneyTemplate
from journeys.selectors.definitions import Definition, definitions
from journeys.selectors.facts import Facts, facts_of
from journeys.selectors.positions import Position
from kura.accounts.models import User
from patients.models import Patient


def allowed_transitions(enrollment: Enrollment, user: User) -> list[Decision]:
    """For every stage of the template: allowed or not, code, missing conditions, reason needed.

    Asks the guards of the services, without locks: what it says may be outdated a moment later,
    and the service decides again.
    """
    return allowed_transitions_of([enrollment], user)[enrollment.pk]


def allowed_transitions_of(
    enrollments: Sequence[Enrollment], user: User
) -> dict[uuid.UUID, list[Decision]]:
    """The same for many enrollments; the number of queries does not grow with them."""
    return moves_open_to(by_user(user), enrollments)


def moves_open_to(
    cause: Cause,
    enrollments: Sequence[Enrollment],
    known: Mapping[uuid.UUID, Definition] | None = None,
) -> dict[uuid.UUID, list[Decision]]:
    """The same for whoever asks, a person or a program: what may this cause move where?

    `known`: the definitions by template, if they have been read.
    """
    if known is None:
        known = definitions({enrollment.template_id for enrollment in enrollments})
    facts = _facts(enrollments, known)
    return {
        enrollment.pk: _decisions(
            known[enrollment.template_id], position_of(enrollment), cause, facts[enrollment.pk]
        )
        for enrollment in enrollments
    }


def position_of(enrollment: Enrollment) -> Position:
    """The position that this enrollment describes, as it was when it was read."""
    return Position(
        patient_id=enrollment.patient_id,
        organization_id=enrollment.organization_id,
        template_id=enrollment.template_id,
        template_version=None,
        template_settled=False,
        enrollment_id=enrollment.pk,
        number=enrollment.number,
        stage=enrollment.stage,
        status=enrollment.status,
        entered_at=enrollment.entered_at,
        blocked_from=enrollment.blocked_from,
        seq=enrollment.seq,
        closed_at=enrollment.closed_at,
    )


def _decisions(
    definition: Definition, position: Position, cause: Cause, facts: Facts
) -> list[Decision]:
    return [decide_move(definition, position, code, cause, facts) for code in definition.allowed]


def _facts(
    enrollments: Sequence[Enrollment], known: Mapping[uuid.UUID, Definition]
) -> dict[uuid.UUID, Facts]:
    """Facts by enrollment, one round for each journey key that has guards."""
    found: dict[uuid.UUID, Facts] = {enrollment.pk: {} for enrollment in enrollments}
    for key in {enrollment.journey_key for enrollment in enrollments}:
        here = [one for one in enrollments if one.journey_key == key]
        asked = {path for one in here for path in _asked(known[one.template_id], one)}
        if asked:
            loaded = facts_of([position_of(one) for one in here], key, asked, now=timezone.now())
            found |= {one.pk: loaded[one.patient_id] for one in here}
    return found


def _asked(definition: Definition, enrollment: Enrollment) -> set[str]:
    position = position_of(enrollment)
    return {path for code in definition.allowed for path in asked_for(definition, position, code)}


# --- entering ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Entry:
    """May the patient enter this journey now? `number`: how often they entered it before."""

    definition: Definition
    decision: Decision
    number: int


def entry_options(patient: Patient, user: User) -> list[Entry]:
    """For every active template of the patient's practice, in the order of their names."""
    templates = JourneyTemplate.objects.filter(
        organization=patient.organization_id, is_active=True
    ).values_list("pk", flat=True)
    known = definitions(templates)
    newest = newest_by_key(Enrollment.objects.filter(patient=patient))
    return [_entry(known[pk], newest.get(known[pk].key), patient, user) for pk in templates]


def newest_by_key(enrollments: Iterable[Enrollment]) -> dict[str, Enrollment]:
    """A patient's last enrollment in each journey."""
    return {one.journey_key: one for one in sorted(enrollments, key=lambda one: one.number)}


def _entry(
    definition: Definition, newest: Enrollment | None, patient: Patient, user: User
) -> Entry:
    position = position_of(newest) if newest else nowhere(patient, definition)
    target = definition.initial_stage
    asked = asked_for(definition, position, target)
    facts: Facts = {}
    if asked:
        facts = facts_of([position], definition.key, asked, now=timezone.now())[patient.pk]
    decision = decide_entry(definition, position, target, by_user(user), facts)
    return Entry(definition, decision, newest.number if newest else 0)


def nowhere(patient: Patient, definition: Definition) -> Position:
    """The position of somebody who never was in this journey."""
    return Position(
        patient_id=patient.pk,
        organization_id=patient.organization_id,
        template_id=definition.template_id,
        template_version=None,
        template_settled=False,
        enrollment_id=None,
        number=None,
        stage=None,
        status=None,
        entered_at=None,
        blocked_from=None,
        seq=None,
        closed_at=None,
    )
