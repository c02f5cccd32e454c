"""The zone in which a person reads times."""

from datetime import UTC, datetime

import pytest

from reviewapp.lib import local_time

MOMENT = datetime(2026, 11, 20, 23, 30, tzinfo=UTC)


def test_it_shows_a_time_in_the_readers_zone() -> None:
    with local_time.use_zone(local_time.find_zone("Asia/Tokyo")):
        assert f"{local_time.to_local(MOMENT):%d %H:%M}" == "21 08:30"
    assert local_time.to_local(MOMENT) == MOMENT


@pytest.mark.parametrize("name", ["", "Mars/Olympus", "../../etc/passwd", "/etc/passwd", "Asia", "a\x00b", "x" * 5_000])
def test_it_falls_back_to_utc(name: str) -> None:
    assert local_time.find_zone(name) is UTC


def test_it_shows_the_last_moment_of_the_calendar_in_utc() -> None:
    with local_time.use_zone(local_time.find_zone("Asia/Tokyo")):
        assert local_time.to_local(datetime.max.replace(tzinfo=UTC)).tzinfo is UTC
