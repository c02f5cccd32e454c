"""Copy a SQLite database while others write to it, check a copy, and put one in a database's place.

`sqlite3 .backup` without a transaction starts again whenever another process has written, and never ends under
writes. A read transaction holds one state of the database, and its pages are copied while saves go on.
"""

import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from reviewapp.backups.errors import BackupError
from reviewapp.backups.queries import SQLITE_TABLES, count_rows

Report = Callable[[int, int], None]
Rows = dict[str, int]

# 16 MB. After each step the copy is flushed: with gigabytes of unwritten pages, a save would wait for the disk.
STEP_PAGES = 4096
CHECK_OPTIONS = "PRAGMA cache_size = -65536; PRAGMA mmap_size = 4294967296"
SIBLINGS = ("-wal", "-shm", "-journal")


class DamagedError(BackupError):
    """A file is damaged, or not a database. The text is SQLite's."""


def copy_snapshot(source: Path, target: Path, report: Report) -> Rows:
    """Copy one state of `source` to the empty file `target`. Returns the rows of each table in that state.

    `report` is called with the pages that are done and all of them. Raises sqlite3.Error and OSError.
    """
    with closing(connect(source)) as reader, closing(sqlite3.connect(target)) as copy, target.open("rb") as file:

        def flush(_status: int, remaining: int, total: int) -> None:
            os.fdatasync(file.fileno())
            report(total - remaining, total)

        copy.executescript("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF")
        reader.execute("BEGIN")
        rows = count_all_rows(reader)
        reader.backup(copy, pages=STEP_PAGES, progress=flush)
        # In WAL mode, reading the copy would put two more files beside it.
        copy.execute("PRAGMA journal_mode = DELETE")
        os.fsync(file.fileno())
    return rows


def check(path: Path) -> Rows:
    """Check that a database is undamaged. Returns the rows of each table. Raises DamagedError."""
    try:
        with closing(connect(path)) as connection:
            connection.executescript(CHECK_OPTIONS)
            (result,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
            if result == "ok":
                return count_all_rows(connection)
    except sqlite3.Error as error:
        result = str(error)
    raise DamagedError(result)


def count_all_rows(connection: sqlite3.Connection) -> Rows:
    tables = [table for (table,) in connection.execute(SQLITE_TABLES)]
    return {table: connection.execute(count_rows(f'"{table}"')).fetchone()[0] for table in tables}


def connect(path: Path) -> sqlite3.Connection:
    """Open a database that exists. Raises BackupError if there is none."""
    if not path.is_file():
        raise BackupError(f"There is no database at {path}.")
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True, isolation_level=None, timeout=20)


def require_space(folder: Path, size: int) -> None:
    """Raise BackupError if a folder's disk has no room for `size` bytes."""
    free = shutil.disk_usage(folder).free
    if free < size:
        raise BackupError(
            f"{folder} has {free / 1e6:,.0f} MB of free disk space, and {size / 1e6:,.0f} MB are needed. Nothing was"
            " written. Free some space, or choose another folder."
        )


def require_free_place(database: Path, *, replace: bool) -> None:
    """Raise BackupError if something is where a database is to be restored."""
    siblings = [path for path in _siblings(database) if path.exists()]
    if not database.exists() and siblings:
        names = " and ".join(path.name for path in siblings)
        raise BackupError(
            f"{names} in {database.parent} belong to another database, whose own file is missing. SQLite would mix"
            " them with the restored one. Nothing was changed. Move them to another folder, then restore again."
        )
    if database.exists() and database.stat().st_size and not replace:
        raise BackupError(
            f"There is a database at {database}. Nothing was changed. With --replace, it is kept under another name"
            " and the backup takes its place."
        )


def put_in_place(copy: Path, database: Path) -> Path | None:
    """Rename a checked copy to `database`. Returns the new name of the one that was there; None if there was none.

    Raises BackupError if a process has that one open.
    """
    if not database.exists():
        copy.rename(database)
        return None
    _close_database(database)
    # The machine's time: asking the database for its own would open the file that is being replaced.
    aside = database.with_name(f"{database.name}.before-restore-{datetime.now(UTC):%Y%m%d-%H%M%S}")
    status = database.stat()
    os.chmod(copy, status.st_mode & 0o777)
    if os.geteuid() == 0:
        os.chown(copy, status.st_uid, status.st_gid)
    # At any moment there is a whole database under the name.
    os.link(database, aside)
    for path in _siblings(database):
        # Of a damaged database only, see _close_database. They belong to it.
        if path.exists():
            path.rename(aside.with_name(path.name.replace(database.name, aside.name, 1)))
    copy.replace(database)
    return aside


def _close_database(database: Path) -> None:
    """Move what is in the -wal file to the database, which no process may have open. Raises BackupError."""
    try:
        with closing(connect(database)) as connection:
            connection.executescript("PRAGMA busy_timeout = 0; PRAGMA journal_mode = DELETE")
            connection.executescript("BEGIN EXCLUSIVE; ROLLBACK")
    except sqlite3.OperationalError as error:
        if "locked" in str(error):
            raise BackupError(
                f"A process has {database} open. Nothing was changed. Stop the web app, the workers and all other"
                " programs that use it, then restore again."
            ) from None
    except sqlite3.DatabaseError:
        # Damaged, which may be why it is to be replaced. It is kept with its -wal file.
        pass


def _siblings(database: Path) -> list[Path]:
    return [database.with_name(database.name + suffix) for suffix in SIBLINGS]
