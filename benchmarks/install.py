"""Measure the wheel: the size of its installation, the start of its demo, and the memory of the demo's processes."""

import statistics
import tempfile
from pathlib import Path

from benchmarks.environment import min_max
from benchmarks.start import RUNS, time_start
from benchmarks.wheel import build_wheel, install_wheel

# Part of every new environment, and not needed to run.
PACKAGE_INSTALLERS = ("pip", "setuptools")


def run(database: str | None) -> dict[str, object]:
    with tempfile.TemporaryDirectory(prefix="review-bench-") as name:
        folder = Path(name)
        wheel = build_wheel()
        command = install_wheel(wheel, folder / "installed")
        (site_packages,) = (folder / "installed" / "lib").glob("python*/site-packages")
        size = sum(_get_size(path) for path in site_packages.iterdir() if not path.name.startswith(PACKAGE_INSTALLERS))
        (folder / "data").mkdir()
        starts = [time_start([str(command), "demo"], str(folder / "data"), database) for _ in range(RUNS + 1)]
    first, *warm = starts
    seconds, memory = [start.seconds for start in warm], [start.pss_mb for start in warm]
    return {
        "name": "install",
        "work": "`pip install` of the wheel into a new environment, then `review-desk demo --json` to its line: once on"
        f" an empty folder, then {RUNS} times on its data; memory of all its processes 3 s later, shared"
        " pages counted once (PSS)",
        "wheel_mb": round(wheel.stat().st_size / 1e6, 2),
        "installed_mb": round(size / 1e6, 1),
        "seconds": round(statistics.median(seconds), 2),
        "seconds_first": round(first.seconds, 2),
        "mb": round(statistics.median(memory), 1),
        "rss_mb": round(statistics.median(start.rss_mb for start in warm), 1),
        "spread": {"seconds": min_max(seconds), "mb": min_max(memory)},
    }


def _get_size(path: Path) -> int:
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file())
