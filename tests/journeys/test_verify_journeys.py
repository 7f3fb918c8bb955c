"""`manage.py verify_journeys` names every violation, and none where there is none.

The guards refuse every violation, so each is made the way only an owner can: guards off, tamper,
guards on.
"""

from __future__ import annotations

import io
import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.core.management import call_command
from django.db import connection
from django.utils import timezone

from automation.guard_catalog import GUARDS as AUTOMATION
from journeys import guard_catalog
from journeys.blueprints import Blueprint, stages_from_codes
from journeys.cause import by_system, by_user
from journeys.guard_catalog import GUARDS
from journeys.management.commands import verify_journeys
from journeys.models import Enrollment, JourneyLog, SystemEventLog
from journeys.selectors import verification
from journeys.selectors.verification import CODES, snapshot, violations, violations_of
from journeys.services.templates import create_template
from journeys.services.transitions import enroll, transition, unblock
from kura import tenancy
from kura.accounts.models import Organization, User
from patients.models import Patient

STAGES = ["SCREENING_PENDING", "AWAITING_PAYMENT", "BLOCKED_HIGH_RISK", "CONFIRMED", "COMPLETED"]


@dataclass
class World:
    """One patient with five moves in `intake` (blocked and released), two enrollments in
    `course`; a `loner` with one move; another practice with a user and an event."""

    ids: dict[str, Any] = field(default_factory=dict)

    @property
    def names(self) -> dict[Any, str]:
        return {value: name for name, value in self.ids.items()}


# --- building ---------------------------------------------------------------------------------


@pytest.fixture
def world(db: None) -> Iterator[World]:
    practice = _organization("one")
    foreign = _organization("two")
    with tenancy.every_organization():
        world = World()
        colleague = _user(practice)
        stranger = _user(foreign)
        for key in ("intake", "course"):
            _template(practice, key)
        world.ids |= {"practice": practice.pk, "foreign": foreign.pk}
        world.ids |= {"colleague": colleague.pk, "stranger": stranger.pk}
        _walk(world, practice, colleague)
        _events(world, practice, foreign)
        yield world


def _organization(slug: str) -> Organization:
    return Organization.objects.create(name=slug, slug=slug)


def _user(organization: Organization) -> User:
    user = User(email=f"{organization.slug}@example.org", organization=organization)
    user.set_unusable_password()
    user.save()
    user.groups.add(Group.objects.get(name="therapist"))
    return user


def _template(organization: Organization, key: str) -> None:
    stages = stages_from_codes(STAGES)
    blueprint = Blueprint(key=key, name=key, initial_stage=STAGES[0], stages=stages)
    create_template(organization=organization, blueprint=blueprint)


def _walk(world: World, practice: Organization, colleague: User) -> None:
    patient = Patient.objects.create(organization=practice, full_name="Ana Belén")
    loner = Patient.objects.create(organization=practice, full_name="Cleo Díaz")
    world.ids |= {"patient": patient.pk, "loner patient": loner.pk}
    start = timezone.now() - timedelta(days=9)
    move = {"cause": by_system(), "patient_id": patient.pk, "journey_key": "intake"}

    enroll(**move, changed_at=start)
    transition(**move, to_stage="AWAITING_PAYMENT", changed_at=start + timedelta(hours=5))
    transition(**move, to_stage="BLOCKED_HIGH_RISK", changed_at=start + timedelta(hours=7))
    person = by_user(colleague, reason_code="reviewed_safe", reason="We looked at it together")
    unblock(**move | {"cause": person}, changed_at=start + timedelta(days=1))
    transition(**move, to_stage="CONFIRMED", changed_at=start + timedelta(days=2))
    _remember(world, "intake", patient, "intake", 1)

    course = move | {"journey_key": "course"}
    enroll(**course, changed_at=start)
    transition(**course, to_stage="COMPLETED", changed_at=start + timedelta(days=1))
    _remember(world, "first course", patient, "course", 1)
    enroll(**course, changed_at=start + timedelta(days=3))
    _remember(world, "second course", patient, "course", 2)

    enroll(**course | {"patient_id": loner.pk}, changed_at=start)
    _remember(world, "loner", loner, "course", 1)
    for event in SystemEventLog.objects.filter(patient=loner):
        world.ids[f"loner {event.event_type}"] = event.pk


def _remember(world: World, name: str, patient: Patient, key: str, number: int) -> None:
    enrollment = Enrollment.objects.get(patient=patient, journey_key=key, number=number)
    world.ids[name] = enrollment.pk
    for log in JourneyLog.objects.filter(enrollment_id=enrollment.pk):
        world.ids[f"{name} {log.seq}"] = log.pk


def _events(world: World, practice: Organization, foreign: Organization) -> None:
    for name, organization in (("event", practice), ("foreign event", foreign)):
        world.ids[name] = SystemEventLog.objects.create(
            organization=organization,
            event_type="CUSTOM.X",
            patient_id=world.ids["patient"] if name == "event" else None,
            source="test",
            idempotency_key=name,
            occurred_at=datetime(2024, 1, 1, tzinfo=timezone.get_default_timezone()),
        ).pk


# --- tampering --------------------------------------------------------------------------------


@contextmanager
def guards_off() -> Iterator[Any]:
    """As the tables' owner. Foreign keys do not look in replica mode; guards would."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        for guard in GUARDS:
            cursor.execute(f"ALTER TABLE {guard.table} DISABLE TRIGGER {guard.trigger}")
        cursor.execute("SET LOCAL session_replication_role = replica")
        yield cursor
        cursor.execute("SET LOCAL session_replication_role = origin")
        for guard in GUARDS:
            cursor.execute(f"ALTER TABLE {guard.table} ENABLE ALWAYS TRIGGER {guard.trigger}")


def tamper(world: World, statements: str) -> None:
    with guards_off() as cursor:
        for statement in statements.split(";"):
            cursor.execute(statement, world.ids)


def found(world: World) -> set[str]:
    """`code @ row`, the row by its name in the world."""
    names = world.names
    with snapshot():
        return {f"{one.code} @ {names[_row(one)]}" for one in violations()}


def _row(one: verification.Violation) -> Any:
    """The narrowest id that the violation gives."""
    return one.log_id or one.enrollment_id or one.event_id or one.patient_id


LOG = "UPDATE journey_logs SET"
ENROLLMENT = "UPDATE journey_enrollments SET"
STAGE = "UPDATE journey_stages SET"
TEMPLATE = "UPDATE journey_templates SET"
STATUS = "UPDATE patients SET journey_status ="
OF_INTAKE = (
    "WHERE template_id = (SELECT template_id FROM journey_enrollments WHERE id = %(intake)s)"
)
THIS = "WHERE id = %(patient)s"

CASES = {
    f"{LOG} seq = 6 WHERE id = %(intake 5)s": {
        "log_seq_gap @ intake 5",
        "enrollment_wrong_seq @ intake",
    },
    "DELETE FROM journey_logs WHERE id = %(intake 3)s": {
        "log_seq_gap @ intake 4",
        "log_broken_link @ intake 4",
        "log_wrong_dwell @ intake 4",
    },
    f"{LOG} from_stage = 'CONFIRMED' WHERE id = %(intake 2)s": {"log_broken_link @ intake 2"},
    f"{LOG} from_stage = 'CONFIRMED' WHERE id = %(loner 1)s": {"log_broken_link @ loner 1"},
    f"{LOG} from_stage = NULL WHERE id = %(intake 5)s": {"log_broken_link @ intake 5"},
    f"{LOG} changed_at = changed_at - interval '1 day' WHERE id = %(intake 2)s": {
        "log_time_order @ intake 2",
        "log_wrong_dwell @ intake 2",
        "log_wrong_dwell @ intake 3",
    },
    f"{LOG} dwell = '1 second' WHERE id = %(intake 2)s": {"log_wrong_dwell @ intake 2"},
    f"{LOG} dwell = NULL WHERE id = %(intake 2)s": {"log_wrong_dwell @ intake 2"},
    f"{LOG} first_reach = TRUE WHERE id = %(intake 4)s": {"log_wrong_first_reach @ intake 4"},
    "DELETE FROM journey_enrollments WHERE id = %(intake)s": {
        *(f"log_without_enrollment @ intake {seq}" for seq in range(1, 6)),
        "journey_status_unknown @ patient",
    },
    f"{LOG} patient_id = gen_random_uuid() WHERE id = %(intake 1)s": {
        "log_without_patient @ intake 1",
        "log_wrong_patient @ intake 1",
    },
    f"{LOG} patient_id = %(loner patient)s WHERE id = %(intake 2)s": {
        "log_wrong_patient @ intake 2"
    },
    f"{LOG} journey_key = 'course' WHERE id = %(intake 2)s": {"log_wrong_journey @ intake 2"},
    f"{LOG} organization_id = %(foreign)s WHERE id = %(intake 2)s": {
        "log_wrong_organization @ intake 2"
    },
    f"{LOG} to_stage = 'NOWHERE' WHERE id = %(intake 5)s": {
        "log_illegal_stage @ intake 5",
        "enrollment_wrong_stage @ intake",
    },
    f"{LOG} to_stage = 'COMPLETED' WHERE id = %(intake 2)s": {
        "log_after_close @ intake 3",
        "log_broken_link @ intake 3",
        "log_wrong_first_reach @ intake 4",
    },
    f"{LOG} actor_kind = 'system' WHERE id = %(intake 4)s": {
        "log_unblocked_without_person @ intake 4"
    },
    f"{LOG} reason_code = NULL WHERE id = %(intake 4)s": {
        "log_unblocked_without_reason @ intake 4"
    },
    f"{LOG} trigger_event_id = %(foreign event)s WHERE id = %(intake 2)s": {
        "log_event_of_other_organization @ intake 2"
    },
    f"{LOG} trigger_event_id = gen_random_uuid() WHERE id = %(intake 2)s": {
        "log_event_of_other_organization @ intake 2"
    },
    f"{LOG} actor_id = gen_random_uuid() WHERE id = %(intake 4)s": {
        "log_actor_unknown @ intake 4",
        "log_unblocked_without_person @ intake 4",
    },
    f"{LOG} actor_kind = 'user', actor_id = %(stranger)s WHERE id = %(intake 5)s": {
        "log_actor_of_other_organization @ intake 5"
    },
    "DELETE FROM journey_logs WHERE id = %(second course 1)s": {
        "enrollment_without_log @ second course"
    },
    f"{ENROLLMENT} stage = 'AWAITING_PAYMENT' WHERE id = %(intake)s": {
        "enrollment_wrong_stage @ intake",
        "journey_status_differs @ intake",
    },
    f"{ENROLLMENT} seq = 4 WHERE id = %(intake)s": {"enrollment_wrong_seq @ intake"},
    f"{ENROLLMENT} entered_at = now() WHERE id = %(intake)s": {
        "enrollment_wrong_entered_at @ intake"
    },
    f"{ENROLLMENT} opened_at = now() WHERE id = %(intake)s": {
        "enrollment_wrong_opened_at @ intake"
    },
    f"{ENROLLMENT} status = 'planned' WHERE id = %(intake)s": {"enrollment_wrong_status @ intake"},
    f"{ENROLLMENT} closed_at = now() WHERE id = %(intake)s": {
        "enrollment_wrong_closed_at @ intake"
    },
    f"{ENROLLMENT} blocked_from = 'CONFIRMED' WHERE id = %(intake)s": {
        "enrollment_wrong_blocked_from @ intake"
    },
    f"{STAGE} code = 'ELSEWHERE' {OF_INTAKE} AND code = 'CONFIRMED'": {
        "log_illegal_stage @ intake 5",
        "enrollment_illegal_stage @ intake",
    },
    f"{STAGE} retired_at = now() {OF_INTAKE} AND code = 'CONFIRMED'": {
        "enrollment_retired_stage @ intake"
    },
    "DELETE FROM patients WHERE id = %(loner patient)s": {
        "log_without_patient @ loner 1",
        "enrollment_without_patient @ loner",
        "event_patient_of_other_organization @ loner PATIENT_CREATED",
        "event_patient_of_other_organization @ loner JOURNEY_ENROLLED",
    },
    f"{ENROLLMENT} organization_id = %(foreign)s WHERE id = %(intake)s": {
        "enrollment_wrong_organization @ intake"
    },
    f"{TEMPLATE} organization_id = %(foreign)s WHERE key = 'intake'": {
        "enrollment_template_of_other_organization @ intake"
    },
    f"{TEMPLATE} key = 'renamed' WHERE key = 'intake'": {"enrollment_wrong_journey @ intake"},
    f"{ENROLLMENT} number = 3 WHERE id = %(second course)s": {
        "enrollment_number_gap @ second course"
    },
    "ALTER TABLE journey_enrollments DROP CONSTRAINT journey_enrollment_number_once;"
    f"{ENROLLMENT} number = 1 WHERE id = %(second course)s": {
        "enrollment_number_gap @ second course"
    },
    "DROP INDEX journey_enrollment_one_open;"
    f"{ENROLLMENT} closed_at = NULL WHERE id = %(first course)s": {
        "enrollment_open_not_newest @ first course",
        "enrollment_wrong_closed_at @ first course",
    },
    f"{ENROLLMENT} opened_at = opened_at - interval '5 days' WHERE id = %(second course)s": {
        "enrollment_time_order @ second course",
        "enrollment_wrong_opened_at @ second course",
    },
    f"{STATUS} journey_status - 'intake' {THIS}": {"journey_status_missing @ intake"},
    f'{STATUS} journey_status || \'{{"yoga": "CONFIRMED"}}\' {THIS}': {
        "journey_status_unknown @ patient"
    },
    f'{STATUS} journey_status || \'{{"intake": "COMPLETED"}}\' {THIS}': {
        "journey_status_differs @ intake"
    },
    f"{STATUS} journey_status || '{{\"intake\": null}}' {THIS}": {
        "journey_status_differs @ intake"
    },
    f"{STATUS} '[]' {THIS}": {
        "journey_status_malformed @ patient",
        "journey_status_missing @ intake",
        "journey_status_missing @ second course",
    },
    "UPDATE system_events SET organization_id = %(foreign)s WHERE id = %(event)s": {
        "event_patient_of_other_organization @ event"
    },
    "UPDATE system_events SET parent_event_id = %(foreign event)s WHERE id = %(event)s": {
        "event_cause_of_other_organization @ event"
    },
    "UPDATE system_events SET root_event_id = %(foreign event)s WHERE id = %(event)s": {
        "event_cause_of_other_organization @ event"
    },
}


# --- rows -------------------------------------------------------------------------------------


def test_a_history_made_through_the_door_has_no_violation(world: World) -> None:
    assert found(world) == set()


@pytest.mark.parametrize("statements", CASES)
def test_what_was_tampered_with_is_named(world: World, statements: str) -> None:
    tamper(world, statements)

    assert found(world) == CASES[statements]


@pytest.mark.parametrize("statements", CASES)
def test_no_violation_falls_between_two_ranges(
    world: World, statements: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    tamper(world, statements)
    one_by_one = [
        verification._Round(part.table, part.statements, step=1) for part in verification._ROUNDS
    ]
    monkeypatch.setattr(verification, "_ROUNDS", one_by_one)

    assert found(world) == CASES[statements]


@pytest.mark.parametrize("statements", CASES)
def test_the_page_of_one_patient_finds_what_the_command_finds(
    world: World, statements: str
) -> None:
    tamper(world, statements)

    theirs = [violations_of(world.ids[name]) for name in ("patient", "loner patient")]

    names = world.names
    told = {f"{one.code} @ {names[_row(one)]}" for some in theirs for one in some}
    assert told == {one for one in CASES[statements] if not one.startswith("event_")}


def test_the_history_of_one_patient_is_checked_in_one_statement(
    world: World, django_assert_num_queries: Any
) -> None:
    with django_assert_num_queries(1):
        assert violations_of(world.ids["patient"]) == []


def test_every_code_has_a_case() -> None:
    named = {one.split(" @ ")[0] for case in CASES.values() for one in case}

    assert named == {code for code in CODES if not code.startswith("guard_")}


def test_a_violation_gives_all_its_ids_and_says_what_was_expected(world: World) -> None:
    tamper(world, f"{LOG} seq = 6 WHERE id = %(intake 5)s")

    with snapshot():
        [gap] = [one for one in violations() if one.code == "log_seq_gap"]

    assert gap.organization_id == world.ids["practice"]
    assert gap.patient_id == world.ids["patient"]
    assert gap.enrollment_id == world.ids["intake"]
    assert gap.log_id == world.ids["intake 5"]
    assert gap.sentence == "the move has number 6, the next in its enrollment is 5"


def test_a_log_row_of_no_enrollment_is_found_before_the_first_and_after_the_last(
    world: World,
) -> None:
    first, last = uuid.UUID(int=0), uuid.UUID(int=2**128 - 1)
    tamper(world, f"{LOG} enrollment_id = '{first}', seq = 1 WHERE id = %(intake 1)s")
    tamper(world, f"{LOG} enrollment_id = '{last}', seq = 1 WHERE id = %(intake 5)s")

    with snapshot():
        strays = {one.log_id for one in violations() if one.code == "log_without_enrollment"}

    assert strays == {world.ids["intake 1"], world.ids["intake 5"]}


def test_words_that_somebody_wrote_into_the_status_are_not_repeated(world: World) -> None:
    tamper(world, f'{STATUS} journey_status || \'{{"intake": "Ana Belén"}}\' {THIS}')

    with snapshot():
        [one] = violations()

    assert one.sentence.endswith("journey_status says (not shown)")


# --- guards -----------------------------------------------------------------------------------


def guard_faults() -> set[tuple[str, str | None]]:
    with snapshot():
        return {(one.code, one.guard) for one in verification.guard_violations()}


def execute(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)


def test_the_catalog_lists_every_trigger_of_a_migrated_database(db: None) -> None:
    listed = {guard.name for guard in (*GUARDS, *AUTOMATION)}

    tables = {guard.table for guard in (*GUARDS, *AUTOMATION)}
    standing = {name for name in guard_catalog._triggers() if name.split(".")[0] in tables}
    assert standing == listed


def test_the_catalog_reads_every_sql_file() -> None:
    folders = (guard_catalog.JOURNEYS, guard_catalog.PATIENTS)
    shipped = {path for folder in folders for path in folder.glob("*.sql")}

    moves_data = {"stage_help_languages.sql"}  # run once, and leaves neither guard nor function
    assert set(guard_catalog.SOURCES) == {
        path
        for path in shipped
        if not path.name.endswith(".down.sql") and path.name not in moves_data
    }


def test_a_migrated_database_has_all_guards(db: None) -> None:
    assert guard_faults() == set()


@pytest.mark.parametrize("guard", GUARDS, ids=lambda guard: guard.name)
def test_a_guard_that_is_missing_is_named(db: None, guard: guard_catalog.Guard) -> None:
    execute(f"DROP TRIGGER {guard.trigger} ON {guard.table}")

    assert guard_faults() == {("guard_trigger_missing", guard.name)}


@pytest.mark.parametrize("state", ["DISABLE", "ENABLE", "ENABLE REPLICA"])
def test_a_guard_that_some_session_passes_is_named(db: None, state: str) -> None:
    execute(f"ALTER TABLE journey_logs {state} TRIGGER journey_door")

    assert guard_faults() == {("guard_trigger_disabled", "journey_logs.journey_door")}


STATUS_CHANGES = "WHEN (NEW.journey_status IS DISTINCT FROM OLD.journey_status)"
FOLLOWS = "EXECUTE FUNCTION kura_journey_status_follows_log()"
CHANGES = "EXECUTE FUNCTION kura_patient_change()"
TRUST_ANYBODY = """
CREATE OR REPLACE FUNCTION kura_active_colleague(person uuid, organization uuid) RETURNS boolean
LANGUAGE sql STABLE
SET search_path = pg_catalog, public, pg_temp
AS 'SELECT TRUE'
"""


@pytest.mark.parametrize(
    "definition",
    [
        f"BEFORE UPDATE ON patients FOR EACH ROW WHEN (FALSE) {FOLLOWS}",
        f"AFTER UPDATE ON patients FOR EACH ROW {STATUS_CHANGES} {FOLLOWS}",
        f"BEFORE UPDATE ON patients FOR EACH ROW {STATUS_CHANGES} {CHANGES}",
    ],
    ids=["condition", "moment", "function"],
)
def test_a_guard_that_was_redefined_is_named(db: None, definition: str) -> None:
    execute(
        "DROP TRIGGER journey_status_follows_log ON patients;"
        f"CREATE TRIGGER journey_status_follows_log {definition};"
        "ALTER TABLE patients ENABLE ALWAYS TRIGGER journey_status_follows_log"
    )

    assert guard_faults() == {("guard_trigger_changed", "patients.journey_status_follows_log")}


@pytest.mark.parametrize(
    "change",
    [
        TRUST_ANYBODY,
        "ALTER FUNCTION kura_active_colleague(uuid, uuid) SET search_path = public",
        "ALTER FUNCTION kura_active_colleague(uuid, uuid) SECURITY DEFINER",
    ],
    ids=["source", "settings", "rights"],
)
def test_a_function_that_is_not_the_shipped_one_is_named(db: None, change: str) -> None:
    execute(change)

    assert guard_faults() == {("guard_function_changed", "kura_active_colleague")}


def test_a_function_that_is_missing_is_named(db: None) -> None:
    execute("DROP FUNCTION kura_active_colleague(uuid, uuid)")

    assert guard_faults() == {("guard_function_missing", "kura_active_colleague")}


# --- command ----------------------------------------------------------------------------------


def run(*arguments: str, stderr: io.StringIO | None = None) -> tuple[int, str]:
    """Exit code and output."""
    out = io.StringIO()
    try:
        call_command("verify_journeys", *arguments, stdout=out, stderr=stderr or io.StringIO())
    except SystemExit as stop:
        return int(str(stop.code)), out.getvalue()
    return 0, out.getvalue()


def test_a_sound_database_is_exit_code_0(world: World) -> None:
    code, said = run()

    assert code == 0
    assert said.startswith("4 enrollments, 9 log rows, no violation (")


def test_a_violation_is_exit_code_1_and_a_line(world: World) -> None:
    tamper(world, f"{LOG} seq = 6 WHERE id = %(intake 5)s")

    code, said = run()

    assert code == 1
    first, _second, summary = said.splitlines()
    assert first == (
        "log_seq_gap: the move has number 6, the next in its enrollment is 5 "
        f"(organization_id={world.ids['practice']} patient_id={world.ids['patient']} "
        f"enrollment_id={world.ids['intake']} log_id={world.ids['intake 5']})"
    )
    assert summary.startswith("4 enrollments, 9 log rows, 2 violations (")


def test_json_is_one_document(world: World) -> None:
    tamper(world, f"{LOG} seq = 6 WHERE id = %(intake 5)s")

    code, said = run("--json")

    document = json.loads(said)
    assert code == 1
    assert [one["code"] for one in document["violations"]] == [
        "log_seq_gap",
        "enrollment_wrong_seq",
    ]
    assert document["violations"][0]["log_id"] == world.ids["intake 5"]
    assert document | {"violations": [], "seconds": 0} == {
        "violations": [],
        "count": 2,
        "complete": True,
        "enrollments": 4,
        "log_rows": 9,
        "seconds": 0,
    }


def test_json_of_a_sound_database_has_no_violations(world: World) -> None:
    code, said = run("--json")

    assert code == 0
    assert json.loads(said)["violations"] == []


def test_a_disabled_guard_fails_the_command(db: None) -> None:
    execute("ALTER TABLE journey_logs DISABLE TRIGGER journey_log_append_only")

    code, said = run()

    assert code == 1
    assert "guard_trigger_disabled" in said
    assert "guard=journey_logs.journey_log_append_only" in said


def test_progress_stays_away_from_the_output(world: World) -> None:
    stderr = io.StringIO()

    _code, said = run("--verbosity", "2", stderr=stderr)

    assert "%" not in said
    assert stderr.getvalue().splitlines()[-1] == "100 %"


def test_a_terminal_shows_a_bar(world: World) -> None:
    stderr = io.StringIO()
    stderr.isatty = lambda: True

    run(stderr=stderr)

    assert f"[{'#' * 30}] 100 %" in stderr.getvalue()


def test_ctrl_c_ends_with_a_complete_document(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(_on_progress: object) -> Iterator[verification.Violation]:
        yield verification.Violation(code="log_seq_gap", sentence="…")
        raise KeyboardInterrupt

    monkeypatch.setattr(verify_journeys, "violations", stopped)

    code, said = run("--json")

    assert code == 130
    assert json.loads(said)["complete"] is False
    assert json.loads(said)["count"] == 1


def test_it_reads_one_snapshot_and_writes_nothing(
    django_db_setup: None, django_db_blocker: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: dict[str, str] = {}

    def looked_at(_on_progress: object) -> Iterator[verification.Violation]:
        with connection.cursor() as cursor:
            for name in ("transaction_isolation", "transaction_read_only", "statement_timeout"):
                cursor.execute(f"SHOW {name}")
                seen[name] = cursor.fetchone()[0]
        yield from ()

    monkeypatch.setattr(verify_journeys, "violations", looked_at)

    with django_db_blocker.unblock():  # no transaction around: the command opens its own
        code, _said = run()
        connection.close()

    assert code == 0
    assert seen == {
        "transaction_isolation": "repeatable read",
        "transaction_read_only": "on",
        "statement_timeout": "0",
    }
