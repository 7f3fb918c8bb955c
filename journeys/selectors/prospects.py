"""What would become of many patients if they were moved or enrolled now: each with the reason.

The bulk services decide with `refusal_of` under the patients' locks; `prospects` asks the same
beforehand, without locks, so that a person sees who will move before anybody does. A block is
reviewed by somebody who looks at this one patient: nobody leaves one among many.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from journeys import errors
from journeys.cause import Cause
from journeys.guards import asked_for, decide_entry, decide_move, missing_reason
from journeys.models.enrollment import Enrollment
from journeys.selectors.definitions import Definition, Stage
from journeys.selectors.facts import Facts, facts_of
from journeys.selectors.options import nowhere, position_of
from journeys.selectors.positions import Expectation, Position
from kura.errors import KuraError
from patients.models import Patient


@dataclass(frozen=True, kw_only=True, slots=True)
class Order:
    """What is asked for every patient. `to_stage` None: the template's initial stage.

    `expected`: what the caller saw, by patient; whoever moved since then stays.
    """

    journey_key: str
    to_stage: str | None
    cause: Cause
    changed_at: datetime | None
    entering: bool
    expected: Mapping[uuid.UUID, Expectation] = field(default_factory=dict)

    def target(self, definition: Definition) -> str:
        return self.to_stage or definition.initial_stage


def refusal_of(
    definition: Definition, position: Position, order: Order, facts: Facts
) -> KuraError | None:
    if position.enrollment_id is None and not order.entering:
        return errors.NotEnrolled(journey=definition.name, journey_key=definition.key)
    if order.changed_at and position.entered_at and order.changed_at < position.entered_at:
        return errors.TimeOrder()
    decide = decide_entry if order.entering else decide_move
    decision = decide(definition, position, order.target(definition), order.cause, facts)
    return decision.refusal or missing_reason(
        decision, order.cause, leaving_block=position.is_blocked
    )


# --- beforehand ---------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class Prospect:
    """`stage`: where the patient stands, None outside the journey. `seen`: to compare later."""

    patient: Patient
    stage: Stage | None
    to_stage: Stage
    outcome: Literal["moves", "unchanged", "refused"]
    refusal: KuraError | None
    seen: Expectation


def prospects(
    patients: Sequence[Patient], definition: Definition, order: Order, now: datetime
) -> list[Prospect]:
    """In the order of `patients`. One query for all, and up to three for what guards ask."""
    newest = _newest(patients, definition)
    positions = [_position(one, newest.get(one.pk), definition) for one in patients]
    facts = _facts(positions, definition, order, now)
    return [
        _prospect(patient, position, definition, order, facts.get(patient.pk, {}))
        for patient, position in zip(patients, positions, strict=True)
    ]


def _newest(patients: Iterable[Patient], definition: Definition) -> Mapping[uuid.UUID, Enrollment]:
    rows = Enrollment.objects.filter(
        patient__in=[one.pk for one in patients], template=definition.template_id
    )
    return {row.patient_id: row for row in rows.order_by("number")}


def _position(patient: Patient, newest: Enrollment | None, definition: Definition) -> Position:
    return position_of(newest) if newest else nowhere(patient, definition)


def _facts(
    positions: Sequence[Position], definition: Definition, order: Order, now: datetime
) -> dict[uuid.UUID, Facts]:
    target = order.target(definition)
    asked = {path for one in positions for path in asked_for(definition, one, target)}
    return facts_of(positions, definition.key, asked, now=now) if asked else {}


def _prospect(
    patient: Patient, position: Position, definition: Definition, order: Order, facts: Facts
) -> Prospect:
    refusal = _not_among_many(patient, position, definition, order) or refusal_of(
        definition, position, order, facts
    )
    unchanged = isinstance(refusal, errors.StageUnchanged)
    outcome: Literal["unchanged", "refused"] = "unchanged" if unchanged else "refused"
    return Prospect(
        patient=patient,
        stage=definition.stages.get(position.stage or "") if position.is_open else None,
        to_stage=definition.allowed[order.target(definition)],
        outcome=outcome if refusal else "moves",
        refusal=refusal,
        seen=Expectation(seq=position.seq, enrollment_id=position.enrollment_id),
    )


def _not_among_many(
    patient: Patient, position: Position, definition: Definition, order: Order
) -> KuraError | None:
    if patient.organization_id != definition.organization_id:
        return errors.UnknownJourney(journey_key=definition.key)
    if position.is_blocked and not order.entering:
        return errors.ReviewedOneByOne(from_label=definition.label(position.stage))
    return None
