"""Several real connections at once, with real commits: no move lost, none doubled, none half."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from io import StringIO

import psycopg
import pytest
from django.core.management import call_command
from django.db import IntegrityError, connection, connections, transaction

from journeys import errors
from journeys.blueprints import Blueprint, MoveDraft, stages_from_codes
from journeys.models import Enrollment, JourneyLog, JourneyTemplate
from journeys.selectors.positions import Expectation
from journeys.services.bulk import transition_many
from journeys.services.templates import create_template, edit_template
from journeys.services.transitions import enroll, transition
from kura import tenancy
from kura.errors import constraint_of
from patients.models import Patient
from tests.factories import OrganizationFactory, PatientFactory, a_template, system, the_enrollment
from tests.sizes import sized

WRITERS = 16
MOVES_EACH = sized(reduced=20, full=200)
STAGES = ["SCREENING_PENDING", "AWAITING_PAYMENT", "CONFIRMED"]


@pytest.fixture
def practice(committed_db):
    organization = OrganizationFactory()
    a_template(organization)
    with tenancy.scope(organization):
        yield organization


@pytest.fixture
def enrolled(practice):
    patient = PatientFactory(organization=practice)
    enroll(patient_id=patient.pk, journey_key="intake", cause=system())
    return patient


def at_once(practice, work: Callable[[int], object], writers: int = WRITERS) -> list[object]:
    """Run `work(0)` … `work(n - 1)`, each on a thread and connection of its own, from one start."""
    start = threading.Barrier(writers)

    def run(number: int) -> object:
        with tenancy.scope(practice):
            try:
                start.wait()
                return work(number)
            finally:
                connections.close_all()

    with ThreadPoolExecutor(writers) as pool:
        return list(pool.map(run, range(writers)))


def outcome_of(act: Callable[[], object]) -> str:
    try:
        act()
    except errors.KuraError as refusal:
        return refusal.code
    return "moved"


def backend() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        return cursor.fetchone()[0]


def chain(patient) -> list[tuple[int, str | None, str]]:
    rows = JourneyLog.objects.filter(patient=patient).order_by("seq")
    return list(rows.values_list("seq", "from_stage", "to_stage"))


def assert_unbroken(rows: list[tuple[int, str | None, str]]) -> None:
    assert [seq for seq, _, _ in rows] == list(range(1, len(rows) + 1))
    assert [start for _, start, _ in rows] == [None, *(end for _, _, end in rows[:-1])]


@pytest.mark.soak
def test_sixteen_writers_on_one_patient_lose_no_move_and_leave_no_gap(practice, enrolled):
    def work(number: int) -> int:
        """Each writer makes its number of real moves, whatever the others do between them."""
        made = 0
        while made < MOVES_EACH:
            for stage in STAGES:
                if made < MOVES_EACH:
                    made += transition(
                        patient_id=enrolled.pk,
                        journey_key="intake",
                        to_stage=stage,
                        cause=system(),
                    ).changed
        return made

    done = at_once(practice, work)

    rows = chain(enrolled)
    assert sum(done) == WRITERS * MOVES_EACH
    assert len(rows) == 1 + WRITERS * MOVES_EACH
    assert_unbroken(rows)
    enrolled.refresh_from_db()
    assert (
        enrolled.journey_status
        == {"intake": rows[-1][2]}
        == {"intake": the_enrollment(enrolled).stage}
    )
    call_command("verify_journeys", stdout=StringIO())  # exits with 1 on any violation


@pytest.mark.soak
def test_of_two_writers_with_the_same_expectation_one_wins(practice, enrolled):
    for _ in range(sized(reduced=5, full=50)):
        here = the_enrollment(enrolled)
        targets = [stage for stage in STAGES if stage != here.stage]

        outcomes = at_once(
            practice,
            lambda number, here=here, targets=targets: outcome_of(
                lambda: transition(
                    patient_id=enrolled.pk,
                    journey_key="intake",
                    to_stage=targets[number],
                    cause=system(),
                    expected=Expectation(stage=here.stage, seq=here.seq),
                )
            ),
            writers=2,
        )

        assert Counter(outcomes) == {"moved": 1, "stage_moved": 1}


def test_of_many_enrolling_at_once_one_wins(practice):
    patient = PatientFactory(organization=practice)

    outcomes = at_once(
        practice,
        lambda _: outcome_of(
            lambda: enroll(patient_id=patient.pk, journey_key="intake", cause=system())
        ),
        writers=8,
    )

    assert Counter(outcomes) == {"moved": 1, "already_enrolled": 7}
    assert Enrollment.objects.count() == 1


def test_bare_inserts_of_many_shells_are_one_chain(practice, enrolled):
    """Without any service: the door alone keeps the order."""

    def work(number: int) -> int:
        made = 0
        for step in range(10):
            with connection.cursor() as cursor:
                try:
                    cursor.execute(
                        "INSERT INTO journey_logs (patient_id, journey_key, to_stage, actor_kind)"
                        " VALUES (%s, 'intake', %s, 'import')",
                        [enrolled.pk, STAGES[(number + step) % 3]],
                    )
                    made += 1
                except IntegrityError as refusal:  # another shell moved it there first
                    if constraint_of(refusal) != "journey_log_is_move":
                        raise
        return made

    made = at_once(practice, work, writers=8)

    rows = chain(enrolled)
    assert len(rows) == 1 + sum(made)
    assert_unbroken(rows)


def test_bulk_moves_that_overlap_do_not_deadlock(practice):
    patients = PatientFactory.create_batch(40, organization=practice)
    for patient in patients:
        enroll(patient_id=patient.pk, journey_key="intake", cause=system())
    ids = [patient.pk for patient in patients]

    def work(number: int) -> list[str]:
        asked = ids if number % 2 else ids[::-1]
        stage = STAGES[1 + number % 2]
        return [
            result.outcome
            for result in transition_many(
                patient_ids=asked, journey_key="intake", to_stage=stage, cause=system()
            )
        ]

    outcomes = at_once(practice, work, writers=8)

    assert {outcome for result in outcomes for outcome in result} <= {"moved", "unchanged"}
    for patient in patients:
        assert_unbroken(chain(patient))


@pytest.mark.parametrize("blow", ["terminate", "kill -9 the client"])
def test_a_move_cut_off_in_the_middle_leaves_nothing(practice, enrolled, blow):
    before = chain(enrolled)
    victim = _client_in_mid_move(enrolled.pk)

    if blow == "terminate":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(%s)", [victim.backend])
    else:
        os.kill(victim.pid, signal.SIGKILL)
    victim.wait()

    assert chain(enrolled) == before
    enrolled.refresh_from_db()
    assert enrolled.journey_status == {"intake": "SCREENING_PENDING"}
    assert the_enrollment(enrolled).seq == 1
    assert transition(
        patient_id=enrolled.pk, journey_key="intake", to_stage="CONFIRMED", cause=system()
    ).changed


class _Victim:
    """A process of its own that has moved the patient and not yet committed."""

    def __init__(self, patient_id: object) -> None:
        read, write = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            _move_and_wait(patient_id, write)
        self.backend = int(os.read(read, 20))

    def wait(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        _until_gone(self.backend)


def _client_in_mid_move(patient_id: object) -> _Victim:
    connection.close()  # a child must not inherit an open connection
    return _Victim(patient_id)


def _move_and_wait(patient_id: object, write: int) -> None:
    settings = connection.get_connection_params()
    settings.pop("cursor_factory", None)
    settings.pop("context", None)
    with psycopg.connect(**settings) as shell:
        shell.execute(
            "INSERT INTO journey_logs (patient_id, journey_key, to_stage, actor_kind)"
            " VALUES (%s, 'intake', 'CONFIRMED', 'system')",
            [patient_id],
        )
        os.write(write, str(shell.info.backend_pid).encode())
        time.sleep(60)
    os._exit(0)


def _until_gone(pid: int) -> None:
    for _ in range(200):
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE pid = %s", [pid])
            if cursor.fetchone() == (0,):
                return
        time.sleep(0.05)
    pytest.fail("the backend is still there")


@pytest.mark.soak
def test_enrolling_and_editing_the_template_do_not_wait_for_one_another_for_ever(practice):
    patients = PatientFactory.create_batch(sized(reduced=24, full=600), organization=practice)
    template_id = JourneyTemplate.objects.get().pk
    blueprint = Blueprint(
        key="intake",
        name="Intake",
        initial_stage="SCREENING_PENDING",
        stages=stages_from_codes([*STAGES, "COMPLETED"]),
    )

    def work(number: int) -> int:
        if number == 0:
            for name in ("Uno", "Dos", "Tres", "Cuatro"):
                edit_template(template_id=template_id, blueprint=replace(blueprint, name=name))
            return 0
        mine = patients[number - 1 :: 6]
        for patient in mine:
            enroll(patient_id=patient.pk, journey_key="intake", cause=system())
        return len(mine)

    assert sum(at_once(practice, work, writers=7)) == len(patients)


def test_edit_by_another_process_is_obeyed_by_the_next_move(practice, enrolled):
    """The definition that this process remembers is of an older version."""
    transition(patient_id=enrolled.pk, journey_key="intake", to_stage="CONFIRMED", cause=system())
    blueprint = Blueprint(
        key="intake",
        name="Intake",
        initial_stage="SCREENING_PENDING",
        stages=stages_from_codes([*STAGES, "COMPLETED"]),
        moves=[MoveDraft(from_stage="CONFIRMED", to_stage="COMPLETED")],
    )
    template_id = the_enrollment(enrolled).template_id

    def edit(_: int) -> object:
        return edit_template(template_id=template_id, blueprint=blueprint)

    at_once(practice, edit, writers=1)

    with pytest.raises(errors.TransitionNotPermitted):
        transition(
            patient_id=enrolled.pk,
            journey_key="intake",
            to_stage="AWAITING_PAYMENT",
            cause=system(),
        )


def test_arrow_removed_while_a_move_waits_for_the_patient_is_not_followed(practice):
    """The move was foreseen with the arrow; it looks once it has the patient's lock."""
    stages = stages_from_codes(STAGES)
    arrow = MoveDraft(from_stage="SCREENING_PENDING", to_stage="AWAITING_PAYMENT")
    back = MoveDraft(from_stage="AWAITING_PAYMENT", to_stage="SCREENING_PENDING")
    blueprint = Blueprint(
        key="arrows",
        name="Arrows",
        initial_stage=STAGES[0],
        stages=stages,
        moves=[arrow, back],
        endless=True,
    )
    template = create_template(organization=practice, blueprint=blueprint)
    first, second = PatientFactory.create_batch(2, organization=practice)
    for patient in (first, second):
        enroll(patient_id=patient.pk, journey_key="arrows", cause=system())
    move = {"journey_key": "arrows", "to_stage": "AWAITING_PAYMENT", "cause": system()}
    transition(patient_id=first.pk, **move)
    held, edited = threading.Event(), threading.Event()

    def work(number: int) -> str:
        if number == 0:
            with transaction.atomic():
                Patient.objects.select_for_update().get(pk=second.pk)
                held.set()
                edited.wait(10)
                time.sleep(0.3)  # for the move to reach the lock
            return "held"
        if number == 1:
            held.wait(10)
            time.sleep(0.3)
            edit_template(template_id=template.pk, blueprint=replace(blueprint, moves=[back]))
            edited.set()
            return "edited"
        held.wait(10)
        return outcome_of(lambda: transition(patient_id=second.pk, **move))

    outcomes = at_once(practice, work, writers=3)

    assert outcomes == ["held", "edited", "transition_not_permitted"]


def test_nobody_steps_into_a_stage_while_it_is_removed(practice):
    """An edit waits for moves under way, and moves wait for the edit: never both."""
    patients = PatientFactory.create_batch(12, organization=practice)
    for patient in patients:
        enroll(patient_id=patient.pk, journey_key="intake", cause=system())
    template = the_enrollment(patients[0]).template
    whole = Blueprint(
        key="intake",
        name="Intake",
        initial_stage="SCREENING_PENDING",
        stages=stages_from_codes([*STAGES, "COMPLETED"]),
    )
    without = replace(whole, stages=[s for s in whole.stages if s.code != "CONFIRMED"])

    def work(number: int) -> str:
        if number == 0:
            return outcome_of(lambda: edit_template(template_id=template.pk, blueprint=without))
        return outcome_of(
            lambda: transition(
                patient_id=patients[number].pk,
                journey_key="intake",
                to_stage="CONFIRMED",
                cause=system(),
            )
        )

    edited, *moved = at_once(practice, work, writers=12)

    standing = Enrollment.objects.filter(stage="CONFIRMED").count()
    assert standing == Counter(moved)["moved"]
    assert (edited == "moved") == (standing == 0)
    assert set(moved) <= {"moved", "stage_not_allowed"}
