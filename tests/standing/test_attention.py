"""Whom somebody has to decide about."""

from __future__ import annotations

from datetime import timedelta

from kura import tenancy
from kura.accounts.models import Organization, User
from kura.standing.attention import attention
from kura.standing.people import QuickView, counts
from kura.standing.summary import summary_of
from patients.models import Patient
from tests.factories import PatientFactory, a_user
from tests.standing.practice import (
    STAGES,
    a_journey,
    a_random_practice,
    a_stale_rule,
    a_task,
    hours_ago,
    limits,
    put,
    someone,
)

SCREENING, PAYMENT, BLOCK, CONFIRMED = STAGES[:4]


def test_a_person_is_one_row_with_the_most_urgent_matter(
    organization: Organization, patient: Patient
) -> None:
    a_journey(organization)
    a_journey(organization, "yoga", name="Yoga Urban Om")
    a_stale_rule(organization)
    put(patient, PAYMENT, hours_ago(74))
    blocked = put(patient, BLOCK, hours_ago(2), "yoga")
    a_task(patient, blocked, "Call about the block")

    told = attention(limits())

    [row] = told.people
    assert (told.total, row.patient, row.others) == (1, patient.full_name, 2)
    assert (row.matter.state.value, row.matter.what) == ("blocked", "review_block")
    assert (row.matter.journey, row.matter.enrollment_id) == ("Yoga Urban Om", blocked.pk)
    assert row.matter.since == hours_ago(2)


def test_stuck_says_for_how_long_and_what_the_limit_was(organization: Organization) -> None:
    a_journey(organization)
    a_stale_rule(organization)
    someone(organization, PAYMENT, 74)

    [row] = attention(limits()).people

    assert row.matter.state.value == "stuck"
    assert row.matter.overdue_by == timedelta(hours=26)
    assert row.matter.since == hours_ago(74)
    assert row.matter.reason == "More than 48 h in “Awaiting payment”"
    assert row.matter.what_label == "Get in touch with the patient"


def test_task_without_a_journey_is_about_the_person(
    organization: Organization, patient: Patient
) -> None:
    task = a_task(patient, None, "No address")

    [row] = attention(limits()).people

    assert (row.matter.state.value, row.matter.what) == ("needs_person", "do_task")
    assert (row.matter.journey, row.matter.enrollment_id) == ("", None)
    assert (row.matter.reason, row.matter.task_id) == ("No address", task.pk)


def test_task_of_a_journey_is_one_matter_with_it(organization: Organization) -> None:
    a_journey(organization)
    a_stale_rule(organization)
    stuck = someone(organization, PAYMENT, 74)
    task = a_task(stuck.patient, stuck, "Call about the payment")

    [row] = attention(limits()).people

    assert row.others == 0
    assert (row.matter.state.value, row.matter.what) == ("stuck", "do_task")
    assert (row.matter.reason, row.matter.task_id) == ("Call about the payment", task.pk)


def test_task_of_a_closed_journey_is_not_lost(organization: Organization) -> None:
    a_journey(organization, name="Intake")
    closed = someone(organization, "COMPLETED", 5)
    a_task(closed.patient, closed, "Tell them")

    told = attention(limits())

    [row] = told.people
    assert (row.matter.journey, row.matter.reason) == ("Intake", "Tell them")
    assert counts(limits())[QuickView.NEEDS_DECISION] == told.total == 1


def test_reminders_still_to_come_ask_for_nobody(organization: Organization) -> None:
    a_journey(organization)
    a_stale_rule(organization, repeat_hours="24", max_repeats=3)
    someone(organization, PAYMENT, 60)

    assert attention(limits()).people == ()
    assert counts(limits())[QuickView.STUCK] == 1


def test_at_most_so_many_are_shown_and_all_are_counted(organization: Organization) -> None:
    a_journey(organization)
    oldest = [someone(organization, BLOCK, 90 - number).patient_id for number in range(8)]

    told = attention(limits(), most=6)

    assert [row.patient_id for row in told.people] == oldest[:6]
    assert told.total == 8


def test_nobody_of_another_practice_is_seen_or_counted(
    organization: Organization, other_organization: Organization
) -> None:
    a_journey(organization)
    with tenancy.scope(other_organization):
        a_random_practice(other_organization, a_user(other_organization), 7, 10)

    assert attention(limits()).total == 0
    assert set(counts(limits()).values()) == {0}
    told = summary_of(limits())
    assert (told.numbers.active, told.recent) == (0, ())
    assert [one.journey_key for one in told.by_journey] == ["intake"]


def test_summary_has_every_stage_in_its_order_and_the_last_moves_first(
    organization: Organization, patient: Patient
) -> None:
    a_journey(organization)
    a_stale_rule(organization)
    put(patient, SCREENING, hours_ago(99))
    put(patient, PAYMENT, hours_ago(98))

    told = summary_of(limits())

    [journey] = told.by_journey
    assert [stage.code for stage in journey.stages] == STAGES
    assert journey.stages[1].numbers.active == journey.stages[1].numbers.overdue == 1
    assert [move.move.to_stage for move in told.recent] == [PAYMENT, SCREENING]
    assert told.recent[0].patient == patient.full_name
    assert told.recent[0].move.from_label == "Screening pending"


def test_an_inactive_journey_is_shown_while_somebody_is_in_it(organization) -> None:
    for key in ("old", "gone"):
        template = a_journey(organization, key)
        template.is_active = key == "old"
        template.save()
    someone(organization, SCREENING, 1, "old")
    organization.journey_templates.update(is_active=False)

    assert [one.journey_key for one in summary_of(limits()).by_journey] == ["old"]


def test_queries_do_not_grow_with_the_people(
    organization: Organization, therapist: User, django_assert_max_num_queries
) -> None:
    a_journey(organization)
    a_journey(organization, "yoga")
    a_stale_rule(organization)

    def add(number: int) -> None:
        for _ in range(number):
            stuck = someone(organization, PAYMENT, 60)
            a_task(stuck.patient, stuck, assigned_to=therapist)
            a_task(PatientFactory(organization=organization), None)
            someone(organization, BLOCK, 3, "yoga")

    def read() -> int:
        with django_assert_max_num_queries(25) as counted:
            now = limits()
            attention(now, most=1000)
            summary_of(now)
            counts(now)
        return len(counted)

    add(1)
    few = read()
    add(12)

    assert read() == few


def test_counts_are_one_query(organization: Organization, django_assert_num_queries) -> None:
    now = limits()

    with django_assert_num_queries(1):
        counts(now)
