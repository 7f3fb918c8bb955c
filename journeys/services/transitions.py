"""Move one patient: transition, enroll, unblock. The buttons, the API and the rules enter here.

Each service locks the patient, reads where they stand, asks `journeys.guards`, and appends one
row to the log. Refusals are errors of `journeys.errors`; nothing is written then.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.utils import timezone

from journeys import errors
from journeys.cause import Cause
from journeys.guards import (
    Decision,
    asked_for,
    decide_entry,
    decide_move,
    missing_reason,
    way_back,
)
from journeys.models.log import JourneyLog
from journeys.selectors.definitions import Definition, definition_of
from journeys.selectors.facts import Facts, facts_of
from journeys.selectors.positions import ANYWHERE, Expectation, Position, locked_positions
from journeys.services import door
from journeys.services.foresight import foresee


@dataclass(frozen=True, slots=True)
class Transition:
    """`changed` is False, and `log` None, when the patient was in that stage already."""

    changed: bool
    log: JourneyLog | None


@transaction.atomic
def transition(
    *,
    patient_id: uuid.UUID,
    journey_key: str,
    to_stage: str,
    cause: Cause,
    changed_at: datetime | None = None,
    expected: Expectation = ANYWHERE,
) -> Transition:
    """Move the patient to a stage; one who never was in the journey is enrolled there.

    Locks the patient. `changed_at` back-dates (not before the previous move, not in the future).
    The same stage again changes nothing and is no error. Spec 3.1.
    """
    foreseen = foresee(journey_key, to_stage, cause, expected)
    log = foreseen and door.append_foreseen(
        foreseen, patient_id=patient_id, cause=cause, changed_at=changed_at
    )
    if log:
        return Transition(changed=True, log=log)
    position, definition = _where(patient_id, journey_key)
    expected.check(position)
    if position.is_open and position.stage == to_stage:
        return Transition(changed=False, log=None)
    decision = decision_for(definition, position, to_stage, cause)
    return _moved(definition, position, decision, cause, changed_at)


@transaction.atomic
def enroll(
    *,
    patient_id: uuid.UUID,
    journey_key: str,
    cause: Cause,
    to_stage: str | None = None,
    changed_at: datetime | None = None,
) -> JourneyLog:
    """Enter a journey, again if an earlier enrollment is closed. Locks the patient.

    Begins in the template's initial stage unless `to_stage` names another that the graph allows.
    """
    position, definition = _where(patient_id, journey_key)
    target = to_stage or definition.initial_stage
    facts = facts_for(definition, position, target)
    decision = decide_entry(definition, position, target, cause, facts)
    return _log_of(_moved(definition, position, decision, cause, changed_at))


@transaction.atomic
def unblock(
    *,
    patient_id: uuid.UUID,
    journey_key: str,
    cause: Cause,
    to_stage: str | None = None,
    changed_at: datetime | None = None,
    expected: Expectation = ANYWHERE,
) -> JourneyLog:
    """Lift a block: a person with the permission, a reason code, and a reason in words.

    Goes back to the stage before the block unless `to_stage` names another. Spec 6.2.
    """
    position, definition = _where(patient_id, journey_key)
    expected.check(position)
    if not position.is_blocked:
        raise errors.NotBlocked(journey_key=journey_key)
    target = to_stage or return_stage(definition, position)
    decision = decision_for(definition, position, target, cause)
    return _log_of(_moved(definition, position, decision, cause, changed_at))


def return_stage(definition: Definition, position: Position) -> str:
    """Where a lifted block leads when nobody says otherwise; TargetRequired if nowhere."""
    code = way_back(definition, position)
    if code is None:
        raise errors.TargetRequired(from_stage=position.stage)
    return code


def decision_for(
    definition: Definition, position: Position, to_stage: str, cause: Cause
) -> Decision:
    """What the guards say, with the facts that this one move needs."""
    decide = decide_entry if position.enrollment_id is None else decide_move
    facts = facts_for(definition, position, to_stage)
    return decide(definition, position, to_stage, cause, facts)


def facts_for(definition: Definition, position: Position, to_stage: str) -> Facts:
    """The facts that the guard on this one move asks for."""
    if not definition.has_guards:
        return {}
    asked = asked_for(definition, position, to_stage)
    if not asked:
        return {}
    return facts_of([position], definition.key, asked, now=timezone.now())[position.patient_id]


def _where(patient_id: uuid.UUID, journey_key: str) -> tuple[Position, Definition]:
    positions = locked_positions([patient_id], journey_key)
    if not positions:
        raise errors.PatientNotFound(patient_id=patient_id)
    return positions[0], definition_at(positions[0], journey_key)


def definition_at(position: Position, journey_key: str) -> Definition:
    """The present version of the journey's template in the patient's organization."""
    if position.template_id is None or position.template_version is None:
        raise errors.UnknownJourney(journey_key=journey_key)
    return definition_of(
        position.template_id, position.template_version, settled=position.template_settled
    )


def _moved(
    definition: Definition,
    position: Position,
    decision: Decision,
    cause: Cause,
    changed_at: datetime | None,
) -> Transition:
    leaving_block = position.is_blocked
    refusal = decision.refusal or missing_reason(decision, cause, leaving_block=leaving_block)
    if refusal is not None:
        raise refusal
    step = door.Step(position, decision.to_stage)
    [log] = door.append([step], journey_key=definition.key, cause=cause, changed_at=changed_at)
    return Transition(changed=True, log=log)


def _log_of(moved: Transition) -> JourneyLog:
    if moved.log is None:
        raise errors.StageUnchanged
    return moved.log
