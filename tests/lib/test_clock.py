from datetime import UTC, datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st

from reviewapp.lib import clock

# Years that have four digits in every time zone.
MOMENTS = st.datetimes(datetime(1900, 1, 1), datetime(9000, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


def test_it_returns_the_time_in_utc() -> None:
    assert clock.now().utcoffset() == timedelta(0)
    assert abs(clock.now() - datetime.now(UTC)) < timedelta(seconds=5)


def test_it_formats_a_moment_in_utc() -> None:
    paris = datetime(2026, 11, 22, 11, 12, tzinfo=timezone(timedelta(hours=1)))

    assert clock.iso(paris) == "2026-11-22T10:12:00.000000Z"


@given(MOMENTS)
def test_it_formats_text_that_parses_back(moment: datetime) -> None:
    assert datetime.fromisoformat(clock.iso(moment)) == moment


@given(MOMENTS, MOMENTS)
def test_it_formats_text_that_sorts_by_time(first: datetime, second: datetime) -> None:
    assert (clock.iso(first) < clock.iso(second)) == (first < second)
