"""A move that is decided before anybody looks where the patient stands.

Most moves follow an arrow of the graph on which no condition lies. Whether such a move is allowed
depends on the stage it starts from and on nothing else about the patient, so the guards can be
asked beforehand, once for each stage from which an arrow leads there. The statement that appends
then looks by itself, under the patient's lock, and appends only to a patient who stands in one of
these stages, in this very version of the template (`door.append_foreseen`): one round trip, not
two. Whatever else is the case, it appends nothing, and the service looks and decides as ever. All
refusals come from there.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Final

from journeys.cause import Cause
from journeys.guards import decide_move, missing_reason
from journeys.selectors.definitions import Definition, Stage, newest_known
from journeys.selectors.positions import Expectation, Position
from kura import tenancy


@dataclass(frozen=True, slots=True)
class Foreseen:
    """The move is allowed to whoever stands in one of these stages of this version, unblocked."""

    definition: Definition
    from_stages: list[str]
    to_stage: str
    expected: Expectation


def foresee(
    journey_key: str, to_stage: str, cause: Cause, expected: Expectation
) -> Foreseen | None:
    """None when one has to look first."""
    organization_id = tenancy.organization_in_scope()
    definition = newest_known(organization_id, journey_key) if organization_id else None
    if definition is None:
        return None
    from_stages = [
        stage.code
        for stage in definition.free_sources(to_stage)
        if expected.stage in {None, stage.code} and _allowed(definition, stage, to_stage, cause)
    ]
    return Foreseen(definition, from_stages, to_stage, expected) if from_stages else None


def _allowed(definition: Definition, stage: Stage, to_stage: str, cause: Cause) -> bool:
    decision = decide_move(definition, _somebody_in(definition, stage), to_stage, cause)
    return decision.allowed and missing_reason(decision, cause, leaving_block=False) is None


_SOMEBODY: Final = uuid.UUID(int=0)


def _somebody_in(definition: Definition, stage: Stage) -> Position:
    return Position(
        patient_id=_SOMEBODY,
        organization_id=definition.organization_id,
        template_id=definition.template_id,
        template_version=definition.version,
        template_settled=True,
        enrollment_id=_SOMEBODY,
        number=None,
        stage=stage.code,
        status=stage.status,
        entered_at=None,
        blocked_from=None,
        seq=None,
        closed_at=None,
    )
