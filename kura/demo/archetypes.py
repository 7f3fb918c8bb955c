"""The five archetype journeys (Spec 5) as templates, with every standard stage of Spec 3.2.

Each lists its whole graph: whatever is not listed is refused, but for the ways into and back out
of a block, which the guards always keep open.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from journeys.blueprints import Blueprint, MoveDraft, StageDraft
from journeys.models.template import StageStatus, Turn

PAID: Final = {"field": "events.PAYMENT_SUCCEEDED.count", "op": "gte", "value": 1}
FORM_FILLED: Final = {"field": "events.FORM_SUBMISSION_COMPLETED.count", "op": "gte", "value": 1}
BOOKED: Final = {"field": "events.BOOKING_CONFIRMED.count", "op": "gte", "value": 1}
FREELY: Final[Mapping[str, Any]] = {}


def _enter(*targets: str) -> list[MoveDraft]:
    return [MoveDraft(from_stage=None, to_stage=target) for target in targets]


def _from(
    start: str, *targets: str, guard: Mapping[str, Any] = FREELY, reason: bool = False
) -> list[MoveDraft]:
    return [
        MoveDraft(from_stage=start, to_stage=target, guard=guard, requires_reason=reason)
        for target in targets
    ]


# --- stages that several journeys share ---------------------------------------------------------

SCREENING_PENDING: Final = StageDraft(
    code="SCREENING_PENDING",
    label_es="Cuestionario enviado",
    label_en="Questionnaire sent",
    status=StageStatus.PLANNED,
    whose_turn=Turn.PATIENT,
    help_es="El paciente tiene el enlace y debe rellenar el cuestionario de salud.",
    help_en="The patient has the link and fills in the health questionnaire.",
)
SCREENING_COMPLETED: Final = StageDraft(
    code="SCREENING_COMPLETED",
    label_es="Cuestionario completado",
    label_en="Questionnaire completed",
    status=StageStatus.PLANNED,
    whose_turn=Turn.PRACTICE,
    help_es="El cuestionario ha llegado. El análisis de riesgo decide cómo seguir.",
    help_en="The questionnaire has arrived. The risk analysis decides how to go on.",
)
BLOCKED_HIGH_RISK: Final = StageDraft(
    code="BLOCKED_HIGH_RISK",
    label_es="Bloqueado",
    label_en="Blocked",
    status=StageStatus.ON_HOLD,
    whose_turn=Turn.THERAPIST,
    help_es="Riesgo alto: nada avanza hasta que una terapeuta lo revise y lo explique.",
    help_en="High risk: nothing moves on until a therapist reviews it and says why.",
)
BLOCKED: Final = replace(
    BLOCKED_HIGH_RISK,
    code="BLOCKED",
    help_es="Algo no está claro: nada avanza hasta que una terapeuta lo revise y lo explique.",
    help_en="Something is unclear: nothing moves on until a therapist reviews it and says why.",
)
AWAITING_PAYMENT: Final = StageDraft(
    code="AWAITING_PAYMENT",
    label_es="Pendiente de pago",
    label_en="Awaiting payment",
    status=StageStatus.PLANNED,
    whose_turn=Turn.PATIENT,
    help_es="El paciente tiene el enlace de pago. La plaza se guarda 48 horas.",
    help_en="The patient has the payment link. The place is kept for 48 hours.",
)
CONFIRMED: Final = StageDraft(
    code="CONFIRMED",
    label_es="Confirmado",
    label_en="Confirmed",
    status=StageStatus.ACTIVE,
    whose_turn=Turn.PRACTICE,
    help_es="La plaza está confirmada.",
    help_en="The place is confirmed.",
)
COMPLETED: Final = StageDraft(
    code="COMPLETED",
    label_es="Completado",
    label_en="Completed",
    status=StageStatus.FINISHED,
    whose_turn=Turn.NOBODY,
    help_es="El journey ha terminado. Para repetirlo, inscribe de nuevo al paciente.",
    help_en="The journey is over. To repeat it, enroll the patient anew.",
)
CANCELLED: Final = StageDraft(
    code="CANCELLED",
    label_es="Cancelado",
    label_en="Cancelled",
    status=StageStatus.CANCELLED,
    whose_turn=Turn.NOBODY,
    help_es="El paciente sale de este journey. Sus otros journeys no cambian.",
    help_en="The patient leaves this journey. Their other journeys stay as they are.",
)


# --- psychedelic retreat ------------------------------------------------------------------------

RETREAT: Final = Blueprint(
    key="retreat_ibiza_2025",
    name="Retiro Ibiza 2025",
    initial_stage="SCREENING_PENDING",
    stages=[
        SCREENING_PENDING,
        SCREENING_COMPLETED,
        BLOCKED_HIGH_RISK,
        AWAITING_PAYMENT,
        StageDraft(
            code="PREPARATION_PHASE",
            label_es="Preparación",
            label_en="Preparation",
            status=StageStatus.ACTIVE,
            whose_turn=Turn.PATIENT,
            help_es="Dieta, medicación y llamada previa. Dura unos 7 días.",
            help_en="Diet, medication and a call beforehand. Takes about 7 days.",
        ),
        CONFIRMED,
        COMPLETED,
        CANCELLED,
    ],
    moves=[
        *_enter("SCREENING_PENDING"),
        *_from("SCREENING_PENDING", "SCREENING_COMPLETED", guard=FORM_FILLED),
        *_from("SCREENING_PENDING", "BLOCKED_HIGH_RISK", "CANCELLED"),
        *_from("SCREENING_COMPLETED", "AWAITING_PAYMENT", "BLOCKED_HIGH_RISK", "CANCELLED"),
        *_from("SCREENING_COMPLETED", "SCREENING_PENDING", reason=True),
        *_from(
            "BLOCKED_HIGH_RISK", "SCREENING_PENDING", "AWAITING_PAYMENT", "CANCELLED", reason=True
        ),
        *_from("BLOCKED_HIGH_RISK", "PREPARATION_PHASE", "CONFIRMED", guard=PAID, reason=True),
        *_from("AWAITING_PAYMENT", "PREPARATION_PHASE", "CONFIRMED", guard=PAID),
        *_from("AWAITING_PAYMENT", "BLOCKED_HIGH_RISK", "CANCELLED"),
        *_from("PREPARATION_PHASE", "CONFIRMED", guard=PAID),
        *_from("PREPARATION_PHASE", "BLOCKED_HIGH_RISK"),
        *_from("PREPARATION_PHASE", "CANCELLED", reason=True),
        *_from("CONFIRMED", "COMPLETED", "BLOCKED_HIGH_RISK"),
        *_from("CONFIRMED", "CANCELLED", reason=True),
    ],
)


# --- astrology ----------------------------------------------------------------------------------

CHART: Final = Blueprint(
    key="carta_natal",
    name="Carta natal",
    initial_stage="AWAITING_BIRTH_DATA",
    stages=[
        StageDraft(
            code="AWAITING_BIRTH_DATA",
            label_es="Datos de nacimiento",
            label_en="Birth data",
            status=StageStatus.PLANNED,
            whose_turn=Turn.PATIENT,
            help_es="Faltan el lugar, el día y la hora de nacimiento.",
            help_en="Place, day and hour of birth are missing.",
        ),
        StageDraft(
            code="CHART_IN_PROGRESS",
            label_es="Carta en preparación",
            label_en="Chart in progress",
            status=StageStatus.ACTIVE,
            whose_turn=Turn.THERAPIST,
            help_es="Los datos están completos; se calcula y se estudia la carta.",
            help_en="The data are complete; the chart is drawn and studied.",
        ),
        StageDraft(
            code="READING_BOOKED",
            label_es="Lectura reservada",
            label_en="Reading booked",
            status=StageStatus.ACTIVE,
            whose_turn=Turn.THERAPIST,
            help_es="Hay cita para leer la carta con el paciente.",
            help_en="There is an appointment to read the chart with the patient.",
        ),
        COMPLETED,
        CANCELLED,
    ],
    moves=[
        *_enter("AWAITING_BIRTH_DATA"),
        *_from("AWAITING_BIRTH_DATA", "CHART_IN_PROGRESS", guard=FORM_FILLED),
        *_from("AWAITING_BIRTH_DATA", "CANCELLED"),
        *_from("CHART_IN_PROGRESS", "READING_BOOKED", guard=BOOKED),
        *_from("CHART_IN_PROGRESS", "AWAITING_BIRTH_DATA", "CANCELLED", reason=True),
        *_from("READING_BOOKED", "COMPLETED"),
        *_from("READING_BOOKED", "CHART_IN_PROGRESS", "CANCELLED", reason=True),
    ],
)


# --- coaching programme -------------------------------------------------------------------------

AWAKENING: Final = Blueprint(
    key="despertar_8s",
    name="Despertar 8 semanas",
    initial_stage="ONBOARDING",
    stages=[
        StageDraft(
            code="WAITLIST",
            label_es="Lista de espera",
            label_en="Waiting list",
            status=StageStatus.WAITLIST,
            whose_turn=Turn.PRACTICE,
            help_es="El grupo está lleno. Avisa al paciente cuando quede una plaza libre.",
            help_en="The group is full. Tell the patient when a place is free.",
        ),
        StageDraft(
            code="ONBOARDING",
            label_es="Bienvenida",
            label_en="Onboarding",
            status=StageStatus.ACTIVE,
            whose_turn=Turn.PATIENT,
            help_es="Primera semana: presentación, objetivos y primer ejercicio.",
            help_en="First week: introduction, aims and first exercise.",
        ),
        StageDraft(
            code="DEEP_DIVE",
            label_es="Inmersión",
            label_en="Deep dive",
            status=StageStatus.ACTIVE,
            whose_turn=Turn.PATIENT,
            help_es="Semanas 2 a 6. Si pasan 14 días sin avance, habla con el paciente.",
            help_en="Weeks 2 to 6. After 14 days without progress, talk to the patient.",
        ),
        BLOCKED_HIGH_RISK,
        StageDraft(
            code="INTEGRATION",
            label_es="Integración",
            label_en="Integration",
            status=StageStatus.ACTIVE,
            whose_turn=Turn.THERAPIST,
            help_es="Semanas 7 y 8: sesión de cierre y plan personal.",
            help_en="Weeks 7 and 8: closing session and personal plan.",
        ),
        COMPLETED,
        CANCELLED,
    ],
    moves=[
        *_enter("ONBOARDING", "WAITLIST"),
        *_from("WAITLIST", "ONBOARDING", "BLOCKED_HIGH_RISK", "CANCELLED"),
        *_from("ONBOARDING", "DEEP_DIVE", "BLOCKED_HIGH_RISK", "CANCELLED"),
        *_from("DEEP_DIVE", "INTEGRATION", "BLOCKED_HIGH_RISK"),
        *_from("DEEP_DIVE", "ONBOARDING", "CANCELLED", reason=True),
        *_from("BLOCKED_HIGH_RISK", "ONBOARDING", "DEEP_DIVE", "CANCELLED", reason=True),
        *_from("INTEGRATION", "COMPLETED", "BLOCKED_HIGH_RISK"),
        *_from("INTEGRATION", "DEEP_DIVE", "CANCELLED", reason=True),
    ],
)


# --- yoga studio --------------------------------------------------------------------------------

YOGA: Final = Blueprint(
    key="yoga_urban_om",
    name="Yoga Urban Om",
    initial_stage="ENROLLED",
    stages=[
        StageDraft(
            code="ENROLLED",
            label_es="Inscripción",
            label_en="Enrolled",
            status=StageStatus.PLANNED,
            whose_turn=Turn.PRACTICE,
            help_es="Apuntado a clases. Envía el consentimiento para firmar.",
            help_en="Signed up for classes. Send the waiver to sign.",
        ),
        StageDraft(
            code="AWAITING_WAIVER",
            label_es="Consentimiento pendiente",
            label_en="Awaiting waiver",
            status=StageStatus.PLANNED,
            whose_turn=Turn.PATIENT,
            help_es="Sin el consentimiento firmado no se puede entrar en clase.",
            help_en="Without the signed waiver nobody joins a class.",
        ),
        replace(
            CONFIRMED,
            help_es="Consentimiento firmado: puede venir a clase.",
            help_en="Waiver signed: may come to class.",
        ),
        COMPLETED,
        CANCELLED,
    ],
    moves=[
        *_enter("ENROLLED"),
        *_from("ENROLLED", "AWAITING_WAIVER", "CANCELLED"),
        *_from("ENROLLED", "CONFIRMED", guard=FORM_FILLED),
        *_from("AWAITING_WAIVER", "CONFIRMED", guard=FORM_FILLED),
        *_from("AWAITING_WAIVER", "CANCELLED"),
        *_from("CONFIRMED", "COMPLETED"),
        *_from("CONFIRMED", "AWAITING_WAIVER", "CANCELLED", reason=True),
    ],
)


# --- legacy intake ------------------------------------------------------------------------------

INTAKE: Final = Blueprint(
    key="intake",
    name="Intake",
    initial_stage="SCREENING_PENDING",
    stages=[
        SCREENING_PENDING,
        SCREENING_COMPLETED,
        BLOCKED,
        AWAITING_PAYMENT,
        StageDraft(
            code="PAYMENT_PENDING",
            label_es="Pago en curso",
            label_en="Payment in progress",
            status=StageStatus.PLANNED,
            whose_turn=Turn.PRACTICE,
            help_es="El paciente ha empezado a pagar; falta la respuesta del banco.",
            help_en="The patient has begun to pay; the bank has not answered yet.",
        ),
        CONFIRMED,
        COMPLETED,
        CANCELLED,
    ],
    moves=[
        *_enter("SCREENING_PENDING"),
        *_from("SCREENING_PENDING", "SCREENING_COMPLETED", guard=FORM_FILLED),
        *_from("SCREENING_PENDING", "BLOCKED", "CANCELLED"),
        *_from("SCREENING_COMPLETED", "AWAITING_PAYMENT", "BLOCKED", "CANCELLED"),
        *_from("SCREENING_COMPLETED", "SCREENING_PENDING", reason=True),
        *_from("BLOCKED", "SCREENING_PENDING", "AWAITING_PAYMENT", "CANCELLED", reason=True),
        *_from("BLOCKED", "CONFIRMED", guard=PAID, reason=True),
        *_from("AWAITING_PAYMENT", "PAYMENT_PENDING", "BLOCKED", "CANCELLED"),
        *_from("AWAITING_PAYMENT", "CONFIRMED", guard=PAID),
        *_from("PAYMENT_PENDING", "CONFIRMED", guard=PAID),
        *_from("PAYMENT_PENDING", "AWAITING_PAYMENT", "BLOCKED", "CANCELLED"),
        *_from("CONFIRMED", "COMPLETED", "BLOCKED"),
        *_from("CONFIRMED", "CANCELLED", reason=True),
    ],
)

ARCHETYPES: Final = (RETREAT, CHART, AWAKENING, YOGA, INTAKE)
