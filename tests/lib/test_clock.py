import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise

import pytest
import time_machine
from django.db import DatabaseError, connection, transaction
from django.test.utils import CaptureQueriesContext
from hypothesis import given
from hypothesis import strategies as st

from reviewapp.lib import clock, sql

# Years that have four digits in every time zone.
MOMENTS = st.datetimes(datetime(1900, 1, 1), datetime(9000, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


TWO_HOURS = timedelta(hours=2)


@pytest.fixture
def database_clock(transactional_db: None) -> Iterator[None]:
    clock.follow_database()
    yield
    clock.follow_host()


@pytest.mark.parametrize("jump", [TWO_HOURS, -TWO_HOURS])
def test_it_follows_the_database_when_the_hosts_clock_is_wrong(database_clock: None, jump: timedelta) -> None:
    actual = datetime.now(UTC)
    with time_machine.travel(actual + jump):
        assert abs(clock.now() - actual) < timedelta(seconds=5)
        assert abs(clock.host_offset() - jump.total_seconds()) < 5


def test_it_does_not_notice_that_the_hosts_clock_jumps(database_clock: None) -> None:
    before = clock.now()
    with time_machine.travel(before + TWO_HOURS):
        during = clock.now()
        clock.sync()
    assert abs(during - before) < timedelta(seconds=5)
    assert abs(clock.now() - before) < timedelta(seconds=5)
    assert not clock.has_jumped_within(TWO_HOURS)


def test_it_asks_the_database_every_few_seconds_only(database_clock: None) -> None:
    with CaptureQueriesContext(connection) as queries:
        moments = [clock.now() for _ in range(100)]
    assert len(queries) == 1
    assert moments == sorted(moments)


def test_it_never_goes_back_while_the_database_is_asked(database_clock: None) -> None:
    moments = []
    for _ in range(50):
        moments.append(clock.now())
        clock.sync()
    steps = [later - earlier for earlier, later in pairwise(moments)]
    # SQLite's clock has milliseconds.
    assert min(steps) > timedelta(milliseconds=-2)


@pytest.mark.postgres
def test_it_continues_when_the_database_refuses_to_answer(database_clock: None) -> None:
    before = clock.now()
    with time_machine.travel(before + TWO_HOURS), transaction.atomic():
        with pytest.raises(DatabaseError):
            sql.fetch_rows("SELECT nothing")
        clock.sync()
        assert clock.now() < before + timedelta(seconds=5)
        transaction.set_rollback(True)


def test_it_returns_the_hosts_time_in_an_event_loop_before_the_database_was_asked(database_clock: None) -> None:
    async def get_now() -> datetime:
        return clock.now()

    assert abs(asyncio.run(get_now()) - datetime.now(UTC)) < timedelta(seconds=5)


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
