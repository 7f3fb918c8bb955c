"""How the story of a patient in a journey is told: stages in order, and how long ago the last was.

A story is told by its end (`reached(RETREAT, "AWAITING_PAYMENT", hours=74)`): what the screens
show is how long somebody has been where they are. The way there is the journey's usual one,
caused by the usual events; only what was different is written down.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any, Final

from journeys.blueprints import Blueprint
from journeys.vocabulary import ReasonCode
from kura.demo.archetypes import AWAKENING, CHART, INTAKE, RETREAT, YOGA

# Who moves a patient; anything else is the first part of a colleague's address ("laura").
THERAPIST: Final = "therapist"  # the patient's own, or else the practice's first colleague
AUTOMATION: Final = "automation"
INTEGRATION: Final = "integration"
IMPORT: Final = "import"


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """One move. `hours` (from, to) is the time spent in the stage before; `event` caused it."""

    to_stage: str
    hours: tuple[float, float]
    by: str = THERAPIST
    event: str = ""
    payload: Mapping[str, Any] = field(default_factory=dict)
    reason: str = ""
    reason_code: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Story:
    """One enrollment. `ago`: how long before now its last step was.

    `by_rules`: of the last step only the event has happened, just now; the rules do the rest.
    """

    journey: Blueprint
    steps: tuple[Step, ...]
    ago: timedelta
    by_rules: bool = False


def _event(name: str, hours: tuple[float, float], to_stage: str, **payload: Any) -> Step:
    return Step(to_stage=to_stage, hours=hours, by=AUTOMATION, event=name, payload=payload)


def _form(to_stage: str, form_id: str, hours: tuple[float, float]) -> Step:
    return _event("FORM_SUBMISSION_COMPLETED", hours, to_stage, form_id=form_id)


def _payment(to_stage: str, cents: int, hours: tuple[float, float]) -> Step:
    return _event("PAYMENT_SUCCEEDED", hours, to_stage, amount_cents=cents, currency="EUR")


_LOW_RISK: Final = {"risk_level": "LOW", "medication_active": False, "cardiac_history": False}
_BEGIN: Final = (0.0, 0.0)

# The usual way through each journey, first stage to last.
_WAYS: Final[Mapping[str, tuple[Step, ...]]] = {
    RETREAT.key: (
        Step(to_stage="SCREENING_PENDING", hours=_BEGIN),
        _form("SCREENING_COMPLETED", "salud-retiro", (4, 60)),
        _event("RISK_ANALYSIS_COMPLETED", (0.1, 4), "AWAITING_PAYMENT", **_LOW_RISK),
        _payment("PREPARATION_PHASE", 65_000, (3, 70)),
        Step(to_stage="CONFIRMED", hours=(60, 160)),
        Step(to_stage="COMPLETED", hours=(200, 500)),
    ),
    CHART.key: (
        Step(to_stage="AWAITING_BIRTH_DATA", hours=_BEGIN, by=INTEGRATION),
        _form("CHART_IN_PROGRESS", "datos-nacimiento", (1, 40)),
        _event("BOOKING_CONFIRMED", (24, 120), "READING_BOOKED", booking_id="lectura"),
        Step(to_stage="COMPLETED", hours=(48, 200)),
    ),
    AWAKENING.key: (
        Step(to_stage="ONBOARDING", hours=_BEGIN),
        Step(to_stage="DEEP_DIVE", hours=(100, 200)),
        Step(to_stage="INTEGRATION", hours=(480, 840)),
        Step(to_stage="COMPLETED", hours=(300, 400)),
    ),
    YOGA.key: (
        Step(to_stage="ENROLLED", hours=_BEGIN, by=INTEGRATION),
        Step(to_stage="AWAITING_WAIVER", hours=(1, 12), by=AUTOMATION),
        _form("CONFIRMED", "consentimiento-yoga", (2, 40)),
        Step(to_stage="COMPLETED", hours=(700, 1400)),
    ),
    INTAKE.key: (
        Step(to_stage="SCREENING_PENDING", hours=_BEGIN),
        _form("SCREENING_COMPLETED", "salud-general", (2, 20)),
        _event("RISK_ANALYSIS_COMPLETED", (0.1, 2), "AWAITING_PAYMENT", **_LOW_RISK),
        Step(
            to_stage="PAYMENT_PENDING",
            hours=(2, 20),
            by=INTEGRATION,
            event="CUSTOM.pago_iniciado",
        ),
        _payment("CONFIRMED", 9_000, (0.1, 4)),
        Step(to_stage="COMPLETED", hours=(8, 20)),
    ),
}


def reached(
    journey: Blueprint,
    stage: str,
    *further: Step,
    opening: str = "",
    by: str = "",
    days: float = 0,
    hours: float = 0,
) -> Story:
    """The usual way to `stage`, then `further`; the last of all was `days` and `hours` ago.

    `opening` and `by` tell why and by whom the patient was enrolled.
    """
    way = _WAYS[journey.key]
    end = next(place for place, step in enumerate(way) if step.to_stage == stage)
    first = replace(way[0], reason=opening, by=by or way[0].by)
    steps = (first, *way[1 : end + 1], *further)
    return Story(journey=journey, steps=steps, ago=timedelta(days=days, hours=hours))


def began(journey: Blueprint, stage: str, *further: Step, days: float = 0) -> Story:
    """A story that does not begin in the journey's first stage, told step by step."""
    first = Step(to_stage=stage, hours=_BEGIN)
    return Story(journey=journey, steps=(first, *further), ago=timedelta(days=days))


def by_the_rules(story: Story) -> Story:
    """Its last event comes in like any other, and the practice's rules act on it."""
    return replace(story, by_rules=True)


def moved(to_stage: str, reason: str = "", *, by: str = THERAPIST, hours: float = 30) -> Step:
    """A person moves the patient on, or stops the journey."""
    return Step(to_stage=to_stage, hours=(hours / 2, hours), by=by, reason=reason)


def blocked(to_stage: str, *, risk: str = "HIGH", **findings: Any) -> Step:
    """The risk analysis stops the journey, minutes after the questionnaire."""
    return _event(
        "RISK_ANALYSIS_COMPLETED", (0.02, 0.05), to_stage, **{"risk_level": risk} | findings
    )


def explained(
    to_stage: str, code: ReasonCode, reason: str, *, by: str = THERAPIST, hours: float = 40
) -> Step:
    """A person moves the patient for a reason of the catalogue: to lift a block needs one."""
    return replace(moved(to_stage, reason, by=by, hours=hours), reason_code=code.value)


def booking_cancelled(*, hours: float = 60) -> Step:
    """The patient gives up the place on the booking page."""
    return _event("BOOKING_CANCELLED", (hours / 2, hours), "CANCELLED", booking_id="plaza")


def gave_up(reason: str, *, hours: float = 120) -> Step:
    """The patient says so, and a therapist cancels."""
    return explained("CANCELLED", ReasonCode.PATIENT_ASKED, reason, hours=hours)


def payment_failed(*, hours: float = 2) -> Step:
    """The bank refuses; the patient has to pay again."""
    return _event(
        "PAYMENT_FAILED",
        (hours / 2, hours),
        "AWAITING_PAYMENT",
        amount_cents=9_000,
        currency="EUR",
    )
