"""Run pg_dump and pg_restore, which have to be at least as new as the server."""

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from django.db.backends.base.base import BaseDatabaseWrapper
from psycopg.conninfo import make_conninfo

from reviewapp.backups.errors import BackupError

POLL_SECONDS = 0.1
# The password, and what psycopg takes beside the parameters of libpq.
NOT_FOR_PROGRAMS = frozenset(
    "password autocommit client_encoding context cursor_factory prepare_threshold row_factory".split()
)


class Programs:
    """The programs with the connection of Django's database. Raises BackupError if they are missing."""

    def __init__(self, connection: BaseDatabaseWrapper) -> None:
        for program in ("pg_dump", "pg_restore"):
            if shutil.which(program) is None:
                raise BackupError(
                    f"{program} is not installed. Nothing was changed. Install PostgreSQL's client programs, of the"
                    " server's version or newer, and put them on the PATH."
                )
        parameters = connection.get_connection_params()
        password = parameters.get("password")
        # Not psycopg's own parameters of the open connection: it names some that older programs do not know.
        self.dsn = make_conninfo(**{name: value for name, value in parameters.items() if name not in NOT_FOR_PROGRAMS})
        # Not on the command line, where every user of the machine can read it.
        self.environment = os.environ | ({"PGPASSWORD": password} if password else {})

    def dsn_of(self, database: str) -> str:
        return make_conninfo(self.dsn, dbname=database)

    def run(self, *command: str, report: Callable[[], None] = lambda: None) -> None:
        """Run a program to its end, with `report` called meanwhile. Raises BackupError with its last line."""
        with subprocess.Popen(  # noqa: S603 - the program's name and our own arguments
            command, env=self.environment, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        ) as process:
            while process.poll() is None:
                report()
                time.sleep(POLL_SECONDS)
            _require_success(process, command[0])

    @contextmanager
    def read_data(self, file: Path, *options: str) -> Iterator[Iterator[bytes]]:
        """Yield the lines of the SQL that the archive contains. Raises BackupError at the end if it is damaged."""
        command = ["pg_restore", "--data-only", "--file=-", *options, str(file)]
        with subprocess.Popen(  # noqa: S603
            command, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        ) as process:
            assert process.stdout is not None  # noqa: S101 - a pipe, as asked for
            yield iter(process.stdout)
            process.wait()
            _require_success(process, command[0])


def _require_success(process: "subprocess.Popen[str] | subprocess.Popen[bytes]", program: str) -> None:
    if process.returncode:
        output = process.stderr.read() if process.stderr else ""
        lines = (output.decode(errors="replace") if isinstance(output, bytes) else output).strip().splitlines()
        raise BackupError(f"{program} failed: {lines[0] if lines else 'it was stopped'}. The database is as it was.")
