"""Around one move: why a rule made it, what a next one will set in motion, what a block held back.

Looking ahead asks the rules themselves, on the facts of now and as if the patient stood there; what
cannot be known before it happens is said as a perhaps. Nothing here moves, writes or sends.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.db.models import Exists, OuterRef, Q
from django.utils import timezone
from django.utils.text import capfirst
from django.utils.translation import gettext as _

from automation import facts
from automation.actions.base import Practice
from automation.judging import TIMEOUT, judge
from automation.models.message import Audience, Message, MessageState
from automation.models.rule import AutomationRule, RuleVersion
from automation.models.run import RuleRun
from automation.models.staff_task import StaffTask, TaskKind
from automation.selectors.event_page import Sight, contents_of, whole_events
from automation.sentences import joined, limit_words, then_words
from automation.values import label_of, value_words
from automation.vocabulary import practice_fields
from journeys.models.enrollment import Enrollment
from journeys.models.event import SystemEventLog
from journeys.models.log import ActorKind, JourneyLog
from journeys.models.template import StageStatus
from journeys.selectors.definitions import Definition
from journeys.selectors.options import position_of
from kura.conditions import InvalidCondition, paths

MOVED: Final = "JOURNEY_STAGE_CHANGED"
MOST_HELD: Final = 20  # events of one block that its page lists
_NOT: Final = frozenset({"ne", "not_in"})

Told = tuple[str, str, bool]  # name, words, whether the rule looked at it


# --- why ----------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class Cause:
    """The event behind a move, and the rule ("" when none made it) in the version that ran.

    `hidden`: the values are not for you.
    """

    event: SystemEventLog
    rule: str
    version: int | None
    run_id: uuid.UUID | None
    values: Sequence[Told]
    hidden: bool


def cause_of(log: JourneyLog, sight: Sight) -> Cause | None:
    """None for a move that no event caused. Five queries."""
    if log.trigger_event_id is None:
        return None
    event = whole_events().get(pk=log.trigger_event_id)
    run = RuleRun.objects.filter(event=event, rule=log.rule_id).first() if log.rule_id else None
    return Cause(
        event=event,
        rule=_name_then(log.rule_id, run) if log.rule_id else "",
        version=run.rule_version if run else None,
        run_id=run.pk if run else None,
        values=_values(event, run, sight),
        hidden=not (sight.values and sight.contents),
    )


def _name_then(rule_id: uuid.UUID, run: RuleRun | None) -> str:
    """As it was called when it ran."""
    versions = RuleVersion.objects.filter(rule=rule_id, version=run.rule_version if run else 0)
    definition = versions.values_list("definition", flat=True).first()
    name = definition["name"] if definition else None
    return str(name or AutomationRule.objects.values_list("name", flat=True).get(pk=rule_id))


def _values(event: SystemEventLog, run: RuleRun | None, sight: Sight) -> list[Told]:
    """What the rule looked at, then what else the event said."""
    practice = Practice(organization=event.organization)
    field_at = practice_fields(event.event_type, event.journey_key or "", practice)
    met = {one["field"]: one["actual"] for one in _met(run) if sight.of(one["field"])}
    seen = [
        (capfirst(label_of(field_at(path), path)), value_words(actual, field_at(path)), True)
        for path, actual in met.items()
    ]
    if not (sight.contents and hasattr(event, "payload_row")):
        return seen
    names = {name for name, _words, _decisive in seen}
    contents = contents_of(event, practice)
    return [*seen, *((t.name, t.value, False) for t in contents if t.name not in names)]


def _met(run: RuleRun | None) -> Iterator[Mapping[str, Any]]:
    """What spoke for the move. That something else was not the case, explains nothing."""
    if run is None:
        return iter(())
    return (one for one in run.conditions if one["result"] is True and one["op"] not in _NOT)


# --- what next ----------------------------------------------------------------------------------


def on_arrival(enrollment: Enrollment, stages: Collection[str]) -> dict[str, list[str]]:
    """Sentences by stage. Two queries, and up to three for the facts that rules ask for."""
    rules = list(_listening(enrollment))
    practice = Practice(organization=enrollment.organization)
    definition = practice.journeys[enrollment.journey_key]
    known = _facts_now(enrollment, rules)
    told = {
        code: [*_at_once(rules, enrollment, code, known, practice), *_later(rules, code, practice)]
        for code in stages
    }
    return {code: lines or _nothing(definition, code) for code, lines in told.items()}


def _nothing(definition: Definition, code: str) -> list[str]:
    stage = definition.allowed[code]
    if stage.is_closed or stage.is_blocking:
        return []
    return [_("Nothing happens there by itself.")]


def _listening(enrollment: Enrollment) -> Iterable[AutomationRule]:
    return AutomationRule.objects.filter(
        Q(journey_key=enrollment.journey_key) | Q(journey_key="", trigger_event=MOVED),
        organization=enrollment.organization_id,
        trigger_event__in=[MOVED, TIMEOUT],
        is_active=True,
    ).order_by("priority", "id")


def _facts_now(enrollment: Enrollment, rules: Iterable[AutomationRule]) -> facts.Facts:
    asked: set[str] = set()
    for rule in (one for one in rules if one.trigger_event == MOVED):
        try:
            asked |= paths(rule.conditions)
        except InvalidCondition:
            continue  # it will not run either
    if not asked:
        return {}
    key, now = enrollment.journey_key, timezone.now()
    return facts.snapshot(position_of(enrollment), key, asked, now)


def _at_once(
    rules: Iterable[AutomationRule],
    enrollment: Enrollment,
    code: str,
    known: facts.Facts,
    practice: Practice,
) -> Iterator[str]:
    there = _as_if_there(enrollment, code, known, practice)
    for rule in (one for one in rules if one.trigger_event == MOVED):
        matched = _matches(rule, there)
        if matched is False:
            continue
        words = _("At once: %(then)s (rule “%(rule)s”).")
        perhaps = _("Perhaps at once: %(then)s (rule “%(rule)s”).")
        yield (words if matched else perhaps) % _named(rule, practice)


def _matches(rule: AutomationRule, there: facts.Facts) -> bool | None:
    try:
        return judge(rule.definition, there).matched
    except InvalidCondition:
        return False


def _as_if_there(
    enrollment: Enrollment, code: str, known: facts.Facts, practice: Practice
) -> facts.Facts:
    """The facts of the move's own event, had it happened now by a person."""
    key = enrollment.journey_key
    stage = practice.journeys[key].allowed[code]
    payload = {"from_stage": enrollment.stage, "to_stage": code, "actor_kind": ActorKind.USER}
    return known | {
        "event": {"type": MOVED, "journey_key": key, "payload": payload},
        "journeys": known.get("journeys", {}) | {key: code},
        "journey": known.get("journey", {}) | {"key": key, "stage": code, "status": stage.status},
    }


def _later(rules: Iterable[AutomationRule], code: str, practice: Practice) -> Iterator[str]:
    """In the order in which they would come."""
    timed = [one for one in rules if one.trigger_event == TIMEOUT and one.stage == code]
    for rule in sorted(timed, key=lambda one: one.max_hours or 0):
        words = _("After %(limit)s there: %(then)s (rule “%(rule)s”).")
        yield words % (_named(rule, practice) | {"limit": limit_words(rule.definition)})


def _named(rule: AutomationRule, practice: Practice) -> dict[str, str]:
    return {"rule": rule.name, "then": joined(then_words(rule.definition, practice))}


# --- what a block held back -----------------------------------------------------------------------


def held_back(enrollment: Enrollment) -> list[SystemEventLog]:
    """Events that the block refused and that nobody has replayed yet; the oldest first."""
    open_tasks = StaffTask.objects.filter(
        kind=TaskKind.HELD_BACK,
        done_at__isnull=True,
        patient=enrollment.patient_id,
        journey_key=enrollment.journey_key,
    )
    events = SystemEventLog.objects.filter(pk__in=open_tasks.values("event"))
    return list(events.order_by("id")[:MOST_HELD])


def waiting_messages(enrollment: Enrollment) -> int:
    """Messages to the patient that wait for this block alone (`withholding`).

    One about a visit to a stage of this journey is not among them: the move that lifts the block
    leaves that stage, and the message is cancelled. While another journey is on hold too,
    reminders go on waiting.
    """
    other_holds = Enrollment.objects.filter(
        patient=enrollment.patient_id, closed_at__isnull=True, status=StageStatus.ON_HOLD
    ).exclude(pk=enrollment.pk)
    same_journey = other_holds.filter(journey_key=OuterRef("journey_key"))
    waiting = Message.objects.filter(
        Q(is_reminder=True) | Q(journey_key=enrollment.journey_key),
        patient=enrollment.patient_id,
        state=MessageState.QUEUED,
        audience=Audience.PATIENT,
    ).exclude(enrollment_id=enrollment.pk)
    held_elsewhere = Q(is_reminder=True) & Exists(other_holds) | Exists(same_journey)
    return waiting.exclude(held_elsewhere).count()
