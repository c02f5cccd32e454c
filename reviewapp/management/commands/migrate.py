"""`manage.py migrate`: Django's own, one at a time, and without making a save wait for its locks."""

import time
from argparse import ArgumentParser
from typing import Any

import psycopg
from django.core.management.base import CommandError
from django.core.management.commands import migrate
from django.db import OperationalError, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations import Migration

from reviewapp.management.desk_command import SafeArguments
from reviewapp.management.migration_lock import AnotherMigrateError, hold_migration_lock
from reviewapp.management.queries import OLDEST_TRANSACTION, RESET_TIMEOUTS, SET_TIMEOUTS

# Everything that uses a table waits behind a migration that waits for it. Below PostgreSQL's deadlock_timeout of a
# second, so that in a deadlock the migration gives way, and no save.
LOCK_TIMEOUT = "900ms"
# Seconds between two attempts, doubled each time up to the maximum.
FIRST_DELAY, MAX_DELAY = 1.0, 10.0
WAIT_SECONDS = 600.0


class Command(SafeArguments, migrate.Command):
    """Waits for another `migrate`, and tries again when a table is in use."""

    connection: BaseDatabaseWrapper

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)  # type: ignore[arg-type]
        parser.add_argument(
            "--wait", type=float, default=WAIT_SECONDS, metavar="SECONDS",
            help=f"how long to wait for another migrate, and for tables that are in use [{WAIT_SECONDS:.0f}]",
        )  # fmt: skip

    def handle(self, *args: Any, **options: Any) -> None:
        if options["plan"] or options["check_unapplied"]:
            super().handle(*args, **options)
            return
        self.connection = connections[options["database"]]
        deadline = time.monotonic() + options["wait"]
        try:
            with hold_migration_lock(self.connection, deadline, self._report_wait):
                self._migrate_with_retries(deadline, *args, **options)
        except AnotherMigrateError:
            raise CommandError(
                f"Another migrate was still running on this database after {options['wait']:.0f} seconds. This one"
                " changed nothing. Run it again when the other has ended."
            ) from None

    def migration_progress_callback(self, action: str, migration: Migration | None = None, fake: bool = False) -> None:
        super().migration_progress_callback(action, migration, fake)
        if action in ("apply_start", "unapply_start") and migration is not None:
            # One that is not atomic builds an index concurrently, which waits for others and lets them pass.
            self._set_lock_timeout(LOCK_TIMEOUT if migration.atomic else "0")

    def _migrate_with_retries(self, deadline: float, *args: Any, **options: Any) -> None:
        delay = FIRST_DELAY
        while True:
            try:
                self._set_lock_timeout(LOCK_TIMEOUT)
                super().handle(*args, **options)
            except OperationalError as error:
                if not _is_lock_conflict(error):
                    raise
                if time.monotonic() + delay > deadline:
                    raise CommandError(self._describe_lock(options["wait"])) from None
                self.stdout.write(f"\n  A table is in use. Trying again in {delay:.0f} s; saves continue.")
                time.sleep(delay)
                delay = min(2 * delay, MAX_DELAY)
            else:
                return
            finally:
                self._reset_timeouts()

    def _set_lock_timeout(self, timeout: str) -> None:
        if self.connection.vendor == "postgresql":
            with self.connection.cursor() as cursor:
                cursor.execute(SET_TIMEOUTS, [timeout])

    def _reset_timeouts(self) -> None:
        if self.connection.vendor == "postgresql" and self.connection.is_usable():
            with self.connection.cursor() as cursor:
                cursor.execute(RESET_TIMEOUTS)

    def _report_wait(self) -> None:
        self.stdout.write("Another migrate is running on this database. Waiting until it has ended.")

    def _describe_lock(self, seconds: float) -> str:
        text = f"A table that a migration changes was still in use after {seconds:.0f} seconds."
        if self.connection.vendor == "postgresql":
            with self.connection.cursor() as cursor:
                cursor.execute(OLDEST_TRANSACTION)
                if row := cursor.fetchone():
                    process, name, age = row
                    text += f" The oldest transaction has run for {age} s: process {process}, {name or 'without name'}."
        return (
            f"{text} That migration was rolled back; those that were reported as OK are applied, and nothing is lost."
            " End the transaction that uses the table, then run migrate again."
        )


def _is_lock_conflict(error: OperationalError) -> bool:
    cause = error.__cause__
    # The lower byte is the primary code: SQLITE_BUSY_SNAPSHOT and others extend SQLITE_BUSY, which is 5.
    return isinstance(cause, (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected)) or (
        getattr(cause, "sqlite_errorcode", 0) & 0xFF == 5
    )
