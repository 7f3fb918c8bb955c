"""The one door and its walls, against a careless shell: plain SQL, as the database's superuser."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from journeys.models import Enrollment, JourneyLog, JourneyLogNote, SystemEventLog
from journeys.services.templates import set_active
from journeys.services.transitions import enroll, transition
from kura import tenancy
from kura.errors import constraint_of
from patients.models import Patient
from tests.factories import (
    PatientFactory,
    a_template,
    a_user,
    an_event,
    reviewed,
    system,
    the_enrollment,
)


@contextmanager
def refused_by(constraint: str) -> Iterator[None]:
    """The database itself refuses, under this name, and the transaction can go on."""
    with pytest.raises(IntegrityError) as refusal, transaction.atomic():
        yield
    assert constraint_of(refusal.value) == constraint


def run(sql: str, *params: object) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql, params)


def settle() -> None:
    """As after a commit: no deferred check is pending (TRUNCATE asks for that)."""
    run("SET CONSTRAINTS ALL IMMEDIATE")
    run("SET CONSTRAINTS ALL DEFERRED")


@pytest.fixture(params=["origin", "replica"])
def session_role(request, db) -> Iterator[str]:
    """Replica mode switches ordinary triggers and foreign keys off; the guards stay on."""
    run(f"SET session_replication_role = {request.param}")
    yield request.param
    run("SET session_replication_role = origin")


@pytest.fixture
def enrolled(patient, template):
    enroll(patient_id=patient.pk, journey_key="intake", cause=system())
    patient.refresh_from_db()
    return patient


def append(patient, to_stage: str, **values: object) -> JourneyLog:
    """Any writer: no service, no lock, no check."""
    values = {"journey_key": "intake", "actor_kind": "system"} | values
    return JourneyLog.objects.create(patient=patient, to_stage=to_stage, **values)


# --- what one INSERT does -----------------------------------------------------------------------


def test_one_insert_moves_enrollment_and_journey_status(patient, template):
    append(patient, "SCREENING_PENDING")
    log = append(patient, "AWAITING_PAYMENT")

    patient.refresh_from_db()
    enrollment = the_enrollment(patient)
    assert patient.journey_status == {"intake": "AWAITING_PAYMENT"}
    assert (enrollment.stage, enrollment.seq, enrollment.status) == (
        "AWAITING_PAYMENT",
        2,
        "planned",
    )
    assert (log.from_stage, log.seq, log.enrollment_id) == ("SCREENING_PENDING", 2, enrollment.pk)
    assert log.organization_id == patient.organization_id


def test_plain_sql_insert_is_a_full_move(patient, template):
    run(
        "INSERT INTO journey_logs (patient_id, journey_key, to_stage, actor_kind)"
        " VALUES (%s, 'intake', 'CONFIRMED', 'import')",
        patient.pk,
    )

    patient.refresh_from_db()
    assert patient.journey_status == {"intake": "CONFIRMED"}


def test_bulk_create_logs_several_moves_of_one_patient_in_one_statement(patient, template):
    stages = ["SCREENING_PENDING", "AWAITING_PAYMENT", "CONFIRMED"]

    JourneyLog.objects.bulk_create(
        JourneyLog(patient=patient, journey_key="intake", to_stage=stage, actor_kind="import")
        for stage in stages
    )

    rows = JourneyLog.objects.order_by("id").values_list("seq", "from_stage", "to_stage")
    assert list(rows) == [
        (1, None, "SCREENING_PENDING"),
        (2, "SCREENING_PENDING", "AWAITING_PAYMENT"),
        (3, "AWAITING_PAYMENT", "CONFIRMED"),
    ]
    patient.refresh_from_db()
    assert patient.journey_status == {"intake": "CONFIRMED"}


def test_forged_columns_are_replaced_by_the_truth(enrolled):
    log = append(
        enrolled,
        "CONFIRMED",
        recorded_at=timezone.now() - timedelta(days=400),
        db_user="somebody",
        txid=1,
        first_reach=False,
        dwell=timedelta(days=3),
    )

    log.refresh_from_db()
    assert log.first_reach is True
    assert log.dwell < timedelta(minutes=1)
    assert log.txid > 1
    assert log.db_user != "somebody"
    assert timezone.now() - log.recorded_at < timedelta(minutes=1)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("from_stage", "CONFIRMED"),
        ("seq", 7),
        ("enrollment_id", uuid.uuid4()),
    ],
)
def test_stale_expectation_is_refused_as_stage_moved(enrolled, column, value):
    with refused_by("journey_log_stage_moved"):
        append(enrolled, "CONFIRMED", **{column: value})


@pytest.mark.parametrize(
    ("column", "value"), [("from_stage", "CONFIRMED"), ("seq", 2), ("enrollment_id", uuid.uuid4())]
)
def test_expecting_a_place_in_a_journey_not_entered_is_refused(patient, template, column, value):
    with refused_by("journey_log_stage_moved"):
        append(patient, "CONFIRMED", **{column: value})


def test_supplied_id_is_refused_however_it_is_forced(enrolled):
    with refused_by("journey_log_append_only"):
        run(
            "INSERT INTO journey_logs (id, patient_id, journey_key, to_stage, actor_kind)"
            " OVERRIDING SYSTEM VALUE VALUES (999999, %s, 'intake', 'CONFIRMED', 'system')",
            enrolled.pk,
        )


def test_copy_goes_through_the_door_too(enrolled):
    with connection.cursor() as cursor:
        columns = "patient_id, journey_key, to_stage, actor_kind"
        with cursor.copy(f"COPY journey_logs ({columns}) FROM STDIN") as copy:
            copy.write_row((enrolled.pk, "intake", "CONFIRMED", "import"))

    enrolled.refresh_from_db()
    assert enrolled.journey_status == {"intake": "CONFIRMED"}


def test_first_reach_and_dwell_describe_the_stage_visit(patient, template):
    start = timezone.now() - timedelta(days=10)
    days = [("SCREENING_PENDING", 0), ("AWAITING_PAYMENT", 2), ("SCREENING_PENDING", 5)]

    logs = [append(patient, stage, changed_at=start + timedelta(days=day)) for stage, day in days]

    assert [log.first_reach for log in logs] == [True, True, False]
    assert [log.dwell for log in logs] == [None, timedelta(days=2), timedelta(days=3)]


# --- the walls, by constraint name --------------------------------------------------------------

TAMPERINGS = {
    "update": "UPDATE {} SET {} = {}",
    "delete": "DELETE FROM {}",
    "truncate": "TRUNCATE {} CASCADE",
    "no-op update": "UPDATE {} SET {} = {} WHERE false",
}


@pytest.mark.parametrize("tampering", TAMPERINGS.values(), ids=TAMPERINGS)
@pytest.mark.parametrize(
    ("table", "column", "constraint"),
    [
        ("journey_logs", "to_stage", "journey_log_append_only"),
        ("system_events", "event_type", "system_event_append_only"),
    ],
)
def test_logs_are_appended_and_never_changed(
    enrolled, session_role, tampering, table, column, constraint
):
    an_event(enrolled, "PAYMENT_SUCCEEDED", occurred_at=timezone.now())
    settle()

    with refused_by(constraint):
        run(tampering.format(table, column, column))


@pytest.mark.parametrize(
    "change",
    [
        lambda: JourneyLog.objects.update(to_stage="CONFIRMED"),
        lambda: JourneyLog.objects.all().delete(),
        lambda: JourneyLog.objects.bulk_update(JourneyLog.objects.all(), ["journey_key"]),
        lambda: JourneyLog.objects.get().save(),
        lambda: JourneyLog.objects.all()._raw_delete("default"),
    ],
    ids=["update", "delete", "bulk_update", "save", "raw delete"],
)
def test_orm_cannot_change_the_log(enrolled, change: Callable[[], object]):
    with refused_by("journey_log_append_only"):
        change()


def test_insert_on_conflict_update_is_refused(enrolled):
    with refused_by("journey_log_append_only"):
        run(
            "INSERT INTO journey_logs (patient_id, journey_key, to_stage, actor_kind)"
            " VALUES (%s, 'intake', 'CONFIRMED', 'system')"
            " ON CONFLICT (enrollment_id, seq) DO UPDATE SET to_stage = 'COMPLETED'",
            enrolled.pk,
        )


@pytest.mark.parametrize("table", ["patients", "organizations", "users", "journey_templates"])
def test_truncate_cascading_into_the_logs_is_refused(enrolled, session_role, table):
    settle()

    with pytest.raises(IntegrityError) as refusal, transaction.atomic():
        run(f"TRUNCATE {table} CASCADE")

    # Whichever guarded table the cascade reaches first speaks.
    assert constraint_of(refusal.value) in {
        "block_review_erase_only",
        "journey_log_append_only",
        "system_event_append_only",
        "journey_enrollment_follows_log",
        "journey_log_note_erase_only",
        "journey_template_in_use",
        "rule_version_append_only",
        "rule_switch_append_only",
        "event_decision_append_only",
    }


@pytest.mark.parametrize("table", ["patients", "organizations"])
def test_whoever_is_logged_cannot_be_deleted(enrolled, session_role, table):
    with refused_by("journey_log_append_only"):
        run(f"DELETE FROM {table}")


def test_patient_of_an_event_cannot_be_deleted(patient, session_role):
    an_event(patient, "PATIENT_CREATED", occurred_at=timezone.now())

    with refused_by("system_event_append_only"):
        run("DELETE FROM patients")


def test_patient_without_history_can_be_deleted(organization):
    [nobody_announced] = Patient.objects.bulk_create([Patient(organization=organization)])

    nobody_announced.delete()


def test_patient_whose_arrival_was_announced_cannot_be_deleted(patient):
    with refused_by("system_event_append_only"):
        run("DELETE FROM patients WHERE id = %s", patient.pk)


@pytest.mark.parametrize(
    "status", ['{"intake": "CONFIRMED"}', "{}", '{"intake": "SCREENING_PENDING", "yoga": "X"}']
)
def test_journey_status_other_than_the_truth_is_refused(enrolled, session_role, status):
    with refused_by("journey_status_follows_log"):
        run("UPDATE patients SET journey_status = %s", status)


def test_journey_status_equal_to_the_truth_may_be_written(enrolled):
    run("""UPDATE patients SET journey_status = '{"intake": "SCREENING_PENDING"}'""")


@pytest.mark.parametrize(
    "write",
    [
        lambda p: type(p).objects.filter(pk=p.pk).update(journey_status={"intake": "CONFIRMED"}),
        lambda p: type(p).objects.bulk_update([_claiming(p)], ["journey_status"]),
        lambda p: type(p).objects.bulk_create(
            [_claiming(p)],
            update_conflicts=True,
            unique_fields=["id"],
            update_fields=["journey_status"],
        ),
    ],
    ids=["update", "bulk_update", "upsert"],
)
def test_orm_cannot_write_another_journey_status(enrolled, write):
    with refused_by("journey_status_follows_log"):
        write(enrolled)


def _claiming(patient):
    patient.journey_status = {"intake": "CONFIRMED"}
    return patient


def test_new_patient_cannot_claim_a_journey_status(organization):
    with refused_by("journey_status_follows_log"):
        PatientFactory(organization=organization, journey_status={"intake": "CONFIRMED"})


def test_saving_a_patient_never_writes_the_journey_status(enrolled):
    stale = type(enrolled).objects.get(pk=enrolled.pk)
    append(enrolled, "CONFIRMED")

    stale.phone = "600 111 222"
    stale.save()

    stale.refresh_from_db()
    assert stale.phone == "600 111 222"
    assert stale.journey_status == {"intake": "CONFIRMED"}
    assert JourneyLog.objects.count() == 2


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE journey_enrollments SET stage = 'CONFIRMED'",
        "UPDATE journey_enrollments SET closed_at = now()",
        "DELETE FROM journey_enrollments",
        (
            "INSERT INTO journey_enrollments SELECT gen_random_uuid(), 'other', number, stage,"
            " status, entered_at, blocked_from, seq, opened_at, closed_at, organization_id,"
            " patient_id, template_id FROM journey_enrollments"
        ),
        "TRUNCATE journey_enrollments CASCADE",
    ],
)
def test_enrollments_are_written_by_the_door_alone(enrolled, session_role, sql):
    settle()

    with refused_by("journey_enrollment_follows_log"):
        run(sql)


def test_unknown_journey_is_refused(patient, template):
    with refused_by("journey_log_known_journey"):
        append(patient, "CONFIRMED", journey_key="nowhere")


def test_journey_of_another_organization_is_unknown(patient, other_organization):
    a_template(other_organization, key="theirs")

    with refused_by("journey_log_known_journey"):
        append(patient, "CONFIRMED", journey_key="theirs")


def test_unknown_patient_is_refused(template, session_role):
    with refused_by("journey_log_known_patient"):
        run(
            "INSERT INTO journey_logs (patient_id, journey_key, to_stage, actor_kind)"
            " VALUES (gen_random_uuid(), 'intake', 'CONFIRMED', 'system')"
        )


@pytest.mark.parametrize("stage", ["PREPARATION_PHASE", "confirmed", ""])
def test_stage_outside_the_template_is_refused(enrolled, session_role, stage):
    with refused_by("journey_log_allowed_stage"):
        append(enrolled, stage)


def test_moving_to_the_same_stage_is_no_move(enrolled):
    with refused_by("journey_log_is_move"):
        append(enrolled, "SCREENING_PENDING")


@pytest.mark.parametrize("shift", [timedelta(days=1), timedelta(seconds=5)])
def test_move_in_the_future_is_refused(enrolled, shift):
    with refused_by("journey_log_time_order"):
        append(enrolled, "CONFIRMED", changed_at=timezone.now() + shift)


def test_move_before_the_previous_one_is_refused(enrolled):
    with refused_by("journey_log_time_order"):
        append(enrolled, "CONFIRMED", changed_at=timezone.now() - timedelta(hours=1))


def test_endless_times_are_refused(enrolled):
    for time in ("infinity", "-infinity"):
        with refused_by("journey_log_time_order"):
            run(
                "INSERT INTO journey_logs (patient_id, journey_key, to_stage, actor_kind,"
                " changed_at) VALUES (%s, 'intake', 'CONFIRMED', 'system', %s)",
                enrolled.pk,
                time,
            )


def test_back_dated_first_move_is_kept_as_it_happened(patient, template):
    friday = timezone.now() - timedelta(days=4)

    log = append(patient, "CONFIRMED", changed_at=friday)

    assert log.changed_at == friday
    assert log.recorded_at > friday
    assert the_enrollment(patient).entered_at == friday


def test_second_enrollment_cannot_begin_before_the_first_one_ended(patient, template):
    append(patient, "COMPLETED", changed_at=timezone.now() - timedelta(days=2))

    with refused_by("journey_log_time_order"):
        append(patient, "SCREENING_PENDING", changed_at=timezone.now() - timedelta(days=3))


# --- blocks -------------------------------------------------------------------------------------


@pytest.fixture
def blocked(enrolled):
    append(enrolled, "BLOCKED_HIGH_RISK")
    return enrolled


@pytest.mark.parametrize("kind", ["system", "rule", "integration", "import"])
def test_nothing_but_a_person_leaves_a_block(blocked, session_role, kind):
    with refused_by("journey_log_unblock_needs_person"):
        append(blocked, "CONFIRMED", actor_kind=kind, reason_code="reviewed_safe")


def test_person_without_a_reason_code_does_not_leave_a_block(blocked, therapist):
    for code in (None, "", "  "):
        with refused_by("journey_log_unblock_needs_person"):
            append(blocked, "CONFIRMED", actor_kind="user", actor_id=therapist.pk, reason_code=code)


def test_inactive_person_does_not_leave_a_block(blocked, organization):
    gone = a_user(organization, is_active=False)

    with refused_by("journey_log_unblock_needs_person"):
        append(
            blocked, "CONFIRMED", actor_kind="user", actor_id=gone.pk, reason_code="reviewed_safe"
        )


def test_person_of_another_organization_does_not_leave_a_block(blocked, other_organization):
    stranger = a_user(other_organization)

    with refused_by("journey_log_unblock_needs_person"):
        append(
            blocked,
            "CONFIRMED",
            actor_kind="user",
            actor_id=stranger.pk,
            reason_code="reviewed_safe",
        )


def test_leaving_one_block_for_another_needs_a_person_too(organization, patient):
    a_template(
        organization, key="two", codes=["PENDING", "BLOCKED", "BLOCKED_HIGH_RISK", "COMPLETED"]
    )
    append(patient, "PENDING", journey_key="two")
    append(patient, "BLOCKED", journey_key="two")

    with refused_by("journey_log_unblock_needs_person"):
        append(patient, "BLOCKED_HIGH_RISK", journey_key="two")


def test_active_colleague_with_a_reason_leaves_a_block(blocked, therapist):
    append(
        blocked,
        "CONFIRMED",
        actor_kind="user",
        actor_id=therapist.pk,
        reason_code="reviewed_safe",
    )

    assert the_enrollment(blocked).blocked_from is None


def test_block_remembers_the_stage_before_it(blocked):
    assert the_enrollment(blocked).blocked_from == "SCREENING_PENDING"
    assert the_enrollment(blocked).is_blocked


# --- one organization ---------------------------------------------------------------------------


def test_actor_of_another_organization_is_refused(enrolled, other_organization, session_role):
    stranger = a_user(other_organization)

    with refused_by("journey_log_one_organization"):
        append(enrolled, "CONFIRMED", actor_kind="user", actor_id=stranger.pk)


def test_event_of_another_organization_is_refused(enrolled, other_organization, session_role):
    with tenancy.scope(other_organization):
        theirs = an_event(
            PatientFactory(organization=other_organization),
            "PAYMENT_SUCCEEDED",
            occurred_at=timezone.now(),
        )

    with refused_by("journey_log_one_organization"):
        append(enrolled, "CONFIRMED", trigger_event=theirs)


def test_claimed_organization_must_be_the_patients(enrolled, other_organization):
    with refused_by("journey_log_one_organization"):
        append(enrolled, "CONFIRMED", organization=other_organization)


def test_event_about_another_organizations_patient_is_refused(patient, other_organization):
    with refused_by("system_event_one_organization"):
        SystemEventLog.objects.create(
            organization=other_organization,
            event_type="PAYMENT_SUCCEEDED",
            patient=patient,
            source="test",
            idempotency_key="x",
            occurred_at=timezone.now(),
        )


def test_patient_cannot_change_organization(enrolled, other_organization):
    with refused_by("patient_keeps_organization"):
        run("UPDATE patients SET organization_id = %s", other_organization.pk)


def test_user_move_without_a_name_is_refused(enrolled):
    with refused_by("journey_log_user_named"):
        append(enrolled, "CONFIRMED", actor_kind="user")


# --- repeated journeys --------------------------------------------------------------------------


def test_closed_journey_may_be_entered_again_under_the_next_number(patient, template):
    append(patient, "SCREENING_PENDING")
    append(patient, "COMPLETED")
    append(patient, "SCREENING_PENDING")

    numbers = Enrollment.objects.order_by("number").values_list("number", "stage", "seq")
    assert list(numbers) == [(1, "COMPLETED", 2), (2, "SCREENING_PENDING", 1)]
    patient.refresh_from_db()
    assert patient.journey_status == {"intake": "SCREENING_PENDING"}


def test_journey_status_shows_the_last_closed_one_when_none_is_open(patient, template):
    append(patient, "COMPLETED")

    patient.refresh_from_db()
    assert patient.journey_status == {"intake": "COMPLETED"}
    assert the_enrollment(patient).closed_at is not None


# --- notes --------------------------------------------------------------------------------------


def test_reason_can_be_erased_but_not_rewritten(blocked, therapist):
    transition(
        patient_id=blocked.pk, journey_key="intake", to_stage="CONFIRMED", cause=reviewed(therapist)
    )
    note = JourneyLogNote.objects.get()

    with refused_by("journey_log_note_erase_only"):
        JourneyLogNote.objects.update(body="something else")
    note.delete()

    assert JourneyLog.objects.filter(reason_code="reviewed_safe").exists()


def test_inactive_template_lets_running_journeys_go_on(enrolled, template):
    set_active(template_id=template.pk, is_active=False)

    append(enrolled, "CONFIRMED")
