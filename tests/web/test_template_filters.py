"""Template filters for figures."""

from datetime import UTC, datetime

import pytest

from reviewapp.lib import local_time
from reviewapp.web.templatetags.web import format_duration, timestamp


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.9994, "999 ms"), (0.9996, "1.0 s"), (1, "1.0 s"), (9.94, "9.9 s"), (9.96, "10 s")]
)
def test_it_rounds_a_duration_to_one_spelling(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text


def test_it_shows_a_time_in_the_readers_zone_and_in_utc_on_hover() -> None:
    moment = datetime(2026, 3, 1, 23, 30, tzinfo=UTC)
    assert 'title="2026-03-01 23:30:00 UTC">1 Mar 23:30<' in timestamp(moment)
    with local_time.use_zone(local_time.find_zone("Asia/Tokyo")):
        assert 'title="2026-03-01 23:30:00 UTC">2 Mar 08:30<' in timestamp(moment)
