"""What a backup has to contain, and whether this release can read it."""

from collections.abc import Collection

from django.db.migrations.loader import MigrationLoader

from reviewapp.backups.errors import BackupError

# A table that each kind of database has.
REVIEW_TABLE, TRACESTORE_TABLE = "django_migrations", "span"


def require_table(file: object, tables: Collection[str], table: str) -> None:
    """Raise BackupError if the backup is of another database than the one to be restored."""
    if table not in tables:
        kind = "the trace store" if table == TRACESTORE_TABLE else "the review app"
        raise BackupError(f"{file} is not a backup of {kind}. Nothing was changed.")


def require_known_migrations(file: object, names: Collection[str]) -> None:
    """Raise BackupError if a newer release wrote the backup."""
    known = {name for app, name in MigrationLoader(None).disk_migrations if app == "reviewapp"}
    unknown = sorted(set(names) - known)
    if unknown:
        raise BackupError(
            f"{file} was made by a newer release: this one does not know the migration {unknown[-1]}. Nothing was"
            " changed. Install that release, then restore again."
        )


def require_same_rows(file: object, expected: dict[str, int], rows: dict[str, int]) -> None:
    """Raise BackupError unless each table has all of its rows."""
    different = sorted(table for table in expected.keys() | rows.keys() if expected.get(table) != rows.get(table))
    if different:
        table = different[0]
        raise BackupError(
            f"{file} was not made: {table} has {rows.get(table, 0):,} rows in it and {expected.get(table, 0):,} in the"
            " database. The database is as it was. Check the disk, then try again."
        )
