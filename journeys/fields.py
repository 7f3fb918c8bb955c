"""What a guard may ask about: the catalogue of fields.

`journeys/selectors/facts.py` loads exactly these. Names are data in both languages.
"""

from __future__ import annotations

import re
from typing import Final

from journeys.event_types import EVENT_TYPES, EventType, event_type, is_known
from journeys.models.template import StageStatus
from kura.conditions import Field, Labels

_JOURNEY_KEY: Final = re.compile(r"[a-z0-9_-]{1,60}")


def _names(es: str, en: str) -> Labels:
    return {"es": es, "en": en}


_EVENT_PATH: Final = re.compile(
    r"events\.(?P<name>CUSTOM\.[A-Za-z0-9_]{1,60}|[A-Z_]{1,80})\.(?:count|last\..+)"
)


def event_name(path: str) -> str | None:
    """The event type that `events.<TYPE>.count` or `events.<TYPE>.last.<path>` asks about."""
    found = _EVENT_PATH.fullmatch(path)
    return found["name"] if found else None


_STATUSES: Final = {
    StageStatus.PLANNED.value: _names("previsto", "planned"),
    StageStatus.WAITLIST.value: _names("lista de espera", "waiting list"),
    StageStatus.ACTIVE.value: _names("activo", "active"),
    StageStatus.ON_HOLD.value: _names("en espera", "on hold"),
    StageStatus.FINISHED.value: _names("terminado", "finished"),
    StageStatus.CANCELLED.value: _names("cancelado", "cancelled"),
}

FIXED_FIELDS: Final = {
    known.path: known
    for known in (
        Field("patient.external_id", "string", _names("número externo", "external id")),
        Field("patient.full_name", "string", _names("nombre", "name")),
        Field("patient.email", "string", _names("correo", "e-mail address")),
        Field("patient.phone", "string", _names("teléfono", "telephone")),
        Field(
            "patient.language",
            "string",
            _names("idioma", "language"),
            choices={"es": _names("español", "Spanish"), "en": _names("inglés", "English")},
        ),
        Field("patient.timezone", "string", _names("zona horaria", "time zone")),
        Field("patient.created_at", "datetime", _names("fecha de alta", "date of registration")),
        Field("journey.key", "string", _names("journey", "journey")),
        Field("journey.stage", "string", _names("etapa", "stage")),
        Field("journey.status", "string", _names("estado", "status"), choices=_STATUSES),
        Field("journey.number", "integer", _names("número de inscripción", "enrollment number")),
        Field("journey.entered_at", "datetime", _names("en la etapa desde", "in the stage since")),
        Field("journey.hours_in_stage", "number", _names("horas en la etapa", "hours in stage")),
        Field(
            "journey.reviewed_at",
            "datetime",
            _names("última revisión del bloqueo", "last review of the block"),
        ),
    )
}


def guard_field(path: str) -> Field | None:
    """The field at this path, None when a guard may not ask for it."""
    if path in FIXED_FIELDS:
        return FIXED_FIELDS[path]
    if path.startswith("journeys."):
        return _other_journey(path)
    name = event_name(path)
    if name is None or not is_known(name):
        return None
    return _of_event(path, event_type(name))


def _other_journey(path: str) -> Field | None:
    key = path.removeprefix("journeys.")
    if not _JOURNEY_KEY.fullmatch(key):
        return None
    return Field(path, "string", _names(f"etapa en «{key}»", f"stage in “{key}”"))


def _of_event(path: str, event: EventType) -> Field | None:
    if path == f"events.{event.name}.count":
        return Field(path, "integer", _counted(event.labels), claim=event.labels)
    inside = path.removeprefix(f"events.{event.name}.last.")
    if inside == path:
        return None
    if event.name not in EVENT_TYPES:
        return Field(path, "string", _names(inside, inside))
    if inside not in event.payload:
        return None
    part = event.payload[inside]
    labels = _part(part.labels, event.labels)
    return Field(path, part.type, labels, choices=part.choices, says=part.says)


def _counted(labels: Labels) -> Labels:
    return _names(f"número de «{labels['es']}»", f"number of “{labels['en']}”")


def _part(part: Labels, whole: Labels) -> Labels:
    return _names(f"{part['es']} ({whole['es']})", f"{part['en']} ({whole['en']})")
