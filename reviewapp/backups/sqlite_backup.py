"""Back up and restore a SQLite database: the review app's, or the trace store's."""

import sqlite3
from contextlib import closing
from pathlib import Path
from uuid import uuid4

from reviewapp.backups import contents, files, sqlite
from reviewapp.backups.errors import BackupError
from reviewapp.backups.queries import MARK_AS_BACKUP, SQLITE_COLUMNS, SQLITE_MIGRATIONS
from reviewapp.delivery.restore_guard import BACKUP_LOCATION

DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def back_up(database: Path, file: Path, report: sqlite.Report) -> sqlite.Rows:
    """Write a checked copy of a database to a new file. Returns the rows of each table. Raises BackupError."""
    sqlite.connect(database).close()
    with files.new_file(file) as partial:
        sqlite.require_space(file.parent, database.stat().st_size)
        try:
            rows = sqlite.copy_snapshot(database, partial, report)
            contents.require_same_rows(file, rows, sqlite.check(partial))
        except (sqlite.DamagedError, sqlite3.DatabaseError) as error:
            if isinstance(error, sqlite3.Error) and error.sqlite_errorcode not in DAMAGED:
                raise
            raise BackupError(
                f"{database} is damaged ({error}). No backup was written. Keep it with its -wal file, and restore the"
                " newest backup with --replace."
            ) from None
        _mark_as_backup(partial)
    return rows


def restore(file: Path, database: Path, table: str, report: sqlite.Report, *, replace: bool) -> Path | None:
    """Put a copy of a backup, which has `table`, in a database's place.

    Returns the new name of the database that was there, or None. Raises BackupError.
    """
    sqlite.require_free_place(database, replace=replace)
    check(file, table)
    sqlite.require_space(database.parent, file.stat().st_size)
    copy = database.with_name(f"{database.name}.restoring")
    copy.unlink(missing_ok=True)
    try:
        with files.new_file(copy) as partial:
            contents.require_same_rows(file, sqlite.copy_snapshot(file, partial, report), sqlite.check(partial))
        return sqlite.put_in_place(copy, database)
    except OSError as error:
        raise BackupError(f"Could not put {database} in place: {error.strerror}. Nothing was changed.") from None
    finally:
        copy.unlink(missing_ok=True)


def check(file: Path, table: str) -> sqlite.Rows:
    """Check a whole backup, which has `table`. Returns the rows of each table. Raises BackupError."""
    try:
        rows = sqlite.check(file)
    except sqlite.DamagedError as error:
        raise BackupError(
            f"{file} is damaged or not a database ({error}). Nothing was changed. Use another backup."
        ) from None
    contents.require_table(file, rows, table)
    if table == contents.REVIEW_TABLE:
        contents.require_known_migrations(file, _read_migrations(file))
    return rows


def _mark_as_backup(path: Path) -> None:
    """Make the workers of a database that is restored from this file, even by hand, pause delivery."""
    with closing(sqlite3.connect(path)) as copy, copy:
        # A database that has yet to be migrated has no such column, and the trace store no such table.
        if ("location",) in copy.execute(SQLITE_COLUMNS, ["reviewapp_tide"]).fetchall():
            copy.execute(MARK_AS_BACKUP, [uuid4().hex, BACKUP_LOCATION])


def _read_migrations(path: Path) -> list[str]:
    with closing(sqlite.connect(path)) as connection:
        return [name for (name,) in connection.execute(SQLITE_MIGRATIONS)]
