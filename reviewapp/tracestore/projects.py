"""Projects and their keys. A key itself is never stored: only its SHA3-256 and `abcd...wxyz`."""

import hashlib
import secrets
import sqlite3
import string
from dataclasses import dataclass
from uuid import uuid4

from reviewapp.lib import clock
from reviewapp.tracestore import database

KEY_LENGTH = 64
_ALPHABET = string.ascii_letters + string.digits


class KeyTaken(ValueError):
    """The key already opens another project, or opens it in another way."""


@dataclass(frozen=True, slots=True)
class Access:
    """What a key opens."""

    project: int
    project_id: str
    is_ingest_only: bool


@dataclass(frozen=True, slots=True)
class Credentials:
    """A project and its two keys in clear, as they are told once."""

    project_id: str
    full_key: str
    ingest_key: str


def find(key: str) -> Access | None:
    """What `key` opens; None when it is unknown or expired."""
    row = (
        database.reader()
        .execute(
            "SELECT p.row, p.id, k.is_ingest_only FROM key k JOIN project p ON p.row = k.project"
            " WHERE k.hash = ? AND (k.expires_at IS NULL OR k.expires_at > ?)",
            (_hash(key), clock.iso(clock.now())),
        )
        .fetchone()
    )
    return Access(row[0], row[1], bool(row[2])) if row else None


def new() -> Credentials:
    """Fresh credentials, not stored yet."""
    return Credentials(str(uuid4()), _new_key(), _new_key())


def ensure(credentials: Credentials) -> None:
    """Make sure that the project and both keys exist; nothing else changes. Raises KeyTaken."""
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
        raise KeyTaken("A given key already belongs to another project or kind. Nothing was changed; make new keys.")


def _hash(key: str) -> str:
    return hashlib.sha3_256(key.encode(errors="replace")).hexdigest()


def _new_key() -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(KEY_LENGTH))
