"""Two versions of a rule are asked about one event after the other, and what they say is counted.

Pure, but for the journeys of the practice, which are read once. The same functions as in the engine
decide: which events a rule hears (`engine.concerns`), what it sees (`facts.seen_by`), what it says
(`automation.judging`), and that it runs once for a cause.
"""

from __future__ import annotations

import uuid
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property

from automation import facts
from automation.actions.base import Practice
from automation.engine import concerns, kept_facts, may_block
from automation.hindsight import Foretold, Hindsight
from automation.judging import TIMEOUT, Judgement, Question, question
from automation.models.rule import AutomationRule
from automation.monitor import payload_of
from automation.selectors.stale import StaleVisit
from automation.sources import MONITOR
from automation.tallies import (
    STOPPED,
    Backtest,
    Case,
    Change,
    ConditionTally,
    Difference,
    EffectTally,
    Sampler,
    Side,
    Waiting,
    Withheld,
    deciding,
    difference,
)
from journeys.errors import PatientNotFound
from journeys.models.event import SystemEventLog, SystemEventPayload
from kura.conditions import InvalidCondition


@dataclass(frozen=True, slots=True)
class Answer:
    """What a rule says of one event. `judgement` None: it does not hear it. `actions`: what they
    would have done, in their order; none unless it runs.
    """

    judgement: Judgement | None
    actions: tuple[Foretold, ...]


@dataclass(frozen=True, slots=True)
class Version:
    """A rule as it is asked. `first`: it may block, so it is judged on how things were before."""

    rule: AutomationRule
    question: Question
    first: bool

    @classmethod
    def of(cls, rule: AutomationRule, practice: Practice) -> Version:
        """InvalidCondition for conditions that nobody can read."""
        return cls(rule, question(rule.definition), may_block(rule.actions, practice))

    @property
    def is_about_time(self) -> bool:
        return self.rule.trigger_event == TIMEOUT

    def hears(self, event: SystemEventLog, practice: Practice) -> bool:
        is_called = self.rule.trigger_event == event.event_type
        return is_called and concerns(self.rule, event, practice)

    def judge(self, event: SystemEventLog, stored: facts.Facts) -> Judgement:
        return self.question.asked_of(facts.seen_by(event, stored, first=self.first))

    def answer(self, event: SystemEventLog, practice: Practice) -> Answer:
        """About one event with its contents, on the facts kept with it."""
        if not self.hears(event, practice):
            return Answer(None, ())
        stored = kept_facts(event)
        judgement = self.judge(event, stored)
        if not judgement.holds:
            return Answer(judgement, ())
        seen = facts.seen_by(event, stored, first=self.first)
        then = Hindsight(actions=self.rule.actions, practice=practice, rule_id=self.rule.pk)
        return Answer(judgement, then.foretell(seen, event.journey_key or ""))

    def asks_like(self, other: Version) -> bool:
        return (self.question, self.first) == (other.question, other.first)


@dataclass(kw_only=True)
class Telling:
    """What both versions said so far. `current`: the published one, None where there is nothing to
    compare. `looked_at` of what is `there`; `events`: those that the draft hears.

    `begins_at`: a time-out counts for visits since then; `begins_anew`: for whom it will count is
    still to be chosen.
    """

    practice: Practice
    draft: Version
    current: Version | None
    begins_at: datetime | None = None
    begins_anew: bool = False
    there: int = 0
    looked_at: int = 0
    events: int = 0
    withheld: Counter[Withheld] = field(default_factory=Counter)
    mine: Side = field(default_factory=Side)
    theirs: Side = field(default_factory=Side)
    conditions: ConditionTally = field(default_factory=ConditionTally)
    sampler: Sampler = field(default_factory=Sampler)
    acted: dict[object, Acted] = field(default_factory=dict)

    @classmethod
    def of(
        cls, draft: AutomationRule, published: AutomationRule | None, practice: Practice
    ) -> Telling:
        version = Version.of(draft, practice)
        counts_on = published is not None and published.is_active and _same_place(draft, published)
        return cls(
            practice=practice,
            draft=version,
            current=_comparable(version, published, practice),
            begins_at=published.visits_from if published is not None and counts_on else None,
            begins_anew=version.is_about_time and not counts_on,
        )

    @property
    def versions(self) -> list[Version]:
        return [self.draft, self.current] if self.current else [self.draft]

    @cached_property
    def _hindsight(self) -> Hindsight:
        rule = self.draft.rule
        return Hindsight(actions=rule.actions, practice=self.practice, rule_id=rule.pk)

    @cached_property
    def _ask_the_same(self) -> bool:
        return self.current is not None and self.draft.asks_like(self.current)

    # --- what has happened ------------------------------------------------------------------------

    def note_event(self, event: SystemEventLog) -> None:
        """One about a patient, with its contents."""
        self.looked_at += 1
        stored = kept_facts(event)
        is_heard = self.draft.hears(event, self.practice)
        judgement = self.draft.judge(event, stored) if is_heard else None
        self.theirs.note(event.pk, _patient(event), self._said_before(event, stored, judgement))
        self._note(_Seen(event.pk, event, stored, event.occurred_at, event.pk), judgement)

    def _said_before(
        self, event: SystemEventLog, stored: facts.Facts, judgement: Judgement | None
    ) -> bool | None:
        if self.current is None or not self.current.hears(event, self.practice):
            return False
        if judgement is not None and self._ask_the_same:
            return judgement.matched
        return self.current.judge(event, stored).matched

    # --- whose time is up now ---------------------------------------------------------------------

    def note_visit_before(self, visit: StaleVisit, taken: facts.Facts, now: datetime) -> None:
        """For the published version; all of its visits come before those of the draft."""
        if self.current is None or self._why_withheld(visit):
            return
        said = self.current.judge(_said(visit, now), taken).matched
        self.theirs.note(_key(visit), visit.patient_id, said)

    def note_visit(self, visit: StaleVisit, taken: facts.Facts, now: datetime) -> None:
        self.looked_at += 1
        event, withheld = _said(visit, now), self._why_withheld(visit)
        judgement = self.draft.judge(event, taken)
        if judgement.holds and withheld:
            self.withheld[withheld] += 1
        seen = _Seen(_key(visit), event, taken, visit.entered_at, None)
        self._note(seen, judgement, withheld)

    def _why_withheld(self, visit: StaleVisit) -> Withheld:
        if self.begins_at is not None and visit.entered_at < self.begins_at:
            return "before"
        return "" if visit.is_due else "told"

    # --- counting ---------------------------------------------------------------------------------

    def _note(self, seen: _Seen, judgement: Judgement | None, withheld: Withheld = "") -> None:
        """`judgement` None: the draft does not hear it."""
        runs = judgement is not None and judgement.holds and not withheld
        if judgement is not None:
            self.events += 1
            self.conditions.note(judgement)
            said = False if withheld else judgement.matched
            self.mine.note(seen.key, _patient(seen.event), said)
        if runs:
            self.acted[seen.key] = self._act(seen)
        self._sample(seen, judgement, runs=runs, withheld=withheld)

    def _act(self, seen: _Seen) -> Acted:
        event, key = seen.event, seen.event.journey_key or ""
        told = self._hindsight.foretell(
            facts.seen_by(event, seen.stored, first=self.draft.first), key
        )
        cause = (event.root_event_id or event.pk, event.patient_id, key)
        return Acted(event.pk, event.depth, cause, told)

    def _sample(
        self, seen: _Seen, judgement: Judgement | None, *, runs: bool, withheld: Withheld
    ) -> None:
        change = self._change(seen.key, runs=runs)
        if judgement is None and not change:
            return
        if not self.sampler.has_room(change, runs=runs):
            return
        case = Case(
            id=seen.event_id,
            patient_id=_patient(seen.event),
            journey_key=seen.event.journey_key or "",
            at=seen.at,
            runs=runs,
            matched=judgement.matched if judgement else None,
            is_heard=judgement is not None,
            change=change,
            leaves=judgement.leaves if judgement else (),
            deciding=deciding(judgement) if judgement else None,
            withheld=withheld,
        )
        self.sampler.add(seen.key, case)

    def _change(self, key: object, *, runs: bool) -> Change:
        """Where one of the two has no data, nobody knows whether it differs."""
        if self.current is None or key in self.mine.undecided or key in self.theirs.undecided:
            return ""
        if runs == (key in self.theirs.matched):
            return ""
        return "added" if runs else "removed"

    # --- the end ----------------------------------------------------------------------------------

    def result(self, *, digest: str, since: datetime, until: datetime) -> Backtest:
        self._stop_loops()
        effects = EffectTally.of(self.draft.rule.actions)
        for acted in self.acted.values():
            effects.note(acted.told)
        told = {key: acted.told for key, acted in self.acted.items()}
        return Backtest(
            digest=digest,
            since=since,
            until=until,
            there=self.there,
            looked_at=self.looked_at,
            events=self.events,
            matched=len(self.mine.matched),
            people=self.mine.people,
            undecided=len(self.mine.undecided),
            conditions=self.conditions,
            effects=effects,
            difference=self._difference(),
            sample=self.sampler.cases(told),
            waiting=self._waiting(),
        )

    def _difference(self) -> Difference | None:
        if self.current is None:
            return None
        return difference(self.current.rule.version, self.mine, self.theirs)

    def _waiting(self) -> Waiting | None:
        if not self.draft.is_about_time:
            return None
        told, before = self.withheld["told"], self.withheld["before"]
        return Waiting(told=told, before=before, if_counted=self.begins_anew)

    def _stop_loops(self) -> None:
        """As `engine`: a rule runs once for a first cause, patient and journey."""
        ran: set[object] = set()
        for key, acted in sorted(self.acted.items(), key=lambda item: item[1].event_id):
            if acted.depth and acted.cause in ran:
                self.acted[key] = replace(acted, told=(STOPPED,) * len(acted.told))
            ran.add(acted.cause)


@dataclass(frozen=True, slots=True)
class Acted:
    """What the actions would have done because of one event, and what it was caused by."""

    event_id: uuid.UUID
    depth: int
    cause: tuple[uuid.UUID, uuid.UUID | None, str]
    told: tuple[Foretold, ...]


@dataclass(frozen=True, slots=True)
class _Seen:
    """One event with the facts kept with it. `key` tells it from others in both versions."""

    key: object
    event: SystemEventLog
    stored: facts.Facts
    at: datetime
    event_id: uuid.UUID | None


def _comparable(
    draft: Version, published: AutomationRule | None, practice: Practice
) -> Version | None:
    """Time that passes and events that come are not counted in one another's terms; and what was
    written past the services may not be readable.
    """
    try:
        current = Version.of(published, practice) if published else None
    except InvalidCondition:
        return None
    is_like = current is not None and current.is_about_time == draft.is_about_time
    return current if is_like else None


def _same_place(draft: AutomationRule, published: AutomationRule) -> bool:
    names = ("trigger_event", "journey_key", "stage")
    return all(getattr(draft, name) == getattr(published, name) for name in names)


def _patient(event: SystemEventLog) -> uuid.UUID:
    if event.patient_id is None:
        raise PatientNotFound
    return event.patient_id


def _key(visit: StaleVisit) -> tuple[uuid.UUID, int]:
    return visit.enrollment_id, visit.stage_seq


def _said(visit: StaleVisit, now: datetime) -> SystemEventLog:
    """The event that the monitor would record. Never saved."""
    event = SystemEventLog(
        organization_id=visit.organization_id,
        event_type=TIMEOUT,
        patient_id=visit.patient_id,
        journey_key=visit.journey_key,
        source=str(MONITOR),
        occurred_at=visit.due_at,
    )
    event.payload_row = SystemEventPayload(payload=payload_of(visit, now))
    return event
