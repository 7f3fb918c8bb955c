"""Spec 2.4 and 5 against a practice whose truth is known: who is found is who is stuck, exactly.

Histories are made from a seed and appended through the door; the truth is counted from them in
plain Python, step by step, and knows nothing of the monitor's SQL.
"""

from __future__ import annotations

import json
import random
import uuid
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

import hypothesis.strategies as st
import pytest
from django.db import connection, transaction
from django.utils import timezone
from hypothesis import HealthCheck, given, settings

from automation import monitor
from automation.ladders import LADDERS
from automation.models import AutomationRule
from automation.monitor import VisitOutcome
from automation.selectors.stale import StaleVisit
from journeys.models import Enrollment, JourneyTemplate, SystemEventLog
from journeys.models.template import StageStatus
from journeys.services.templates import create_template
from kura import tenancy
from kura.accounts.models import Organization, User
from kura.demo.archetypes import ARCHETYPES
from kura.ids import time_ordered_uuid
from patients.models import Patient
from tests.automation.messages import task
from tests.automation.practice import a_rule
from tests.factories import OrganizationFactory, a_template, a_user
from tests.sizes import sized

NOW: Final = timezone.now() - timedelta(days=3)  # later checks may look ahead, events may not
ENROLLMENTS: Final = sized(reduced=1_000, full=25_000)
LOOKED_AT: Final = sized(reduced=50, full=1_000)  # fewer than are due: the check looks again
PRACTICES: Final = 4
OVER: Final = {StageStatus.FINISHED, StageStatus.CANCELLED}
MOMENT: Final = timedelta(microseconds=1)


# --- the truth ------------------------------------------------------------------------------------


class Move(NamedTuple):
    patient: uuid.UUID
    key: str
    stage: str
    at: datetime
    status: str


@dataclass(frozen=True)
class Clock:
    """A time-out, in thousandths of an hour."""

    rule: uuid.UUID
    organization: uuid.UUID
    key: str
    stage: str
    hours: int
    again: int | None = None
    most: int | None = None
    visits_from: datetime | None = None
    is_awake: bool = True


class Step(NamedTuple):
    rule: uuid.UUID
    patient: uuid.UUID
    seq: int
    occurrence: int
    due_at: datetime


def thousandths(number: int) -> timedelta:
    return timedelta(milliseconds=3600 * number)


def truth(
    moves: Iterable[Move],
    clocks: Sequence[Clock],
    home: dict[uuid.UUID, uuid.UUID],
    erased: set[uuid.UUID],
    now: datetime,
) -> set[Step]:
    standing = {
        place: visit for place, visit in last_visits(moves).items() if place[0] not in erased
    }
    return {
        Step(clock.rule, patient, seq, *current_step(clock, move.at, now))
        for clock in clocks
        for (patient, _key), (seq, move) in standing.items()
        if is_stuck(clock, move, home[patient], now)
    }


def last_visits(moves: Iterable[Move]) -> dict[tuple[uuid.UUID, str], tuple[int, Move]]:
    """The number of the last move in its enrollment, and the move."""
    here: dict[tuple[uuid.UUID, str], tuple[int, Move]] = {}
    for move in moves:
        seq, before = here.get((move.patient, move.key), (0, None))
        again = before is not None and before.status in OVER
        here[move.patient, move.key] = (1 if again else seq + 1, move)
    return here


def is_stuck(clock: Clock, move: Move, organization: uuid.UUID, now: datetime) -> bool:
    return (
        clock.is_awake
        and move.status not in OVER
        and (clock.organization, clock.key, clock.stage) == (organization, move.key, move.stage)
        and (clock.visits_from is None or move.at >= clock.visits_from)
        and now - move.at >= thousandths(clock.hours)
    )


def current_step(clock: Clock, entered_at: datetime, now: datetime) -> tuple[int, datetime]:
    """Climb the ladder until the next step would lie ahead, or there is none."""
    number, due = 1, entered_at + thousandths(clock.hours)
    while clock.again and number != clock.most and due + thousandths(clock.again) <= now:
        number, due = number + 1, due + thousandths(clock.again)
    return number, due


# --- what the monitor says ------------------------------------------------------------------------


def found(visits: Iterable[StaleVisit]) -> set[Step]:
    return {
        Step(one.rule_id, one.patient_id, one.stage_seq, one.occurrence, one.due_at)
        for one in visits
    }


def announced() -> list[Step]:
    with tenancy.every_organization():
        events = SystemEventLog.objects.filter(event_type="JOURNEY_STAGE_TIMEOUT")
        return [
            Step(
                uuid.UUID(event.payload_row.payload["rule_id"]),
                event.patient_id,
                event.payload_row.payload["stage_seq"],
                event.payload_row.payload["occurrence"],
                event.occurred_at,
            )
            for event in events.select_related("payload_row").order_by("id")
        ]


def check(now: datetime, **asked: Any) -> monitor.Report:
    with tenancy.every_organization():
        return monitor.check(clock=lambda: now, seconds=3600, **asked)


def append(moves: Sequence[Move], person: dict[uuid.UUID, User], at_once: int = 10_000) -> None:
    """Through the door, several moves of one patient in one statement."""
    rows = [
        {
            "n": number,
            "patient": move.patient,
            "key": move.key,
            "stage": move.stage,
            "at": move.at,
            "person": person[move.patient].pk,
        }
        for number, move in enumerate(moves)
    ]
    for start in range(0, len(rows), at_once):
        with connection.cursor() as cursor:
            cursor.execute(
                """
                INSERT INTO journey_logs (
                    patient_id, journey_key, to_stage, changed_at,
                    actor_kind, actor_id, reason_code)
                SELECT patient, key, stage, at, 'user', person, 'reviewed_safe'
                FROM json_to_recordset(%s) AS moves (
                    n integer, patient uuid, key text, stage text, at timestamptz, person uuid)
                ORDER BY n
                """,
                [json.dumps(rows[start : start + at_once], default=str)],
            )


# --- a practice of known truth --------------------------------------------------------------------


@dataclass(frozen=True)
class World:
    moves: list[Move]
    clocks: list[Clock]
    home: dict[uuid.UUID, uuid.UUID]
    erased: set[uuid.UUID]

    def truth(self, now: datetime) -> set[Step]:
        return truth(self.moves, self.clocks, self.home, self.erased, now)


@pytest.fixture
def world(db) -> World:
    chance = random.Random(20_260_107)  # the same world each time
    practices = OrganizationFactory.create_batch(PRACTICES)
    clocks = [clock for number, one in enumerate(practices) for clock in open_practice(one, number)]
    patients = people(practices, ENROLLMENTS * 2 // 3)
    colleague = {one.pk: a_user(one) for one in practices}
    moves = list(histories(chance, [patient.pk for patient in patients]))
    append(moves, {patient.pk: colleague[patient.organization_id] for patient in patients})
    erased = set(chance.sample([patient.pk for patient in patients], len(patients) // 50))
    with tenancy.every_organization():
        Patient.objects.filter(pk__in=erased).update(erased_at=NOW)
        JourneyTemplate.objects.filter(organization=practices[1], key="intake").update(
            is_active=False
        )
    return World(moves, clocks, {one.pk: one.organization_id for one in patients}, erased)


def open_practice(organization: Organization, number: int) -> Iterator[Clock]:
    """The same journeys in each; rules for everybody, from a day on, asleep, archived."""
    with tenancy.scope(organization):
        for blueprint in ARCHETYPES:
            create_template(organization=organization, blueprint=blueprint)
        for place, ladder in enumerate(LADDERS):
            visits_from = NOW - timedelta(days=9) if (place + number) % 3 == 2 else None
            kind = (place + 2 * number) % 8
            asleep = {3: {"is_active": False}, 5: {"archived_at": NOW}}.get(kind, {})
            ready = next(iter(ladder.rules()))
            yield clock_of(
                AutomationRule.objects.create(
                    organization=organization,
                    visits_from=visits_from,
                    **ready.definition("es"),
                    **(asleep if number else {}),
                )
            )


def clock_of(rule: AutomationRule) -> Clock:
    again = rule.repeat_hours
    return Clock(
        rule=rule.pk,
        organization=rule.organization_id,
        key=rule.journey_key,
        stage=rule.stage,
        hours=round(rule.max_hours * 1000),
        again=None if again is None else round(again * 1000),
        most=rule.max_repeats,
        visits_from=rule.visits_from,
        is_awake=rule.is_active and rule.archived_at is None,
    )


def people(practices: Sequence[Organization], number: int) -> list[Patient]:
    with tenancy.every_organization():
        return Patient.objects.bulk_create(
            Patient(
                id=time_ordered_uuid(),
                organization=practices[n % len(practices)],
                full_name=f"P {n}",
            )
            for n in range(number)
        )


STAGES: Final = {
    blueprint.key: {stage.code: str(stage.status) for stage in blueprint.stages}
    for blueprint in ARCHETYPES
}
WAITING: Final = {
    key: [ladder for ladder in LADDERS if ladder.key == key] for key in STAGES
}  # of each journey, the stages in which somebody may get stuck


def histories(chance: random.Random, patients: Sequence[uuid.UUID]) -> Iterator[Move]:
    """All moves, those of one patient spread over the statement."""
    each = [list(history(chance, patient)) for patient in patients]
    for number in range(max(map(len, each))):
        yield from (moves[number] for moves in each if number < len(moves))


def history(chance: random.Random, patient: uuid.UUID) -> Iterator[Move]:
    for key in chance.sample(sorted(STAGES), chance.choice([1, 1, 2])):
        stage, now = "", NOW - timedelta(hours=chance.uniform(200, 900))
        last = chance.randint(1, 6)
        for number in range(last):
            stage = another(chance, key, stage)
            yield Move(patient, key, stage, now, STAGES[key][stage])
            rest = NOW - now
            if number == last - 2 and chance.random() < 0.5:
                now = max(now, on_the_edge(chance, key))
            elif chance.random() < 0.8:  # else several moves at one moment
                now += rest * chance.uniform(0, 0.6)


def another(chance: random.Random, key: str, stage: str) -> str:
    """Often one that is waited in: many come back to it."""
    waiting = [ladder.stage for ladder in WAITING[key]]
    wanted = waiting if chance.random() < 0.55 else sorted(STAGES[key])
    return chance.choice(
        [code for code in wanted if code != stage] or sorted({*STAGES[key]} - {stage})
    )


def on_the_edge(chance: random.Random, key: str) -> datetime:
    """A moment more or less than one of the steps of a ladder ago."""
    ladder = chance.choice(WAITING[key])
    step = chance.randrange(ladder.most or 1)
    hours = ladder.hours + step * (ladder.again or 0)
    return NOW - timedelta(hours=hours) + chance.choice([-MOMENT, timedelta(0), MOMENT])


# --- the seven rules ------------------------------------------------------------------------------


@pytest.mark.soak
def test_who_is_found_and_announced_is_who_is_stuck_no_one_more_no_one_less(world, monkeypatch):
    """And so at each later check, also when the monitor was away for a while."""
    assert_nothing_is_missing_in(world)
    monkeypatch.setattr(monitor, "MOST_LISTED", 1_000_000)
    monkeypatch.setattr(monitor, "MOST_LOOKED_AT", LOOKED_AT)
    stuck = world.truth(NOW)

    dry = check(NOW, dry_run=True)
    said_by_the_dry_run = announced()
    wet = check(NOW)
    said = announced()
    again = check(NOW)

    assert len(stuck) > 2 * LOOKED_AT
    assert found(item.visit for item in dry.items) == stuck
    assert {item.outcome for item in dry.items} == {VisitOutcome.WOULD_EMIT}
    assert (dry.stale, dry.due, said_by_the_dry_run) == (len(stuck), len(stuck), [])
    assert (set(said), len(said)) == (stuck, len(stuck))
    assert (wet.stale, wet.due, wet.emitted) == (len(stuck), len(stuck), len(stuck))
    assert (again.stale, again.due, again.emitted) == (len(stuck), 0, 0)
    assert again.counts[VisitOutcome.SKIPPED_RECENT_REMINDER] == len(stuck)
    assert announced() == said
    assert_it_goes_on(world, said)


def assert_it_goes_on(world: World, said: Sequence[Step]) -> None:
    """Each check says what has become true since the last: the step that counts now, none older."""
    known = set(said)
    for hours in (1, 2, 24, 25, 71):
        now = NOW + timedelta(hours=hours)
        new = world.truth(now) - known

        assert new
        assert check(now).emitted == len(new)
        known |= new
        told = announced()
        assert (set(told), len(told)) == (known, len(known))


def assert_nothing_is_missing_in(world: World) -> None:
    """A world without every kind of history would prove nothing."""
    stuck = world.truth(NOW)
    by_rule = {clock.rule: clock for clock in world.clocks}
    hit = [by_rule[step.rule] for step in stuck]
    rests = [NOW - move.at for _seq, move in last_visits(world.moves).values()]
    at_once = Counter((move.patient, move.key, move.at) for move in world.moves)

    assert {(one.key, one.stage) for one in hit} == {(one.key, one.stage) for one in LADDERS}
    assert len({one.organization for one in hit}) == PRACTICES
    assert any(one.visits_from for one in hit)
    assert {1, 2, 3} == {step.occurrence for step in stuck}
    assert {1, 2, 3} <= {step.seq for step in stuck}
    assert any(step.due_at == NOW for step in stuck)
    assert timedelta(hours=48) - MOMENT in rests
    assert max(at_once.values()) > 2
    assert truth(world.moves, world.clocks, world.home, set(), NOW) > stuck  # somebody was erased
    with tenancy.every_organization():
        assert Enrollment.objects.count() >= ENROLLMENTS
        assert Enrollment.objects.filter(number__gt=1, closed_at=None).exists()
        assert Enrollment.objects.filter(status="onhold").exists()
        closed = JourneyTemplate.objects.get(is_active=False)
    assert (closed.organization_id, closed.key) in {(one.organization, one.key) for one in hit}


# --- any rules, any histories, any instant --------------------------------------------------------

CODES: Final = ["SCREENING_PENDING", "AWAITING_PAYMENT", "BLOCKED_HIGH_RISK", "COMPLETED"]
STATUSES: Final = dict(zip(CODES, ("planned", "planned", "onhold", "finished"), strict=True))
KEYS: Final = ["intake", "yoga"]
PEOPLE: Final = 4  # two in each practice
# Few different numbers, so that steps of different rules and moves of people often meet.
thousandths_of_hours = st.sampled_from([1, 333, 1000, 1001, 1500, 2000, 24_000])
gaps = st.one_of(st.just(0), thousandths_of_hours, st.integers(1, 30_000))
drawn_moves = st.lists(
    st.tuples(st.integers(0, PEOPLE - 1), st.sampled_from(KEYS), st.sampled_from(CODES), gaps),
    min_size=1,
    max_size=14,
)
drawn_rules = st.lists(
    st.tuples(
        st.integers(0, 1),
        st.sampled_from(KEYS),
        st.sampled_from(CODES),
        thousandths_of_hours,
        st.one_of(st.none(), st.sampled_from([1000, 1001, 1500, 2000, 24_000])),
        st.one_of(st.none(), st.integers(1, 4)),
        st.one_of(st.none(), st.integers(0, 90_000)),
        st.booleans(),
    ),
    min_size=1,
    max_size=5,
)
# After the last move; often on the very edge of a step, or a moment before or after it.
instants = st.tuples(
    st.one_of(thousandths_of_hours, st.sampled_from([3000, 4500, 72_000]), st.integers(1, 120_000)),
    st.integers(-1, 1),
)
BEGIN: Final = NOW - timedelta(days=60)


class Two(NamedTuple):
    practices: list[Organization]
    patients: list[Patient]
    colleague: dict[uuid.UUID, User]

    @property
    def home(self) -> dict[uuid.UUID, uuid.UUID]:
        return {one.pk: one.organization_id for one in self.patients}


@pytest.fixture
def two(db) -> Two:
    practices = OrganizationFactory.create_batch(2)
    for practice in practices:
        for key in KEYS:
            a_template(practice, key, CODES)
    colleague = {practice.pk: a_user(practice) for practice in practices}
    patients = people(practices, PEOPLE)
    return Two(practices, patients, {one.pk: colleague[one.organization_id] for one in patients})


def as_moves(two: Two, drawn: list[tuple[int, str, str, int]]) -> list[Move]:
    """What would not be a move is left out; time passes between the moves of all."""
    here: dict[tuple[uuid.UUID, str], str] = {}
    now, moves = BEGIN, []
    for person, key, stage, gap in drawn:
        now += thousandths(gap)
        patient = two.patients[person].pk
        if here.get((patient, key)) == stage and STATUSES[stage] not in OVER:
            continue
        here[patient, key] = stage
        moves.append(Move(patient, key, stage, now, STATUSES[stage]))
    return moves


def as_clock(two: Two, drawn: tuple[Any, ...]) -> Clock:
    number, key, stage, hours, again, most, later, is_awake = drawn
    with tenancy.scope(two.practices[number]):
        rule = a_rule(
            two.practices[number],
            "JOURNEY_STAGE_TIMEOUT",
            task(),
            journey_key=key,
            stage=stage,
            max_hours=f"{hours / 1000:.3f}",
            repeat_hours=None if again is None else f"{again / 1000:.3f}",
            max_repeats=most,
            visits_from=None if later is None else BEGIN + thousandths(later),
            is_active=is_awake,
        )
        rule.refresh_from_db()
    return clock_of(rule)


@pytest.mark.soak
@settings(
    max_examples=sized(reduced=60, full=3_000),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(drawn=drawn_moves, rules=drawn_rules, asked=st.lists(instants, min_size=1, max_size=3))
def test_whatever_happened_and_whatever_the_rules_who_is_stuck_is_found(two, drawn, rules, asked):
    with transaction.atomic():
        moves = as_moves(two, drawn)
        append(moves, two.colleague)
        clocks = [as_clock(two, rule) for rule in rules]
        for number, moment in asked:
            now = moves[-1].at + thousandths(number) + moment * MOMENT

            report = check(now, dry_run=True)

            stuck = truth(moves, clocks, two.home, set(), now)
            assert found(item.visit for item in report.items) == stuck
            assert report.due == len(stuck)
        transaction.set_rollback(True)
