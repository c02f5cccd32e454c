"""The steps of the image, in a bare Debian."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.environment import ROOT
from benchmarks.wheel import build_wheel

MAX_BYTES = 350_000_000


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("debootstrap") is None, reason="debootstrap not found: no bare Debian to install in.")
@pytest.mark.skipif(os.geteuid() != 0, reason="Only root can enter another root folder.")
def test_it_installs_in_a_bare_debian(tmp_path: Path) -> None:
    root = tmp_path / "root"
    subprocess.run(["debootstrap", "--variant=minbase", "--include=python3,python3-venv", "bookworm", root], check=True)
    wheel = build_wheel()
    (root / "build").mkdir()
    for file in (wheel, ROOT / "constraints.txt", ROOT / "docs/deploy/build-image.sh"):
        shutil.copy(file, root / "build")
    # Packages come from outside: the bare system knows neither an index nor a proxy.
    constraints = ["--constraint", str(ROOT / "constraints.txt")]
    download = [sys.executable, "-m", "pip", "download", "--quiet", "--dest", str(root / "build"), *constraints]
    subprocess.run([*download, str(wheel)], check=True)
    steps = [
        "env",
        "PIP_NO_INDEX=1",
        "PIP_FIND_LINKS=/build",
        "sh",
        "/build/build-image.sh",
        f"/build/{wheel.name}",
        "/build/constraints.txt",
    ]
    subprocess.run(["chroot", str(root), *steps], check=True)
    command = [
        "chroot",
        "--userspec=10001:10001",
        str(root),
        "/opt/review-desk/bin/review-desk",
        "migrate",
        "--verbosity=0",
    ]
    subprocess.run(command, check=True, env={"DATA_DIR": "/var/lib/review-desk", "PATH": os.environ["PATH"]})
    assert (root / "var/lib/review-desk/reviewapp.sqlite3").stat().st_uid == 10001
    # What an image does not have: the downloads of this test and of debootstrap.
    for name in ("build", "var/cache/apt", "var/lib/apt"):
        shutil.rmtree(root / name)
    files = (path for path in root.rglob("*") if path.is_file() and not path.is_symlink())
    assert sum(path.stat().st_size for path in files) <= MAX_BYTES
