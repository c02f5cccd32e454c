"""Run the whole product as `make demo` starts it, on its own ports and data."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.environment import ROOT, free_port


@dataclass(frozen=True, slots=True)
class Demo:
    """A running demo: the JSON it printed, and its process."""

    info: dict[str, Any]
    process: subprocess.Popen[str]

    def person(self, role: str) -> dict[str, str]:
        return next(person for person in self.info["people"] if person["role"] == role)


def demo_environment(folder: Path, port: int, store_port: int) -> dict[str, str]:
    excluded = {"DATABASE_URL", "SECRET_KEY", "KEY_ENCRYPTION_KEYS", "ALLOWED_LAMINAR_HOSTS", "DJANGO_SETTINGS_MODULE"}
    inherited = {name: value for name, value in os.environ.items() if name not in excluded}
    return {**inherited, "DATA_DIR": str(folder), "PORT": str(port), "STORE_PORT": str(store_port)}


@contextmanager
def run_demo(folder: Path, store_port: int | None = None, arguments: tuple[str, ...] = ()) -> Iterator[Demo]:
    process = subprocess.Popen(
        [sys.executable, "manage.py", "demo", "--json", *arguments],
        env=demo_environment(folder, free_port(), store_port or free_port()),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        line = process.stdout.readline() if process.stdout else ""
        assert line, "The demo ended before it was ready."
        yield Demo(json.loads(line), process)
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(timeout=120)
