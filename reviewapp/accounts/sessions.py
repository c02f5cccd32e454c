"""Sign-in with Django's own sessions and password check."""

from django.contrib.auth.backends import ModelBackend
from django.contrib.sessions.backends import db

from reviewapp.accounts import queries
from reviewapp.accounts.models import User
from reviewapp.lib import sql


class SessionStore(db.SessionStore):
    """Django's database sessions. A cookie with NUL, which PostgreSQL refuses in a query, is no session."""

    def __init__(self, session_key: str | None = None) -> None:
        super().__init__(None if "\x00" in (session_key or "") else session_key)


class Backend(ModelBackend):
    """Django's password check; only reading the signed-in user differs.

    Live sessions contain the path of this class: moving it signs everyone out.
    """

    def get_user(self, user_id: int) -> User | None:
        user = sql.fetch_first(User, queries.USER_BY_PK, user_id)
        return user if user is not None and self.user_can_authenticate(user) else None
