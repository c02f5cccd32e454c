"""`manage.py backup`: copy the database to a file while people save."""

import sys
import time
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError

from reviewapp.backups import postgres_backup, sqlite_backup
from reviewapp.backups.errors import BackupError
from reviewapp.lib.database_use import get_sqlite_path
from reviewapp.lib.progress_bar import ProgressBar
from reviewapp.management.desk_command import DeskCommand


class Command(DeskCommand):
    help = (
        "Copy the database to a new file while the web app and the workers run, and check the copy. The master key that"
        " encrypts the Laminar keys is not in it: keep that in another place."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path, help="a file that does not exist yet")
        parser.add_argument("--tracestore", action="store_true", help="the embedded trace store, not the review app")
        parser.add_argument(
            "--database", type=Path, help="with --tracestore: its file [tracestore.sqlite3 in DATA_DIR]"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        file: Path = options["file"]
        started_at = time.monotonic()
        try:
            rows = _back_up(file, _choose_database(options))
        except BackupError as error:
            raise CommandError(str(error)) from None
        text = (
            f"Backed up {sum(rows.values()):,} rows of {len(rows)} tables to {file},"
            f" {file.stat().st_size / 1e6:,.1f} MB, in {time.monotonic() - started_at:.1f} s, and checked them."
        )
        if not options["tracestore"]:
            text += " The master key is not in it: keep KEY_ENCRYPTION_KEYS, or the files in SECRETS_DIR, apart."
        self.stdout.write(text)


def _choose_database(options: dict[str, Any]) -> Path | None:
    """Return the SQLite file to back up, or None for PostgreSQL."""
    if options["tracestore"]:
        return options["database"] or settings.DATA_DIR / "tracestore.sqlite3"
    return get_sqlite_path()


def _back_up(file: Path, database: Path | None) -> dict[str, int]:
    with ProgressBar("Backing up, MB" if database is None else "Backing up, pages", 0, sys.stderr) as progress:
        if database is None:
            return postgres_backup.back_up(file, lambda size: progress.update(size // 1_000_000))

        def report(done: int, total: int) -> None:
            progress.total = total
            progress.update(done)

        return sqlite_backup.back_up(database, file, report)
