"""Events in: each is stored once, whoever delivers it and however often.

`record_event()` is the way in for everything outside (API, command, monitor), `store()` for what
Kura itself adds (a new patient, an event of a rule, a link); the events of moves are stored by the
database (`sql/moves_are_events.sql`). All write event, contents, and place in the queue in one call
to `sql/record_events.sql`; what is stored here rings the bell in the same transaction.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final

from django.core.serializers.json import DjangoJSONEncoder
from django.db import transaction
from django.utils import timezone

from automation import bell, errors, payloads
from automation.models.dispatch import DispatchStatus
from automation.sources import Source
from journeys import event_types
from journeys.event_types import EventType
from journeys.models.event import SystemEventLog, SystemEventPayload
from journeys.models.template import KEY_PATTERN
from kura.accounts.models import Organization
from kura.errors import database_refusals
from kura.ids import time_ordered_uuid
from kura.prepared import prepared_cursor
from patients.models import Patient

MAX_KEY: Final = 255
MAX_REFERENCE: Final = 254  # characters of an external id or address
_NOTHING: Final[Mapping[str, Any]] = {}


@dataclass(frozen=True, kw_only=True, slots=True)
class Subject:
    """About whom, as the source names them: exactly one of the three (InvalidSubject)."""

    id: uuid.UUID | None = None
    external_id: str | None = None
    email: str | None = None

    def __post_init__(self) -> None:
        given = [value for value in (self.id, self.external_id, self.email) if value]
        if len(given) != 1 or len(str(given[0])) > MAX_REFERENCE or "\x00" in str(given[0]):
            raise errors.InvalidSubject

    def as_json(self) -> dict[str, str]:
        return {name: str(value) for name, value in asdict(self).items() if value}


@dataclass(frozen=True, kw_only=True, slots=True)
class Draft:
    """An event that is not stored yet. `derived`: by Kura, so it waits only if a rule listens."""

    id: uuid.UUID
    organization_id: uuid.UUID
    event_type: str
    patient_id: uuid.UUID | None
    journey_key: str | None
    source: str
    idempotency_key: str
    occurred_at: datetime
    payload: Mapping[str, Any]
    parent_event_id: uuid.UUID | None = None
    subject: Mapping[str, str]
    derived: bool = False


@dataclass(frozen=True, slots=True)
class Recorded:
    """`duplicate`: it was there already, and nothing was written."""

    event_id: uuid.UUID
    status: str
    duplicate: bool

    @property
    def matched(self) -> bool:
        return self.status != DispatchStatus.UNMATCHED


def record_event(
    *,
    organization: Organization,
    event_type: str,
    source: Source,
    idempotency_key: str,
    subject: Subject,
    journey_key: str | None = None,
    payload: Mapping[str, Any] = _NOTHING,
    occurred_at: datetime | None = None,
    parent_event_id: uuid.UUID | None = None,
) -> Recorded:
    """Store the event and queue it; the same one again is a duplicate and changes nothing.

    Call it inside the organization's tenant scope. A patient nobody knows: kept as unmatched.
    Raises UnknownEventType, EventTypeReserved, SourceNotTrusted, InvalidPayload, InvalidSubject,
    EventIdRequired, EventTime, EventNotFound for a cause that is not the organization's, and
    IdempotencyKeyReused when the same key says something else.
    """
    kind = _accepted(event_type, source, idempotency_key, journey_key)
    payloads.check(kind.name, payload)
    _require_cause(organization, parent_event_id)
    draft = Draft(
        id=time_ordered_uuid(),
        organization_id=organization.pk,
        event_type=kind.name,
        patient_id=_patient(organization, subject),
        journey_key=journey_key,
        source=str(source),
        idempotency_key=idempotency_key,
        occurred_at=occurred_at or timezone.now(),
        payload=payload,
        parent_event_id=parent_event_id,
        subject=subject.as_json(),
    )
    with transaction.atomic():
        stored = store([draft])
        if stored:
            return Recorded(draft.id, stored[draft.id], duplicate=False)
        return _stored_before(draft, said_when=occurred_at is not None)


def record_events(drafts: Sequence[Draft], *, source: Source) -> dict[uuid.UUID, str]:
    """Many at once, of any organization, from one of Kura's own sources: checked like every event.

    Queue status by id of those that were new; what is there under its key already changes nothing.
    Raises UnknownEventType, EventTypeReserved, EventIdRequired, InvalidJourneyKey, InvalidPayload.
    """
    for draft in drafts:
        kind = _accepted(draft.event_type, source, draft.idempotency_key, draft.journey_key)
        payloads.check(kind.name, draft.payload)
    with transaction.atomic():
        return store(drafts)


def store(drafts: Sequence[Draft]) -> dict[uuid.UUID, str]:
    """Queue status by id of those that were new. Needs a transaction; rings if anything waits."""
    with database_refusals(), prepared_cursor() as cursor:
        cursor.execute("SELECT * FROM kura_record_events(%s)", [_as_json(drafts)])
        stored: dict[uuid.UUID, str] = dict(cursor.fetchall())
    if DispatchStatus.QUEUED in stored.values():
        bell.ring()
    return stored


def _as_json(drafts: Sequence[Draft]) -> str:
    return json.dumps([_members(draft) for draft in drafts], cls=_Exact)


class _Exact(DjangoJSONEncoder):
    """Times to the microsecond: the log compares them."""

    def default(self, o: object) -> Any:
        return o.isoformat() if isinstance(o, datetime) else super().default(o)


def _members(draft: Draft) -> dict[str, Any]:
    return {name: getattr(draft, name) for name in Draft.__dataclass_fields__}


# --- what is accepted ---------------------------------------------------------------------------


def _accepted(name: str, source: Source, key: str, journey_key: str | None) -> EventType:
    if not event_types.is_known(name):
        raise errors.UnknownEventType(event_type=name[:80])
    if not key or len(key) > MAX_KEY or "\x00" in key:
        raise errors.EventIdRequired
    if journey_key is not None and not re.fullmatch(KEY_PATTERN, journey_key):
        raise errors.InvalidJourneyKey
    kind = event_types.event_type(name)
    source.require(kind)
    return kind


def _require_cause(organization: Organization, event_id: uuid.UUID | None) -> None:
    """A stranger's event would spend the budget of their chain."""
    if event_id is None:
        return
    if not SystemEventLog.objects.filter(organization=organization, pk=event_id).exists():
        raise errors.EventNotFound


def _patient(organization: Organization, subject: Subject) -> uuid.UUID | None:
    """None when nobody, or more than one person, answers to that name."""
    known = Patient.objects.filter(organization=organization)
    if subject.id:
        found = known.filter(pk=subject.id)
    elif subject.external_id:
        found = known.filter(external_id=subject.external_id)
    else:
        found = known.filter(email__iexact=subject.email)
    ids = list(found.values_list("pk", flat=True)[:2])
    return ids[0] if len(ids) == 1 else None


# --- what came before ---------------------------------------------------------------------------


def _stored_before(draft: Draft, *, said_when: bool) -> Recorded:
    """The event of that key; IdempotencyKeyReused when it says something else."""
    event = SystemEventLog.objects.select_related("payload_row", "dispatch").get(
        organization=draft.organization_id,
        source=draft.source,
        idempotency_key=draft.idempotency_key,
    )
    when = event.occurred_at if said_when else draft.occurred_at
    said = (event.event_type, event.journey_key, when)
    if said != (draft.event_type, draft.journey_key, draft.occurred_at) or _tells_otherwise(
        draft, event
    ):
        raise errors.IdempotencyKeyReused
    dispatch = getattr(event, "dispatch", None)
    return Recorded(event.pk, dispatch.status if dispatch else "done", duplicate=True)


def _tells_otherwise(draft: Draft, event: SystemEventLog) -> bool:
    """The database compares: it knows 1 from true, and a number as it was written.

    Contents that were erased cannot be compared any more: it is then the same event.
    """
    if getattr(event, "payload_row", None) is None:
        return False
    told = {"payload": draft.payload, "subject": dict(draft.subject)}
    return not SystemEventPayload.objects.filter(event=event, **told).exists()
