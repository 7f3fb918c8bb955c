"""What brought somebody where they are: stage to stage, when, who or what, and why, in words."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.utils.translation import gettext as _

from journeys.models.log import ActorKind, JourneyLog
from journeys.selectors.definitions import Definition, Stage
from journeys.selectors.history import HistoryLine, history_lines
from journeys.selectors.positions import as_array
from kura import tenancy
from kura.prepared import prepared_cursor


@dataclass(frozen=True, kw_only=True, slots=True)
class MoveTold:
    """`from_label` "": the enrollment. `cause`: who or what moved them, and why, in one sentence.

    `reason`: why, as shortly as it can be said; the name of the rule or the event if nobody gave
    one, "" if nothing is known. `event_id` leads to the trace.
    """

    id: int
    seq: int
    patient_id: uuid.UUID
    enrollment_id: uuid.UUID
    journey_key: str
    journey: str
    from_stage: str | None
    from_label: str
    to_stage: str
    to_label: str
    to_status: str
    changed_at: datetime
    actor_kind: str
    actor: str
    rule_id: uuid.UUID | None
    rule: str
    event_id: uuid.UUID | None
    event: str
    reason: str
    cause: str


def moves_told(
    logs: Sequence[JourneyLog],
    known: Mapping[tuple[uuid.UUID, str], Definition] | None = None,
) -> list[MoveTold]:
    """Logs read with `note` and `trigger_event`. Four queries, however many; two if the
    definitions are `known` already.
    """
    rules = _rule_names({log.rule_id for log in logs if log.rule_id})
    return told_among(history_lines(logs, known), rules)


def told_among(
    lines: Sequence[HistoryLine], rules: Mapping[uuid.UUID | None, str]
) -> list[MoveTold]:
    """No query: for a page that has read the lines and the names of their rules in fewer."""
    return [_told(line, rules.get(line.log.rule_id, "")) for line in lines]


_RULES: Final = """
    SELECT r.id, r.name FROM automation_rules r
    WHERE r.id = ANY(%s::uuid[]) AND (r.organization_id = %s OR %s::boolean)
"""


def _rule_names(ids: set[uuid.UUID]) -> Mapping[uuid.UUID | None, str]:
    if not ids:
        return {}
    home = tenancy.organization_in_scope()
    with prepared_cursor() as cursor:
        cursor.execute(_RULES, [as_array(ids), home, home is None])
        return dict(cursor.fetchall())


def _told(line: HistoryLine, rule: str) -> MoveTold:
    log = line.log
    return MoveTold(
        id=log.pk,
        seq=log.seq,
        patient_id=log.patient_id,
        enrollment_id=log.enrollment_id,
        journey_key=log.journey_key,
        journey=line.journey,
        from_stage=log.from_stage,
        from_label=_label(line.from_stage, log.from_stage),
        to_stage=log.to_stage,
        to_label=_label(line.to_stage, log.to_stage),
        to_status=line.to_stage.status if line.to_stage else "",
        changed_at=log.changed_at,
        actor_kind=log.actor_kind,
        actor=rule or line.actor,
        rule_id=log.rule_id,
        rule=rule,
        event_id=log.trigger_event_id,
        event=line.event,
        reason=line.note or line.reason or rule or line.event,
        cause=_cause(line, rule),
    )


def _label(stage: Stage | None, code: str | None) -> str:
    return stage.label if stage else (code or "").replace("_", " ").capitalize()


def _cause(line: HistoryLine, rule: str) -> str:
    told = {"who": _who(line, rule), "event": line.event, "reason": line.note or line.reason}
    if told["event"] and told["reason"]:
        return _("%(who)s, because of “%(event)s”: %(reason)s") % told
    if told["event"]:
        return _("%(who)s, because of “%(event)s”") % told
    if told["reason"]:
        return _("%(who)s: %(reason)s") % told
    return told["who"]


def _who(line: HistoryLine, rule: str) -> str:
    if line.log.actor_kind == ActorKind.RULE and rule:
        return _("Rule “%(rule)s”") % {"rule": rule}
    return line.actor
