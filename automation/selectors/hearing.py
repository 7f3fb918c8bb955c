"""What the engine reads for each event, in few statements: the event, the rules that hear it.

Plain SQL: making these queries in the ORM costs more than the database needs to answer them, and
they are asked for every event there is.
"""

from __future__ import annotations

import uuid
from typing import Any, Final, TypeVar

from django.db import connection, models

from automation.models.rule import AutomationRule
from journeys.models.event import SystemEventLog, SystemEventPayload
from kura.accounts.models import Organization
from kura.prepared import prepared_cursor

_Model = TypeVar("_Model", bound=models.Model)


def _columns(model: type[models.Model], alias: str) -> str:
    return ", ".join(f"{alias}.{field.column}" for field in model._meta.concrete_fields)


def _width(model: type[models.Model]) -> int:
    return len(model._meta.concrete_fields)


def _made(model: type[_Model], values: tuple[Any, ...]) -> _Model:
    """As the ORM would have read it."""
    fields = model._meta.concrete_fields
    return model.from_db(connection.alias, [field.attname for field in fields], list(values))


_HELD: Final = f"""
SELECT {_columns(SystemEventLog, "e")}, {_columns(Organization, "o")},
    {_columns(SystemEventPayload, "p")}
FROM event_dispatches d
JOIN system_events e ON e.id = d.event_id
JOIN organizations o ON o.id = e.organization_id
LEFT JOIN system_event_payloads p ON p.event_id = e.id
WHERE d.event_id = %s AND d.claim = %s AND d.status = 'processing'
FOR UPDATE OF d
"""  # noqa: S608  column names of the models, no outside text


def held_event(event_id: uuid.UUID, claim: uuid.UUID) -> SystemEventLog | None:
    """The event with its organization and contents, its place in the queue locked until commit.

    None when somebody else has taken it over. An event without contents was erased.
    """
    with prepared_cursor() as cursor:
        cursor.execute(_HELD, [event_id, claim])
        row = cursor.fetchone()
    if row is None:
        return None
    first, second = _width(SystemEventLog), _width(SystemEventLog) + _width(Organization)
    event = _made(SystemEventLog, row[:first])
    event.organization = _made(Organization, row[first:second])
    if row[second] is not None:
        event.payload_row = _made(SystemEventPayload, row[second:])
    return event


_RULES: Final = f"""
SELECT {_columns(AutomationRule, "r")} FROM automation_rules r
WHERE r.organization_id = %s AND r.trigger_event = %s AND r.is_active
ORDER BY r.priority, r.id
"""  # noqa: S608  column names of the model, no outside text


def rules_of(organization_id: uuid.UUID, trigger_event: str) -> list[AutomationRule]:
    """The active ones of this trigger, of whatever journey, in the order of their priority."""
    with prepared_cursor() as cursor:
        cursor.execute(_RULES, [organization_id, trigger_event])
        return [_made(AutomationRule, row) for row in cursor.fetchall()]


_BLOCKING: Final = """
SELECT t.key, named.stage
FROM journey_stages s JOIN journey_templates t ON t.id = s.template_id
CROSS JOIN LATERAL (VALUES (s.code), ('')) AS named (stage)
WHERE t.organization_id = %s AND s.status = 'onhold' AND s.retired_at IS NULL
    AND (named.stage <> '' OR s.code = t.initial_stage)
"""


def blocking_stages(organization_id: uuid.UUID) -> frozenset[tuple[str, str]]:
    """Journey key and stage of every stage that puts a patient on hold.

    The stage is '' where a journey begins so: who is enrolled without naming a stage is held.
    """
    with prepared_cursor() as cursor:
        cursor.execute(_BLOCKING, [organization_id])
        return frozenset(cursor.fetchall())


_HEARD: Final = """
SELECT EXISTS (
    SELECT FROM automation_rules
    WHERE organization_id = %s AND trigger_event = %s AND is_active)
"""


def is_heard(organization_id: uuid.UUID, event_type: str) -> bool:
    """Does any active rule listen to events of this type?"""
    with prepared_cursor() as cursor:
        cursor.execute(_HEARD, [organization_id, event_type])
        return bool(cursor.fetchone()[0])


_DEAD: Final = f"""
SELECT {_columns(SystemEventLog, "e")}
FROM event_dispatches d JOIN system_events e ON e.id = d.event_id
WHERE d.patient_id = %s AND d.status = 'dead'
"""  # noqa: S608  column names of the model, no outside text


def dead_events(patient_id: uuid.UUID) -> list[SystemEventLog]:
    """What failed for good about this patient, and no person has decided about yet."""
    with prepared_cursor() as cursor:
        cursor.execute(_DEAD, [patient_id])
        return [_made(SystemEventLog, row) for row in cursor.fetchall()]
