"""Ways round the door that somebody might try, each of them shut."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction

from journeys import errors
from journeys.blueprints import Blueprint, MoveDraft, stages_from_codes
from journeys.cause import by_user
from journeys.models import JourneyLog, JourneyStage, JourneyTemplate, SystemEventPayload
from journeys.selectors.options import allowed_transitions
from journeys.services.bulk import transition_many
from journeys.services.templates import create_template, edit_template
from journeys.services.transitions import enroll, transition, unblock
from kura import tenancy
from kura.accounts.models import Organization, User
from kura.errors import constraint_of
from tests.factories import PatientFactory, a_template, an_event, reviewed, system, the_enrollment
from tests.journeys.test_door import refused_by, run, settle


@pytest.fixture
def enrolled(patient, template):
    enroll(patient_id=patient.pk, journey_key="intake", cause=system())
    return patient


@pytest.fixture
def app_role(db) -> Iterator[str]:
    """An application role as a careful operator would make it: no ownership, no UPDATE on logs."""
    run("CREATE ROLE kura_app NOLOGIN")
    run("GRANT SELECT ON ALL TABLES IN SCHEMA public TO kura_app")
    run("GRANT INSERT ON journey_logs, system_events TO kura_app")
    run("GRANT UPDATE (phone) ON patients TO kura_app")
    run("SET ROLE kura_app")
    yield "kura_app"
    run("RESET ROLE")


INSERT = (
    "INSERT INTO {} (patient_id, journey_key, to_stage, actor_kind)"
    " VALUES (%s, 'intake', 'CONFIRMED', 'system')"
)


def test_role_that_may_only_insert_moves_patients_through_the_door(enrolled, app_role):
    run(INSERT.format("journey_logs"), enrolled.pk)

    enrolled.refresh_from_db()
    assert enrolled.journey_status == {"intake": "CONFIRMED"}


def test_guard_cannot_be_hung_on_a_table_of_ones_own(enrolled, app_role):
    run("CREATE TEMP TABLE fake AS SELECT * FROM journey_logs WHERE false")

    with pytest.raises(DatabaseError, match="permission denied"), transaction.atomic():
        run(
            "CREATE TRIGGER t BEFORE INSERT ON fake FOR EACH ROW"
            " EXECUTE FUNCTION kura_journey_door()"
        )


def test_door_hung_on_another_table_by_its_owner_refuses(enrolled):
    run("CREATE TEMP TABLE fake AS SELECT * FROM journey_logs WHERE false")
    run("CREATE TRIGGER t BEFORE INSERT ON fake FOR EACH ROW EXECUTE FUNCTION kura_journey_door()")

    with refused_by("journey_log_append_only"):
        run(INSERT.format("fake"), enrolled.pk)


def test_enrollment_moved_by_another_trigger_is_caught_at_commit(enrolled):
    run("CREATE TEMP TABLE any_table (id int)")
    run(
        "CREATE FUNCTION pg_temp.sneak() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        " UPDATE public.journey_enrollments SET stage = 'COMPLETED'; RETURN NEW; END $$"
    )
    run("CREATE TRIGGER t BEFORE INSERT ON any_table FOR EACH ROW EXECUTE FUNCTION pg_temp.sneak()")

    with pytest.raises(IntegrityError) as refusal, transaction.atomic():
        run("INSERT INTO any_table VALUES (1)")
        settle()

    assert constraint_of(refusal.value) == "journey_enrollment_follows_log"


def test_row_dropped_by_on_conflict_is_caught_at_commit(enrolled):
    """The sequence lags behind, as after a careless restore: the row is dropped, not the move."""
    settle()
    run("SELECT setval('journey_logs_id_seq', (SELECT max(id) FROM journey_logs) - 1, true)")

    with pytest.raises(IntegrityError) as refusal, transaction.atomic():
        run(INSERT.format("journey_logs") + " ON CONFLICT DO NOTHING", enrolled.pk)
        settle()

    assert constraint_of(refusal.value) == "journey_enrollment_follows_log"


def test_ids_follow_the_order_of_a_patients_moves(enrolled):
    for stage in ("AWAITING_PAYMENT", "CONFIRMED"):
        transition(patient_id=enrolled.pk, journey_key="intake", to_stage=stage, cause=system())

    ids = JourneyLog.objects.order_by("seq").values_list("id", flat=True)
    assert list(ids) == sorted(ids)


def test_older_snapshots_do_not_move_patients(committed_db):
    """REPEATABLE READ would let a patient step into a stage that was removed meanwhile."""
    practice = Organization.objects.create(name="Om", slug="om")
    a_template(practice)
    with tenancy.scope(practice):
        patient = PatientFactory(organization=practice)

    with refused_by("journey_log_read_committed"):
        run("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        run(INSERT.format("journey_logs"), patient.pk)


def test_inactive_template_is_shut_for_shells_too(patient, template):
    JourneyTemplate.objects.update(is_active=False)

    with refused_by("journey_template_inactive"):
        run(INSERT.format("journey_logs"), patient.pk)


def test_times_before_1900_are_refused(patient, template):
    with refused_by("journey_log_time_order"):
        run(
            "INSERT INTO journey_logs (patient_id, journey_key, to_stage, actor_kind, changed_at)"
            " VALUES (%s, 'intake', 'CONFIRMED', 'system', '0044-03-15 BC')",
            patient.pk,
        )
    with refused_by("system_event_time"):
        an_event(patient, "PAYMENT_SUCCEEDED", occurred_at="2999-01-01T00:00:00Z")


def test_person_whom_the_log_names_stays(enrolled, therapist):
    transition(
        patient_id=enrolled.pk,
        journey_key="intake",
        to_stage="CONFIRMED",
        cause=by_user(therapist),
    )

    with refused_by("journey_log_append_only"):
        User.objects.filter(pk=therapist.pk)._raw_delete("default")
    with refused_by("journey_log_append_only"):
        User.objects.filter(pk=therapist.pk).update(organization=None, is_superuser=True)


def test_what_an_event_said_can_be_erased_but_not_rewritten(patient):
    event = an_event(patient, "RISK_ANALYSIS_COMPLETED", occurred_at="2026-01-01T00:00:00Z")
    contents = SystemEventPayload.objects.filter(event=event)

    with refused_by("system_event_payload_erase_only"):
        contents.update(payload={"risk_level": "LOW"})
    contents.update(facts={"seen": 1})
    with refused_by("system_event_payload_erase_only"):
        contents.update(facts={"seen": 2})
    contents.delete()


@pytest.mark.parametrize("table", ["journey_transitions", "journey_stages", "journey_templates"])
def test_graph_cannot_be_emptied_in_one_stroke(template, table):
    settle()

    with refused_by("journey_template_in_use"):
        run(f"TRUNCATE {table} CASCADE")


def test_initial_stage_is_not_retired(template):
    stages = JourneyStage.objects.filter(code="SCREENING_PENDING")

    with refused_by("journey_template_initial_stage"):
        stages.update(retired_at="2026-01-01T00:00:00Z")


def test_no_guard_may_be_called_by_everybody(db):
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace"
            " AND proname LIKE 'kura%' AND prorettype = 'trigger'::regtype"
            " AND (NOT prosecdef OR proconfig IS NULL"
            " OR has_function_privilege('public', oid, 'EXECUTE'))"
        )
        assert cursor.fetchall() == []


# --- nobody is held for ever ---------------------------------------------------------------------


@pytest.fixture
def graph(organization):
    codes = ["PENDING", "AWAITING_PAYMENT", "CONFIRMED", "BLOCKED", "COMPLETED"]
    return Blueprint(
        key="intake",
        name="Intake",
        initial_stage="PENDING",
        stages=stages_from_codes(codes),
        moves=[
            MoveDraft(from_stage="PENDING", to_stage="AWAITING_PAYMENT"),
            MoveDraft(from_stage="AWAITING_PAYMENT", to_stage="CONFIRMED"),
        ],
    )


def test_patient_who_entered_blocked_goes_to_the_beginning_whatever_the_graph(
    organization, graph, patient, therapist
):
    create_template(organization=organization, blueprint=graph)
    transition(patient_id=patient.pk, journey_key="intake", to_stage="BLOCKED", cause=system())

    offered = {
        o.to_stage for o in allowed_transitions(the_enrollment(patient), therapist) if o.allowed
    }
    log = unblock(patient_id=patient.pk, journey_key="intake", cause=reviewed(therapist))

    assert offered == {"PENDING"}
    assert log.to_stage == "PENDING"


def test_patient_whose_stage_was_retired_meanwhile_goes_to_the_beginning(
    organization, graph, patient, therapist
):
    template = create_template(organization=organization, blueprint=graph)
    for stage in ("PENDING", "AWAITING_PAYMENT", "BLOCKED"):
        transition(patient_id=patient.pk, journey_key="intake", to_stage=stage, cause=system())
    without = [stage for stage in graph.stages if stage.code != "AWAITING_PAYMENT"]
    smaller = Blueprint(
        key="intake",
        name="Intake",
        initial_stage="PENDING",
        stages=without,
        moves=[MoveDraft(from_stage="PENDING", to_stage="CONFIRMED")],
    )
    edit_template(template_id=template.pk, blueprint=smaller)

    log = unblock(patient_id=patient.pk, journey_key="intake", cause=reviewed(therapist))

    assert log.to_stage == "PENDING"


def test_platform_staff_is_told_that_blocks_are_for_colleagues(enrolled):
    root = User.objects.create_superuser("root@example.org", "a-long-password")
    transition(
        patient_id=enrolled.pk, journey_key="intake", to_stage="BLOCKED_HIGH_RISK", cause=system()
    )

    offered = {o.code for o in allowed_transitions(the_enrollment(enrolled), root)}
    [result] = transition_many(
        patient_ids=[enrolled.pk],
        journey_key="intake",
        to_stage="CONFIRMED",
        cause=reviewed(root),
    )

    assert offered == {"unblock_needs_person", "stage_unchanged"}
    assert result.refusal.code == "unblock_needs_person"


def test_guard_that_cannot_be_read_shuts_its_edge_alone(organization, graph, patient, therapist):
    template = create_template(organization=organization, blueprint=graph)
    enroll(patient_id=patient.pk, journey_key="intake", cause=system())
    template.transitions.filter(to_stage="AWAITING_PAYMENT").update(guard={"nonsense": 1})

    codes = {o.to_stage: o.code for o in allowed_transitions(the_enrollment(patient), therapist)}

    assert codes["AWAITING_PAYMENT"] == "invalid_condition"
    assert codes["BLOCKED"] is None


# --- templates ------------------------------------------------------------------------------------


def test_stage_that_ended_journeys_can_be_retired(organization, patient):
    codes = ["PENDING", "COMPLETED", "CANCELLED"]
    blueprint = Blueprint(
        key="intake", name="Intake", initial_stage="PENDING", stages=stages_from_codes(codes)
    )
    template = create_template(organization=organization, blueprint=blueprint)
    for stage in ("PENDING", "CANCELLED"):
        transition(patient_id=patient.pk, journey_key="intake", to_stage=stage, cause=system())
    smaller = Blueprint(
        key="intake", name="Intake", initial_stage="PENDING", stages=stages_from_codes(codes[:2])
    )

    edited = edit_template(template_id=template.pk, blueprint=smaller)

    assert edited.allowed_stages == ["PENDING", "COMPLETED"]


def test_second_of_two_editors_is_told(organization, graph):
    template = create_template(organization=organization, blueprint=graph)
    JourneyTemplate.objects.filter(pk=template.pk).update(version=7)

    with pytest.raises(errors.TemplateChanged):
        edit_template(template_id=template.pk, blueprint=graph, expected_version=6)


def test_template_of_another_organization_is_not_there(graph, organization, other_organization):
    theirs = a_template(other_organization)

    with pytest.raises(errors.TemplateNotFound):
        edit_template(template_id=theirs.pk, blueprint=graph)
    with pytest.raises(errors.TemplateNotFound):
        create_template(organization=other_organization, blueprint=graph)


@pytest.mark.parametrize(
    ("code", "reason", "error"),
    [
        ("Not a code", "", errors.InvalidReasonCode),
        ("x" * 61, "", errors.InvalidReasonCode),
        ("other", "nul \x00 inside", errors.UnstorableText),
        ("other", "half \ud800 pair", errors.UnstorableText),
    ],
)
def test_what_the_database_could_not_keep_is_said_before(therapist, code, reason, error):
    with pytest.raises(error):
        by_user(therapist, reason_code=code, reason=reason)


@pytest.mark.parametrize("not_an_id", ["", "7", "01a207f0-7b67-7a70-82dc-e59aba918e81", 7])
def test_scope_of_anything_but_an_organization_shows_nothing(db, not_an_id):
    with tenancy.scope(Organization(pk=not_an_id)), pytest.raises(tenancy.TenantScopeMissing):
        JourneyTemplate.objects.exists()
