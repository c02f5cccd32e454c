"""The file of a backup: written under another name, and renamed once it is complete and checked."""

import os
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from reviewapp.backups.errors import BackupError


@contextmanager
def new_file(path: Path) -> Iterator[Path]:
    """Yield an empty file beside `path`, which becomes `path` at the end of the block or is removed.

    Only its owner can read it. Raises BackupError if `path` exists or cannot be written.
    """
    require_new(path)
    try:
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".partial", dir=path.parent)
        os.close(handle)
    except OSError as error:
        raise BackupError(f"Could not write to {path.parent}: {error.strerror}. Nothing was written.") from None
    partial = Path(name)
    try:
        yield partial
        with partial.open("rb") as file:
            os.fsync(file.fileno())
        require_new(path)
        partial.rename(path)
        _flush_folder(path.parent)
    except (OSError, sqlite3.Error) as error:
        raise BackupError(
            f"Could not write {path}: {_reason(error)}. The incomplete file was removed, and the database is as it"
            " was. If the disk is full, free some space or choose another folder."
        ) from None
    finally:
        for leftover in (partial, partial.with_name(f"{partial.name}-journal")):
            leftover.unlink(missing_ok=True)


def require_new(path: Path) -> None:
    """Raise BackupError if there is a file already."""
    if path.exists():
        raise BackupError(f"{path} exists. Nothing was written. Choose another name.")


def _reason(error: OSError | sqlite3.Error) -> str:
    return (error.strerror if isinstance(error, OSError) else str(error)) or type(error).__name__


def _flush_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
