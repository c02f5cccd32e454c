"""What a database error means for whoever uses or runs the review desk."""

import os
import sqlite3
from enum import Enum
from pathlib import Path

from django.db import Error, InterfaceError, InternalError, OperationalError, connection

# SQLSTATEs of PostgreSQL.
_FULL_OR_READ_ONLY_STATES = ("53100", "25006", "42501")
_MISSING_STATES = ("42P01", "42703")
_SQLITE_FULL_OR_READ_ONLY = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_IOERR}
_SQLITE_NO_ANSWER = {
    sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PROTOCOL,
}  # fmt: skip
_SQLITE_MISSING = ("no such table", "no such column", "has no column named")


class Fault(Enum):
    """Why a statement failed, if it is nothing that the statement's author can mend."""

    # Not reached, not in time, locked, restarting. It passes, or a person restarts the server.
    NO_ANSWER = "The database does not answer"
    # It can be read, but not written.
    FULL_OR_READ_ONLY = "The database cannot be written: its disk is full, or it is read-only"
    MISSING_MIGRATIONS = "Migrations are missing: run manage.py migrate"


def find_fault(error: BaseException | None) -> Fault | None:
    """Return the fault that this exception, or one that it was raised from, shows; None for any other error."""
    while error is not None:
        if isinstance(error, Error):
            return _classify(error)
        error = error.__cause__ or error.__context__
    return None


def _classify(error: Error) -> Fault | None:
    cause = error.__cause__
    if isinstance(cause, sqlite3.Error):
        if any(words in str(cause) for words in _SQLITE_MISSING):
            return Fault.MISSING_MIGRATIONS
        # Extended codes have the code in their lowest byte.
        code = (getattr(cause, "sqlite_errorcode", None) or sqlite3.SQLITE_ERROR) & 0xFF
        if code in _SQLITE_FULL_OR_READ_ONLY:
            return Fault.FULL_OR_READ_ONLY
        if code == sqlite3.SQLITE_CANTOPEN and _is_file_read_only():
            return Fault.FULL_OR_READ_ONLY
        return Fault.NO_ANSWER if code in _SQLITE_NO_ANSWER else None
    state = getattr(cause, "sqlstate", None) or ""
    if state in _MISSING_STATES:
        return Fault.MISSING_MIGRATIONS
    if state in _FULL_OR_READ_ONLY_STATES:
        return Fault.FULL_OR_READ_ONLY
    return Fault.NO_ANSWER if isinstance(error, (OperationalError, InterfaceError, InternalError)) else None


def _is_file_read_only() -> bool:
    """Whether SQLite's file is there, and no file can be made beside it, which SQLite needs even to read."""
    path = Path(str(connection.settings_dict["NAME"]))
    return path.exists() and not os.access(path.parent, os.W_OK)
