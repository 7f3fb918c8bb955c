"""What a backtest counted: events, people, conditions, actions, and what would be different.

Counted while events are judged, so that ten thousand of them need no more memory than a few.
"""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final, Literal

from automation.hindsight import MOVES, Foretold
from automation.judging import Judgement
from kura.conditions import GroupResult, LeafResult, Outcome

SAMPLED: Final = 10  # of each kind: what differs, what matched, what did not
STOPPED: Final = Foretold("skipped", "loop")

Change = Literal["", "added", "removed"]
Withheld = Literal["", "told", "before"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """One event, or one stage visit whose time is up now, as the rule judged it.

    `id`: of the event; None for a time-out that has not been said. `at`: when it happened, or since
    when the patient is in the stage. `matched` None: the facts do not decide. `runs`: it matched
    and nothing withholds it; `withheld`: why a time-out that is up reminds nobody now. `is_heard`
    False: only the published version listens to such events. `change`: what the published version
    said otherwise. `leaves`: every condition that was asked, `deciding` the one that says no.
    """

    id: uuid.UUID | None
    patient_id: uuid.UUID
    journey_key: str
    at: datetime
    runs: bool
    matched: bool | None
    is_heard: bool
    change: Change
    leaves: tuple[LeafResult, ...]
    deciding: LeafResult | None
    withheld: Withheld
    actions: tuple[Foretold, ...] = ()


def deciding(judgement: Judgement) -> LeafResult | None:
    """The first condition that keeps the rule from running: one that is false if the rule is
    false, one without data if it is undecided. None when it runs.
    """
    unmet = [one for one in (judgement.place.unmet(), judgement.conditions.unmet()) if one]
    leaves = [leaf for one in unmet for leaf in _leaves(one)]
    return next((leaf for leaf in leaves if leaf.result is judgement.matched), None)


def _leaves(outcome: Outcome) -> Iterator[LeafResult]:
    if isinstance(outcome, LeafResult):
        yield outcome
        return
    for part in outcome.parts:
        yield from _leaves(part)


# --- conditions -----------------------------------------------------------------------------------


@dataclass(slots=True)
class Count:
    """How often something held, did not, and could not be told for lack of data."""

    held: int = 0
    failed: int = 0
    no_data: int = 0

    def note(self, result: bool | None) -> None:
        if result is None:
            self.no_data += 1
        elif result:
            self.held += 1
        else:
            self.failed += 1


@dataclass(slots=True)
class ConditionTally:
    """`place`: the stage that the trigger names; None where it names none. `groups`: the parts of
    the outermost group, counted where the place holds; `leaves`: each condition, by JSON pointer.
    """

    place: Count | None = None
    groups: list[Count] = field(default_factory=list)
    leaves: dict[str, Count] = field(default_factory=dict)

    def note(self, judgement: Judgement) -> None:
        if judgement.place.outcome is not None:
            self.place = self.place or Count()
            self.place.note(judgement.place.result)
        for leaf in judgement.conditions.leaves:
            self.leaves.setdefault(leaf.pointer, Count()).note(leaf.result)
        if judgement.place.holds:
            self._note_groups(groups_of(judgement.conditions.outcome))

    def _note_groups(self, groups: Sequence[Outcome]) -> None:
        self.groups = self.groups or [Count() for _ in groups]
        for count, group in zip(self.groups, groups, strict=True):
            count.note(group.result)


def groups_of(outcome: Outcome | None) -> Sequence[Outcome]:
    """The parts of the outermost group; a lone condition is its own."""
    if outcome is None:
        return ()
    return outcome.parts if isinstance(outcome, GroupResult) else (outcome,)


# --- actions --------------------------------------------------------------------------------------


@dataclass(slots=True)
class ActionTally:
    """One action of the rule, over all events that matched. `codes`: by status and code."""

    index: int
    type: str
    statuses: Counter[str] = field(default_factory=Counter)
    codes: Counter[tuple[str, str]] = field(default_factory=Counter)

    def note(self, told: Foretold) -> None:
        self.statuses[told.status] += 1
        if told.code:
            self.codes[told.status, told.code] += 1


@dataclass(slots=True)
class EffectTally:
    """`would_move`: events that move or enroll somebody. `would_fail`: events by why their first
    refused action was refused. `unknown`: events of which the facts do not tell.
    """

    actions: list[ActionTally]
    would_move: int = 0
    would_fail: Counter[str] = field(default_factory=Counter)
    unknown: int = 0

    @classmethod
    def of(cls, actions: Sequence[Mapping[str, Any]]) -> EffectTally:
        return cls([ActionTally(index, one["type"]) for index, one in enumerate(actions)])

    def note(self, told: Sequence[Foretold]) -> None:
        for tally, one in zip(self.actions, told, strict=True):
            tally.note(one)
        kinds = [tally.type for tally in self.actions]
        if any(
            one.status == "done" and kind in MOVES for one, kind in zip(told, kinds, strict=True)
        ):
            self.would_move += 1
        refusal = next(
            (one.code for one in told if one.status == "refused" or one == STOPPED), None
        )
        if refusal is not None:
            self.would_fail[refusal] += 1
        elif any(one.status == "unknown" for one in told):
            self.unknown += 1


# --- the whole ------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class Difference:
    """Against the published `version`: what it would have matched, what is new, what is gone.

    `unknown`: one of the two matches, and for the other there is no data; neither new nor gone.
    """

    version: int
    matched: int
    people: int
    added: int
    added_people: int
    removed: int
    removed_people: int
    unknown: int

    @property
    def is_none(self) -> bool:
        return not (self.added or self.removed or self.unknown)


@dataclass(frozen=True, kw_only=True, slots=True)
class Waiting:
    """Of a time-out: who is past the limit, fits, and would not be reminded now.

    `told`: their present step was said before. `before`: they entered the stage before the rule
    counts. `if_counted`: for whom it will count is still to be chosen; what matched are those who
    wait already.
    """

    told: int
    before: int
    if_counted: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Backtest:
    """What a rule would have done. `digest` names the definition that was tried.

    `there`: what happened that it, or the published version, hears; `looked_at`: of those, the
    newest, as far as limits allowed. `events`: those that it hears itself. A time-out is not asked
    about the past but about now: `waiting` is told, and the events are stage visits past the limit.
    """

    digest: str
    since: datetime
    until: datetime
    there: int
    looked_at: int
    events: int
    matched: int
    people: int
    undecided: int
    conditions: ConditionTally
    effects: EffectTally
    difference: Difference | None
    sample: tuple[Case, ...]
    waiting: Waiting | None

    @property
    def is_partial(self) -> bool:
        return self.looked_at < self.there


@dataclass(slots=True)
class Side:
    """What one version said: the events that it matched by their key, with the patient of each, and
    those that it could not decide.
    """

    matched: dict[object, uuid.UUID] = field(default_factory=dict)
    undecided: set[object] = field(default_factory=set)

    def note(self, key: object, patient_id: uuid.UUID, result: bool | None) -> None:
        if result:
            self.matched[key] = patient_id
        elif result is None:
            self.undecided.add(key)

    def less(self, other: Side) -> tuple[int, int]:
        """Events that only this one matched, and people that only this one would have met."""
        events = self.matched.keys() - other.matched.keys() - other.undecided
        people = {self.matched[key] for key in events} - set(other.matched.values())
        return len(events), len(people)

    @property
    def people(self) -> int:
        return len(set(self.matched.values()))


def difference(version: int, draft: Side, published: Side) -> Difference:
    added, added_people = draft.less(published)
    removed, removed_people = published.less(draft)
    sides = ((draft, published), (published, draft))
    return Difference(
        version=version,
        matched=len(published.matched),
        people=published.people,
        added=added,
        added_people=added_people,
        removed=removed,
        removed_people=removed_people,
        unknown=sum(len(one.matched.keys() & other.undecided) for one, other in sides),
    )


@dataclass(slots=True)
class Sampler:
    """The first of each kind: what differs, what runs, what does not."""

    kept: dict[str, dict[object, Case]] = field(default_factory=dict)

    def has_room(self, change: Change, *, runs: bool) -> bool:
        return len(self.kept.get(_kind(change, runs=runs), ())) < SAMPLED

    def add(self, key: object, case: Case) -> None:
        self.kept.setdefault(_kind(case.change, runs=case.runs), {})[key] = case

    def cases(self, told: Mapping[object, tuple[Foretold, ...]]) -> tuple[Case, ...]:
        """What differs first. `told`: what the actions would have done, by key."""
        found = (self.kept.get(kind, {}).items() for kind in ("change", "runs", "rests"))
        return tuple(
            replace(case, actions=told.get(key, ())) for part in found for key, case in part
        )


def _kind(change: Change, *, runs: bool) -> str:
    return "change" if change else "runs" if runs else "rests"
