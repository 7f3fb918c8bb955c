"""Whatever the instant, the place and the window: never inside it, and not a minute too late."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from kura.accounts.quiet_hours import MINUTE, NIGHT, QuietHours, quiet_hours_of
from kura.accounts.timezones import clock

ZONES = ["Europe/Madrid", "America/New_York", "Asia/Kolkata", "Pacific/Apia", "UTC",
         "Australia/Lord_Howe", "Africa/Casablanca", "America/St_Johns"]  # fmt: skip
UNTIL_HALF_PAST_TWO = QuietHours(time(21), time(2, 30))
minutes = st.builds(time, st.integers(0, 23), st.integers(0, 59))


@st.composite
def windows(draw):
    begins, ends = draw(minutes), draw(minutes)
    assume(begins != ends)
    return QuietHours(begins, ends)


START, YEARS = datetime(2005, 1, 1, tzinfo=UTC), timedelta(days=55 * 365)
moments = st.timedeltas(timedelta(0), YEARS).map(lambda passed: START + passed)
madrid_changes = st.builds(
    lambda day, passed: day + passed,
    st.sampled_from(
        [datetime(2026, 3, 28, 12, tzinfo=UTC), datetime(2026, 10, 24, 12, tzinfo=UTC)]
    ),
    st.timedeltas(timedelta(0), timedelta(hours=36)),
)


def is_quiet(hours: QuietHours, wall: time) -> bool:
    """By counting minutes from the beginning, round the clock."""
    day = 24 * 60
    since = (wall.hour * 60 + wall.minute - hours.begins.hour * 60 - hours.begins.minute) % day
    length = (
        hours.ends.hour * 60 + hours.ends.minute - hours.begins.hour * 60 - hours.begins.minute
    ) % day
    return since < length


@given(now=st.one_of(moments, madrid_changes), name=st.sampled_from(ZONES), hours=windows())
@example(now=datetime(2011, 12, 30, 5, tzinfo=UTC), name="Pacific/Apia", hours=NIGHT)
def test_the_answer_is_the_first_minute_outside(now, name, hours):
    zone = ZoneInfo(name)

    over = hours.over_at(now, zone)

    assert not is_quiet(hours, over.astimezone(zone).time())
    assert over >= now
    if over == now:
        return
    assert (over.second, over.microsecond) == (0, 0)
    waited = now
    while waited < over:
        assert is_quiet(hours, waited.astimezone(zone).time())
        waited += MINUTE
    assert is_quiet(hours, (over - timedelta(microseconds=1)).astimezone(zone).time())


@given(now=moments, name=st.sampled_from(ZONES), hours=windows())
def test_asked_again_at_its_end_it_is_over(now, name, hours):
    over = hours.over_at(now, ZoneInfo(name))

    assert hours.over_at(over, ZoneInfo(name)) == over


@pytest.mark.parametrize(
    ("name", "hours", "now", "over"),
    [
        ("Europe/Madrid", NIGHT, "2026-03-28 20:30", "2026-03-29 06:00"),  # an hour less of night
        ("Europe/Madrid", NIGHT, "2026-10-24 21:00", "2026-10-25 07:00"),  # an hour more
        ("America/New_York", NIGHT, "2026-03-08 04:00", "2026-03-08 12:00"),
        ("Asia/Kolkata", NIGHT, "2026-07-01 16:00", "2026-07-02 02:30"),
        ("Pacific/Apia", NIGHT, "2026-07-01 08:30", "2026-07-01 19:00"),
        # 02:30 does not exist that night: three o'clock comes first
        ("Europe/Madrid", UNTIL_HALF_PAST_TWO, "2026-03-29 00:59", "2026-03-29 01:00"),
        # 02:30 comes twice: the first one is outside, and then it is quiet again from 02:00
        ("Europe/Madrid", UNTIL_HALF_PAST_TWO, "2026-10-24 23:00", "2026-10-25 00:30"),
        ("Europe/Madrid", UNTIL_HALF_PAST_TWO, "2026-10-25 01:10", "2026-10-25 01:30"),
        ("Europe/Madrid", QuietHours(time(14), time(16)), "2026-07-01 12:30", "2026-07-01 14:00"),
        ("Europe/Madrid", QuietHours(time(14), time(16)), "2026-07-01 02:00", "2026-07-01 02:00"),
    ],
)  # fmt: skip
def test_nights_with_a_change_of_the_clock(name, hours, now, over):
    at = datetime.fromisoformat(now).replace(tzinfo=UTC)

    assert hours.over_at(at, ZoneInfo(name)) == datetime.fromisoformat(over).replace(tzinfo=UTC)


@given(st.one_of(minutes, st.none()))
def test_a_window_without_length_is_refused(moment):
    with pytest.raises(ValueError, match="quiet hours"):
        QuietHours(moment or time(8), moment or time(8))


json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.just("21:00"),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["from", "until"]), inner),
)


@given(json)
def test_whatever_the_settings_hold_is_read_as_hours_the_night_or_off(said):
    read = quiet_hours_of({"quiet_hours": said})

    assert (read is None) == (said is None)


@given(json)
def test_settings_that_say_nothing_mean_the_night(settings):
    assume(not isinstance(settings, dict) or "quiet_hours" not in settings)

    assert quiet_hours_of(settings) == NIGHT


@given(windows())
def test_what_is_written_is_read_again(hours):
    assert quiet_hours_of({"quiet_hours": hours.as_json()}) == hours


@pytest.mark.parametrize("odd", ["", "Europe", "../etc/passwd", "Mars/Base", "\x00", "x" * 300])
def test_a_name_that_is_no_time_zone_gives_way_to_the_next(odd):
    assert str(clock(odd, "Asia/Kolkata")) == "Asia/Kolkata"
    assert clock(odd) == UTC
