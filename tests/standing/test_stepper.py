"""Which stages are behind, here, and still to come."""

from __future__ import annotations

import pytest

from journeys.models import JourneyStage
from kura.accounts.models import Organization, User
from kura.standing.journey import JourneyView, journey_view_of
from patients.models import Patient
from tests.factories import a_template
from tests.standing.practice import STAGES, a_journey, a_stale_rule, hours_ago, limits, put

CODES = [*STAGES[:4], "AFTERCARE", "COMPLETED", "GRADUATED", "CANCELLED"]
SCREENING, PAYMENT, BLOCK, CONFIRMED = STAGES[:4]


def walked(patient: Patient, *stages: str, by: User | None = None) -> JourneyView:
    """An hour in each stage."""
    for number, stage in enumerate(stages):
        enrollment = put(patient, stage, hours_ago(len(stages) - number), by=by)
    found = journey_view_of(enrollment.pk, limits())
    assert found
    return found


def states(view: JourneyView) -> list[tuple[str, str]]:
    return [(step.code, step.state.value) for step in view.stages]


def test_behind_is_done_and_ahead_is_to_do(organization: Organization, patient: Patient) -> None:
    a_journey(organization)

    view = walked(patient, SCREENING, PAYMENT)

    assert states(view) == [
        (SCREENING, "done"),
        (PAYMENT, "current"),
        (CONFIRMED, "todo"),
        ("COMPLETED", "todo"),
    ]
    assert (view.progress.done, view.progress.total, view.progress.percent) == (1, 4, 25)
    done, current, todo, _end = view.stages
    assert (done.entered_at, done.left_at) == (hours_ago(2), hours_ago(1))
    assert (current.entered_at, current.left_at) == (hours_ago(1), None)
    assert (todo.entered_at, todo.left_at) == (None, None)


def test_block_stands_where_the_person_stopped(organization: Organization, patient) -> None:
    a_journey(organization)

    view = walked(patient, SCREENING, BLOCK)

    assert states(view) == [
        (SCREENING, "done"),
        (BLOCK, "blocked"),
        (PAYMENT, "todo"),
        (CONFIRMED, "todo"),
        ("COMPLETED", "todo"),
    ]
    assert (view.progress.done, view.progress.total) == (0, 4)  # a block is no progress


def test_block_at_the_very_beginning_stands_first(organization: Organization, patient) -> None:
    a_journey(organization)

    view = walked(patient, BLOCK)

    assert states(view)[0] == (BLOCK, "blocked")
    assert {state for _code, state in states(view)[1:]} == {"todo"}


def test_lifted_block_is_no_stage_any_more(
    organization: Organization, patient: Patient, therapist: User
) -> None:
    a_journey(organization)

    view = walked(patient, SCREENING, BLOCK, SCREENING, by=therapist)

    assert states(view)[0] == (SCREENING, "current")
    assert BLOCK not in dict(states(view))


def test_stage_passed_over_is_skipped_and_not_asked_for(organization, patient: Patient) -> None:
    a_journey(organization)

    view = walked(patient, SCREENING, CONFIRMED)

    assert states(view)[1] == (PAYMENT, "skipped")
    assert (view.progress.done, view.progress.total) == (1, 3)


def test_going_back_makes_the_later_stage_to_do_again(organization, patient: Patient) -> None:
    a_journey(organization)

    view = walked(patient, SCREENING, PAYMENT, SCREENING)

    assert states(view)[:2] == [(SCREENING, "current"), (PAYMENT, "todo")]
    assert view.stages[1].entered_at is None


def test_finished_journey_is_whole(organization: Organization, patient: Patient) -> None:
    a_journey(organization)

    view = walked(patient, SCREENING, "COMPLETED")

    assert states(view)[-1] == ("COMPLETED", "done")
    assert view.progress.percent == 100
    assert (view.next_step, view.due_at, view.action_required) == (None, None, None)


def test_cancelled_journey_says_where_it_ended_and_nothing_is_to_do(
    organization: Organization, patient: Patient
) -> None:
    a_journey(organization)

    view = walked(patient, SCREENING, PAYMENT, "CANCELLED")

    assert states(view) == [
        (SCREENING, "done"),
        (PAYMENT, "done"),
        ("CANCELLED", "current"),
        (CONFIRMED, "skipped"),
        ("COMPLETED", "skipped"),
    ]
    assert (view.progress.done, view.progress.total) == (2, 4)


@pytest.mark.parametrize(("end", "shown"), [("AFTERCARE", "COMPLETED"), ("GRADUATED", "GRADUATED")])
def test_one_ending_is_shown(organization: Organization, patient, end: str, shown: str) -> None:
    template = a_template(organization, codes=CODES)
    JourneyStage.objects.filter(template=template, code="GRADUATED").update(status="finished")

    view = walked(patient, SCREENING, end)

    endings = [step.code for step in view.stages if step.status == "finished"]
    assert endings == [shown]


def test_retired_stage_is_shown_behind_and_never_ahead(
    organization: Organization, patient: Patient
) -> None:
    template = a_journey(organization)
    for code in (PAYMENT, CONFIRMED):
        stage = JourneyStage.objects.get(template=template, code=code)
        if code == PAYMENT:
            walked(patient, SCREENING, PAYMENT, SCREENING, "COMPLETED")
        stage.retired_at = hours_ago(0)
        stage.save()

    view = walked(patient, SCREENING)  # once more
    first = patient.enrollments.get(number=1)
    closed = journey_view_of(first.pk, limits())

    assert dict(states(view)) == {SCREENING: "current", "COMPLETED": "todo"}
    assert closed
    assert dict(states(closed)) == {SCREENING: "done", PAYMENT: "done", "COMPLETED": "done"}
    assert closed.stages[1].retired


def test_each_stage_says_how_long_it_may_last(organization: Organization, patient) -> None:
    a_journey(organization)
    a_stale_rule(organization, max_hours="48")

    view = walked(patient, SCREENING)

    hours = {step.code: step.limit and step.limit.total_seconds() / 3600 for step in view.stages}
    assert hours == {SCREENING: None, PAYMENT: 48, CONFIRMED: None, "COMPLETED": None}
