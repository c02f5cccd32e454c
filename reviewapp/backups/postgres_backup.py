"""Back up a PostgreSQL database with pg_dump, and restore it with pg_restore."""

import secrets
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from django.db import connection, transaction
from psycopg import sql
from psycopg.errors import InsufficientPrivilege, ObjectInUse

from reviewapp.backups import contents, files
from reviewapp.backups.errors import BackupError
from reviewapp.backups.postgres_programs import Programs
from reviewapp.backups.queries import (
    DATABASE_LOCALE,
    DISABLE_TIMEOUTS,
    EXPORT_SNAPSHOT,
    OTHER_SESSIONS,
    USE_ONE_SNAPSHOT,
    count_rows,
)

Rows = dict[str, int]
# Fast: the default takes four times as long for a file that is a tenth smaller.
DUMP_OPTIONS = ("--format=custom", "--compress=1", "--no-owner", "--no-privileges", "--lock-wait-timeout=10000")
RESTORE_OPTIONS = ("--no-owner", "--no-privileges", "--exit-on-error", "--single-transaction")


def back_up(file: Path, report: Callable[[int], None]) -> Rows:
    """Write a checked archive to a new file. Returns the rows of each table. Raises BackupError.

    `report` is called with the bytes that were written.
    """
    programs = Programs(connection)
    with files.new_file(file) as partial:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(USE_ONE_SNAPSHOT)
            cursor.execute(DISABLE_TIMEOUTS)
            cursor.execute(EXPORT_SNAPSHOT)
            (snapshot,) = cursor.fetchone()
            programs.run(
                "pg_dump", *DUMP_OPTIONS, f"--snapshot={snapshot}", f"--file={partial}", f"--dbname={programs.dsn}",
                report=lambda: report(partial.stat().st_size),
            )  # fmt: skip
            rows = _count_all_rows()
        contents.require_same_rows(file, rows, read_rows(programs, partial))
    return rows


def restore(file: Path, *, replace: bool) -> str | None:
    """Restore an archive into the database, or into a new one that takes its name.

    Returns the new name of the database that was there, or None if it was empty. Raises BackupError.
    """
    if not file.is_file():
        raise BackupError(f"There is no file {file}. Nothing was changed.")
    is_empty = not connection.introspection.table_names()
    if not (is_empty or replace):
        raise BackupError(
            f"The database {_name()} has tables. Nothing was changed. With --replace, it is kept under another name"
            " and the backup takes its place."
        )
    _require_no_sessions()
    programs = Programs(connection)
    rows = read_rows(programs, file)
    contents.require_table(file, rows, contents.REVIEW_TABLE)
    contents.require_known_migrations(file, read_migrations(programs, file))
    if is_empty:
        connection.close()
        programs.run("pg_restore", *RESTORE_OPTIONS, f"--dbname={programs.dsn}", str(file))
        return None
    return _restore_beside(programs, file)


def read_rows(programs: Programs, file: Path) -> Rows:
    """Read a whole archive. Returns the rows of each table. Raises BackupError if it is damaged."""
    rows: Rows = {}
    table = None
    with programs.read_data(file) as lines:
        for line in lines:
            if table is None:
                if line.startswith(b"COPY "):
                    table = line.split()[1].decode().rpartition(".")[2].strip('"')
                    rows[table] = 0
            elif line == b"\\.\n":
                table = None
            else:
                rows[table] += 1
    return rows


def _restore_beside(programs: Programs, file: Path) -> str:
    """Restore into a new database, and give it the name of the present one. Returns the new name of that one."""
    name = _name()
    new = f"{name[:30]}_restoring_{secrets.token_hex(4)}"
    aside = f"{name[:30]}_before_restore_{datetime.now(UTC):%Y%m%d_%H%M%S}"
    with connection.cursor() as cursor:
        cursor.execute(DATABASE_LOCALE, [name])
        encoding, collation, character_type = cursor.fetchone()
    connection.close()
    locale = sql.SQL("ENCODING {} LC_COLLATE {} LC_CTYPE {}").format(encoding, collation, character_type)
    _run_on_server(sql.SQL("CREATE DATABASE {} TEMPLATE template0 {}").format(sql.Identifier(new), locale))
    try:
        programs.run("pg_restore", *RESTORE_OPTIONS, f"--dbname={programs.dsn_of(new)}", str(file))
        _rename(name, aside)
        try:
            _rename(new, name)
        except BackupError:
            _rename(aside, name)
            raise
    finally:
        _run_on_server(sql.SQL("DROP DATABASE IF EXISTS {}").format(sql.Identifier(new)))
    return aside


def _rename(database: str, name: str) -> None:
    _run_on_server(sql.SQL("ALTER DATABASE {} RENAME TO {}").format(sql.Identifier(database), sql.Identifier(name)))


def _run_on_server(statement: sql.Composed) -> None:
    """Run a statement about databases, outside of ours. Raises BackupError."""
    try:
        with connection._nodb_cursor() as cursor:
            cursor.execute(statement)
    except Exception as error:
        if isinstance(error.__cause__, InsufficientPrivilege):
            raise BackupError(
                "The database user must not create or rename databases. Nothing was changed. Allow it with ALTER ROLE"
                " … CREATEDB, or let an administrator create an empty database, name it in DATABASE_URL and restore"
                " there."
            ) from None
        if isinstance(error.__cause__, ObjectInUse):
            raise BackupError(_IN_USE) from None
        raise


_IN_USE = (
    "The database is in use. Nothing was changed. Stop the web app, the workers and all other programs that use it,"
    " then restore again."
)


def _require_no_sessions() -> None:
    with connection.cursor() as cursor:
        cursor.execute(OTHER_SESSIONS, [_name()])
        count, programs = cursor.fetchone()
    if count:
        raise BackupError(f"{_IN_USE} It has {count} other sessions ({programs}).")


def _name() -> str:
    return str(connection.settings_dict["NAME"])


def _count_all_rows() -> Rows:
    with connection.cursor() as cursor:
        rows = {}
        for table in connection.introspection.table_names(cursor):
            cursor.execute(count_rows(connection.ops.quote_name(table)))
            (rows[table],) = cursor.fetchone()
        return rows


def read_migrations(programs: Programs, file: Path) -> list[str]:
    """Return the migrations of the review app that were applied to the database in an archive."""
    names = []
    with programs.read_data(file, f"--table={contents.REVIEW_TABLE}") as lines:
        for line in lines:
            columns = line.decode().split("\t")
            if len(columns) > 2 and columns[1] == "reviewapp":
                names.append(columns[2])
    return names
