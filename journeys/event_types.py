"""What can happen: the event types of Spec 3.1 and what the practice needs around them.

Each type says who may assert it, what it may carry (a rule may ask for exactly that), and whether
it is about one journey or about the person. Names are data in both languages.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from kura.conditions import FieldType, Labels

_CUSTOM: Final = re.compile(r"CUSTOM\.[A-Za-z0-9_]{1,60}")
MAX_TEXT: Final = 500  # characters of one text in a payload that a rule may ask for


class AssertedBy(StrEnum):
    """Who is believed. A public form may say that it was filled in, never that a risk is low."""

    ANYONE = "anyone"
    TRUSTED = "trusted"  # staff, an integration with a key, Kura itself
    SYSTEM = "system"  # Kura itself alone


def names(es: str, en: str) -> Labels:
    return {"es": es, "en": en}


@dataclass(frozen=True, slots=True)
class PayloadField:
    """One member of a payload. `choices` closes its values; `required`: no event without it.

    `says`: what a value says without the member's name.
    """

    type: FieldType
    labels: Labels
    choices: Mapping[str, Labels] | None = None
    required: bool = False
    says: Mapping[str, Labels] | None = None

    def as_schema(self) -> dict[str, Any]:
        schema = dict(_SCHEMAS[self.type]) | {"title": self.labels["en"]}
        return schema | {"enum": list(self.choices)} if self.choices else schema


_TEXT: Final = {"type": "string", "maxLength": MAX_TEXT}
_SCHEMAS: Final[Mapping[FieldType, Mapping[str, Any]]] = {
    "string": _TEXT,
    "number": {"type": "number"},
    "integer": {"type": "integer"},
    "boolean": {"type": "boolean"},
    "datetime": {
        "type": "string",
        "pattern": r"^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)$",
    },
    "list": {"type": "array", "items": _TEXT, "maxItems": 200},
}


@dataclass(frozen=True, slots=True)
class EventType:
    """`per_journey`: the event is about one journey, and counts for that one alone."""

    name: str
    labels: Labels
    per_journey: bool = True
    payload: Mapping[str, PayloadField] = field(default_factory=dict)
    asserted_by: AssertedBy = AssertedBy.ANYONE

    def as_schema(self) -> dict[str, Any]:
        """JSON Schema (2020-12) of the payload.

        Members it does not name are kept with the event and no rule can ask for them: a risk
        analysis must not be lost because the analyser learnt to say one thing more.
        """
        return {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "title": self.name,
            "type": "object",
            "properties": {name: part.as_schema() for name, part in self.payload.items()},
            "required": [name for name, part in self.payload.items() if part.required],
        }


RISK_LEVELS: Final = {
    "LOW": names("bajo", "low"),
    "MEDIUM": names("medio", "medium"),
    "HIGH": names("alto", "high"),
    "CRITICAL": names("crítico", "critical"),
    "UNKNOWN": names("sin determinar", "undetermined"),
}
_RISKS: Final = {
    level: names(f"riesgo {words['es']}", f"{words['en']} risk")
    for level, words in RISK_LEVELS.items()
}
_AMOUNT: Final = PayloadField("integer", names("importe en céntimos", "amount in cents"))
_CURRENCY: Final = PayloadField("string", names("moneda", "currency"))
_FORM: Final = PayloadField("string", names("formulario", "form"))
_BOOKING: Final = PayloadField("string", names("reserva", "booking"))
_REASON: Final = PayloadField("string", names("motivo", "reason"))
_FROM: Final = PayloadField("string", names("etapa anterior", "stage before"))
_TO: Final = PayloadField("string", names("etapa nueva", "new stage"))
_ACTOR: Final = PayloadField("string", names("movido por", "moved by"))

_UNTIL: Final = PayloadField("datetime", names("hasta", "until"), required=True)
_ENROLLMENT: Final = PayloadField("string", names("inscripción", "enrollment"), required=True)

_ALL: Final = (
    EventType(
        "FORM_SUBMISSION_COMPLETED",
        names("formulario completado", "form completed"),
        payload={"form_id": _FORM},
    ),
    EventType(
        "PAYMENT_SUCCEEDED",
        names("pago recibido", "payment received"),
        payload={"amount_cents": _AMOUNT, "currency": _CURRENCY},
        asserted_by=AssertedBy.TRUSTED,
    ),
    EventType(
        "PAYMENT_FAILED",
        names("pago fallido", "payment failed"),
        payload={"amount_cents": _AMOUNT, "currency": _CURRENCY, "reason": _REASON},
        asserted_by=AssertedBy.TRUSTED,
    ),
    EventType(
        "RISK_ANALYSIS_COMPLETED",
        names("análisis de riesgo terminado", "risk analysis completed"),
        per_journey=False,
        payload={
            "risk_level": PayloadField(
                "string",
                names("nivel de riesgo", "risk level"),
                choices=RISK_LEVELS,
                required=True,
                says=_RISKS,
            ),
            "risk_score": PayloadField("number", names("puntuación de riesgo", "risk score")),
            "medication_active": PayloadField(
                "boolean", names("toma medicación", "takes medication")
            ),
            "cardiac_history": PayloadField(
                "boolean", names("antecedentes cardíacos", "cardiac history")
            ),
        },
        asserted_by=AssertedBy.TRUSTED,
    ),
    EventType(
        "JOURNEY_STAGE_TIMEOUT",
        names("límite de la etapa superado", "stage limit passed"),
        payload={
            "rule_id": PayloadField("string", names("regla", "rule"), required=True),
            "stage": PayloadField("string", names("etapa", "stage"), required=True),
            "hours_in_stage": PayloadField("number", names("horas en la etapa", "hours in stage")),
            "occurrence": PayloadField("integer", names("recordatorio número", "reminder number")),
            "enrollment_id": PayloadField("string", names("inscripción", "enrollment")),
            "stage_seq": PayloadField("integer", names("movimiento número", "move number")),
        },
        asserted_by=AssertedBy.SYSTEM,
    ),
    EventType(
        "BOOKING_CONFIRMED",
        names("reserva confirmada", "booking confirmed"),
        payload={"booking_id": _BOOKING},
    ),
    EventType(
        "BOOKING_CANCELLED",
        names("reserva cancelada", "booking cancelled"),
        payload={"booking_id": _BOOKING, "reason": _REASON},
    ),
    EventType(
        "JOURNEY_STAGE_CHANGED",
        names("cambio de etapa", "stage changed"),
        payload={"from_stage": _FROM, "to_stage": _TO, "actor_kind": _ACTOR},
        asserted_by=AssertedBy.SYSTEM,
    ),
    EventType(
        "JOURNEY_ENROLLED",
        names("inscripción", "enrollment"),
        payload={"to_stage": _TO, "actor_kind": _ACTOR},
        asserted_by=AssertedBy.SYSTEM,
    ),
    EventType(
        "REMINDERS_PAUSED",
        names("recordatorios en pausa", "reminders paused"),
        payload={"until": _UNTIL, "enrollment_id": _ENROLLMENT},
        asserted_by=AssertedBy.SYSTEM,
    ),
    EventType(
        "REMINDERS_RESUMED",
        names("recordatorios reanudados", "reminders resumed"),
        payload={"until": _UNTIL, "enrollment_id": _ENROLLMENT},
        asserted_by=AssertedBy.SYSTEM,
    ),
    EventType(
        "PATIENT_CREATED",
        names("alta de paciente", "patient created"),
        per_journey=False,
        asserted_by=AssertedBy.SYSTEM,
    ),
)
EVENT_TYPES: Final = {event.name: event for event in _ALL}


def is_known(name: str) -> bool:
    return name in EVENT_TYPES or is_custom(name)


def is_custom(name: str) -> bool:
    return _CUSTOM.fullmatch(name) is not None


def event_type(name: str) -> EventType:
    """A custom event (`CUSTOM.…`) is about the journey it names."""
    short = name.removeprefix("CUSTOM.").replace("_", " ")
    return EVENT_TYPES.get(name) or EventType(name, names(short, short))
