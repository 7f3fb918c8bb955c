"""The journey log as people read it: which stage to which, when, who or what, and why.

Names are read for all lines at once: templates, people and reasons, however many lines.
"""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from django.db.models import Q, QuerySet
from django.utils.translation import get_language

from journeys.event_types import event_type
from journeys.models.event import SystemEventLog
from journeys.models.log import ActorKind, JourneyLog, JourneyLogNote
from journeys.models.review import BlockReview
from journeys.models.template import JourneyTemplate
from journeys.selectors.definitions import Definition, Stage, definitions
from journeys.selectors.positions import as_array
from journeys.vocabulary import ReasonCode
from kura.accounts.models import User
from kura.prepared import Columns, prepared_cursor
from kura.tenancy import organization_in_scope


@dataclass(frozen=True, kw_only=True, slots=True)
class HistoryLine:
    """`from_stage` is None for an enrollment. `actor`: a name, or what kind of cause it was.

    `reviews`: who looked at the block that this move set, and kept it; the newest first.
    """

    log: JourneyLog
    journey: str
    from_stage: Stage | None
    to_stage: Stage | None
    actor: str
    event: str
    reason: str
    note: str
    reviews: Sequence[BlockReview] = ()


def history_of(patient_id: uuid.UUID) -> QuerySet[JourneyLog]:
    """Newest first. By the order of writing: a back-dated move still follows the one before."""
    return readable(JourneyLog.objects.filter(patient=patient_id)).order_by("-id")


def readable(logs: QuerySet[JourneyLog]) -> QuerySet[JourneyLog]:
    """With what `history_lines` needs of each row."""
    return logs.select_related("note", "trigger_event", "patient")


_LOG: Final = Columns.of("l", JourneyLog)
_NOTE: Final = Columns.of("n", JourneyLogNote)
_EVENT: Final = Columns("v", ("id", "event_type"))
_MOVES: Final = f"""
    SELECT {_LOG}, {_NOTE}, {_EVENT} FROM journey_logs l
    LEFT JOIN journey_log_notes n ON n.log_id = l.id
    LEFT JOIN system_events v ON v.id = l.trigger_event_id
    WHERE l.enrollment_id = ANY(%s::uuid[]) AND (l.organization_id = %s OR %s::boolean)
    ORDER BY l.enrollment_id, l.seq
"""  # noqa: S608  constants


def moves_of(enrollment_ids: Iterable[uuid.UUID]) -> list[JourneyLog]:
    """All moves of these enrollments in their order, with what `history_lines` needs of each.

    Prepared, with the scope written out: every answer about a journey asks this.
    """
    home = organization_in_scope()
    with prepared_cursor() as cursor:
        cursor.execute(_MOVES, [as_array(enrollment_ids), home, home is None])
        return [_move(row) for row in cursor.fetchall()]


def _move(row: Sequence[Any]) -> JourneyLog:
    logged, noted = len(_LOG.names), len(_LOG.names) + len(_NOTE.names)
    log = _LOG.object(JourneyLog, row[:logged])
    note = _NOTE.object(JourneyLogNote, row[logged:noted]) if row[logged] is not None else None
    JourneyLog.note.related.set_cached_value(log, note)  # None too, or it would be asked for
    if row[noted] is not None:
        log.trigger_event = _EVENT.object(SystemEventLog, row[noted:])
    return log


def history_lines(
    logs: Sequence[JourneyLog],
    known: Mapping[tuple[uuid.UUID, str], Definition] | None = None,
) -> list[HistoryLine]:
    """Three queries, however many rows; one if the definitions are `known` already.

    Without reviews: `with_reviews` adds them.
    """
    if known is None:
        known = definitions_by_key({log.journey_key for log in logs})
    people = _names(logs)
    return [_line(log, known.get((log.organization_id, log.journey_key)), people) for log in logs]


def lines_among(
    logs: Sequence[JourneyLog],
    known: Mapping[tuple[uuid.UUID, str], Definition],
    people: Mapping[uuid.UUID | None, str],
) -> list[HistoryLine]:
    """No query: for a page that has read the definitions and the names of people in fewer."""
    return [_line(log, known.get((log.organization_id, log.journey_key)), people) for log in logs]


def with_reviews(lines: Sequence[HistoryLine]) -> list[HistoryLine]:
    """One query, if there are blocks among the lines."""
    blocks = [one.log for one in lines if one.to_stage and one.to_stage.is_blocking]
    found = _reviews(blocks) if blocks else {}
    return [
        replace(one, reviews=found.get((one.log.enrollment_id, one.log.seq), ())) for one in lines
    ]


def _reviews(blocks: Iterable[JourneyLog]) -> Mapping[tuple[uuid.UUID, int], list[BlockReview]]:
    rows = BlockReview.objects.filter(enrollment__in=[log.enrollment_id for log in blocks])
    found: dict[tuple[uuid.UUID, int], list[BlockReview]] = defaultdict(list)
    for row in rows.select_related("reviewer"):
        found[row.enrollment_id, row.seq].append(row)
    return found


def history_reader() -> Callable[[JourneyLog], HistoryLine]:
    """For more rows than fit into memory: what they name is read beforehand, in three queries."""
    known = definitions_by_key(JourneyTemplate.objects.values_list("key", flat=True))
    people: dict[uuid.UUID | None, str] = {one.pk: str(one) for one in _everybody()}
    return lambda log: _line(log, known.get((log.organization_id, log.journey_key)), people)


def _everybody() -> QuerySet[User]:
    """Who works in the practice, and platform staff: the only others who may have moved someone."""
    organization_id = organization_in_scope()
    if organization_id is None:
        return User.objects.all()
    return User.objects.filter(Q(organization=organization_id) | Q(organization=None))


def definitions_by_key(keys: Iterable[str]) -> dict[tuple[uuid.UUID, str], Definition]:
    """Definitions by organization and key, those in scope."""
    templates = JourneyTemplate.objects.filter(key__in=set(keys)).values_list("pk", flat=True)
    return {(one.organization_id, one.key): one for one in definitions(templates).values()}


_PERSON: Final = Columns.of("u", User, without=("password",))
_PEOPLE: Final = f"SELECT {_PERSON} FROM users u WHERE u.id = ANY(%s::uuid[])"  # noqa: S608  constants


def _names(logs: Iterable[JourneyLog]) -> dict[uuid.UUID | None, str]:
    ids = {log.actor_id for log in logs if log.actor_id and log.actor_kind == ActorKind.USER}
    if not ids:
        return {}
    with prepared_cursor() as cursor:
        cursor.execute(_PEOPLE, [as_array(ids)])
        people = [_PERSON.object(User, row) for row in cursor.fetchall()]
    return {user.pk: str(user) for user in people}


def _line(
    log: JourneyLog, definition: Definition | None, people: Mapping[uuid.UUID | None, str]
) -> HistoryLine:
    note = getattr(log, "note", None)
    stages = definition.stages if definition else {}
    return HistoryLine(
        log=log,
        journey=definition.name if definition else log.journey_key,
        from_stage=stages.get(log.from_stage or ""),
        to_stage=stages.get(log.to_stage),
        actor=people.get(log.actor_id) or str(ActorKind(log.actor_kind).label),
        event=event_label(log.trigger_event.event_type) if log.trigger_event else "",
        reason=reason_label(log.reason_code),
        note=note.body if note else "",
    )


def reason_label(code: str | None) -> str:
    """A reason code of the vocabulary by its name; one that a program made up, as words."""
    if not code:
        return ""
    if code in ReasonCode.values:
        return str(ReasonCode(code).label)
    return code.replace("_", " ").capitalize()


def event_label(name: str) -> str:
    """What happened, in the reader's language."""
    labels = event_type(name).labels
    words = labels["en" if (get_language() or "").startswith("en") else "es"]
    return words[:1].upper() + words[1:]
