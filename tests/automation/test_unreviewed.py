"""A task that says that nobody has reviewed a block ends with the act that makes it untrue."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from automation import errors, monitor
from automation.ladders import TIMEOUTS
from automation.models import AutomationRule, EventDispatch, StaffTask
from automation.services.decisions import retry
from automation.services.staff_tasks import complete
from journeys.models import BlockReview, JourneyLog
from journeys.selectors.positions import ANYWHERE
from journeys.services.bulk import transition_many
from journeys.services.reviews import keep_blocked
from journeys.services.transitions import enroll, transition, unblock
from tests.automation.practice import a_rule, drain
from tests.factories import PatientFactory, a_template, a_user, reviewed, system, with_ready_rules

TIMEOUT = "JOURNEY_STAGE_TIMEOUT"
NOW = timezone.now()
UNREVIEWED = {"field": "journey.reviewed_at", "op": "exists", "value": False}
BLOCKS = ["SCREENING_PENDING", "BLOCKED_HIGH_RISK", "BLOCKED", "CONFIRMED", "COMPLETED"]


def ask(text="Look"):
    return {"type": "create_task", "params": {"audience": "therapist", "text": text}}


@pytest.fixture
def template(organization):
    return a_template(organization, "intake", codes=BLOCKS)


@pytest.fixture
def rule(organization, template):
    return a_timeout(organization)


def a_timeout(organization, *, hours=24, stage="BLOCKED_HIGH_RISK", **fields):
    fields = {"conditions": UNREVIEWED, **fields}
    where = {"journey_key": "intake", "stage": stage, "max_hours": hours}
    return a_rule(organization, TIMEOUT, ask(), **(where | fields))


def blocked(patient, since=30, stage="BLOCKED_HIGH_RISK"):
    when = NOW - timedelta(hours=since)
    enroll(patient_id=patient.pk, journey_key="intake", cause=system(), changed_at=when)
    block(patient, when, stage)


def block(patient, when=None, stage="BLOCKED_HIGH_RISK"):
    transition(
        patient_id=patient.pk, journey_key="intake", to_stage=stage, cause=system(), changed_at=when
    )


def time_is_up(after=0.0):
    monitor.check(clock=lambda: timezone.now() + timedelta(hours=after))
    drain()


def keep(patient, reviewer):
    return keep_blocked(
        patient_id=patient.pk,
        journey_key="intake",
        reviewer=reviewer,
        expected=ANYWHERE,
        now=timezone.now(),
        note="Her doctor answers on Monday",
    )


def lift(patient, therapist, to_stage=None):
    return unblock(
        patient_id=patient.pk, journey_key="intake", cause=reviewed(therapist), to_stage=to_stage
    )


def open_tasks():
    return StaffTask.objects.filter(done_at=None).order_by("id")


def test_who_keeps_the_block_has_reviewed_it_and_the_task_says_by_what_it_ended(
    patient, rule, therapist
):
    blocked(patient)
    time_is_up()
    assert open_tasks().get().kind == "block_unreviewed"

    review = keep(patient, therapist)

    task = StaffTask.objects.get()
    assert (task.done_by, task.ended_by_review_id) == (therapist, review.pk)
    assert task.done_at == review.reviewed_at
    assert task.ended_by_move_id is None


@pytest.mark.parametrize("to_stage", [None, "CONFIRMED", "COMPLETED"])
def test_who_lifts_the_block_has_looked_at_it(patient, rule, therapist, to_stage):
    blocked(patient)
    time_is_up()

    log = lift(patient, therapist, to_stage)

    task = StaffTask.objects.get()
    assert (task.done_by, task.ended_by_move_id) == (therapist, log.pk)
    assert task.done_at is not None
    assert task.ended_by_review_id is None


def test_a_bulk_move_ends_the_tasks_of_all_whom_it_leads_out(organization, rule, therapist):
    people = PatientFactory.create_batch(3, organization=organization)
    for one in people:
        blocked(one)
    time_is_up()
    assert open_tasks().count() == 3

    transition_many(
        patient_ids=[one.pk for one in people],
        journey_key="intake",
        to_stage="CONFIRMED",
        cause=reviewed(therapist),
    )

    assert not open_tasks().exists()
    moves = JourneyLog.objects.filter(to_stage="CONFIRMED").values_list("pk", flat=True)
    assert set(StaffTask.objects.values_list("ended_by_move", flat=True)) == set(moves)


def test_a_review_written_past_the_services_ends_it_too(patient, rule, therapist, organization):
    blocked(patient)
    time_is_up()
    task = open_tasks().get()

    BlockReview.objects.create(
        organization=organization, enrollment_id=task.enrollment_id, seq=2, reviewer=therapist
    )

    assert not open_tasks().exists()


def test_what_is_undone_ended_nothing(patient, rule, therapist):
    blocked(patient)
    time_is_up()

    with pytest.raises(ZeroDivisionError), transaction.atomic():
        keep(patient, therapist)
        lift(patient, therapist)
        raise ZeroDivisionError

    assert open_tasks().get().ended_by_move_id is None


def test_a_later_block_asks_again(patient, rule, therapist):
    blocked(patient)
    time_is_up()
    keep(patient, therapist)
    lift(patient, therapist)
    block(patient)

    time_is_up(after=25)

    assert StaffTask.objects.count() == 2
    assert open_tasks().get().event_id != StaffTask.objects.earliest("id").event_id


# --- what stays -----------------------------------------------------------------------------------

NOT_FOR_LACK_OF_A_REVIEW = {
    "without conditions": {},
    "reviewed": {"field": "journey.reviewed_at", "op": "exists", "value": True},
    "one way of two": {"any": [UNREVIEWED, {"field": "journey.number", "op": "eq", "value": 1}]},
    "one way of two, deeper": {
        "all": [{"any": [UNREVIEWED, {"field": "journey.number", "op": "eq", "value": 1}]}]
    },
}


@pytest.mark.parametrize(
    "conditions", NOT_FOR_LACK_OF_A_REVIEW.values(), ids=NOT_FOR_LACK_OF_A_REVIEW.keys()
)
def test_what_a_rule_asks_for_any_other_reason_is_still_to_do(
    organization, template, patient, therapist, conditions
):
    blocked(patient)
    if conditions == NOT_FOR_LACK_OF_A_REVIEW["reviewed"]:
        keep(patient, therapist)
    a_timeout(organization, conditions=conditions)
    time_is_up()

    keep(patient, therapist)
    lift(patient, therapist)

    assert open_tasks().get().kind == "rule"


def test_one_condition_of_several_that_are_all_needed_is_enough(
    organization, template, patient, therapist
):
    first = {"field": "journey.number", "op": "eq", "value": 1}
    a_timeout(organization, conditions={"all": [first, {"all": [UNREVIEWED]}]})
    blocked(patient)
    time_is_up()

    keep(patient, therapist)

    assert not open_tasks().exists()


def test_a_stage_that_is_not_on_hold_has_no_review_to_wait_for(
    organization, template, patient, therapist
):
    a_timeout(organization, stage="SCREENING_PENDING")
    when = NOW - timedelta(hours=30)
    enroll(patient_id=patient.pk, journey_key="intake", cause=system(), changed_at=when)
    time_is_up()

    block(patient)
    keep(patient, therapist)
    lift(patient, therapist)

    assert open_tasks().get().kind == "rule"


def test_from_one_block_into_another_the_patient_is_still_held(patient, rule, therapist):
    blocked(patient)
    time_is_up()

    transition(
        patient_id=patient.pk, journey_key="intake", to_stage="BLOCKED", cause=reviewed(therapist)
    )

    assert open_tasks().exists()
    keep(patient, therapist)
    assert not open_tasks().exists()


def test_another_patient_and_another_journey_keep_theirs(organization, patient, rule, therapist):
    a_template(organization, "retreat", codes=BLOCKS)
    a_rule(
        organization,
        TIMEOUT,
        ask(),
        journey_key="retreat",
        stage="BLOCKED_HIGH_RISK",
        max_hours=24,
        conditions=UNREVIEWED,
    )
    other = PatientFactory(organization=organization)
    blocked(patient)
    blocked(other)
    when = NOW - timedelta(hours=30)
    enroll(patient_id=patient.pk, journey_key="retreat", cause=system(), changed_at=when)
    transition(
        patient_id=patient.pk,
        journey_key="retreat",
        to_stage="BLOCKED_HIGH_RISK",
        cause=system(),
        changed_at=when,
    )
    time_is_up()
    assert open_tasks().count() == 3

    keep(patient, therapist)

    left = set(open_tasks().values_list("patient", "journey_key"))
    assert left == {(other.pk, "intake"), (patient.pk, "retreat")}


def test_who_ended_it_by_hand_is_not_overwritten(patient, rule, therapist, organization):
    blocked(patient)
    time_is_up()
    colleague = a_user(organization)
    done = complete(task_id=open_tasks().get().pk, user=colleague)

    keep(patient, therapist)

    task = StaffTask.objects.get()
    assert (task.done_by, task.done_at, task.ended_by_review_id) == (colleague, done.done_at, None)


def test_who_comes_late_is_told_who_was_first(patient, rule, therapist, organization):
    blocked(patient)
    time_is_up()
    keep(patient, therapist)

    with pytest.raises(errors.TaskDone) as told:
        complete(task_id=StaffTask.objects.get().pk, user=a_user(organization))

    assert str(therapist) in str(told.value)


# --- told late ------------------------------------------------------------------------------------


def test_an_event_that_is_tried_again_after_a_review_asks_for_nothing(
    patient, rule, therapist, organization
):
    blocked(patient)
    AutomationRule.objects.filter(pk=rule.pk).update(actions=[{"type": "no such action"}])
    for _ in range(5):
        time_is_up()
        EventDispatch.objects.update(next_attempt_at=timezone.now())
    assert EventDispatch.objects.get(event__event_type=TIMEOUT).status == "dead"
    AutomationRule.objects.filter(pk=rule.pk).update(actions=[ask()])
    keep(patient, therapist)

    dead = EventDispatch.objects.get(event__event_type=TIMEOUT)
    retry(event_id=dead.pk, user=therapist, reason="The rule was mended")
    drain()

    assert not StaffTask.objects.filter(kind="block_unreviewed").exists()
    [action] = rule.runs.get().actions
    assert (action["status"], action["error_code"]) == ("unchanged", "block_reviewed")


# --- the ready rules and the database -------------------------------------------------------------


def test_the_ready_rule_gives_a_task_of_this_kind(organization, template, patient, therapist):
    ready = [one for one in TIMEOUTS if one.code == "intake.block_unreviewed"]
    with_ready_rules(organization, ready)
    blocked(patient, stage="BLOCKED")
    time_is_up()

    assert open_tasks().get().kind == "block_unreviewed"

    lift(patient, therapist)
    assert not open_tasks().exists()


def test_a_shell_ends_no_other_kind_by_an_act(patient, rule, therapist):
    blocked(patient)
    time_is_up()
    log = lift(patient, therapist)

    for wrong in ("kind = 'rule'", "done_at = NULL"):
        with (
            pytest.raises(IntegrityError, match="staff_task_ended_by_one_act"),
            transaction.atomic(),
            connection.cursor() as cursor,
        ):
            cursor.execute(
                f"UPDATE staff_tasks SET {wrong} WHERE ended_by_move_id = %s",
                [log.pk],
            )
