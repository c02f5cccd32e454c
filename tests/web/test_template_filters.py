"""Template filters for figures."""

import pytest

from reviewapp.web.templatetags.web import format_duration


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.9994, "999 ms"), (0.9996, "1.0 s"), (1, "1.0 s"), (9.94, "9.9 s"), (9.96, "10 s")]
)
def test_it_rounds_a_duration_to_one_spelling(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text
