"""`manage.py restore`: put a backup in the database's place, with delivery paused."""

import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection
from django.template.defaultfilters import pluralize

from reviewapp.backups import contents, postgres_backup, sqlite_backup
from reviewapp.backups.checking import open_plain
from reviewapp.backups.errors import BackupError
from reviewapp.delivery.models import Breaker
from reviewapp.delivery.restore_guard import mark_as_restored
from reviewapp.keys.encryption import DecryptionError
from reviewapp.keys.models import LaminarKey
from reviewapp.lib.database_use import InUseError, get_sqlite_path, hold_sole_use
from reviewapp.lib.progress_bar import ProgressBar
from reviewapp.management.desk_command import DeskCommand

IN_USE = "The web app or a worker is running. Nothing was changed. Stop them, then restore again."


class Command(DeskCommand):
    help = (
        "Check a backup and restore it, with the web app and the workers stopped. Delivery is paused until an admin"
        " resumes it, because Laminar may have newer values than the backup."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path, help="a file that `manage.py backup` wrote")
        parser.add_argument("--replace", action="store_true", help="if there is a database, keep it under another name")
        parser.add_argument("--tracestore", action="store_true", help="the embedded trace store, not the review app")
        parser.add_argument(
            "--database", type=Path, help="with --tracestore: its file [tracestore.sqlite3 in DATA_DIR]"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        file, replace = options["file"], options["replace"]
        try:
            with open_plain(file, settings.BACKUP_PASSPHRASE) as plain:
                if options["tracestore"]:
                    database = options["database"] or settings.DATA_DIR / "tracestore.sqlite3"
                    self._report(file, _restore_sqlite(plain, database, contents.TRACESTORE_TABLE, replace=replace))
                    return
                with hold_sole_use():
                    self._restore(file, plain, replace=replace)
        except InUseError:
            raise CommandError(IN_USE) from None
        except PermissionError as error:
            raise CommandError(f"Could not write to {error.filename}. Nothing was changed.") from None
        except BackupError as error:
            raise CommandError(str(error)) from None

    def _restore(self, file: Path, plain: Path, *, replace: bool) -> None:
        path = get_sqlite_path()
        if path is None:
            aside: object = postgres_backup.restore(plain, replace=replace)
        else:
            connection.close()
            aside = _restore_sqlite(plain, path, contents.REVIEW_TABLE, replace=replace)
        self._report(file, aside)
        try:
            call_command("migrate", verbosity=0, interactive=False)
            mark_as_restored()
        except Exception:
            self.stderr.write("Run `manage.py migrate` and `manage.py hold_deliveries` before you start a worker.")
            raise
        count = Breaker.objects.exclude(paused_at=None).count()
        self.stdout.write(
            f"Delivery is paused for {count} project{pluralize(count)}. Start the web app and the workers; an admin"
            " can resume delivery, or discard single deliveries, on the Deliveries page."
        )
        if count := _count_unreadable_keys():
            self.stdout.write(
                f"{count} Laminar key{pluralize(count)} cannot be decrypted with the master key of this machine. Set"
                " KEY_ENCRYPTION_KEYS or MASTER_KEYS to the one that was used, or enter the keys again on each"
                " project's Keys page."
            )

    def _report(self, file: Path, aside: object) -> None:
        self.stdout.write(f"Restored {file}." + (f" The database that was here is now {aside}." if aside else ""))


def _restore_sqlite(file: Path, database: Path, table: str, *, replace: bool) -> Path | None:
    with ProgressBar("Restoring, pages", 0, sys.stderr) as progress:

        def report(done: int, total: int) -> None:
            progress.total = total
            progress.update(done)

        return sqlite_backup.restore(file, database, table, report, replace=replace)


def _count_unreadable_keys() -> int:
    return sum(not _is_readable(key) for key in LaminarKey.objects.filter(retired_at=None).select_related("project"))


def _is_readable(key: LaminarKey) -> bool:
    try:
        return bool(key.secret)
    except DecryptionError:
        return False
