"""What the list of enrollments holds, in which order, and through which index."""

from __future__ import annotations

import pytest
from django.db import connection

from journeys.models import Enrollment
from kura import tenancy
from kura.accounts.models import Organization
from kura.standing.people import who_have
from kura.standing.worklist import ORDERINGS, Asked, Which, worklist
from kura.tenancy import TenantScopeMissing
from patients.models import Patient
from tests.standing.practice import (
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


def keys(asked: Asked, **fields: str) -> list[Enrollment]:
    return list(worklist(limits(), asked, **fields))


def test_priority_is_oldest_block_then_longest_stuck_then_tasks_then_the_rest(
    organization: Organization,
) -> None:
    a_journey(organization)
    a_stale_rule(organization)
    rest = someone(organization, SCREENING, 500)
    asked = someone(organization, SCREENING, 1)
    a_task(asked.patient, asked)
    stuck, longer = someone(organization, PAYMENT, 60), someone(organization, PAYMENT, 80)
    block, older = someone(organization, BLOCK, 1), someone(organization, BLOCK, 5)

    assert keys(Asked()) == [older, block, longer, stuck, asked, rest]


def test_closed_ones_come_when_they_are_asked_for(
    organization: Organization, patient: Patient
) -> None:
    a_journey(organization)
    first = put(patient, "COMPLETED", hours_ago(9))
    second = put(patient, "CANCELLED", hours_ago(8))
    third = put(patient, SCREENING, hours_ago(7))
    done = someone(organization, "COMPLETED", 3)

    assert keys(Asked()) == [third]
    assert set(keys(Asked(which=Which.NEWEST))) == {third, done}
    assert set(keys(Asked(which=Which.EVERY))) == {first, second, third, done}
    assert keys(Asked(status="finished")) == [done]


def test_filters_speak_of_one_enrollment_together(
    organization: Organization, patient: Patient
) -> None:
    a_journey(organization)
    a_journey(organization, "yoga")
    put(patient, BLOCK, hours_ago(9))
    put(patient, SCREENING, hours_ago(9), "yoga")

    def found(**asked) -> list[Patient]:
        return list(Patient.objects.filter(who_have(Asked(**asked), limits())))

    assert found(journey_key="intake", blocked=True) == [patient]
    assert found(journey_key="yoga", blocked=True) == []
    assert found(journey_key="yoga", stage=SCREENING, blocked=False) == [patient]
    assert found(action_required=True) == [patient]
    assert found(action_required=False) == []
    assert found() == [patient]


@pytest.mark.parametrize("ordering", ORDERINGS)
def test_every_order_is_total_and_without_nulls(organization: Organization, ordering: str) -> None:
    a_journey(organization)
    a_stale_rule(organization)
    for _ in range(3):
        someone(organization, PAYMENT, 60)
        someone(organization, SCREENING, 60)

    names = [name.removeprefix("-") for name in ORDERINGS[ordering]]
    rows = list(worklist(limits(), ordering=ordering).values_list(*names))

    assert names[-1] == "id"
    assert rows == sorted(rows, reverse=ordering.startswith("-"))
    assert all(None not in row for row in rows)


def test_an_order_that_nobody_listed_is_refused(organization: Organization) -> None:
    with pytest.raises(KeyError):
        worklist(limits(), ordering="patient__email")


def test_overdue_ones_are_found_through_the_index(organization: Organization) -> None:
    a_journey(organization)
    a_stale_rule(organization)
    someone(organization, PAYMENT, 60)
    for _ in range(40):
        someone(organization, PAYMENT, 1)

    with connection.cursor() as cursor:
        cursor.execute("ANALYZE journey_enrollments")
        cursor.execute("SET LOCAL enable_seqscan = off")
    plan = worklist(limits(), Asked(overdue=True)).explain()

    assert "ix_enrollments_stage_entered" in plan


def test_a_practice_sees_its_own_alone_and_nobody_sees_without_a_scope(
    organization: Organization, other_organization: Organization
) -> None:
    a_journey(organization)
    ours = someone(organization, PAYMENT, 60)
    with tenancy.scope(other_organization):
        a_journey(other_organization)
        a_stale_rule(other_organization, max_hours="1")
        someone(other_organization, PAYMENT, 60)
    now = limits()

    assert keys(Asked(which=Which.EVERY)) == [ours]
    assert keys(Asked(overdue=True)) == []
    with pytest.raises(TenantScopeMissing):
        _without_scope(lambda: list(worklist(now)))


def _without_scope(act) -> None:
    token = tenancy._current.set(None)
    try:
        act()
    finally:
        tenancy._current.reset(token)
