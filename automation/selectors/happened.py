"""What has happened that a rule would have heard: the stored events of a period, newest first.

Found patient by patient, through their own index: the cost grows with the practice that asks, not
with what all the others store. Contents are read apart, as many at once as the caller can judge.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from automation.models.rule import AutomationRule
from journeys.event_types import event_type
from journeys.models.event import SystemEventLog, SystemEventPayload
from journeys.selectors.positions import as_array
from kura import tenancy
from kura.accounts.models import Organization
from kura.prepared import Columns, prepared_cursor

_EVENT: Final = Columns.of("e", SystemEventLog)
_CONTENTS: Final = Columns.of("c", SystemEventPayload, without=("subject",))


@dataclass(frozen=True, slots=True)
class Ear:
    """Which events of its trigger a rule hears: `automation.engine.concerns` as a condition of SQL.

    `also_elsewhere`: it may block, so what is found about a person in another journey is heard.
    """

    event_type: str
    journey_key: str
    also_elsewhere: bool

    @classmethod
    def of(cls, rule: AutomationRule, *, may_block: bool) -> Ear:
        return cls(rule.trigger_event, rule.journey_key, may_block)

    @property
    def about_person(self) -> bool:
        return not event_type(self.event_type).per_journey


# OFFSET 0 keeps the planner from reading the events of every practice at once.
_HAPPENED: Final = f"""
SELECT {_EVENT}, count(*) OVER () AS all_of_them
FROM patients p
CROSS JOIN LATERAL (
    SELECT * FROM system_events h
    WHERE h.patient_id = p.id AND h.event_type = ANY(%(types)s::text[])
        AND h.occurred_at >= %(since)s AND h.occurred_at < %(until)s
    OFFSET 0
) e
WHERE p.organization_id = %(organization)s AND EXISTS (
    SELECT FROM unnest(
        %(types)s::text[], %(keys)s::text[], %(about_person)s::boolean[], %(elsewhere)s::boolean[]
    ) AS ear (event_type, journey_key, about_person, also_elsewhere)
    WHERE e.event_type = ear.event_type AND (
        ear.journey_key = '' OR e.journey_key = ear.journey_key OR (
            ear.about_person AND (ear.also_elsewhere OR coalesce(e.journey_key, '') = ''))))
ORDER BY e.occurred_at DESC, e.id DESC
LIMIT %(most)s
"""  # noqa: S608  names of columns, no outside text


def events_heard(
    organization: Organization, ears: Sequence[Ear], *, since: datetime, until: datetime, most: int
) -> tuple[list[SystemEventLog], int]:
    """The newest `most` events about a patient that one of these hears, and how many there are.

    By `occurred_at`, without contents. Needs the organization's tenant scope. One statement.
    """
    if not tenancy.in_scope(organization.pk):
        return [], 0
    asked: dict[str, Any] = {
        "organization": organization.pk,
        "types": [ear.event_type for ear in ears],
        "keys": [ear.journey_key for ear in ears],
        "about_person": [ear.about_person for ear in ears],
        "elsewhere": [ear.also_elsewhere for ear in ears],
        "since": since,
        "until": until,
        "most": most,
    }
    with prepared_cursor() as cursor:
        cursor.execute(_HAPPENED, asked)
        rows = cursor.fetchall()
    return [_EVENT.object(SystemEventLog, row[:-1]) for row in rows], rows[0][-1] if rows else 0


_CONTENTS_OF: Final = f"""
SELECT {_CONTENTS} FROM system_event_payloads c WHERE c.event_id = ANY(%(ids)s::uuid[])
"""  # noqa: S608  names of columns, no outside text


def read_contents(events: Sequence[SystemEventLog]) -> None:
    """Give each event its contents, payload and facts; who was erased has none. One statement."""
    by_id = {event.pk: event for event in events}
    with prepared_cursor() as cursor:
        cursor.execute(_CONTENTS_OF, {"ids": as_array(by_id)})
        for row in cursor.fetchall():
            contents = _CONTENTS.object(SystemEventPayload, row)
            by_id[contents.pk].payload_row = contents
