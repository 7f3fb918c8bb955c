"""One journey, told: where, since when, why, whose turn, and what next."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import translation

from journeys.blueprints import MoveDraft
from journeys.cause import by_integration, by_rule, by_user
from journeys.models import JourneyLog
from journeys.services.transitions import enroll, transition, unblock
from kura import tenancy
from kura.accounts.models import Organization, User
from kura.standing.journey import JourneyView, journey_view_of, journey_views, journeys_of
from kura.standing.worklist import Asked, Which, worklist
from patients.models import Patient
from tests.automation.practice import a_rule, move
from tests.factories import PatientFactory, a_user, an_event, reviewed, system, the_enrollment
from tests.standing.practice import (
    NOW,
    STAGES,
    a_journey,
    a_stale_rule,
    a_task,
    hours_ago,
    limits,
    put,
    someone,
)

SCREENING, PAYMENT, BLOCK, CONFIRMED = STAGES[:4]
PAID = {"field": "events.PAYMENT_SUCCEEDED.count", "op": "gte", "value": 1}
RING = [
    MoveDraft(from_stage=SCREENING, to_stage=PAYMENT),
    MoveDraft(from_stage=PAYMENT, to_stage=CONFIRMED, guard=PAID),
    MoveDraft(from_stage=CONFIRMED, to_stage="COMPLETED"),
]


def told(patient: Patient, reader: User | None = None, key: str = "intake") -> JourneyView:
    cause = by_user(reader) if reader else None
    view = journey_view_of(the_enrollment(patient, key).pk, limits(), reader=cause)
    assert view
    return view


def test_block_says_why_since_when_by_which_rule_and_where_it_leads_back(
    organization: Organization, patient: Patient
) -> None:
    a_journey(organization)
    put(patient, SCREENING, hours_ago(9))
    event = an_event(patient, "RISK_ANALYSIS_COMPLETED", occurred_at=hours_ago(3))
    rule = a_rule(organization, event.event_type, move("intake", BLOCK), name="Block high risk")
    transition(
        patient_id=patient.pk,
        journey_key="intake",
        to_stage=BLOCK,
        cause=by_rule(rule.pk, trigger_event_id=event.pk, reason="High risk score"),
        changed_at=hours_ago(2),
    )

    view = told(patient)

    assert view.blocked
    assert view.blocked.since == hours_ago(2)
    assert view.blocked.reason == "High risk score"
    assert (view.blocked.rule_id, view.blocked.rule) == (rule.pk, "Block high risk")
    assert view.blocked.event_id == event.pk
    assert (view.blocked.stopped_in, view.blocked.return_stage) == (SCREENING, SCREENING)
    assert view.last_move
    assert "Block high risk" in view.last_move.cause
    assert "High risk score" in view.last_move.cause
    assert (view.whose_turn, view.whose_turn_label) == ("therapist", "Therapist")
    assert view.action_required
    assert (view.action_required.code, view.action_required.by) == ("review_block", "therapist")
    assert view.next_step
    assert (view.next_step.code, view.next_step.to_stage) == ("review_block", SCREENING)


def test_block_without_a_reason_names_the_rule_and_else_the_stage(
    organization: Organization, patient: Patient
) -> None:
    a_journey(organization)
    rule = a_rule(organization, "CUSTOM.X", move("intake", BLOCK), name="Careful")
    put(patient, SCREENING, hours_ago(9))
    transition(
        patient_id=patient.pk,
        journey_key="intake",
        to_stage=BLOCK,
        cause=by_rule(rule.pk, trigger_event_id=None),
    )
    other = someone(organization, BLOCK, 2).patient

    by_name, by_stage = told(patient), told(other)

    assert by_name.blocked
    assert by_name.blocked.reason == "Careful"
    assert by_stage.blocked
    assert by_stage.blocked.reason == "Blocked: high risk"


def test_overdue_and_its_last_occurrence_are_two_things(
    organization: Organization, patient: Patient
) -> None:
    a_journey(organization)
    a_stale_rule(organization, max_hours="48", repeat_hours="24", max_repeats=2)
    put(patient, PAYMENT, hours_ago(50))
    long = someone(organization, PAYMENT, 72).patient

    reminded, at_the_end = told(patient), told(long)

    assert reminded.due_at == hours_ago(2)
    assert reminded.overdue
    assert reminded.overdue_by == timedelta(hours=2)
    assert reminded.action_required is None
    assert at_the_end.action_required
    assert (at_the_end.action_required.code, at_the_end.action_required.by) == (
        "overdue",
        "patient",
    )
    assert at_the_end.action_required.label == "More than 48 h in “Awaiting payment”"


def test_the_limit_is_reached_at_its_very_moment(organization: Organization) -> None:
    a_journey(organization)
    a_stale_rule(organization, max_hours="48")
    at_it = someone(organization, PAYMENT, 48).patient
    before = someone(organization, PAYMENT, 48 - 0.001).patient

    assert told(at_it).overdue
    assert not told(before).overdue


def test_open_task_is_what_there_is_to_do(
    organization: Organization, patient: Patient, therapist: User
) -> None:
    a_journey(organization)
    enrollment = put(patient, SCREENING, hours_ago(1))
    task = a_task(patient, enrollment, "Call about the form", assigned_to=therapist)
    a_task(patient, enrollment, "Done already", done_at=NOW)
    a_task(patient, None, "About the person")

    view = told(patient)

    assert [one.id for one in view.tasks] == [task.pk]
    assert view.action_required
    assert (view.action_required.code, view.action_required.by) == ("do_task", "therapist")
    assert view.action_required.label == "Call about the form"
    assert view.next_step
    assert view.next_step.task_id == task.pk


def test_task_about_the_person_asks_nothing_of_a_journey(organization, patient) -> None:
    a_journey(organization)
    put(patient, SCREENING, hours_ago(1))
    a_task(patient)

    assert told(patient).action_required is None


def test_next_step_of_the_practice_is_the_first_open_move_ahead(
    organization: Organization, patient: Patient, therapist: User
) -> None:
    a_journey(organization, moves=RING)
    put(patient, CONFIRMED, hours_ago(1))

    step = told(patient, therapist).next_step

    assert step
    assert (step.code, step.to_stage, step.label) == ("move_on", "COMPLETED", "Move to “Completed”")


def test_next_step_is_the_patient_s_until_the_limit_then_somebody_asks(
    organization: Organization, therapist: User
) -> None:
    a_journey(organization, moves=RING)
    a_stale_rule(organization)
    early = someone(organization, PAYMENT, 1).patient
    late = someone(organization, PAYMENT, 60).patient

    first, second = told(early, therapist).next_step, told(late, therapist).next_step

    assert first
    assert second
    assert (first.code, second.code) == ("wait", "contact_patient")


def test_what_may_happen_next_says_what_is_missing(
    organization: Organization, patient: Patient, therapist: User
) -> None:
    a_journey(organization, moves=RING)
    put(patient, PAYMENT, hours_ago(1))

    options = {one.to_stage: one for one in told(patient, therapist).allowed_transitions}

    assert PAYMENT not in options
    assert not options[CONFIRMED].allowed
    assert options[CONFIRMED].code == "guard_failed"
    assert [one.field for one in options[CONFIRMED].missing] == ["events.PAYMENT_SUCCEEDED.count"]
    assert options[BLOCK].allowed


def test_a_program_may_not_lift_a_block_and_a_viewer_may_not_move(
    organization: Organization, patient: Patient, viewer: User
) -> None:
    a_journey(organization)
    put(patient, BLOCK, hours_ago(1))
    other = someone(organization, SCREENING, 1).patient

    program = journey_view_of(the_enrollment(patient).pk, limits(), reader=by_integration(None))

    assert program
    assert {one.code for one in program.allowed_transitions} == {"journey_blocked"}
    assert not any(one.allowed for one in told(other, viewer).allowed_transitions)


def test_names_are_in_the_reader_s_language(organization: Organization, patient: Patient) -> None:
    a_journey(organization)
    put(patient, PAYMENT, hours_ago(1))

    with translation.override("es"):
        view = told(patient)

    assert view.stage_label == "Pendiente de pago"
    assert view.stages[0].label == "Cuestionario pendiente"
    assert view.whose_turn_label == "Paciente"


def test_history_is_that_of_this_enrollment_alone(
    organization: Organization, patient: Patient
) -> None:
    a_journey(organization)
    put(patient, SCREENING, hours_ago(9))
    put(patient, PAYMENT, hours_ago(8))
    put(patient, "COMPLETED", hours_ago(7))
    put(patient, SCREENING, hours_ago(2))

    view = told(patient)

    assert (view.number, view.version) == (2, 4)  # a version names one state for ever
    assert view.opened_at == view.entered_at == hours_ago(2)
    assert {step.state.value for step in view.stages[1:]} == {"todo"}


def test_a_move_made_since_the_row_was_read_does_not_contradict_it(
    organization: Organization, patient: Patient
) -> None:
    a_journey(organization)
    put(patient, SCREENING, hours_ago(3))
    rows = list(worklist(limits()))
    put(patient, PAYMENT, hours_ago(1))

    [view] = journey_views(rows, limits())

    assert (view.current_stage, view.version) == (SCREENING, 1)
    assert view.last_move
    assert view.last_move.to_stage == SCREENING
    assert view.stages[0].left_at is None


def test_patient_page_has_blocked_first_then_stuck_then_open_then_closed(
    organization: Organization, patient: Patient
) -> None:
    for key in ("a", "b", "c", "d"):
        a_journey(organization, key)
    a_stale_rule(organization, PAYMENT, key="b")
    put(patient, "COMPLETED", hours_ago(1), "a")
    put(patient, PAYMENT, hours_ago(90), "b")
    put(patient, SCREENING, hours_ago(1), "c")
    put(patient, BLOCK, hours_ago(99), "d")
    nobody = PatientFactory(organization=organization)

    found = journeys_of([patient.pk, nobody.pk], limits())

    assert [view.journey_key for view in found[patient.pk]] == ["d", "b", "c", "a"]
    assert found[nobody.pk] == []


def test_journeys_of_another_practice_are_not_told(
    organization: Organization, other_organization: Organization
) -> None:
    with tenancy.scope(other_organization):
        a_journey(other_organization)
        theirs = someone(other_organization, BLOCK, 1)

    assert journey_view_of(theirs.pk, limits()) is None
    assert journeys_of([theirs.patient_id], limits()) == {theirs.patient_id: []}


def test_cause_of_a_person_is_their_name_and_words(
    organization: Organization, patient: Patient
) -> None:
    a_journey(organization)
    laura = a_user(organization, display_name="Laura Vidal")
    enroll(patient_id=patient.pk, journey_key="intake", cause=system())
    transition(patient_id=patient.pk, journey_key="intake", to_stage=BLOCK, cause=system())

    unblock(patient_id=patient.pk, journey_key="intake", cause=reviewed(laura))

    last = told(patient).last_move
    assert last
    assert last.cause == "Laura Vidal: Looked at it with the patient"
    assert (last.from_label, last.to_label) == ("Blocked: high risk", "Screening pending")


@pytest.mark.parametrize("reader", [False, True])
def test_queries_do_not_grow_with_the_journeys(
    organization: Organization, therapist: User, django_assert_max_num_queries, reader: bool
) -> None:
    a_journey(organization, moves=RING)
    a_journey(organization, "yoga")
    a_stale_rule(organization)
    rule = a_rule(organization, "CUSTOM.X", move("intake", BLOCK), name="Careful")

    def add(number: int) -> None:
        for _ in range(number):
            patient = PatientFactory(organization=organization)
            put(patient, PAYMENT, hours_ago(60))
            enrollment = put(patient, SCREENING, hours_ago(1), "yoga")
            a_task(patient, enrollment, assigned_to=therapist)
            other = someone(organization, SCREENING, 3).patient
            why = by_rule(rule.pk, trigger_event_id=None)
            transition(patient_id=other.pk, journey_key="intake", to_stage=BLOCK, cause=why)

    def read() -> int:
        fresh = User.objects.get(pk=therapist.pk)  # permissions are remembered by the instance
        cause = by_user(fresh) if reader else None
        with django_assert_max_num_queries(14) as counted:
            rows = list(worklist(limits(), Asked(which=Which.EVERY)))
            views = journey_views(rows, limits(), cause)
        assert len(views) == JourneyLog.objects.values("enrollment_id").distinct().count()
        return len(counted)

    add(1)
    few = read()
    add(12)

    assert read() == few
