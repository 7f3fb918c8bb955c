"""The stages of a journey as one person went through them. Pure: values in, values out.

The line is what leads to the end: stages that neither block nor cancel, in the template's order. A
stage beside it (a block, a cancellation) is shown only while the person stands in it, right after
the stage where they stopped. A stage that the template no longer has is shown when the person was
in it, and is never still to come. Of several endings one is shown: the one that was reached, else
the first.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from journeys.models.template import StageStatus, Turn
from journeys.selectors.definitions import Definition, Stage

BESIDE: Final = frozenset({StageStatus.ON_HOLD, StageStatus.CANCELLED})


class StepState(StrEnum):
    DONE = "done"
    CURRENT = "current"
    BLOCKED = "blocked"
    TODO = "todo"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Visit:
    """One stay in a stage; `left_at` None: they are there now."""

    stage: str
    entered_at: datetime
    left_at: datetime | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """`status`: a StageStatus code. `limit`: how long the stage may last, None without limit."""

    code: str
    label: str
    status: str
    state: StepState
    entered_at: datetime | None = None
    left_at: datetime | None = None
    limit: timedelta | None = None
    retired: bool = False


@dataclass(frozen=True, slots=True)
class Progress:
    """A block is no progress: the stage that it interrupted does not count as done."""

    done: int
    total: int

    @property
    def percent(self) -> int:
        return 100 * self.done // self.total if self.total else 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Standing:
    """Where a person is, as the enrollment says."""

    stage: str
    status: str
    blocked_from: str | None
    is_open: bool

    @property
    def is_blocked(self) -> bool:
        return self.is_open and self.status == StageStatus.ON_HOLD


def visits_of(moves: Iterable[tuple[str, datetime]]) -> list[Visit]:
    """From (to_stage, changed_at) in the order of the moves."""
    made = list(moves)
    ends = [at for _stage, at in made[1:]]
    return [Visit(stage, at, end) for (stage, at), end in zip(made, [*ends, None], strict=True)]


def steps_of(
    definition: Definition,
    standing: Standing,
    visits: Sequence[Visit],
    limits: Mapping[str, timedelta],
) -> tuple[Step, ...]:
    """`limits` by stage code."""
    last = {visit.stage: visit for visit in visits}
    line = _line(definition, standing, last)
    anchor = _anchor(line, standing, visits)
    steps = [
        _step(stage, _state(index, anchor, stage, standing, last), last, limits)
        for index, stage in enumerate(line)
    ]
    steps = [step for step in steps if not (step.retired and step.state in _AHEAD)]
    if standing.stage not in {stage.code for stage in line}:
        here = _step(_stage(definition, standing), _here(standing), last, limits)
        steps.insert(_place_after(steps, line[anchor].code if anchor >= 0 else None), here)
    return tuple(steps)


_AHEAD: Final = frozenset({StepState.TODO, StepState.SKIPPED})


def _line(definition: Definition, standing: Standing, last: Mapping[str, Visit]) -> list[Stage]:
    ending = _ending(definition, standing)
    return [
        stage
        for stage in definition.stages.values()
        if stage.status not in BESIDE
        and (stage.status != StageStatus.FINISHED or stage.code == ending)
        and (not stage.retired or stage.code in last)
    ]


def _ending(definition: Definition, standing: Standing) -> str | None:
    if standing.status == StageStatus.FINISHED:
        return standing.stage
    ends = (s.code for s in definition.allowed.values() if s.status == StageStatus.FINISHED)
    return next(ends, None)


def _anchor(line: Sequence[Stage], standing: Standing, visits: Sequence[Visit]) -> int:
    """Where on the line the person is, or stopped; -1: before its beginning."""
    places = {stage.code: index for index, stage in enumerate(line)}
    been = (visit.stage for visit in reversed(visits))
    for code in (standing.stage, standing.blocked_from, *been):
        if code in places:
            return places[code]
    return -1


def _state(
    index: int, anchor: int, stage: Stage, standing: Standing, last: Mapping[str, Visit]
) -> StepState:
    if stage.code == standing.stage:
        return _here(standing)
    if index <= anchor:
        return StepState.DONE if stage.code in last else StepState.SKIPPED
    return StepState.TODO if standing.is_open else StepState.SKIPPED


def _here(standing: Standing) -> StepState:
    if standing.is_blocked:
        return StepState.BLOCKED
    return StepState.DONE if standing.status == StageStatus.FINISHED else StepState.CURRENT


def _step(
    stage: Stage, state: StepState, last: Mapping[str, Visit], limits: Mapping[str, timedelta]
) -> Step:
    visit = None if state in _AHEAD else last.get(stage.code)
    return Step(
        code=stage.code,
        label=stage.label,
        status=stage.status,
        state=state,
        entered_at=visit.entered_at if visit else None,
        left_at=visit.left_at if visit else None,
        limit=limits.get(stage.code),
        retired=stage.retired,
    )


def _stage(definition: Definition, standing: Standing) -> Stage:
    """The stage they stand in; one that the template never had says its code."""
    unknown = standing.stage.replace("_", " ").capitalize()
    return definition.stages.get(standing.stage) or Stage(
        standing.stage, 0, standing.status, unknown, unknown, Turn.PRACTICE, "", "", retired=True
    )


def _place_after(steps: Sequence[Step], code: str | None) -> int:
    places = {step.code: index for index, step in enumerate(steps)}
    return places[code] + 1 if code in places else 0


def progress_of(steps: Sequence[Step], standing: Standing) -> Progress:
    """Of the stages on the line; those that were passed over are not asked for any more."""
    line = [step for step in steps if step.status not in BESIDE]
    done = [step for step in line if step.state == StepState.DONE]
    if standing.is_blocked:
        done = [step for step in done if step.code != standing.blocked_from]
    asked = [step for step in line if step.state != StepState.SKIPPED]
    ahead = [] if standing.status != StageStatus.CANCELLED else _given_up(line)
    return Progress(len(done), len(asked) + len(ahead))


def _given_up(line: Sequence[Step]) -> list[Step]:
    """What a cancelled journey had still before it."""
    reached = [index for index, step in enumerate(line) if step.state == StepState.DONE]
    return list(line[reached[-1] + 1 :]) if reached else list(line)
