"""The long run: `python -m tests.faults.report` kills for ten minutes on each database, swallows connections to
PostgreSQL, restarts nodes behind each load balancer that is installed, and writes docs/faults.md."""

import argparse
import json
import os
import secrets
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests import postgres_server
from tests.faults.load_balancers import NAMES, is_installed
from tests.tracestore_server import ROOT

REPORT = ROOT / "docs" / "faults.md"
HEADER = """# Kills and faults

The latest results of `make faults`. It kills web and worker processes with SIGKILL, at failpoints and at random
moments, while simulated reviewers save over HTTP and a fake Laminar misbehaves in every way that
`tests/faults/server_faults.py` lists. The clocks of the processes are an hour ahead or behind, or jump by two hours.
On PostgreSQL, the database server is also stopped hard. The reviewers record every acknowledged save; at the end, this
record is compared with the database and with the fake Laminar's metadata.
Some of the fake Laminar's responses ask for a pause of years, so the run presses "Try now" once a second.

"""
ROWS = {
    "minutes": "minutes under load",
    "kills": "processes killed",
    "database_stops": "hard stops of the database server",
    "freezes": "workers frozen (25 s each, or until the load ended)",
    "faults": "Laminar requests that met a fault",
    "saves": "acknowledged saves",
    "unanswered": "submits without a response, then sent again",
    "unexpected": "responses that neither accepted the save nor asked for a retry",
    "missing_saves": "acknowledged saves not in the database exactly once",
    "missing_in_laminar": "traces whose last values are missing in Laminar",
    "out_of_order": "pushes out of order",
    "overlaps": "traces with two pushes open at the same time",
    "frozen_overlaps": "traces with two pushes open, the first by a frozen worker (cannot be prevented)",
    "doubled": "revisions pushed more often than failures, kills and values that did not appear explain",
    "sends_per_review": "pushes per review under load",
    "max_sends": "maximum pushes of one review",
    "save_p50_ms": "save time, median (ms)",
    "save_p99_ms": "save time, 99th percentile of saves without a retry (ms)",
    "settled_s": "time from the last fault until all patches were confirmed (s)",
    "rescue_s": "maximum time until a killed worker's patch was sent again (s)",
    "outage_rows": "patches waiting during an outage",
    "outage_s": "length of the outage (s)",
    "outage_requests": "requests during the outage",
    "drain_s": "time from the end of the outage until all patches were sent (s)",
    "drain_sends": "pushes per patch after the outage",
}

BLACK_HOLES_HEADER = """
## Connections that hang

Four workers, whose clocks are wrong as above, and the web app reach PostgreSQL through a proxy. Every ten seconds half
of their connections stop forwarding for ever, with both ends left open, as behind a network that drops packets.

"""
BLACK_HOLE_ROWS = {
    "connections": "connections that hang",
    "saves": "acknowledged saves",
    "unexpected": "responses that neither accepted the save nor asked for a retry",
    "missing_saves": "acknowledged saves not in the database exactly once",
    "missing_in_laminar": "traces whose last values are missing in Laminar",
    "out_of_order": "pushes out of order",
    "overlaps": "traces with two pushes open at the same time",
    "doubled": "revisions pushed more often than failures, kills and values that did not appear explain",
    "interrupted": "pushes whose result could not be recorded",
    "workers_alive": "workers that still ran in the end, of four",
    "save_p50_ms": "save time, median (ms)",
    "save_max_s": "longest save, sent again until it was acknowledged (s)",
    "settled_s": "time from the last save until all patches were confirmed (s)",
}
RESTARTS_HEADER = """
## Rolling restarts

Two web nodes behind the configurations of [docs/deploy](deploy/nginx.conf), while people read and save: each node in
turn gets SIGTERM, ends, starts, and the other follows three seconds after it is ready.

"""
RESTART_ROWS = {
    "restarts": "restarts of a node",
    "requests": "requests",
    "rate": "requests a second",
    "failed": "requests that failed",
    "saves": "acknowledged saves",
    "missing_saves": "acknowledged saves that are not in the database",
    "slowest_s": "slowest request (s)",
}


def main() -> None:
    parser = argparse.ArgumentParser(description="Kill processes for a long time and report what was lost.")
    parser.add_argument("--kills", type=int, default=1_000)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--outage", type=float, default=60, help="length of the outage in seconds")
    parser.add_argument("--rows", type=int, default=10_000, help="patches waiting during the outage")
    parser.add_argument("--connections", type=int, default=100, help="connections to PostgreSQL that hang")
    parser.add_argument("--restarts", type=int, default=100, help="restarts behind each load balancer")
    parser.add_argument("--rate", type=float, default=50, help="requests a second meanwhile")
    parser.add_argument("--database", choices=["sqlite", "postgres"], action="append")
    options = parser.parse_args()
    arguments = [str(number) for number in (options.kills, options.minutes, options.outage, options.rows)]
    databases = options.database or ["sqlite", "postgres"]
    kills = {database: _run(database, "long_run", *arguments) for database in databases}
    text = HEADER + render_table(ROWS, kills)
    if "postgres" in databases:
        figures = _run("postgres", "black_holes", str(options.connections))
        text += BLACK_HOLES_HEADER + render_table(BLACK_HOLE_ROWS, {"postgres": figures})
    if names := [name for name in NAMES if is_installed(name)]:
        restarts = _run(databases[-1], "rolling_restarts", str(options.restarts), str(options.rate), *names)
        text += RESTARTS_HEADER + render_table(RESTART_ROWS, restarts)
    REPORT.write_text(text)


def _run(database: str, module: str, *arguments: str) -> dict[str, Any]:
    """Run a module on its own database. Returns the figures that it prints."""
    with run_environment(database) as environment:
        command = [sys.executable, "-m", f"tests.faults.{module}", *arguments]
        process = subprocess.run(command, env=environment, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
    figures: dict[str, Any] = json.loads(process.stdout.splitlines()[-1])
    print(json.dumps({database: figures}), flush=True)  # noqa: T201 - command-line output
    return figures


def render_table(rows: dict[str, str], columns: dict[str, dict[str, Any]]) -> str:
    """Render the figures of each column; `rows` names them in order."""
    lines = ["| | " + " | ".join(columns) + " |", "|---" * (len(columns) + 1) + "|"]
    for name, label in rows.items():
        lines.append(f"| {label} | " + " | ".join(str(figures[name]) for figures in columns.values()) + " |")
    return "\n".join(lines) + "\n"


@contextmanager
def run_environment(database: str) -> Iterator[dict[str, str]]:
    """Yield the environment of a run, with its own data folder and database. Raises SystemExit without PostgreSQL."""
    with tempfile.TemporaryDirectory(prefix="reviewapp-faults-", ignore_cleanup_errors=True) as name:
        folder = Path(name) / "data"
        folder.mkdir()
        environment = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"} | {
            "DATA_DIR": str(folder), "SECRET_KEY": secrets.token_urlsafe(48), "KEY_ENCRYPTION_KEYS": "a key for a run",
            "ALLOWED_LAMINAR_HOSTS": "127.0.0.1", "DJANGO_SETTINGS_MODULE": "reviewapp.settings",
            "LOG_LEVEL": "ERROR", "PYTHONPATH": str(ROOT),
        }  # fmt: skip
        if database == "sqlite":
            yield environment
            return
        binaries = postgres_server.find_binaries()
        if binaries is None:
            raise SystemExit(postgres_server.NOT_INSTALLED)
        (Path(name) / "postgres").mkdir()
        Path(name).chmod(0o755)
        server = postgres_server.PostgresServer(binaries, Path(name) / "postgres")
        url = server.start().replace("/reviewapp?", "/postgres?")
        try:
            yield environment | {
                "DATABASE_URL": url, "POSTGRES_FOLDER": str(server.folder), "POSTGRES_BIN": str(server.binaries)
            }  # fmt: skip
        finally:
            server.stop()


if __name__ == "__main__":
    main()
