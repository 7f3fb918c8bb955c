"""Does the database still say what the log says? Every violation, by name (`verify_journeys`).

The guards refuse every violation as it is written; this finds what was written without them: by
an owner who switched them off, a restored backup, a page that rotted. So it trusts no constraint,
no trigger and no earlier run, and it reads everything.

Each question is one set-based statement (`verification_sql/`, read there what is asked) over a
range of ids. The ranges together cover all possible ids, so a log row of an enrollment that does
not exist lies in one of them too. Violations are fetched from a cursor on the server: memory
stays flat however many rows there are and however many are wrong. One snapshot holds for the
whole run, so moves that go on meanwhile are no violations.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Any, Final

from django.db import connection, transaction

from journeys import guard_catalog
from kura.prepared import prepared_cursor

SQL: Final = Path(__file__).parent / "verification_sql"
FETCHED: Final = 1000  # violations in memory at a time

_LAST_ID: Final = 2**128 - 1


@dataclass(frozen=True, slots=True)
class _Round:
    """Statements that read the same range of a table's ids, `step` of its rows at a time."""

    table: str
    statements: tuple[str, ...]
    step: int


_ROUNDS: Final = (
    _Round("journey_enrollments", ("log_rows", "enrollments"), 5_000),
    _Round("patients", ("journey_status", "enrollment_numbers"), 20_000),
    _Round("system_events", ("events",), 50_000),
)

# What each code says, after "expected" and "found" are put in. In the order of the statements.
_SENTENCES: Final = {
    "log_seq_gap": "the move has number {found}, the next in its enrollment is {expected}",
    "log_broken_link": "the move starts at {found}, the move before it ended at {expected}",
    "log_time_order": "the move is dated {found}, the move before it {expected}",
    "log_wrong_dwell": "the stage before lasted {expected} s, the row says {found} s",
    "log_wrong_first_reach": "first time in this stage: {expected}, the row says {found}",
    "log_without_enrollment": "the row belongs to enrollment {found}, which does not exist",
    "log_without_patient": "the row belongs to patient {found}, who does not exist",
    "log_wrong_patient": "the enrollment is of patient {expected}, the row names {found}",
    "log_wrong_journey": "the enrollment is in {expected}, the row names {found}",
    "log_wrong_organization": "the patient is of organization {expected}, the row of {found}",
    "log_illegal_stage": "{found} is no stage of the template, and never was",
    "log_after_close": "the move leaves {found}, which closes the journey",
    "log_unblocked_without_person": (
        "the move leaves an on-hold stage; expected a person of the organization, found {found}"
    ),
    "log_unblocked_without_reason": "the move leaves the on-hold stage {found} without a reason",
    "log_event_of_other_organization": (
        "the patient is of organization {expected}, the event that moved them of {found}"
    ),
    "log_actor_unknown": "the person who moved the patient, {found}, is no user",
    "log_actor_of_other_organization": (
        "the patient is of organization {expected}, the person who moved them of {found}"
    ),
    "enrollment_without_log": "the enrollment exists, but no log row tells of it",
    "enrollment_wrong_stage": "the log says stage {expected}, the enrollment {found}",
    "enrollment_wrong_seq": "the log counts {expected} moves, the enrollment {found}",
    "enrollment_wrong_entered_at": "the log says entered {expected}, the enrollment {found}",
    "enrollment_wrong_opened_at": "the log says opened {expected}, the enrollment {found}",
    "enrollment_wrong_status": "the stage's status is {expected}, the enrollment says {found}",
    "enrollment_wrong_closed_at": "the log says closed {expected}, the enrollment {found}",
    "enrollment_wrong_blocked_from": "the log says blocked from {expected}, the enrollment {found}",
    "enrollment_illegal_stage": "{found} is no stage of the template, and never was",
    "enrollment_retired_stage": "the enrollment stands in {found}, a stage that is retired",
    "enrollment_without_patient": "the enrollment is of patient {found}, who does not exist",
    "enrollment_wrong_organization": (
        "the patient is of organization {expected}, the enrollment of {found}"
    ),
    "enrollment_template_of_other_organization": (
        "the patient is of organization {expected}, the template of {found}"
    ),
    "enrollment_wrong_journey": "the template's key is {expected}, the enrollment says {found}",
    "enrollment_number_gap": "the enrollment has number {found}, the next is {expected}",
    "enrollment_open_not_newest": "enrollment {found} is open although {expected} follows it",
    "enrollment_time_order": "the one before was closed {expected}, this one opened {found}",
    "journey_status_missing": "the enrollment stands in {expected}, journey_status says nothing",
    "journey_status_unknown": "journey_status names {found}, where the patient never was",
    "journey_status_differs": "the enrollment stands in {expected}, journey_status says {found}",
    "journey_status_malformed": "journey_status is no {expected} but of type {found}",
    "event_patient_of_other_organization": (
        "the event is of organization {expected}, its patient of {found}"
    ),
    "event_cause_of_other_organization": (
        "the event is of organization {expected}, the event that caused it of {found}"
    ),
    "guard_trigger_missing": "the guard does not exist; expected: {expected}",
    "guard_trigger_disabled": "the guard is {found}, expected: {expected}",
    "guard_trigger_changed": "the guard reads {found}; expected: {expected}",
    "guard_function_missing": "the function does not exist",
    "guard_function_changed": "the function is not the shipped one: it has {found}",
}

CODES: Final = frozenset(_SENTENCES)

# Codes, keys, ids, numbers and times are shown. What else stands in a row that the guards never
# saw may be about a person.
_SHOWABLE: Final = re.compile(r"[A-Z][A-Z0-9_]{0,59}|[a-z0-9_-]{1,60}|[0-9:.+-]+( [0-9:.+-]+)*")


@dataclass(frozen=True, kw_only=True, slots=True)
class Violation:
    """One broken promise. Ids are None where the violation is not about such a row."""

    code: str
    sentence: str
    organization_id: uuid.UUID | None = None
    patient_id: uuid.UUID | None = None
    enrollment_id: uuid.UUID | None = None
    log_id: int | None = None
    event_id: uuid.UUID | None = None
    guard: str | None = None


@dataclass(frozen=True, slots=True)
class Counts:
    """How much there is to read."""

    enrollments: int
    log_rows: int
    patients: int
    events: int

    @property
    def steps(self) -> int:
        """What `violations` counts in: the rows whose ids make the ranges."""
        return self.enrollments + self.patients + self.events


@contextmanager
def snapshot() -> Iterator[None]:
    """A read-only transaction that sees one moment, with no limit on time.

    Inside a transaction that is open already, that one's isolation holds.
    """
    is_outermost = not connection.in_atomic_block
    with transaction.atomic(), connection.cursor() as cursor:
        if is_outermost:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        cursor.execute(_SETTINGS)
        yield


# Without limits on time. For each range the same few tables are joined: compiling does not pay,
# a cursor that is read to its end is planned so, and before the first ANALYZE a range scan is
# still better than reading everything for each range.
_SETTINGS: Final = """
SELECT set_config(name, wanted, TRUE)
FROM (VALUES
    ('statement_timeout', '0'), ('transaction_timeout', '0'),
    ('idle_in_transaction_session_timeout', '0'),
    ('jit', 'off'), ('cursor_tuple_fraction', '1'), ('work_mem', '64MB')
) AS asked (known, wanted)
JOIN pg_settings ON name = known
"""


def counts() -> Counts:
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT (SELECT count(*) FROM journey_enrollments), (SELECT count(*) FROM journey_logs),
                (SELECT count(*) FROM patients), (SELECT count(*) FROM system_events)
            """
        )
        return Counts(*cursor.fetchone())


def violations(on_progress: Callable[[int], None] = lambda _: None) -> Iterator[Violation]:
    """Every violation, of all organizations, as it is found. Call inside `snapshot()`.

    `on_progress` hears after each range how many rows it had (see `Counts.steps`).
    """
    yield from guard_violations()
    for part in _ROUNDS:
        for low, high, size in _ranges(part.table, part.step):
            for statement in part.statements:
                yield from _found(statement, low, high)
            on_progress(size)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a check that is done in pieces goes on: a round, and the first id of its next range."""

    round: int
    low: uuid.UUID


_FIRST: Final = uuid.UUID(int=0)
START: Final = Place(0, _FIRST)


def pieces(place: Place = START) -> Iterator[tuple[Iterator[Violation], Place | None]]:
    """The same for whoever cannot hold one snapshot for so long: a range at a time, each statement
    at a moment of its own. With each piece comes where the next begins; None after the last.
    """
    if place == START:
        yield guard_violations(), place
    for number, part in enumerate(_ROUNDS[place.round :], start=place.round):
        start = place.low if number == place.round else _FIRST
        for low, high, _size in _ranges(part.table, part.step, start):
            found = chain.from_iterable(_found(name, low, high) for name in part.statements)
            yield found, _after(number, high)


def _after(number: int, high: uuid.UUID) -> Place | None:
    if high.int < _LAST_ID:
        return Place(number, uuid.UUID(int=high.int + 1))
    return Place(number + 1, _FIRST) if number + 1 < len(_ROUNDS) else None


def violations_of(patient_id: uuid.UUID) -> list[Violation]:
    """What contradicts itself in the history of one patient, now. One statement, prepared."""
    with prepared_cursor() as cursor:
        cursor.execute(_one_patient(), {"patient": patient_id})
        return [_violation(row) for row in cursor.fetchall()]


# Of one patient instead of a range. A row of the log is looked for by its person too: it may name
# an enrollment that is not theirs, or none.
_RANGE_OF_IDS: Final = "BETWEEN %(low)s AND %(high)s"
_THEIRS: Final = {
    "journey_enrollments": """IN (
        SELECT id FROM journey_enrollments WHERE patient_id = %(patient)s
        UNION SELECT enrollment_id FROM journey_logs WHERE patient_id = %(patient)s)""",
    "patients": "= %(patient)s",
}


@cache
def _one_patient() -> str:
    """The same statements, so that this page and `verify_journeys` cannot disagree."""
    parts = [
        _sql(name).replace(_RANGE_OF_IDS, _THEIRS[part.table])
        for part in _ROUNDS
        if part.table in _THEIRS
        for name in part.statements
    ]
    return "\nUNION ALL\n".join(f"(\n{part}\n)" for part in parts)


def guard_violations() -> Iterator[Violation]:
    """Guards that are missing, switched off or not what was shipped."""
    for faults in (guard_catalog.trigger_faults(), guard_catalog.definition_faults()):
        for fault in faults:
            sentence = _SENTENCES[fault.code].format(expected=fault.expected, found=fault.found)
            yield Violation(code=fault.code, sentence=sentence, guard=fault.name)


def _ranges(
    table: str, step: int, first: uuid.UUID = _FIRST
) -> Iterator[tuple[uuid.UUID, uuid.UUID, int]]:
    """Ranges, ends included, that touch each other and cover all ids from the first on; with the
    rows in each.
    """
    start = first.int
    while start <= _LAST_ID:
        low = uuid.UUID(int=start)
        with connection.cursor() as cursor:
            cursor.execute(_RANGE.format(table=table), {"low": low, "step": step})
            size, last = cursor.fetchone()
        high = last if size == step else uuid.UUID(int=_LAST_ID)
        yield low, high, size
        start = high.int + 1


_RANGE: Final = """
SELECT count(*), (array_agg(id ORDER BY id DESC))[1]
FROM (SELECT id FROM {table} WHERE id >= %(low)s ORDER BY id LIMIT %(step)s) AS ids
"""


def _found(statement: str, low: uuid.UUID, high: uuid.UUID) -> Iterator[Violation]:
    with connection.chunked_cursor() as cursor:
        cursor.execute(_sql(statement), {"low": low, "high": high})
        while rows := cursor.fetchmany(FETCHED):
            yield from map(_violation, rows)


@cache
def _sql(statement: str) -> str:
    return (SQL / f"{statement}.sql").read_text(encoding="utf-8")


def _violation(row: tuple[Any, ...]) -> Violation:
    code, expected, found, organization_id, patient_id, enrollment_id, log_id, event_id = row
    return Violation(
        code=code,
        sentence=_SENTENCES[code].format(expected=_shown(expected), found=_shown(found)),
        organization_id=organization_id,
        patient_id=patient_id,
        enrollment_id=enrollment_id,
        log_id=log_id,
        event_id=event_id,
    )


def _shown(value: str | None) -> str:
    if value is None:
        return "nothing"
    return value if _SHOWABLE.fullmatch(value) else "(not shown)"
