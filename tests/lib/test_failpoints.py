"""Failpoints: parsing, and what a process does at one."""

import os
import signal
import subprocess
import sys

import pytest

from reviewapp.lib import failpoints
from reviewapp.lib.failpoints import Failpoint, FailpointError
from tests.tracestore_server import ROOT

SCRIPT = """
from reviewapp.lib import failpoints
for number in range(3):
    failpoints.hit("save")
    print(number, flush=True)
"""


def run_process(points: str | None) -> tuple[str, int]:
    """The output and exit code of a process that hits a failpoint three times."""
    environment = {name: value for name, value in os.environ.items() if name != "FAILPOINTS"}
    if points is not None:
        environment["FAILPOINTS"] = points
    process = subprocess.run(
        [sys.executable, "-c", SCRIPT], env=environment, cwd=ROOT, capture_output=True, text=True, check=False
    )
    return "".join(process.stdout.split()), process.returncode


@pytest.mark.parametrize(
    ("points", "output", "code"),
    [
        (None, "012", 0),
        ("other=kill", "012", 0),
        ("save=kill", "", -signal.SIGKILL),
        ("other=error;save=kill@3", "01", -signal.SIGKILL),
        ("save=error@2", "0", 1),
        ("save=sleep:0.01", "012", 0),
    ],
)
def test_it_runs_the_configured_action(points: str | None, output: str, code: int) -> None:
    assert run_process(points) == (output, code)


def test_it_does_nothing_by_default() -> None:
    assert failpoints.ACTIVE == {}


def test_it_triggers_with_a_chance() -> None:
    point = Failpoint("error", chance=0.5)
    failure_count = 0
    for _ in range(200):
        try:
            point.trigger()
        except FailpointError:
            failure_count += 1
    assert 0 < failure_count < 200


def test_it_freezes_until_continued() -> None:
    environment = os.environ | {"FAILPOINTS": "save=freeze@2"}
    with subprocess.Popen([sys.executable, "-c", SCRIPT], env=environment, cwd=ROOT, stdout=subprocess.PIPE) as process:
        os.waitid(os.P_PID, process.pid, os.WSTOPPED)
        process.send_signal(signal.SIGCONT)
        assert process.wait(60) == 0


@pytest.mark.parametrize("text", ["save", "save=burn", "save=kill@", "save=sleep:", "save=kill@p", "=kill"])
def test_it_refuses_malformed_text(text: str) -> None:
    with pytest.raises(ValueError, match="is not a failpoint"):
        failpoints.parse(text)
