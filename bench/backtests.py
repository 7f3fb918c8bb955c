"""A dry run over ten thousand events of one practice, among as many of others.

Each event is of another patient, has the facts that the engine keeps, and is judged by two versions
of a rule with two groups of two conditions and two actions. Loaded by SQL: what is measured reads.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any, Final

from django.db import connection
from django.utils import timezone

from automation.backtest import MOST_EVENTS, backtest
from automation.models import AutomationRule
from automation.tallies import Backtest
from bench.figures import Figure, Target, single
from bench.practice import KEY, NEXT, Practice, enrolled_patients, open_practice, settle
from kura import tenancy

TRIGGER: Final = "RISK_ANALYSIS_COMPLETED"
OTHERS: Final = 4  # practices with as many events each
PERIOD: Final = timedelta(days=365)
TARGET: Final = Target(at_most=5)  # seconds

_FACTS: Final = {
    "journey": {"key": KEY, "stage": "SCREENING_PENDING", "status": "planned", "number": 1,
                "hours_in_stage": 30.5, "entered_at": "2026-01-01T00:00:00Z"},
    "patient": {"language": "es", "email": "someone@example.org", "full_name": "Somebody"},
    "journeys": {KEY: "SCREENING_PENDING"},
    "events": {name: {"count": 1, "last": {}} for name in (TRIGGER, "PAYMENT_SUCCEEDED")},
}  # fmt: skip

_LOAD: Final = """
WITH told AS (
    INSERT INTO system_events (id, organization_id, event_type, patient_id, source,
        idempotency_key, occurred_at, depth)
    SELECT kura_time_ordered_uuid(), %(organization)s, %(trigger)s, who.id, 'integration:bench',
        who.id::text, now() - number * interval '40 minutes', 0
    FROM unnest(%(patients)s::uuid[]) WITH ORDINALITY AS who (id, number)
    RETURNING id
)
INSERT INTO system_event_payloads (event_id, payload, subject, facts)
SELECT id, jsonb_build_object(
        'risk_level', (ARRAY['LOW', 'MEDIUM', 'HIGH'])[1 + abs(hashtext(id::text)) %% 3],
        'risk_score', abs(hashtext(id::text)) %% 10,
        'medication_active', abs(hashtext(id::text)) %% 2 = 0),
    '{}', %(facts)s::jsonb
FROM told
"""


def measure(practice: Practice, *, rounds: int) -> Iterator[Figure]:
    others = [open_practice(f"dry-run-{number}") for number in range(OTHERS)]
    for one in (*others, practice):
        load(one, enrolled_patients(one, MOST_EVENTS))
    settle()
    took = [_took(practice) for _ in range(rounds)]
    name = f"dry run, {MOST_EVENTS:,} events, two versions"
    yield single(name, unit="s", values=[clock for clock, _processor in took], target=TARGET)
    processor = [processor for _clock, processor in took]
    yield single(f"{name}: processor time of Python", unit="s", values=processor, target=None)


def load(practice: Practice, patients: Sequence[uuid.UUID]) -> None:
    """One event of each."""
    asked: dict[str, Any] = {
        "organization": practice.organization.pk,
        "trigger": TRIGGER,
        "patients": list(patients),
        "facts": json.dumps(_FACTS),
    }
    with connection.cursor() as cursor:
        cursor.execute(_LOAD, asked)


def _leaf(field: str, op: str, value: object) -> dict[str, Any]:
    return {"field": field, "op": op, "value": value}


def a_rule(practice: Practice) -> AutomationRule:
    high = _leaf("event.payload.risk_level", "eq", "HIGH")
    score = _leaf("event.payload.risk_score", "gte", 4)
    groups = [
        {"all": [high, _leaf("event.payload.medication_active", "eq", True)]},
        {"all": [score, _leaf("journey.hours_in_stage", "lt", 48)]},
    ]
    return AutomationRule(
        organization=practice.organization,
        name="Dry run",
        trigger_event=TRIGGER,
        conditions={"any": groups},
        actions=[
            {"type": "update_journey_status", "params": {"key": KEY, "status": NEXT}},
            {"type": "create_task", "params": {"audience": "therapist", "text": "Look"}},
        ],
    )


def _took(practice: Practice) -> tuple[float, float]:
    """Seconds on the clock, and of the processor: neighbours on the machine disturb those less."""
    started, began = time.perf_counter(), time.process_time()
    found = try_both(practice)
    took = time.perf_counter() - started, time.process_time() - began
    if found.looked_at != MOST_EVENTS or not found.effects.would_move:
        raise RuntimeError(f"{found.looked_at} events, {found.effects.would_move} moves")
    return took


def try_both(practice: Practice) -> Backtest:
    """A draft with the first group alone, against the published version with both."""
    rule, now = a_rule(practice), timezone.now()
    with tenancy.scope(practice.organization):
        return backtest(
            organization=practice.organization,
            definition=rule.definition | {"conditions": rule.conditions["any"][0]},
            published=rule,
            since=now - PERIOD,
            until=now + timedelta(days=1),
            now=now,
            seconds=60,
        )
