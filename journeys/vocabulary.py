"""The specification's own words: standard stages (Spec 3.2) and reasons.

Templates may have any stages; these are the ones whose meaning is known when a template is made
from bare codes.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from django.db import models
from django.utils.translation import gettext_lazy as _

from journeys.models.template import StageStatus, Turn


class JourneyStatus(StrEnum):
    """Spec 3.2."""

    SCREENING_PENDING = "SCREENING_PENDING"
    SCREENING_COMPLETED = "SCREENING_COMPLETED"
    BLOCKED_HIGH_RISK = "BLOCKED_HIGH_RISK"
    AWAITING_PAYMENT = "AWAITING_PAYMENT"
    PAYMENT_PENDING = "PAYMENT_PENDING"
    CONFIRMED = "CONFIRMED"
    COMPLETED = "COMPLETED"
    CANCELLED = "CANCELLED"


@dataclass(frozen=True, slots=True)
class StandardStage:
    """What a stage of this code means unless the template says otherwise."""

    code: str
    label_es: str
    label_en: str
    status: StageStatus
    whose_turn: Turn


def _standard(*stages: StandardStage) -> dict[str, StandardStage]:
    return {stage.code: stage for stage in stages}


_PLANNED, _ACTIVE, _ON_HOLD = StageStatus.PLANNED, StageStatus.ACTIVE, StageStatus.ON_HOLD
_FINISHED, _CANCELLED = StageStatus.FINISHED, StageStatus.CANCELLED

STANDARD_STAGES: Final = _standard(
    StandardStage("PENDING", "Pendiente", "Pending", _PLANNED, Turn.PRACTICE),
    StandardStage(
        "AWAITING_SCREENING", "Cuestionario enviado", "Questionnaire sent", _PLANNED, Turn.PATIENT
    ),
    StandardStage(
        "SCREENING_PENDING", "Cuestionario pendiente", "Screening pending", _PLANNED, Turn.PATIENT
    ),
    StandardStage(
        "SCREENING_COMPLETED",
        "Cuestionario completado",
        "Screening completed",
        _PLANNED,
        Turn.PRACTICE,
    ),
    StandardStage("BLOCKED", "Bloqueado", "Blocked", _ON_HOLD, Turn.THERAPIST),
    StandardStage(
        "BLOCKED_HIGH_RISK",
        "Bloqueado por riesgo alto",
        "Blocked: high risk",
        _ON_HOLD,
        Turn.THERAPIST,
    ),
    StandardStage(
        "AWAITING_PAYMENT", "Pendiente de pago", "Awaiting payment", _PLANNED, Turn.PATIENT
    ),
    StandardStage(
        "PAYMENT_PENDING", "Pago en curso", "Payment in progress", _PLANNED, Turn.PRACTICE
    ),
    StandardStage("CONFIRMED", "Confirmado", "Confirmed", _ACTIVE, Turn.PRACTICE),
    StandardStage("COMPLETED", "Completado", "Completed", _FINISHED, Turn.NOBODY),
    StandardStage("CANCELLED", "Cancelado", "Cancelled", _CANCELLED, Turn.NOBODY),
)


def standard_stage(code: str) -> StandardStage:
    """The known meaning of a code; an unknown one is active, and on hold if it says BLOCKED.

    Reading an unknown BLOCKED_… as blocking is the reading that protects the patient.
    """
    if code in STANDARD_STAGES:
        return STANDARD_STAGES[code]
    label = code.replace("_", " ").capitalize()
    blocking = code.startswith("BLOCKED")
    return StandardStage(
        code,
        label,
        label,
        _ON_HOLD if blocking else _ACTIVE,
        Turn.THERAPIST if blocking else Turn.PRACTICE,
    )


class ReasonCode(models.TextChoices):
    """Why a person moved or released a patient. No personal data: it stays in the log."""

    REVIEWED_SAFE = "reviewed_safe", _("Reviewed, safe to go on")
    PLAN_CHANGED = "plan_changed", _("Plan adjusted with the patient")
    REFERRED = "referred", _("Referred to another professional")
    FALSE_ALARM = "false_alarm", _("False alarm or wrong data")
    PATIENT_ASKED = "patient_asked", _("The patient asked for it")
    PAID_OTHERWISE = "paid_otherwise", _("Paid another way")
    CORRECTION = "correction", _("Correction of a mistake")
    OTHER = "other", _("Other")
