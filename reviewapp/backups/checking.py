"""Check a backup without restoring it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from django.conf import settings
from django.db import connection

from reviewapp.backups import contents, encryption, postgres_backup, sqlite_backup
from reviewapp.backups.errors import BackupError
from reviewapp.backups.postgres_programs import Programs

POSTGRES_MAGIC = b"PGDMP"


@contextmanager
def open_plain(file: Path, passphrase: str) -> Iterator[Path]:
    """Yield the file itself, or a decrypted copy in DATA_DIR that is removed afterwards. Raises BackupError."""
    if not encryption.is_encrypted(file):
        yield file
        return
    with TemporaryDirectory(prefix=".backup-", dir=settings.DATA_DIR) as folder:
        plain = Path(folder) / file.name
        encryption.decrypt_file(file, plain, passphrase)
        yield plain


def check_backup(file: Path, table: str) -> dict[str, int]:
    """Read all of a plain backup, which has `table`. Returns the rows of each table. Raises BackupError."""
    try:
        with file.open("rb") as stream:
            is_archive = stream.read(len(POSTGRES_MAGIC)) == POSTGRES_MAGIC
    except OSError as error:
        raise BackupError(f"Could not read {file}: {error.strerror}. Nothing was changed.") from None
    if not is_archive:
        return sqlite_backup.check(file, table)
    if connection.vendor != "postgresql":
        raise BackupError(f"{file} is of PostgreSQL: set DATABASE_URL to a PostgreSQL server to check it.")
    programs = Programs(connection)
    rows = postgres_backup.read_rows(programs, file)
    contents.require_table(file, rows, table)
    contents.require_known_migrations(file, postgres_backup.read_migrations(programs, file))
    return rows
