"""Projects and their keys. A key is stored only as its SHA3-256 hash and the shorthand `abcd...wxyz`."""

import hashlib
import secrets
import sqlite3
import string
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import uuid4

from reviewapp.lib import clock
from reviewapp.tracestore import database

KEY_LENGTH = 64
_ALPHABET = string.ascii_letters + string.digits


class KeyConflictError(ValueError):
    """The key already belongs to another project, or to this one as the other kind of key."""


@dataclass(frozen=True, slots=True)
class Access:
    """What a key gives access to."""

    project: int
    project_id: str
    is_ingest_only: bool


@dataclass(frozen=True, slots=True)
class Credentials:
    """A project and its two keys in plain text, shown only when they are created."""

    project_id: str
    full_key: str
    ingest_key: str


def find(key: str) -> Access | None:
    """Returns the access that `key` gives; None if it is unknown or expired."""
    row = (
        database.reader()
        .execute(
            "SELECT p.row, p.id, k.is_ingest_only FROM key k JOIN project p ON p.row = k.project"
            " WHERE k.hash = ? AND (k.expires_at IS NULL OR k.expires_at > ?)",
            (_hash(key), clock.iso(datetime.now(UTC))),
        )
        .fetchone()
    )
    return Access(row[0], row[1], bool(row[2])) if row else None


def generate_credentials() -> Credentials:
    """Generate a project id and two keys. Does not store them."""
    return Credentials(str(uuid4()), _generate_key(), _generate_key())


def ensure(credentials: Credentials) -> None:
    """Create the project and both keys unless they exist. Raises KeyConflictError."""
    with database.writing() as connection:
        connection.execute("INSERT OR IGNORE INTO project (id) VALUES (?)", (credentials.project_id,))
        (project,) = connection.execute("SELECT row FROM project WHERE id = ?", (credentials.project_id,)).fetchone()
        _ensure_key(connection, project, credentials.full_key, is_ingest_only=False)
        _ensure_key(connection, project, credentials.ingest_key, is_ingest_only=True)


def is_empty() -> bool:
    """Whether the store has no project yet."""
    with database.writing() as connection:
        return connection.execute("SELECT 1 FROM project LIMIT 1").fetchone() is None


def _ensure_key(connection: sqlite3.Connection, project: int, key: str, *, is_ingest_only: bool) -> None:
    connection.execute(
        "INSERT OR IGNORE INTO key (hash, project, shorthand, is_ingest_only) VALUES (?, ?, ?, ?)",
        (_hash(key), project, f"{key[:4]}...{key[-4:]}", is_ingest_only),
    )
    stored = connection.execute("SELECT project, is_ingest_only FROM key WHERE hash = ?", (_hash(key),)).fetchone()
    if stored != (project, is_ingest_only):
        raise KeyConflictError(
            "A key already belongs to another project, or is of the other kind. Nothing was changed. Use new keys."
        )


def _hash(key: str) -> str:
    return hashlib.sha3_256(key.encode(errors="replace")).hexdigest()


def _generate_key() -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(KEY_LENGTH))
