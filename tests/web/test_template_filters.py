"""Figures as pages write them: each length of time in one spelling."""

import pytest

from reviewapp.web.templatetags.web import format_duration


@pytest.mark.parametrize(
    ("seconds", "shown"), [(0.9994, "999 ms"), (0.9996, "1.0 s"), (1, "1.0 s"), (9.94, "9.9 s"), (9.96, "10 s")]
)
def test_a_length_of_time_has_one_spelling(seconds: float, shown: str) -> None:
    assert format_duration(seconds) == shown
