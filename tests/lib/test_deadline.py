"""A wait ends with its own limit or with that of the work around it, whichever comes first."""

import math
import subprocess
import sys

from reviewapp.lib import deadline


def test_it_has_no_limit_by_itself() -> None:
    assert deadline.remaining() == math.inf
    assert deadline.remaining(20) == 20


def test_it_ends_with_the_earliest_of_several_limits() -> None:
    with deadline.limit(5), deadline.limit(100):
        assert 0 < deadline.remaining(20) <= 5
        with deadline.limit(0):
            assert deadline.remaining(20) == 0
        assert 0 < deadline.remaining(20) <= 5
    assert deadline.remaining(20) == 20


def test_it_ends_all_waits_of_a_process_that_exits() -> None:
    code = "from reviewapp.lib import deadline; deadline.end_all_waits(); print(deadline.remaining(20))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "0.0\n"
