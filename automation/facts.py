"""The facts of an event: what rules could see at that moment, kept with it.

Taken once, under the patient's lock, and stored beside the payload: production, a second attempt,
a dry run and a trace months later all read the same. `after_block` is what changed for the other
rules when one rule of this event put the patient on hold.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from django.core.serializers.json import DjangoJSONEncoder

from journeys.event_types import EVENT_TYPES
from journeys.models.event import SystemEventLog
from journeys.selectors.facts import facts_of
from journeys.selectors.positions import Position

Facts = dict[str, Any]
AFTER_BLOCK: Final = "after_block"
_ALWAYS: Final = frozenset(
    {"patient.language", "journeys.any", *(f"events.{name}.count" for name in EVENT_TYPES)}
)


def snapshot(position: Position, journey_key: str, paths: Iterable[str], now: datetime) -> Facts:
    """As it is stored: plain JSON. Custom events only where a rule asks for them (`paths`)."""
    return snapshots([position], journey_key, paths, now)[position.patient_id]


def snapshots(
    positions: Sequence[Position], journey_key: str, paths: Iterable[str], now: datetime
) -> dict[uuid.UUID, Facts]:
    """Of many patients in one journey, by patient, in as many statements as of one."""
    found = facts_of(positions, journey_key, {*_ALWAYS, *paths}, now=now)
    if not journey_key:
        for facts in found.values():
            facts.pop("journey", None)
    return {patient: _as_stored(facts) for patient, facts in found.items()}


def _as_stored(facts: Facts) -> Facts:
    taken: Facts = json.loads(json.dumps(facts, cls=DjangoJSONEncoder))
    return taken


def seen_by(event: SystemEventLog, stored: Facts, *, first: bool) -> Facts:
    """What a rule sees. `first`: it may block, so it is judged on how things were before."""
    facts = {name: value for name, value in stored.items() if name != AFTER_BLOCK}
    if not first:
        facts = _overlaid(facts, stored.get(AFTER_BLOCK, {}))
    return facts | {"event": told(event)}


def blocked(stored: Facts, journey_key: str, stage: str) -> None:
    """Remember for the other rules that this event put the patient on hold there."""
    after = stored.setdefault(AFTER_BLOCK, {})
    after.setdefault("journeys", {})[journey_key] = stage
    if stored.get("journey", {}).get("key") == journey_key:
        after["journey"] = {"stage": stage, "status": "onhold"}


def _overlaid(facts: Facts, changes: Mapping[str, Any]) -> Facts:
    return facts | {name: facts.get(name, {}) | change for name, change in changes.items()}


def told(event: SystemEventLog) -> Facts:
    """`event.*`: what the event itself says."""
    contents = getattr(event, "payload_row", None)  # None once it was erased
    return {
        "type": event.event_type,
        "source": event.source,
        "journey_key": event.journey_key,
        "occurred_at": event.occurred_at.isoformat(),
        "payload": contents.payload if contents else {},
    }
