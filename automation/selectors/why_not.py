"""Why did a patient not move? What happened in a period, and for each event the rules that had a
say about it or had none; the rule that was nearest to it; what is waited for now.

Read from what is kept: runs with the values of that moment, versions, switches. A fixed number of
queries, however many events and rules; of the events the newest `MOST`, so that it stays a page.
"""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from django.db.models import Q, QuerySet
from django.utils.text import capfirst

from automation.actions.base import Practice
from automation.engine import readable_actions
from automation.judging import TIMEOUT
from automation.models.dispatch import DispatchStatus
from automation.models.rule import AutomationRule
from automation.models.run import RuleRun, RunStatus
from automation.models.stage_timer import StageTimer
from automation.outline import needed
from automation.selectors.event_page import (
    Caused,
    ConditionLine,
    RunLine,
    Sight,
    SilentLine,
    condition_line,
    run_line,
    silent_words,
)
from automation.selectors.listening import Why, listeners_of, looked_at
from automation.selectors.reminders import most_of
from automation.selectors.trace import RunTold, runs_told
from automation.sentences import joined, then_words, when_words
from automation.vocabulary import practice_fields
from journeys.cause import by_rule
from journeys.guards import Decision
from journeys.models.enrollment import Enrollment
from journeys.models.event import SystemEventLog
from journeys.models.log import JourneyLog
from journeys.selectors.history import HistoryLine, event_label, history_lines, readable
from journeys.selectors.options import moves_open_to
from kura.accounts.models import Organization

PERIODS: Final = (7, 30, 90, 365)  # days
MOST: Final = 100  # events on the page
NOBODY: Final = uuid.UUID(int=0)  # a rule in general: what any of them may do


@dataclass(frozen=True, kw_only=True, slots=True)
class Heard:
    """A rule that was asked. `unmet`: the fewest conditions that kept it from running; None when
    the reader may not know of all of them, and for one that ran.

    `moves`: it would have moved the patient on in the journey that is asked about, as they were
    enrolled when it looked; `blocks`: or held them there, by the names of the journeys.
    """

    line: RunLine
    unmet: Sequence[ConditionLine] | None
    moves: bool
    blocks: Sequence[str]

    @property
    def is_aside(self) -> bool:
        """It would have changed nothing about the question."""
        return self.line.run.status == RunStatus.NOT_MATCHED and not self.moves

    @property
    def refusals(self) -> list[str]:
        """What was refused, and what is missing for it."""
        told = (one for one in self.line.actions if one.status == "refused")
        return [f"{one.words}: {one.why}" for one in told]


@dataclass(frozen=True, kw_only=True, slots=True)
class Happened:
    """One event. `moved`: what it changed in the journey that is asked about, or in any.

    `silent`: rules that were to be asked and were not. `elsewhere`: how many are about other
    journeys, limits or events. `status` "": it was only kept.
    """

    event: SystemEventLog
    label: str
    status: str
    moved: Sequence[HistoryLine]
    heard: Sequence[Heard]
    silent: Sequence[SilentLine]
    elsewhere: int

    @property
    def is_heard(self) -> bool:
        return bool(self.heard or self.silent or self.moved)

    @property
    def told(self) -> list[Heard]:
        """What ran, was refused, or would have moved the patient on."""
        return [one for one in self.heard if not one.is_aside]

    @property
    def absent(self) -> list[SilentLine]:
        """Rules that were there and had no say."""
        return [line for line in self.silent if line.rule.why != Why.LATER]

    @property
    def more_heard(self) -> list[Heard]:
        return [one for one in self.heard if one.is_aside]

    @property
    def more_silent(self) -> list[SilentLine]:
        return [line for line in self.silent if line.rule.why == Why.LATER]

    @property
    def more(self) -> int:
        return len(self.more_heard) + len(self.more_silent) + self.elsewhere


@dataclass(frozen=True, kw_only=True, slots=True)
class Nearest:
    """The rule that would have moved or blocked the patient and lacked least, and the event that
    it heard.
    """

    happened: Happened
    heard: Heard


@dataclass(frozen=True, kw_only=True, slots=True)
class WhyNot:
    """`total`: events of the period; on the page are the newest of them, `events`."""

    events: Sequence[Happened]
    total: int
    nearest: Nearest | None


def why_not(
    *,
    organization: Organization,
    patient_id: uuid.UUID,
    journey_key: str,
    since: datetime,
    sight: Sight,
) -> WhyNot:
    """`journey_key` "": whatever the journey. Needs the organization's tenant scope."""
    asked = _events(patient_id, journey_key, since)
    events, total = list(asked[:MOST]), asked.count()
    practice = Practice(organization=organization)
    read = _read(events, practice, journey_key)
    asking = _Asking(practice, sight, journey_key, list(_stays(patient_id)))
    told = [_happened(event, read, asking) for event in events]
    return WhyNot(events=told, total=total, nearest=_nearest(told))


def _events(patient_id: uuid.UUID, key: str, since: datetime) -> QuerySet[SystemEventLog]:
    """An event about the person is one about each of their journeys."""
    theirs = SystemEventLog.objects.filter(patient=patient_id, occurred_at__gte=since)
    if key:
        theirs = theirs.filter(Q(journey_key=key) | Q(journey_key=None) | Q(journey_key=""))
    whole = theirs.select_related("organization", "payload_row", "dispatch")
    return whole.order_by("-occurred_at", "-id")


@dataclass(frozen=True, kw_only=True, slots=True)
class _Read:
    """All that is known of the events, by their id."""

    runs: Mapping[uuid.UUID, Sequence[RunTold]]
    silent: Mapping[uuid.UUID, Sequence[SilentLine]]
    moves: Mapping[uuid.UUID, Sequence[HistoryLine]]


def _read(events: Sequence[SystemEventLog], practice: Practice, key: str) -> _Read:
    ids = [event.pk for event in events]
    rows = list(RuleRun.objects.filter(event__in=ids).select_related("rule").order_by("started_at"))
    runs: dict[uuid.UUID, list[RunTold]] = defaultdict(list)
    first: dict[uuid.UUID, datetime] = {}
    for row, told in zip(rows, runs_told(rows, practice), strict=True):
        runs[row.event_id].append(told)
        first.setdefault(row.event_id, row.started_at)
    types = {event.event_type for event in events}
    listeners = listeners_of(practice.organization.pk, sorted(types))
    silent = {
        event.pk: [
            SilentLine(rule=rule, why=silent_words(rule))
            for rule in listeners.silent(
                event,
                {run.rule_id for run in runs[event.pk]},
                looked_at(event, first.get(event.pk)),
            )
        ]
        for event in events
    }
    return _Read(runs=runs, silent=silent, moves=_moves(ids, key, practice))


def _moves(
    ids: Sequence[uuid.UUID], key: str, practice: Practice
) -> Mapping[uuid.UUID, Sequence[HistoryLine]]:
    logs = readable(JourneyLog.objects.filter(trigger_event__in=ids)).order_by("id")
    if key:
        logs = logs.filter(journey_key=key)
    known = {(practice.organization.pk, one.key): one for one in practice.journeys.values()}
    found: dict[uuid.UUID, list[HistoryLine]] = defaultdict(list)
    for line in history_lines(list(logs), known):
        if line.log.trigger_event_id:
            found[line.log.trigger_event_id].append(line)
    return found


def _happened(event: SystemEventLog, read: _Read, asking: _Asking) -> Happened:
    place = getattr(event, "dispatch", None)
    silent = read.silent[event.pk]
    is_unmatched = place is not None and place.status == DispatchStatus.UNMATCHED
    return Happened(
        event=event,
        label=event_label(event.event_type),
        status=place.status if place else "",
        moved=read.moves.get(event.pk, ()),
        heard=list(_heard(event, read.runs.get(event.pk, ()), asking)),
        silent=[] if is_unmatched else [line for line in silent if not line.is_elsewhere],
        elsewhere=sum(line.is_elsewhere for line in silent),
    )


def _heard(event: SystemEventLog, runs: Sequence[RunTold], asking: _Asking) -> Iterator[Heard]:
    """What could have moved the patient comes first."""
    practice, sight = asking.practice, asking.sight
    fields = practice_fields(event.event_type, event.journey_key or "", practice)
    moves = {run.id: asking.moves(run) for run in runs}
    for run in sorted(runs, key=lambda one: not moves[one.id]):
        lacking = [*needed(run.place), *needed(run.judged)]
        unmet = [condition_line(one, fields, sight) for one in lacking]
        is_known = run.status == RunStatus.NOT_MATCHED and not any(one.hidden for one in unmet)
        yield Heard(
            line=run_line(run, fields, practice, sight, Caused({}, ())),
            unmet=unmet if is_known else None,
            moves=moves[run.id],
            blocks=asking.blocks(run),
        )


@dataclass(frozen=True, slots=True)
class _Asking:
    """Who asks about which journey ("" for any), and when the patient was in which one."""

    practice: Practice
    sight: Sight
    key: str
    stays: Sequence[Enrollment]

    def moves(self, run: RunTold) -> bool:
        enrolled = self._enrolled(run)
        return self._is_asked(run.reach.moves & enrolled | run.reach.enrolls - enrolled)

    def blocks(self, run: RunTold) -> list[str]:
        held = run.reach.blocks & self._enrolled(run)
        known = self.practice.journeys
        return sorted(known[key].name for key in held if self._is_asked({key}) and key in known)

    def _is_asked(self, keys: Collection[str]) -> bool:
        return self.key in keys if self.key else bool(keys)

    def _enrolled(self, run: RunTold) -> set[str]:
        """When the rule looked."""
        at = run.started_at
        return {
            one.journey_key
            for one in self.stays
            if one.opened_at <= at and (one.closed_at is None or at <= one.closed_at)
        }


def _stays(patient_id: uuid.UUID) -> QuerySet[Enrollment]:
    return Enrollment.objects.filter(patient=patient_id).order_by("opened_at")


def _nearest(told: Sequence[Happened]) -> Nearest | None:
    """Of the rules that would have moved the patient, or else blocked them: the fewest conditions,
    then the newest event. A rule that would have done neither explains nothing.
    """
    found = [
        Nearest(happened=happened, heard=heard)
        for happened in told
        for heard in happened.heard
        if heard.unmet and (heard.moves or heard.blocks)
    ]
    movers = [one for one in found if one.heard.moves] or found
    return min(movers, key=lambda one: len(one.heard.unmet or ()), default=None)


# --- what is waited for now -----------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class Ahead:
    """A rule that could move the patient on from where they are. `refused`: why it could not now,
    whatever its conditions say; "" if nothing stands in its way.
    """

    rule: AutomationRule
    when: str
    stage: str
    refused: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Clock:
    """A rule that acts when time is up. `number`: announced so far, of `most` (None: no end).

    `due_at`: the next one; None after the last.
    """

    rule: AutomationRule
    then: str
    number: int
    most: int | None
    due_at: datetime | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Awaited:
    rules: Sequence[Ahead]
    clocks: Sequence[Clock]


def awaited(enrollments: Sequence[Enrollment], practice: Practice) -> dict[uuid.UUID, Awaited]:
    """By enrollment, of open ones. Rules that only block, or move nobody, are not waited for."""
    rules = _active(practice) if enrollments else []
    known = {one.template_id: one for one in practice.journeys.values()}
    decisions = moves_open_to(by_rule(NOBODY, trigger_event_id=None), enrollments, known)
    timers = StageTimer.objects.filter(enrollment_id__in=[one.pk for one in enrollments])
    said = {(one.enrollment_id, one.stage_seq, one.rule_id): one for one in timers}
    return {
        one.pk: Awaited(
            rules=list(_ahead(rules, one, decisions[one.pk], practice)),
            clocks=list(_clocks(rules, one, said, practice)),
        )
        for one in enrollments
    }


def _active(practice: Practice) -> list[AutomationRule]:
    rules = AutomationRule.objects.filter(
        organization=practice.organization, is_active=True, archived_at=None
    )
    return list(rules.order_by("priority", "id"))


def _ahead(
    rules: Sequence[AutomationRule],
    enrollment: Enrollment,
    decisions: Sequence[Decision],
    practice: Practice,
) -> Iterator[Ahead]:
    by_stage = {one.to_stage: one for one in decisions}
    journey = practice.journeys[enrollment.journey_key]
    for rule in rules:
        stage = _target(rule, enrollment, practice)
        if stage in by_stage:
            yield Ahead(
                rule=rule,
                when=capfirst(when_words(rule.definition, practice)),
                stage=journey.label(stage),
                refused=_refusal(by_stage[stage]),
            )


def _refusal(decision: Decision) -> str:
    return str(decision.refusal) if decision.refusal else ""


def _target(rule: AutomationRule, enrollment: Enrollment, practice: Practice) -> str:
    """The stage that it would move this patient on to; "" for none."""
    if rule.stage not in ("", enrollment.stage):
        return ""
    for kind, params in readable_actions(rule.actions):
        stage = params.get("status", "")
        is_here = kind == "update_journey_status" and params.get("key") == enrollment.journey_key
        if is_here and stage != enrollment.stage:
            return "" if practice.is_blocking(enrollment.journey_key, stage) else str(stage)
    return ""


def _clocks(
    rules: Sequence[AutomationRule],
    enrollment: Enrollment,
    said: Mapping[tuple[uuid.UUID, int, uuid.UUID], StageTimer],
    practice: Practice,
) -> Iterator[Clock]:
    here = [one for one in rules if _counts(one, enrollment)]
    for rule in sorted(here, key=lambda one: one.max_hours or 0):
        timer, most = said.get((enrollment.pk, enrollment.seq, rule.pk)), most_of(rule)
        number = timer.occurrence if timer else 0
        yield Clock(
            rule=rule,
            then=capfirst(joined(then_words(rule.definition, practice))),
            number=number,
            most=most,
            due_at=None if most is not None and number >= most else _due(rule, enrollment, timer),
        )


def _counts(rule: AutomationRule, enrollment: Enrollment) -> bool:
    place = (TIMEOUT, enrollment.journey_key, enrollment.stage)
    begun = rule.visits_from is None or enrollment.entered_at >= rule.visits_from
    return begun and (rule.trigger_event, rule.journey_key, rule.stage) == place


def _due(rule: AutomationRule, enrollment: Enrollment, timer: StageTimer | None) -> datetime:
    """As the monitor counts: from when the last one that was said was due."""
    if timer is None:
        return enrollment.entered_at + _hours(rule.max_hours)
    return timer.due_at + _hours(rule.repeat_hours)


def _hours(hours: Any) -> timedelta:
    return timedelta(hours=float(hours or 0))
