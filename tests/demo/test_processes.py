"""The demo's processes end with it, however it ends."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.faults.processes import wait_until
from tests.tracestore_server import ROOT

START = """
import os, pathlib, time
from reviewapp.demo.processes import ProcessGroup
group = ProcessGroup(os.environ, pathlib.Path.cwd())
group.start("child", ["-c", "import time; time.sleep(60)"])
print(group.children["child"].pid, flush=True)
time.sleep(60)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="Only Linux tells a process that its parent has ended.")
def test_its_processes_end_when_it_is_killed() -> None:
    with subprocess.Popen([sys.executable, "-c", START], cwd=ROOT, stdout=subprocess.PIPE, text=True) as demo:
        assert demo.stdout is not None
        pid = int(demo.stdout.readline())
        assert is_running(pid)
        demo.kill()
    wait_until(lambda: not is_running(pid))


def is_running(pid: int) -> bool:
    """Whether the process exists and has not ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
