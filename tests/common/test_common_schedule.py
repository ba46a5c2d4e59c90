from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sedna.common.errors import SpecError
from sedna.common.schedule import last_fire, next_fire, validate_cron, zone


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)


@pytest.mark.parametrize(
    ("expression", "tz", "after", "expected"),
    [
        ("0 2 * * *", "UTC", utc(2026, 1, 1), utc(2026, 1, 1, 2)),
        ("0 2 * * *", "UTC", utc(2026, 1, 1, 2), utc(2026, 1, 2, 2)),
        ("*/15 * * * *", "UTC", utc(2026, 1, 1, 0, 1), utc(2026, 1, 1, 0, 15)),
        ("0 2 * * *", "Asia/Kolkata", utc(2026, 1, 1), utc(2026, 1, 1, 20, 30)),
        ("30 9 * * MON-FRI", "Europe/Berlin", utc(2026, 7, 3, 12), utc(2026, 7, 6, 7, 30)),
        ("0 0 29 2 *", "UTC", utc(2026, 1, 1), utc(2028, 2, 29)),
        ("0 0 L * *", "UTC", utc(2026, 2, 1), utc(2026, 2, 28)),
    ],
)
def test_next_fire(expression, tz, after, expected):
    assert next_fire(expression, tz, after) == expected


def test_a_time_that_spring_skips_fires_right_after_the_gap():
    # Berlin goes from 02:00 to 03:00 on 29 March 2026, which is 01:00 UTC.
    assert next_fire("30 2 * * *", "Europe/Berlin", utc(2026, 3, 28, 12)) == utc(2026, 3, 29, 1)
    assert last_fire("30 2 * * *", "Europe/Berlin", utc(2026, 3, 29, 12)) == utc(2026, 3, 29, 1)


def test_a_time_that_autumn_repeats_fires_once():
    # Berlin reads 02:30 twice on 25 October 2026: at 00:30 UTC and at 01:30 UTC.
    first = next_fire("30 2 * * *", "Europe/Berlin", utc(2026, 10, 24, 12))
    assert first == utc(2026, 10, 25, 0, 30)
    assert next_fire("30 2 * * *", "Europe/Berlin", first) == utc(2026, 10, 26, 1, 30)
    assert last_fire("30 2 * * *", "Europe/Berlin", utc(2026, 10, 25, 1, 10)) == first


EXPRESSIONS = ["0 2 * * *", "30 2 * * 0", "*/7 * * * *", "59 1-3 * * *", "15 */2 * * *", "0 0 1 * *"]
ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"]


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(EXPRESSIONS),
    st.sampled_from(ZONES),
    st.one_of(
        st.datetimes(datetime(2025, 1, 1), datetime(2027, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
        st.builds(  # near the clock changes of these zones
            lambda start, minutes: start + timedelta(minutes=minutes),
            st.sampled_from([utc(2026, 3, 7, 12), utc(2026, 3, 28, 12), utc(2026, 10, 24, 12), utc(2026, 10, 31, 12)]),
            st.integers(0, 48 * 60),
        ),
    ),
)
def test_next_and_last_agree(expression, tz, moment):
    following = next_fire(expression, tz, moment)
    assert following > moment
    assert last_fire(expression, tz, following + timedelta(seconds=1)) == following
    previous = last_fire(expression, tz, moment)
    assert previous < moment
    assert next_fire(expression, tz, previous) >= moment
    local = following.astimezone(ZoneInfo(tz))
    assert local.second == 0


@pytest.mark.parametrize(
    "expression", ["", "* * *", "61 * * * *", "0 25 * * *", "0 0 31 2 *", "a b c d e", "0 0 30 2 *"]
)
def test_wrong_expressions_say_where_and_what_would_be_right(expression):
    with pytest.raises(SpecError) as caught:
        validate_cron(expression, where="trainSpec.trigger.timer.cron")
    assert str(caught.value).startswith("trainSpec.trigger.timer.cron: ")
    assert "minute hour day-of-month month day-of-week" in str(caught.value)


@pytest.mark.parametrize("name", ["Mars/Olympus", "", "../etc/passwd", "/etc/localtime", "Europe"])
def test_unknown_zone(name):
    with pytest.raises(SpecError, match="IANA name"):
        zone(name)


def test_naive_times_are_refused():
    with pytest.raises(ValueError, match="naive"):
        next_fire("0 2 * * *", "UTC", datetime(2026, 1, 1))  # noqa: DTZ001
