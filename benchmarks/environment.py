"""A temporary environment to measure in: a folder, a database and a running review app, removed afterwards."""

import os
import secrets
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, slots=True)
class Environment:
    """A benchmark's data folder and the environment variables of its processes."""

    folder: Path
    env: dict[str, str]

    def run(self, *command: str) -> str:
        """Run a Python command to its end. Returns its output. Raises CalledProcessError when it fails."""
        process = subprocess.run(  # noqa: S603 - our own commands
            [sys.executable, *command], env=self.env, cwd=ROOT, check=True, capture_output=True, text=True
        )
        return process.stdout

    @contextmanager
    def web(self) -> Iterator[str]:
        """Run the review app as in production. Yields its URL."""
        port = free_port()
        command = [sys.executable, "-m", "gunicorn", "reviewapp.wsgi", "--bind", f"127.0.0.1:{port}"]
        server = subprocess.Popen(command, env=self.env, cwd=ROOT)  # noqa: S603
        try:
            wait_for(f"http://127.0.0.1:{port}/ready")
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()
            server.wait()


@contextmanager
def fresh_environment(database: str | None) -> Iterator[Environment]:
    """Yield a new, migrated environment; on PostgreSQL with its own database on the server of the URL `database`."""
    with tempfile.TemporaryDirectory(prefix="review-bench-") as folder:
        env = {
            **os.environ, "DATA_DIR": folder, "SECRET_KEY": secrets.token_urlsafe(48),
            "DJANGO_SETTINGS_MODULE": "reviewapp.settings", "PYTHONPATH": str(ROOT), "DRAIN_SECONDS": "0",
        }  # fmt: skip
        env.pop("DATABASE_URL", None)
        with _database(database) as url:
            if url:
                env["DATABASE_URL"] = url
            environment = Environment(Path(folder), env)
            environment.run("manage.py", "migrate", "-v0")
            environment.run("manage.py", "collectstatic", "-v0", "--no-input")
            yield environment


@contextmanager
def _database(server: str | None) -> Iterator[str]:
    if not server:
        yield ""
        return
    address, mark, options = server.partition("?")
    base, name, query = address.rsplit("/", 1)[0], f"bench_{secrets.token_hex(4)}", mark + options
    with psycopg.connect(f"{base}/postgres{query}", autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
        try:
            yield f"{base}/{name}{query}"
        finally:
            connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_for(url: str, seconds: float = 120) -> None:
    """Return when `url` answers. Raises TimeoutError after `seconds`."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            urllib.request.urlopen(url, timeout=10).close()  # noqa: S310 - our own loopback address
            return
        except OSError:
            time.sleep(0.02)
    raise TimeoutError(f"{url} did not answer within {seconds:.0f} s.")


def min_max(values: list[float]) -> list[float]:
    """Return the smallest and the largest value of several runs."""
    return [round(min(values), 2), round(max(values), 2)]
