"""Replays the stories of a practice through the services, in the order in which they happened.

Deterministic: the same people and the same `now` give the same history, whatever the machine.
Everybody's moves are replayed in one line of time, so that the log's ids grow with its times.
Nothing is written round the services: the guards judge every step as they would have then.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

from journeys.blueprints import Blueprint
from journeys.cause import Cause, by_import, by_integration, by_system, by_user
from journeys.models.template import StageStatus
from journeys.services.transitions import enroll, transition, unblock
from kura.accounts.models import User
from kura.demo.events import record_event_now, record_past_event
from kura.demo.people import Practice
from kura.demo.stories import AUTOMATION, IMPORT, INTEGRATION, Step, Story
from patients.models import Patient

EXACT_DAYS: Final = 4  # calendar days whose hours are kept: "stuck for 6 h" must be 6 h
OPENS_AT: Final = timedelta(hours=8, minutes=30)
OPEN_FOR: Final = timedelta(hours=11)
LONGEST_DAY: Final = timedelta(hours=25)  # the day on which summer time ends
REACTION: Final = timedelta(seconds=5)  # from an event to the move it causes


@dataclass(frozen=True, kw_only=True, slots=True)
class Happening:
    """A step of somebody's story with its time. `leaves`: the stage before, None at enrollment.

    `name` is unique in the practice, and the same in every run. `by_rules`: what the practice's
    rules make of its event, as soon as they run.
    """

    name: str
    external_id: str
    journey: Blueprint
    leaves: str | None
    step: Step
    at: datetime
    by_rules: bool


def happenings(practice: Practice, now: datetime) -> list[Happening]:
    """All that happened in the practice, oldest first. Pure."""
    zone = ZoneInfo(practice.timezone)
    return sorted(
        (
            happening
            for place, person in enumerate(practice.people)
            for number, story in enumerate(person.stories)
            for happening in _told(story, f"{practice.external_id(place)}/{number}", now, zone)
        ),
        key=lambda happening: happening.at,
    )


def _told(story: Story, name: str, now: datetime, zone: ZoneInfo) -> Iterator[Happening]:
    before = [None, *(step.to_stage for step in story.steps)]
    agos = _agos(story, random.Random(name))  # noqa: S311  no secret: a story told alike each time
    for place, (step, ago) in enumerate(zip(story.steps, agos, strict=True)):
        yield Happening(
            name=f"{name}/{place}",
            external_id=name.partition("/")[0],
            journey=story.journey,
            leaves=before[place],
            step=step,
            at=moment(ago, now, zone),
            by_rules=story.by_rules and step is story.steps[-1],
        )


def _agos(story: Story, chance: random.Random) -> list[timedelta]:
    """How long before now each step was: told from the last one backwards."""
    agos = [story.ago]
    for step in reversed(story.steps[1:]):
        agos.append(agos[-1] + timedelta(hours=chance.uniform(*step.hours)))
    return agos[::-1]


def moment(ago: timedelta, now: datetime, zone: ZoneInfo) -> datetime:
    """That long before now; if it is days ago, moved into the practice's opening hours.

    The day is squeezed, not cut: of two moments the earlier stays the earlier.
    """
    exact = (now - ago).astimezone(UTC)
    day = exact.astimezone(zone).date()
    if now.astimezone(zone).date() - day < timedelta(days=EXACT_DAYS):
        return exact
    midnight = datetime.combine(day, time(), zone)
    into_day = (exact - midnight.astimezone(UTC)) / LONGEST_DAY
    return (midnight + OPENS_AT + into_day * OPEN_FOR).astimezone(UTC)


# --- replay -----------------------------------------------------------------------------------


def replay(
    story_line: Iterable[Happening],
    *,
    patients: Mapping[str, Patient],
    colleagues: Mapping[str, User],
) -> None:
    """Let it all happen again. Needs a transaction and the practice's tenant scope.

    `patients` by external id, `colleagues` by handle: the first one looks after the patients who
    have no therapist.
    """
    first = next(iter(colleagues.values()))
    for happening in story_line:
        patient = patients[happening.external_id]
        acts = colleagues.get(happening.step.by) or patient.therapist or first
        _move(happening, patient, _cause(happening, patient, acts))


def _move(happening: Happening, patient: Patient, cause: Cause) -> None:
    if happening.leaves is None:
        act: Callable[..., object] = enroll
    elif happening.leaves in _blocking(happening.journey):
        act = unblock
    else:
        act = transition
    act(
        patient_id=patient.pk,
        journey_key=happening.journey.key,
        to_stage=happening.step.to_stage,
        cause=cause,
        changed_at=happening.at,
    )


def _blocking(journey: Blueprint) -> set[str]:
    return {stage.code for stage in journey.stages if stage.status == StageStatus.ON_HOLD}


def _cause(happening: Happening, patient: Patient, acts: User) -> Cause:
    step, event_id = happening.step, _trigger(happening, patient)
    if step.by == AUTOMATION:
        return by_system(via="automation", trigger_event_id=event_id)
    if step.by == INTEGRATION:
        return by_integration(None, trigger_event_id=event_id, reason=step.reason)
    if step.by == IMPORT:
        return by_import()
    return by_user(acts, reason_code=step.reason_code, reason=step.reason, via="admin")


def let_happen(story_line: Iterable[Happening], *, patients: Mapping[str, Patient]) -> None:
    """The events come in; the rules that listen move the patients. Needs the tenant scope."""
    for happening in story_line:
        record_event_now(
            patient=patients[happening.external_id],
            journey_key=happening.journey.key,
            event_type=happening.step.event,
            payload=happening.step.payload,
            idempotency_key=happening.name,
        )


def _trigger(happening: Happening, patient: Patient) -> UUID | None:
    if not happening.step.event:
        return None
    return record_past_event(
        patient=patient,
        journey_key=happening.journey.key,
        event_type=happening.step.event,
        payload=happening.step.payload,
        occurred_at=happening.at - REACTION,
        idempotency_key=happening.name,
    )
