"""The long proof: `python -m tests.faults.long` kills for ten minutes on each database and writes docs/faults.md."""

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

from tests import postgres_server
from tests.tracestore_server import ROOT

REPORT = ROOT / "docs" / "faults.md"
HEAD = """# Kills and faults

What `make faults` measured last. Web and workers are killed by SIGKILL, at failpoints and at random moments, while
people save over HTTP and a Laminar misbehaves in every way that `tests/faults/server_faults.py` lists; on PostgreSQL
the server is stopped hard as well. People keep their own list of what was acknowledged. At the end that list is
compared with the database and with what the far side holds. Some of its answers ask for a pause of years: somebody
presses "Try now" once a second.

"""
ROWS = {
    "minutes": "minutes of load",
    "kills": "processes killed",
    "database_stops": "hard stops of the database server",
    "freezes": "workers frozen, for 25 s unless the load ended sooner",
    "faults": "requests that the far side answered badly or not at all",
    "saves": "saves acknowledged",
    "unanswered": "submits that got no answer and were sent again",
    "odd": "answers that were neither a yes nor a try again",
    "lost_here": "acknowledged saves not in the database exactly once",
    "lost_there": "traces whose last value Laminar does not show",
    "inversions": "pushes out of order",
    "overlaps": "traces with two pushes under way",
    "beside_frozen": "the same, the first of a worker that was frozen, which nobody can call back",
    "sends_per_review": "sends per review during this",
    "most_sends": "most sends of one review",
    "save_p50_ms": "save, median, ms",
    "save_p99_ms": "save, p99 of those not cut off, ms",
    "settled_s": "until all was confirmed after the last fault, s",
    "rescue_s": "a killed worker's row sent again after, at most, s",
    "outage_rows": "rows waiting in an outage",
    "outage_s": "length of the outage, s",
    "outage_requests": "requests meanwhile",
    "drain_s": "all of them sent after its end, s",
    "drain_sends": "sends per row with a healthy far side",
}


def main() -> None:
    parser = argparse.ArgumentParser(description="Kill for a long time, and write what was lost.")
    parser.add_argument("--kills", type=int, default=1_000)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--outage", type=float, default=60, help="seconds")
    parser.add_argument("--rows", type=int, default=10_000, help="rows that wait in the outage")
    parser.add_argument("--database", choices=["sqlite", "postgres"], action="append")
    given = parser.parse_args()
    numbers = [str(number) for number in (given.kills, given.minutes, given.outage, given.rows)]
    found = {}
    for database in given.database or ["sqlite", "postgres"]:
        with place(database) as environment:
            command = [sys.executable, "-m", "tests.faults.long_run", *numbers]
            done = subprocess.run(command, env=environment, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
        found[database] = json.loads(done.stdout.splitlines()[-1])
        print(json.dumps({database: found[database]}), flush=True)  # noqa: T201 - a program of its own
    REPORT.write_text(HEAD + table(found))


def table(found: dict[str, dict[str, object]]) -> str:
    lines = ["| | " + " | ".join(found) + " |", "|---" * (len(found) + 1) + "|"]
    for name, words in ROWS.items():
        lines.append(f"| {words} | " + " | ".join(str(figures[name]) for figures in found.values()) + " |")
    return "\n".join(lines) + "\n"


@contextmanager
def place(database: str) -> Iterator[dict[str, str]]:
    """The environment of a run: a folder and a database of its own."""
    with tempfile.TemporaryDirectory(prefix="reviewapp-faults-", ignore_cleanup_errors=True) as name:
        folder = Path(name) / "data"
        folder.mkdir()
        told = {
            "DATA_DIR": str(folder), "SECRET_KEY": secrets.token_urlsafe(48), "KEY_ENCRYPTION_KEYS": "a key for a run",
            "ALLOWED_LAMINAR_HOSTS": "127.0.0.1", "DJANGO_SETTINGS_MODULE": "reviewapp.settings",
            "LOG_LEVEL": "ERROR", "PYTHONPATH": str(ROOT),
        }  # fmt: skip
        environment = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"} | told
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
            more = {"DATABASE_URL": url, "POSTGRES_FOLDER": str(server.folder), "POSTGRES_BIN": str(server.binaries)}
            yield environment | more
        finally:
            server.stop()


if __name__ == "__main__":
    main()
