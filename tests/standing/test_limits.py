"""How long a stage may last, and when nothing more comes."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from kura import tenancy
from kura.accounts.models import Organization
from kura.standing.limits import LONGEST, limit_of, limits_at
from tests.standing.practice import NOW, a_journey, a_stale_rule, limits


@pytest.mark.parametrize(
    ("rule", "allowed", "last"),
    [
        (("48", None, None), 48, 48),
        (("48", "24", 1), 48, 48),
        (("48", "24", 3), 48, 96),
        (("48", "24", None), 48, 48),  # without end: its first occurrence counts
        (("0.5", "0.25", 2), 0.5, 0.75),
    ],
)
def test_limit_and_last_occurrence_of_a_rule(rule, allowed: float, last: float) -> None:
    max_hours, repeat_hours, max_repeats = rule

    limit = limit_of(Decimal(max_hours), repeat_hours and Decimal(repeat_hours), max_repeats)

    assert limit.allowed == timedelta(hours=allowed)
    assert limit.last == timedelta(hours=last)


def test_the_smallest_limit_counts_and_the_latest_last_occurrence(
    organization: Organization,
) -> None:
    template = a_journey(organization)
    a_stale_rule(organization, max_hours="72")
    a_stale_rule(organization, max_hours="48", repeat_hours="24", max_repeats=4)

    limit = limits().by_place[template.pk, "AWAITING_PAYMENT"]

    assert limit.allowed == timedelta(hours=48)
    assert limit.last == timedelta(hours=120)


@pytest.mark.parametrize(
    "fields",
    [
        {"is_active": False},
        {"archived_at": NOW},
        {"key": "no_such_journey"},
    ],
)
def test_rules_that_do_not_run_set_no_limit(organization: Organization, fields) -> None:
    a_journey(organization)
    a_stale_rule(organization, **fields)

    assert limits().by_place == {}


def test_two_practices_with_the_same_keys_keep_their_own_limits(
    organization: Organization, other_organization: Organization
) -> None:
    ours, theirs = a_journey(organization), a_journey(other_organization)
    a_stale_rule(organization, max_hours="48")
    a_stale_rule(other_organization, max_hours="2")

    assert limits().of(ours.pk, "AWAITING_PAYMENT") == timedelta(hours=48)
    assert limits().of(theirs.pk, "AWAITING_PAYMENT") is None
    with tenancy.every_organization():
        assert limits().of(theirs.pk, "AWAITING_PAYMENT") == timedelta(hours=2)


def test_a_rule_of_a_thousand_years_is_no_error(organization: Organization) -> None:
    template = a_journey(organization)
    a_stale_rule(organization, max_hours="999999", repeat_hours="999999", max_repeats=1000)

    assert limits().by_place[template.pk, "AWAITING_PAYMENT"].last == LONGEST


def test_limits_are_one_query(organization: Organization, django_assert_num_queries) -> None:
    a_journey(organization)
    for _ in range(5):
        a_stale_rule(organization)

    with django_assert_num_queries(1):
        limits_at(NOW)
