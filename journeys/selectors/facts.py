"""What guards may look at: the patient, this enrollment, the patient's other journeys, events.

Paths (Spec 9.1): `patient.*`, `journey.*`, `journeys.<key>`, `events.<TYPE>.count`,
`events.<TYPE>.last.<path in the payload>`. An event about a journey counts for this enrollment
alone: same journey, and after the patient's previous enrollment in it was closed, so that last
year's payment does not confirm this year's retreat. Events about the person count always.

`journey.reviewed_at`: when a person last reviewed the present block and left it standing.

Only what the paths name is queried: at most four statements, however many patients.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any, Final

from journeys.event_types import event_type
from journeys.fields import event_name
from journeys.selectors.positions import Position, as_array
from kura import tenancy
from kura.prepared import prepared_cursor

Facts = dict[str, Any]

_PATIENT_FIELDS: Final = (
    "external_id", "full_name", "email", "phone", "language", "timezone", "created_at",
)  # fmt: skip


_PATIENTS: Final = f"""
SELECT id, journey_status, {", ".join(_PATIENT_FIELDS)} FROM patients
WHERE id = ANY(%(ids)s::uuid[]) AND (%(home)s::uuid IS NULL OR organization_id = %(home)s::uuid)
"""  # noqa: S608  the names above, no outside text


def facts_of(
    positions: Sequence[Position], journey_key: str, paths: Collection[str], *, now: datetime
) -> dict[uuid.UUID, Facts]:
    """The facts that `paths` name, per patient. `now` is the moment `hours_in_stage` counts to."""
    ids = [position.patient_id for position in positions]
    patients = _patients(ids) if _any_of(paths, "patient", "journeys") else {}
    events = _events(ids, journey_key, _event_names(paths))
    reviews = _reviews(positions) if _REVIEWED_AT in paths else {}
    return {
        position.patient_id: {
            "journey": _journey(position, journey_key, now) | reviews.get(position.patient_id, {}),
            **patients.get(position.patient_id, {}),
            "events": events.get(position.patient_id, _no_events(paths)),
        }
        for position in positions
    }


def _any_of(paths: Iterable[str], *roots: str) -> bool:
    return any(path.split(".", 1)[0] in roots for path in paths)


def _journey(position: Position, journey_key: str, now: datetime) -> Facts:
    facts: Facts = {"key": journey_key}
    if position.is_open and position.entered_at is not None:
        facts |= {
            "stage": position.stage,
            "status": position.status,
            "number": position.number,
            "entered_at": position.entered_at,
            "hours_in_stage": (now - position.entered_at).total_seconds() / 3600,
        }
    return facts


_REVIEWED_AT: Final = "journey.reviewed_at"
_REVIEWS: Final = """
SELECT asked.patient_id, max(r.reviewed_at)
FROM unnest(%(patients)s::uuid[], %(enrollments)s::uuid[], %(seqs)s::integer[])
    AS asked (patient_id, enrollment_id, seq)
JOIN block_reviews r ON r.enrollment_id = asked.enrollment_id AND r.seq = asked.seq
GROUP BY asked.patient_id
"""


def _reviews(positions: Iterable[Position]) -> dict[uuid.UUID, Facts]:
    """Of the block that each is in; a later block of the same enrollment is another."""
    held = [
        (position.patient_id, position.enrollment_id, position.seq)
        for position in positions
        if position.is_blocked and position.enrollment_id is not None
    ]
    asked: dict[str, Any] = {
        "patients": as_array(patient for patient, _enrollment, _seq in held),
        "enrollments": as_array(enrollment for _patient, enrollment, _seq in held),
        "seqs": [seq for _patient, _enrollment, seq in held],
    }
    with prepared_cursor() as cursor:
        cursor.execute(_REVIEWS, asked)
        return {patient: {"reviewed_at": at} for patient, at in cursor.fetchall()}


def _patients(ids: Sequence[uuid.UUID]) -> dict[uuid.UUID, Facts]:
    home = tenancy.organization_in_scope()
    with prepared_cursor() as cursor:
        cursor.execute(_PATIENTS, {"ids": as_array(ids), "home": home})
        return {
            pk: {
                "patient": {
                    name: value or None for name, value in zip(_PATIENT_FIELDS, values, strict=True)
                },
                "journeys": status,
            }
            for pk, status, *values in cursor.fetchall()
        }


def _event_names(paths: Iterable[str]) -> list[str]:
    return sorted({name for path in paths if (name := event_name(path))})


def _no_events(paths: Iterable[str]) -> Facts:
    return {name: {"count": 0} for name in _event_names(paths)}


# The newest event of each kind first, its contents then: a payload is read for one event, not all.
_EVENTS: Final = """
SELECT told.patient_id, told.event_type, told.number, p.payload
FROM (
    SELECT e.patient_id, e.event_type, count(*) AS number,
        (array_agg(e.id ORDER BY e.occurred_at DESC, e.id DESC))[1] AS newest
    FROM system_events e
    LEFT JOIN LATERAL (
        SELECT max(n.closed_at) AS at FROM journey_enrollments n
        WHERE n.patient_id = e.patient_id AND n.journey_key = %(journey_key)s
    ) closed ON TRUE
    WHERE e.patient_id = ANY(%(ids)s::uuid[])
        AND (e.event_type = ANY(%(about_person)s::text[]) OR (
            e.event_type = ANY(%(about_journey)s::text[]) AND e.journey_key = %(journey_key)s
            AND (closed.at IS NULL OR e.occurred_at > closed.at)))
    GROUP BY e.patient_id, e.event_type
) told
LEFT JOIN system_event_payloads p ON p.event_id = told.newest
"""


def _events(
    ids: Sequence[uuid.UUID], journey_key: str, names: Sequence[str]
) -> dict[uuid.UUID, Facts]:
    if not names:
        return {}
    found: dict[uuid.UUID, Facts] = {pk: {name: {"count": 0} for name in names} for pk in ids}
    per_journey = [name for name in names if event_type(name).per_journey]
    with prepared_cursor() as cursor:
        cursor.execute(
            _EVENTS,
            {
                "ids": as_array(ids),
                "journey_key": journey_key,
                "about_journey": as_array(per_journey),
                "about_person": as_array(name for name in names if name not in per_journey),
            },
        )
        for patient_id, name, count, payload in cursor.fetchall():
            found[patient_id][name] = {"count": count, "last": payload or {}}
    return found
