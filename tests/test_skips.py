"""A skipped test is listed with its reason, and fails the run where CI is set."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.tracestore_server import ROOT

SKIPPED = "import pytest\ndef test_one(): pytest.skip('No browser.')\ndef test_two(): pass\n"


@pytest.mark.parametrize(("ci", "code"), [("", 0), ("true", 1)])
@pytest.mark.parametrize("processes", ["0", "1"])
def test_it_refuses_a_skip_where_ci_is_set(ci: str, code: int, processes: str, tmp_path: Path) -> None:
    file = tmp_path / "test_skipped.py"
    file.write_text(SKIPPED)
    plugins = ["-p", "tests.skips", "-p", "no:django", "-p", "no:cacheprovider", f"-n{processes}"]
    command = [sys.executable, "-m", "pytest", "-c", os.devnull, f"--rootdir={tmp_path}", *plugins, str(file)]
    process = subprocess.run(
        command, cwd=ROOT, env=os.environ | {"CI": ci}, capture_output=True, text=True, check=False
    )
    assert process.returncode == code, process.stdout
    assert "No browser." in process.stdout
    assert ("no test may be skipped: 1 skipped" in process.stdout) == bool(ci)
