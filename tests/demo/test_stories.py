"""The stories before they are replayed: pure, the same each time, in order at any hour."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from kura.demo.history import happenings
from kura.demo.practices import PRACTICES

NOON = datetime(2026, 1, 7, 11, 12, tzinfo=UTC)
TEN_MONTHS = timedelta(days=300)

each_practice = pytest.mark.parametrize("practice", PRACTICES, ids=lambda one: one.slug)

# Every hour of a winter day, and the nights on which the clocks change.
HOURS = [
    *(datetime(2026, 1, 7, hour, 5, tzinfo=UTC) for hour in range(24)),
    *(datetime(2026, 3, 29, hour, 30, tzinfo=UTC) for hour in range(4)),
    *(datetime(2026, 10, 25, hour, 30, tzinfo=UTC) for hour in range(4)),
    *(datetime(2026, 10, 28, hour, 30, tzinfo=UTC) for hour in range(4)),
]


@each_practice
@pytest.mark.parametrize("now", HOURS, ids=lambda now: now.strftime("%m-%dT%H"))
def test_steps_of_a_patient_stay_in_order_and_out_of_the_future(practice, now):
    told = happenings(practice, now)
    times = defaultdict(list)
    for one in sorted(told, key=lambda one: one.name):
        times[one.external_id, one.journey.key].append(one.at)

    assert max(one.at for one in told) <= now
    for own in times.values():
        assert all(earlier < later for earlier, later in pairwise(own))


@each_practice
def test_the_same_moment_gives_the_same_history(practice):
    assert happenings(practice, NOON) == happenings(practice, NOON)


@each_practice
def test_the_history_goes_back_for_months(practice):
    told = happenings(practice, NOON)

    assert timedelta(days=120) < NOON - told[0].at < TEN_MONTHS


@each_practice
def test_recent_times_are_kept_to_the_second_and_older_ones_are_in_opening_hours(practice):
    told = happenings(practice, NOON)

    zone = ZoneInfo(practice.timezone)
    old = [one.at.astimezone(zone) for one in told if NOON - one.at > timedelta(days=4)]
    assert all(8 <= at.hour < 20 for at in old)
    if practice.slug == "clinica-om":
        assert NOON - timedelta(hours=30) in {one.at for one in told}


@each_practice
def test_names_of_happenings_are_unique_because_events_are_stored_once_by_them(practice):
    names = [one.name for one in happenings(practice, NOON)]

    assert len(set(names)) == len(names)


def test_addresses_belong_to_nobody_and_are_different_within_a_practice():
    for practice in PRACTICES:
        addresses = [person.address for person in practice.people if person.address]

        assert all(address.endswith("@example.org") for address in addresses)
        assert len(set(addresses)) == len(addresses)
        assert len(addresses) < len(practice.people)
