"""Sign-in with Django's own sessions and password check."""

from typing import Any

from django.contrib.auth.backends import ModelBackend
from django.contrib.sessions.backends import db

from reviewapp.accounts import queries
from reviewapp.accounts.models import User
from reviewapp.lib import clock, sql


class SessionStore(db.SessionStore):
    """Django's database sessions. A cookie with NUL, which PostgreSQL refuses in a query, is no session."""

    def __init__(self, session_key: str | None = None) -> None:
        super().__init__(None if "\x00" in (session_key or "") else session_key)

    def load(self) -> dict[str, Any]:
        """Read the session of this key. What is missing, expired or new is left to Django."""
        rows = sql.fetch_rows(queries.SESSION_DATA, self.session_key, clock.now()) if self.session_key else []
        return self.decode(rows[0][0]) if rows else super().load()


class Backend(ModelBackend):
    """Django's password check; only reading the signed-in user differs.

    Live sessions contain the path of this class: moving it signs everyone out.
    """

    def get_user(self, user_id: int) -> User | None:
        user = sql.fetch_first(User, queries.USER_BY_PK, user_id)
        return user if user is not None and self.user_can_authenticate(user) else None
