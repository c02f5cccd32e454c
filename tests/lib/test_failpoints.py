"""Failpoints: what a text of them means, and what a process does at one."""

import os
import signal
import subprocess
import sys

import pytest

from reviewapp.lib import failpoints
from reviewapp.lib.failpoints import Failpoint, FailpointError
from tests.tracestore_server import ROOT

PASS = """
from reviewapp.lib import failpoints
for number in range(3):
    failpoints.hit("save")
    print(number, flush=True)
"""


def passing(points: str | None) -> tuple[str, int]:
    """What a process prints that passes a place three times, and how it ends."""
    environment = {name: value for name, value in os.environ.items() if name != "FAILPOINTS"}
    if points is not None:
        environment["FAILPOINTS"] = points
    done = subprocess.run(
        [sys.executable, "-c", PASS], env=environment, cwd=ROOT, capture_output=True, text=True, check=False
    )
    return "".join(done.stdout.split()), done.returncode


@pytest.mark.parametrize(
    ("points", "printed", "code"),
    [
        (None, "012", 0),
        ("other=kill", "012", 0),
        ("save=kill", "", -signal.SIGKILL),
        ("other=error;save=kill@3", "01", -signal.SIGKILL),
        ("save=error@2", "0", 1),
        ("save=sleep:0.01", "012", 0),
    ],
)
def test_it_does_what_is_set_as_the_process_starts(points: str | None, printed: str, code: int) -> None:
    assert passing(points) == (printed, code)


def test_it_does_nothing_unless_it_is_set() -> None:
    assert failpoints.ACTIVE == {}


def test_it_happens_with_a_chance() -> None:
    point = Failpoint("error", chance=0.5)
    failed = 0
    for _ in range(200):
        try:
            point.pass_by()
        except FailpointError:
            failed += 1
    assert 0 < failed < 200


def test_it_freezes_until_it_is_woken() -> None:
    environment = os.environ | {"FAILPOINTS": "save=freeze@2"}
    with subprocess.Popen([sys.executable, "-c", PASS], env=environment, cwd=ROOT, stdout=subprocess.PIPE) as process:
        os.waitid(os.P_PID, process.pid, os.WSTOPPED)
        process.send_signal(signal.SIGCONT)
        assert process.wait(10) == 0


@pytest.mark.parametrize("text", ["save", "save=burn", "save=kill@", "save=sleep:", "save=kill@p", "=kill"])
def test_it_refuses_a_text_that_is_none(text: str) -> None:
    with pytest.raises(ValueError, match="is no failpoint"):
        failpoints.parse(text)
