"""The monitor finds who is stuck, says it once a step, and leaves everybody else alone."""

from __future__ import annotations

from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from automation import errors, intake, monitor, tasks
from automation.models import AutomationRule, EventDispatch, Heartbeat, RuleRun, StaffTask
from automation.models.stage_timer import StageTimer
from automation.monitor import VisitOutcome
from automation.selectors.health import monitor_status
from automation.selectors.stale import people_waiting, stale_visits
from automation.services import stage_timers
from automation.services.rules import create_rule, publish, set_active
from journeys.models import SystemEventLog
from journeys.services.transitions import enroll, transition
from kura import tenancy
from patients.models import Patient
from tests.automation.messages import mail
from tests.automation.practice import a_rule, drain, move
from tests.factories import PatientFactory, a_template, system

NOW = timezone.now()
TIMEOUT = "JOURNEY_STAGE_TIMEOUT"
TASK = {"type": "create_task", "params": {"audience": "therapist", "text": "Look"}}


def hours(number):
    return timedelta(hours=number)


def a_timeout(organization, *actions, **fields):
    place = {"journey_key": "intake", "stage": "SCREENING_PENDING", "max_hours": 48}
    return a_rule(organization, TIMEOUT, *(actions or [TASK]), **(place | fields))


def stuck(organization, since=50, **fields):
    """Somebody who entered the first stage so many hours ago."""
    patient = PatientFactory(organization=organization, **fields)
    when = NOW - hours(since)
    enroll(patient_id=patient.pk, journey_key="intake", cause=system(), changed_at=when)
    return patient


def check(after=0.0, **asked):
    return monitor.check(clock=lambda: NOW + hours(after), **asked)


def timeouts():
    return SystemEventLog.objects.filter(event_type=TIMEOUT).order_by("id")


def test_who_is_past_the_limit_is_announced_with_the_rule_and_the_visit(organization, template):
    rule = a_timeout(organization)
    patient = stuck(organization, 50)
    stuck(organization, 47)

    report = check()

    [event] = timeouts()
    assert (report.rules_checked, report.stale, report.emitted) == (1, 1, 1)
    assert (event.patient_id, event.journey_key) == (patient.pk, "intake")
    assert event.source == "system:monitor"
    assert event.occurred_at == NOW - hours(50) + hours(48)
    assert event.payload_row.payload | {"enrollment_id": ""} == {
        "rule_id": str(rule.pk),
        "stage": "SCREENING_PENDING",
        "hours_in_stage": 50.0,
        "occurrence": 1,
        "enrollment_id": "",
        "stage_seq": 1,
    }


def test_the_limit_itself_is_the_boundary(organization, template):
    a_timeout(organization)
    stuck(organization, 48)

    early = monitor.check(clock=lambda: NOW - timedelta(microseconds=1))
    sharp = monitor.check(clock=lambda: NOW)

    assert (early.stale, sharp.emitted) == (0, 1)


def test_the_same_step_is_said_once_however_often_it_is_looked_at(organization, template):
    a_timeout(organization)
    stuck(organization)

    check()
    again = check()

    assert (again.stale, again.emitted) == (1, 0)
    assert again.counts[VisitOutcome.SKIPPED_RECENT_REMINDER] == 1
    assert timeouts().count() == 1


def test_a_lost_timer_doubles_nothing(organization, template):
    """The event's key is the truth, the timer only spares the work."""
    a_timeout(organization)
    stuck(organization)
    check()
    StageTimer.objects.all().delete()

    again = check()

    assert again.counts[VisitOutcome.SKIPPED_RECENT_REMINDER] == 1
    assert timeouts().count() == 1
    assert StageTimer.objects.get().occurrence == 1


def test_the_next_step_is_due_after_the_last_ones_due_time_and_not_after_the_run(
    organization, template
):
    a_timeout(organization, repeat_hours=24, max_repeats=3)
    stuck(organization, 148.7)
    check(-100)

    late = [check(after - 100).emitted for after in (23.2, 23.4, 47.2, 47.4, 71.4, 95.4)]

    assert late == [0, 1, 0, 1, 0, 0]
    assert [event.payload_row.payload["occurrence"] for event in timeouts()] == [1, 2, 3]


def test_after_an_outage_the_current_step_is_said_once(organization, template):
    a_timeout(organization, repeat_hours=2, max_repeats=40)
    stuck(organization, 48)
    check()

    caught_up = check(5)

    assert caught_up.emitted == 1
    assert timeouts().last().payload_row.payload["occurrence"] == 3


@pytest.mark.parametrize(
    ("new_hours", "early", "next_at"),
    [
        ({"repeat_hours": 24}, 23.9, 24),
        ({"repeat_hours": 1}, 0.9, 1),
        ({"max_hours": 80}, 21.9, 22),
        ({"max_hours": 10}, 1.9, 2),
    ],
    ids=["slower", "faster", "later", "earlier"],
)
def test_new_hours_count_from_the_last_step_and_leave_none_out(
    organization, template, new_hours, early, next_at
):
    """The sixth step was due just now; the seventh follows as the rule says since."""
    rule = a_timeout(organization, repeat_hours=2, max_repeats=40)
    stuck(organization, 58)
    check()
    AutomationRule.objects.filter(pk=rule.pk).update(**new_hours)

    assert check(early).emitted == 0
    assert check(next_at).emitted == 1
    assert [one.payload_row.payload["occurrence"] for one in timeouts()] == [6, 7]


@pytest.mark.parametrize("ends", ["moved", "closed"])
def test_who_moved_on_is_not_found(organization, template, ends):
    a_timeout(organization)
    patient = stuck(organization)
    to_stage = "AWAITING_PAYMENT" if ends == "moved" else "COMPLETED"
    transition(patient_id=patient.pk, journey_key="intake", to_stage=to_stage, cause=system())

    assert check().stale == 0


def test_who_came_back_is_in_a_visit_of_its_own(organization, template):
    a_timeout(organization)
    patient = stuck(organization, 200)
    check()
    for stage, ago in (("AWAITING_PAYMENT", 100), ("SCREENING_PENDING", 60)):
        transition(
            patient_id=patient.pk,
            journey_key="intake",
            to_stage=stage,
            cause=system(),
            changed_at=NOW - hours(ago),
        )

    assert check().emitted == 1
    assert [event.payload_row.payload["stage_seq"] for event in timeouts()] == [1, 3]


def test_the_later_of_two_moves_at_one_moment_counts(organization, template):
    """The specification's query picks the older one."""
    a_timeout(organization)
    a_timeout(organization, stage="AWAITING_PAYMENT")
    patient = stuck(organization, 60)
    transition(
        patient_id=patient.pk,
        journey_key="intake",
        to_stage="AWAITING_PAYMENT",
        cause=system(),
        changed_at=NOW - hours(60),
    )

    check()

    assert [event.payload_row.payload["stage"] for event in timeouts()] == ["AWAITING_PAYMENT"]


def test_another_practice_with_the_same_key_is_another_journey(
    organization, template, other_organization
):
    a_timeout(organization)
    a_template(other_organization)
    with tenancy.scope(other_organization):
        theirs = stuck(other_organization)

    assert check().stale == 0
    with tenancy.every_organization():
        assert not timeouts().filter(patient=theirs).exists()


def test_a_check_of_one_practice_leaves_the_others_alone(
    organization, template, other_organization
):
    a_timeout(organization)
    stuck(organization)
    a_template(other_organization)
    a_timeout(other_organization)
    with tenancy.scope(other_organization):
        stuck(other_organization)
        assert check().emitted == 1
    assert not Heartbeat.objects.filter(name="monitor").exists()

    with tenancy.every_organization():
        assert check().emitted == 1


@pytest.mark.parametrize("fields", [{"is_active": False}, {"archived_at": NOW}])
def test_a_rule_that_sleeps_finds_nobody(organization, template, fields):
    a_timeout(organization, **fields)
    stuck(organization)

    assert (check().rules_checked, check().stale) == (0, 0)


def test_an_erased_patient_is_not_even_listed(organization, template):
    a_timeout(organization)
    patient = stuck(organization)
    Patient.objects.filter(pk=patient.pk).update(erased_at=NOW)

    dry, wet = check(dry_run=True), check()

    assert (dry.stale, dry.items, wet.stale) == (0, [], 0)
    assert people_waiting(organization.pk, a_definition(), now=NOW) == 0
    assert timeouts().count() == 0


def test_who_is_erased_after_being_found_is_left_alone(organization, template):
    a_timeout(organization)
    patient = stuck(organization)
    found = stale_visits(now=NOW, limit=10).visits
    Patient.objects.filter(pk=patient.pk).update(erased_at=NOW)

    [item] = monitor._told(found, NOW)

    assert item.outcome == VisitOutcome.SKIPPED_MOVED_ON
    assert timeouts().count() == 0


def test_a_dry_run_finds_the_same_people_and_writes_nothing(organization, template):
    a_timeout(organization)
    stuck(organization)

    dry = check(dry_run=True)
    before = SystemEventLog.objects.count(), StageTimer.objects.count()
    wet = check()

    assert [item.visit for item in dry.items] == [item.visit for item in wet.items]
    assert [item.outcome for item in dry.items] == [VisitOutcome.WOULD_EMIT]
    assert before == (SystemEventLog.objects.exclude(event_type=TIMEOUT).count(), 0)


def test_one_that_cannot_be_said_does_not_keep_the_others_silent(organization, template):
    """The database refuses one of them, as a guard would."""
    a_timeout(organization)
    bad, *others = [stuck(organization, 50 + n) for n in range(5)]
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute(
            "ALTER TABLE system_events ADD CONSTRAINT not_that_one"
            f" CHECK (event_type <> 'JOURNEY_STAGE_TIMEOUT' OR patient_id <> '{bad.pk}')"
        )

    report = check()

    assert report.counts[VisitOutcome.FAILED] == 1
    assert report.errors == ["IntegrityError not_that_one"]
    assert {event.patient_id for event in timeouts()} == {one.pk for one in others}
    assert check().counts[VisitOutcome.FAILED] == 1


def test_time_that_is_up_is_said_and_the_next_check_goes_on(organization, template):
    a_timeout(organization)
    for number in range(4):
        stuck(organization, 50 + number)

    nothing = check(seconds=0)

    assert (nothing.unfinished, nothing.emitted) == (True, 0)
    assert check().emitted == 4


def test_more_than_one_look_can_hold_are_found_by_looking_again(
    organization, template, monkeypatch
):
    monkeypatch.setattr(monitor, "MOST_LOOKED_AT", 3)
    monkeypatch.setattr(monitor, "AT_ONCE", 2)
    a_timeout(organization)
    for number in range(8):
        stuck(organization, 50 + number)

    assert check().emitted == 8
    again = check()
    assert again.counts[VisitOutcome.SKIPPED_RECENT_REMINDER] == again.stale == 8


def test_the_number_of_statements_does_not_grow_with_those_who_are_stuck(organization, template):
    a_timeout(organization)
    counted = []
    for number in (2, 9):
        for place in range(number):
            stuck(organization, 50 + place)
        with CaptureQueriesContext(connection) as queries:
            assert check().emitted == number
        counted.append(len(queries))

    assert counted[1] <= counted[0] <= 12


# --- what follows from it -------------------------------------------------------------------------


def test_a_timer_that_rings_after_the_patient_has_gone_moves_nobody(organization, template):
    a_timeout(organization, move("intake", "COMPLETED"))
    patient = stuck(organization, 60)
    check()
    for stage in ("AWAITING_PAYMENT", "SCREENING_PENDING"):
        transition(patient_id=patient.pk, journey_key="intake", to_stage=stage, cause=system())

    drain()

    [told] = RuleRun.objects.get().actions
    assert (told["status"], told["error_code"]) == ("unchanged", "left_stage")
    patient.refresh_from_db()
    assert patient.journey_status == {"intake": "SCREENING_PENDING"}


def test_only_the_rule_whose_limit_was_passed_acts(organization, template):
    first = a_timeout(organization, TASK)
    a_timeout(organization, TASK, max_hours=100)
    stuck(organization)

    check()
    drain()

    assert [task.rule_id for task in StaffTask.objects.all()] == [first.pk]


def test_nobody_to_write_to_is_a_task_for_the_therapist(organization, template, therapist):
    a_timeout(organization, mail())
    stuck(organization, email="", therapist=therapist)

    check()
    drain()

    assert StaffTask.objects.get().kind == "no_address"


def test_the_next_reminder_to_nobody_adds_no_task_while_the_first_is_open(
    organization, template, therapist
):
    a_timeout(organization, mail(), repeat_hours=24, max_repeats=5)
    stuck(organization, 120, email="", therapist=therapist)
    for after in (-72, -48):
        check(after)
        drain()
    StaffTask.objects.update(done_at=NOW, done_by=therapist)

    check(-24)
    drain()

    assert StaffTask.objects.count() == 2
    assert StaffTask.objects.filter(done_at__isnull=True).count() == 1


# --- for whom it begins ---------------------------------------------------------------------------


def a_definition(**fields):
    return {
        "name": "Time-out",
        "trigger_event": TIMEOUT,
        "journey_key": "intake",
        "stage": "SCREENING_PENDING",
        "max_hours": "48",
        "actions": [TASK],
    } | fields


def test_a_new_time_out_counts_for_visits_that_begin_from_now(organization, template, therapist):
    stuck(organization)

    waiting = people_waiting(organization.pk, a_definition(), now=NOW)
    create_rule(organization=organization, definition=a_definition(), user=therapist)

    assert waiting == 1
    assert check().stale == 0


def test_or_for_those_who_wait_already_and_says_how_many_they_are(
    organization, template, therapist
):
    stuck(organization, 400)
    rule = create_rule(
        organization=organization,
        definition=a_definition(repeat_hours="24", max_repeats=3),
        user=therapist,
        also_waiting=True,
    )

    assert rule.visits_from is None
    assert check().emitted == 1
    assert timeouts().get().payload_row.payload["occurrence"] == 3
    assert check(24).emitted == 0


def test_switching_on_again_asks_anew(organization, template, therapist):
    rule = create_rule(
        organization=organization, definition=a_definition(), user=therapist, also_waiting=True
    )
    stuck(organization)
    set_active(rule_id=rule.pk, is_active=False, user=therapist)
    set_active(rule_id=rule.pk, is_active=True, user=therapist)

    assert check().stale == 0

    set_active(rule_id=rule.pk, is_active=False, user=therapist)
    set_active(rule_id=rule.pk, is_active=True, user=therapist, also_waiting=True)
    assert check().emitted == 1


@pytest.mark.parametrize(
    ("changed", "found"),
    [({"max_hours": "24"}, 1), ({"stage": "AWAITING_PAYMENT"}, 0)],
    ids=["the same stage", "another stage"],
)
def test_a_new_version_begins_anew_only_where_it_waits_elsewhere(
    organization, template, therapist, changed, found
):
    rule = create_rule(
        organization=organization, definition=a_definition(), user=therapist, also_waiting=True
    )
    patient = stuck(organization, 30)
    if changed.get("stage"):
        transition(
            patient_id=patient.pk,
            journey_key="intake",
            to_stage="AWAITING_PAYMENT",
            cause=system(),
            changed_at=NOW - hours(60) + hours(40),
        )

    publish(rule_id=rule.pk, user=therapist, expected_version=1, definition=a_definition(**changed))

    assert check(40).stale == found


# --- the clock ------------------------------------------------------------------------------------


def test_the_task_looks_at_every_practice_and_leaves_its_sign(
    organization, template, other_organization
):
    a_timeout(organization)
    stuck(organization)

    assert tasks.check_stale_journeys() == 1

    status = monitor_status(now=timezone.now())
    assert (status.stale, status.emitted, status.is_late) == (1, 1, False)


def test_the_task_that_had_no_time_for_all_calls_another(organization, template, monkeypatch):
    from django_q.models import OrmQ  # noqa: PLC0415

    monkeypatch.setattr(tasks, "CHECK", 0)
    a_timeout(organization)
    stuck(organization)
    before = OrmQ.objects.count()

    tasks.check_stale_journeys()

    assert OrmQ.objects.count() == before + 1


def test_checks_that_go_on_from_one_another_read_as_one(organization, template, monkeypatch):
    a_timeout(organization)
    stuck(organization)
    stuck(organization, 60)
    with tenancy.every_organization():
        first = check(seconds=0)
        check(0.01)

    status = monitor_status(now=timezone.now())
    assert (first.unfinished, first.emitted) == (True, 0)
    assert status.started_at == first.started_at
    assert status.emitted == 2


@pytest.mark.parametrize(("minutes", "called"), [(None, 1), (61, 0), (63, 1)])
def test_a_check_that_the_full_hour_missed_is_called_by_the_sweep(
    organization, template, minutes, called
):
    from django_q.models import OrmQ  # noqa: PLC0415

    if minutes is not None:
        then = timezone.now() - timedelta(minutes=minutes)
        monitor.leave_sign(monitor.Report(dry_run=False, started_at=then, finished_at=then))

    tasks.sweep()

    rung = [row.task["func"] for row in OrmQ.objects.all()]
    assert rung.count("automation.tasks.check_stale_journeys") == called


def test_timers_of_visits_that_ended_are_forgotten(organization, template):
    a_timeout(organization)
    stays, goes = stuck(organization), stuck(organization)
    check()
    transition(
        patient_id=goes.pk, journey_key="intake", to_stage="AWAITING_PAYMENT", cause=system()
    )

    assert stage_timers.forget_ended() == 1
    assert StageTimer.objects.get().enrollment_id == stays.enrollments.get().pk


def run(*arguments):
    out = StringIO()
    call_command("check_stale_journeys", *arguments, stdout=out)
    return out.getvalue()


def test_the_command_lists_whom_it_would_find_by_which_rule_and_since_when(organization, template):
    a_timeout(organization, name="Nudge")
    patient = stuck(organization, full_name="María Secreta")

    dry = run("--dry-run")

    assert f"{patient.pk} intake SCREENING_PENDING since " in dry
    assert "“Nudge”, reminder 1: would be announced" in dry
    assert dry.endswith("Nothing was written.\n")
    assert "María" not in dry
    assert timeouts().count() == 0
    assert "1 announced" in run("--organization", organization.slug)
    assert "1 announced before" in run("--journey", "intake")


def test_the_command_names_the_practices_there_are(organization):
    with pytest.raises(CommandError, match=f"Known: {organization.slug}"):
        run("--organization", "nowhere")


def test_events_in_one_call_are_checked_like_every_event(organization, template):
    patient = stuck(organization)
    [visit] = [*stale_visits_of(organization)]
    draft = monitor._draft(visit, NOW)
    spoilt = {name: getattr(draft, name) for name in draft.__dataclass_fields__}
    spoilt["payload"] = {"stage": "SCREENING_PENDING"}

    with pytest.raises(errors.InvalidPayload):
        intake.record_events([intake.Draft(**spoilt)], source=monitor.MONITOR)

    assert not EventDispatch.objects.filter(event__event_type=TIMEOUT).exists()
    assert patient


def stale_visits_of(organization):
    a_timeout(organization)
    return stale_visits(now=NOW, limit=10).visits
