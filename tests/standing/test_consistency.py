"""Counts, lists, filters and views say the same, and what a plain reading of the rules says."""

from __future__ import annotations

import pytest

from automation.models import AutomationRule, StaffTask
from journeys.models import Enrollment
from kura import tenancy
from kura.accounts.models import Organization, User
from kura.standing.attention import attention
from kura.standing.facts import facts_at, facts_of
from kura.standing.journey import journey_views
from kura.standing.limits import limit_of
from kura.standing.people import QuickView, counts, in_view, people
from kura.standing.summary import summary_of
from kura.standing.worklist import Asked, Which, worklist
from patients.models import Patient
from tests.factories import OrganizationFactory, a_user
from tests.sizes import sized
from tests.standing.practice import CLOSED, NOW, ON_HOLD, a_random_practice, limits

SEEDS = range(sized(reduced=2, full=100))
SIZE = 20


class Reading:
    """The rules read one by one, in Python: slow and plain."""

    def __init__(self) -> None:
        self.rules = list(AutomationRule.objects.filter(is_active=True))
        self.tasks = list(StaffTask.objects.filter(done_at=None))
        self.enrollments = list(Enrollment.objects.all())

    def limits(self, one: Enrollment):
        return [
            limit_of(rule.max_hours, rule.repeat_hours, rule.max_repeats)
            for rule in self.rules
            if (rule.journey_key, rule.stage) == (one.journey_key, one.stage)
        ]

    def is_open(self, one: Enrollment) -> bool:
        return one.stage not in CLOSED

    def is_blocked(self, one: Enrollment) -> bool:
        return one.stage in ON_HOLD

    def due_at(self, one: Enrollment):
        ends = [one.entered_at + limit.allowed for limit in self.limits(one)]
        return min(ends) if ends and self.is_open(one) else None

    def is_overdue(self, one: Enrollment) -> bool:
        due = self.due_at(one)
        return due is not None and due <= NOW and not self.is_blocked(one)

    def is_exhausted(self, one: Enrollment) -> bool:
        return self.is_overdue(one) and all(
            one.entered_at + limit.last <= NOW for limit in self.limits(one)
        )

    def needs_action(self, one: Enrollment) -> bool:
        asked = any(task.enrollment_id == one.pk for task in self.tasks)
        return self.is_blocked(one) or self.is_exhausted(one) or asked

    def of(self, patient: Patient) -> list[Enrollment]:
        return [one for one in self.enrollments if one.patient_id == patient.pk]

    def views_of(self, patient: Patient) -> set[QuickView]:
        theirs = self.of(patient)
        open_ones = [one for one in theirs if self.is_open(one)]
        finished = any(one.stage == "COMPLETED" for one in theirs)
        claims = {
            QuickView.ALL: True,
            QuickView.NO_JOURNEY: not theirs,
            QuickView.ACTIVE: bool(open_ones),
            QuickView.BLOCKED: any(map(self.is_blocked, theirs)),
            QuickView.STUCK: any(map(self.is_overdue, theirs)),
            QuickView.FINISHED: finished and not open_ones,
            QuickView.NEEDS_DECISION: any(task.patient_id == patient.pk for task in self.tasks)
            or any(self.is_blocked(one) or self.is_exhausted(one) for one in open_ones),
        }
        return {view for view, holds in claims.items() if holds}


def sql_says_of_each_enrollment_what_the_rules_say() -> None:
    plain = Reading()

    rows = list(worklist(limits(), Asked(which=Which.EVERY)))

    assert {row.pk for row in rows} == {one.pk for one in plain.enrollments}
    for row in rows:
        facts = facts_of(row)
        assert facts.due_at == plain.due_at(row)
        assert facts.is_overdue == plain.is_overdue(row)
        assert facts.needs_action == plain.needs_action(row)


def an_enrollment_at_hand_is_what_sql_says_of_it() -> None:
    now, tasks = limits(), {task.enrollment_id for task in Reading().tasks}

    rows = list(worklist(now, Asked(which=Which.EVERY)))

    assert rows
    for row in rows:
        assert facts_at(row, now, asked=row.pk in tasks) == facts_of(row)


def each_quick_view_holds_who_the_rules_say_and_counts_them() -> None:
    plain, now = Reading(), limits()
    patients = list(Patient.objects.all())

    counted = counts(now)

    for view in QuickView:
        listed = list(in_view(view, now))
        assert {one.pk for one in listed} == {
            one.pk for one in patients if view in plain.views_of(one)
        }
        assert counted[view] == len(listed)


def filters_and_their_opposites_split_the_worklist() -> None:
    now = limits()
    everyone = set(worklist(now).values_list("pk", flat=True))

    for name in ("blocked", "overdue", "action_required"):
        yes = set(worklist(now, Asked(**{name: True})).values_list("pk", flat=True))
        no = set(worklist(now, Asked(**{name: False})).values_list("pk", flat=True))
        assert yes | no == everyone
        assert not yes & no


def summary_adds_up_to_the_worklist() -> None:
    now = limits()

    told = summary_of(now)

    assert told.numbers.active == len(worklist(now))
    assert told.numbers.blocked == len(worklist(now, Asked(blocked=True)))
    assert told.numbers.overdue == len(worklist(now, Asked(overdue=True)))
    assert told.numbers.action_required == len(worklist(now, Asked(action_required=True)))
    for journey in told.by_journey:
        for stage in journey.stages:
            asked = Asked(journey_key=journey.journey_key, stage=stage.code)
            assert stage.numbers.active == len(worklist(now, asked))


def attention_lists_everybody_who_needs_a_decision() -> None:
    now = limits()

    told = attention(now, most=1000)

    needing = [one.pk for one in in_view(QuickView.NEEDS_DECISION, now)]
    assert [row.patient_id for row in told.people] == needing
    assert told.total == len(needing) == counts(now)[QuickView.NEEDS_DECISION]


def views_say_what_the_rows_say() -> None:
    now = limits()
    rows = list(worklist(now, Asked(which=Which.EVERY)))

    for row, view in zip(rows, journey_views(rows, now), strict=True):
        facts = facts_of(row)
        assert view.enrollment_id == row.pk
        assert (view.action_required is not None) == facts.needs_action
        assert view.overdue == facts.is_overdue == (view.overdue_by is not None)
        assert (view.blocked is not None) == (row.stage in ON_HOLD)
        assert (view.next_step is None) == (not row.is_open and not view.tasks)
        here = [step for step in view.stages if step.code == row.stage]
        assert len(here) == 1
        assert len({step.code for step in view.stages}) == len(view.stages)
        assert 0 <= view.progress.done <= view.progress.total


def people_are_in_order_of_priority() -> None:
    rows = list(people(limits()))

    order = [(row.rank, row.waiting_since, row.sort_key, row.pk) for row in rows]
    assert order == sorted(order)
    ranks = {row.pk: row.rank for row in rows}
    for view, highest in ((QuickView.BLOCKED, 0), (QuickView.STUCK, 1)):
        assert all(ranks[row.pk] <= highest for row in in_view(view, limits()))
    assert all(row.rank < 3 for row in in_view(QuickView.NEEDS_DECISION, limits()))


CLAIMS = (
    sql_says_of_each_enrollment_what_the_rules_say,
    an_enrollment_at_hand_is_what_sql_says_of_it,
    each_quick_view_holds_who_the_rules_say_and_counts_them,
    filters_and_their_opposites_split_the_worklist,
    summary_adds_up_to_the_worklist,
    attention_lists_everybody_who_needs_a_decision,
    views_say_what_the_rows_say,
    people_are_in_order_of_priority,
)


@pytest.mark.soak
@pytest.mark.parametrize("seed", SEEDS)
def test_every_claim_holds_in_a_random_practice(
    organization: Organization, therapist: User, seed: int
) -> None:
    """Beside another one with the same keys, whose numbers must never be seen."""
    a_random_practice(organization, therapist, seed, SIZE)
    other = OrganizationFactory()
    with tenancy.scope(other):
        a_random_practice(other, a_user(other), seed + 1000, 10)

    for claim in CLAIMS:
        claim()
