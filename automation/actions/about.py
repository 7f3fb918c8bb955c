"""What an action speaks about: the journey, and the stage whose leaving makes its words untrue.

A rule that moved the patient speaks about the stage reached, a rule that hears of a move about
that move, any other about where the patient stands now.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Any, Final

from automation.actions.base import Doing
from automation.judging import TIMEOUT
from journeys.models.enrollment import Enrollment
from journeys.models.log import JourneyLog

_MOVES: Final = frozenset({"JOURNEY_STAGE_CHANGED", "JOURNEY_ENROLLED"})


@dataclass(frozen=True, kw_only=True, slots=True)
class About:
    """`reached`: the cause is a move into `stage`. `is_over`: the patient has left it already."""

    journey_key: str = ""
    enrollment_id: uuid.UUID | None = None
    stage: str = ""
    seq: int | None = None
    hours: float | None = None
    reached: bool = False
    is_over: bool = False


def about(doing: Doing) -> About:
    """Under the patient's lock, which the engine holds."""
    log = _own_move(doing) or _announced_move(doing)
    key = log.journey_key if log else doing.event.journey_key or doing.rule.journey_key
    if not key:
        return About()
    place = _newest(doing.patient_id, key)
    if log is not None:
        return _of_move(log, place, doing)
    return _of_place(key, place, doing)


def _own_move(doing: Doing) -> JourneyLog | None:
    """The last move that this rule made because of this event."""
    moves = JourneyLog.objects.filter(
        patient=doing.patient_id, trigger_event_id=doing.event.pk, rule_id=doing.rule.pk
    )
    return moves.order_by("-id").first()


def _announced_move(doing: Doing) -> JourneyLog | None:
    if doing.event.event_type not in _MOVES:
        return None
    log_id = _told(doing).get("log_id")
    if log_id is None:  # the contents were erased
        return None
    return JourneyLog.objects.filter(patient=doing.patient_id, pk=log_id).first()


def _newest(patient_id: uuid.UUID, key: str) -> Enrollment | None:
    found = Enrollment.objects.filter(patient=patient_id, journey_key=key)
    return found.order_by("-number").first()


def _of_move(log: JourneyLog, place: Enrollment | None, doing: Doing) -> About:
    stands_there = place is not None and (place.pk, place.seq) == (log.enrollment_id, log.seq)
    return About(
        journey_key=log.journey_key,
        enrollment_id=log.enrollment_id,
        stage=log.to_stage,
        seq=log.seq,
        hours=_hours(place, doing) if stands_there else None,
        reached=True,
    )


def _of_place(key: str, place: Enrollment | None, doing: Doing) -> About:
    asked = _told(doing).get("stage") if doing.event.event_type == TIMEOUT else None
    if place is None:
        return About(journey_key=key, is_over=asked is not None)
    return About(
        journey_key=key,
        enrollment_id=place.pk,
        stage=place.stage,
        seq=place.seq,
        hours=_hours(place, doing),
        is_over=asked is not None and (asked != place.stage or not place.is_open),
    )


def _hours(place: Enrollment | None, doing: Doing) -> float | None:
    """As the monitor said when it called; else until now."""
    said = _told(doing).get("hours_in_stage")
    if isinstance(said, int | float) and not isinstance(said, bool):
        return float(said)
    return (doing.now - place.entered_at).total_seconds() / 3600 if place else None


def _told(doing: Doing) -> dict[str, Any]:
    payload = doing.facts["event"]["payload"]
    return payload if isinstance(payload, dict) else {}
