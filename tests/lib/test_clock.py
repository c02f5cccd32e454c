from datetime import UTC, datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st

from reviewapp.lib import clock

# Years of four digits, so that no time zone leads out of them.
MOMENTS = st.datetimes(datetime(1900, 1, 1), datetime(9000, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


def test_it_knows_the_time_in_utc() -> None:
    assert clock.now().utcoffset() == timedelta(0)
    assert abs(clock.now() - datetime.now(UTC)) < timedelta(seconds=5)


def test_it_writes_a_moment_in_utc() -> None:
    paris = datetime(2026, 11, 22, 11, 12, tzinfo=timezone(timedelta(hours=1)))

    assert clock.iso(paris) == "2026-11-22T10:12:00.000000Z"


@given(MOMENTS)
def test_it_writes_what_reads_back(moment: datetime) -> None:
    assert datetime.fromisoformat(clock.iso(moment)) == moment


@given(MOMENTS, MOMENTS)
def test_its_texts_sort_as_the_moments_do(one: datetime, other: datetime) -> None:
    assert (clock.iso(one) < clock.iso(other)) == (one < other)
