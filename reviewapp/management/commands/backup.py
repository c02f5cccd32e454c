"""`manage.py backup`: copy the database to a file while people save."""

import sys
import time
from argparse import ArgumentParser
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError

from reviewapp.backups import contents, encryption, files, postgres_backup, sqlite_backup
from reviewapp.backups.checking import check_backup, open_plain
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
        parser.add_argument("file", type=Path, help="a file that does not exist yet; with --check, a backup")
        parser.add_argument("--check", action="store_true", help="read a whole backup and change nothing")
        parser.add_argument(
            "--encrypt", action="store_true", help="encrypt with BACKUP_PASSPHRASE, or what BACKUP_PASSPHRASE_FILE has"
        )
        parser.add_argument("--tracestore", action="store_true", help="the embedded trace store, not the review app")
        parser.add_argument(
            "--database", type=Path, help="with --tracestore: its file [tracestore.sqlite3 in DATA_DIR]"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        file: Path = options["file"]
        if options["check"]:
            self._check(file, contents.TRACESTORE_TABLE if options["tracestore"] else contents.REVIEW_TABLE)
            return
        started_at = time.monotonic()
        back_up = _back_up_encrypted if options["encrypt"] else _back_up
        try:
            rows = back_up(file, _choose_database(options))
        except BackupError as error:
            raise CommandError(str(error)) from None
        text = (
            f"Backed up {sum(rows.values()):,} rows of {len(rows)} tables to {file},"
            f" {file.stat().st_size / 1e6:,.1f} MB, in {time.monotonic() - started_at:.1f} s, and checked them."
        )
        if not options["tracestore"]:
            text += " The master key is not in it: keep KEY_ENCRYPTION_KEYS, or the files in SECRETS_DIR, apart."
        self.stdout.write(text)

    def _check(self, file: Path, table: str) -> None:
        try:
            with open_plain(file, settings.BACKUP_PASSPHRASE) as plain:
                rows = check_backup(plain, table)
        except BackupError as error:
            raise CommandError(str(error)) from None
        self.stdout.write(f"{file} is whole: {sum(rows.values()):,} rows of {len(rows)} tables.")


def _choose_database(options: dict[str, Any]) -> Path | None:
    """Return the SQLite file to back up, or None for PostgreSQL."""
    if options["tracestore"]:
        return options["database"] or settings.DATA_DIR / "tracestore.sqlite3"
    return get_sqlite_path()


def _back_up_encrypted(file: Path, database: Path | None) -> dict[str, int]:
    """As `_back_up`; the plain copy is in a folder beside the file, which only its owner can open, and removed."""
    if not settings.BACKUP_PASSPHRASE:
        raise BackupError("There is no BACKUP_PASSPHRASE or BACKUP_PASSPHRASE_FILE. Nothing was written. Set one.")
    files.require_new(file)
    try:
        with TemporaryDirectory(prefix=".backup-", dir=file.parent) as folder:
            plain = Path(folder) / file.name
            rows = _back_up(plain, database)
            encryption.encrypt_file(plain, file, settings.BACKUP_PASSPHRASE)
    except OSError as error:
        raise BackupError(f"Could not write to {file.parent}: {error.strerror}. Nothing was written.") from None
    return rows


def _back_up(file: Path, database: Path | None) -> dict[str, int]:
    with ProgressBar("Backing up, MB" if database is None else "Backing up, pages", 0, sys.stderr) as progress:
        if database is None:
            return postgres_backup.back_up(file, lambda size: progress.update(size // 1_000_000))

        def report(done: int, total: int) -> None:
            progress.total = total
            progress.update(done)

        return sqlite_backup.back_up(database, file, report)
