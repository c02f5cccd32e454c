"""Django's sessions and users, read by plain SQL.

Every request reads both first; reviewapp.lib.sql says why that is worth it.
"""

from django.contrib.auth.backends import ModelBackend
from django.contrib.sessions.backends import db
from django.contrib.sessions.models import Session

from reviewapp.accounts.models import User
from reviewapp.lib import clock, sql

_SESSION = "SELECT * FROM django_session WHERE session_key = %s AND expire_date > %s"
_USER = "SELECT * FROM reviewapp_user WHERE id = %s"


class SessionStore(db.SessionStore):
    """Django's database sessions; only reading differs."""

    def _get_session_from_db(self) -> Session | None:
        session = sql.fetch_first(Session, _SESSION, self.session_key, clock.now())
        if session is None:
            self._session_key = None
        return session


class Backend(ModelBackend):
    """Django's password check; only reading the signed-in user differs."""

    def get_user(self, user_id: int) -> User | None:
        user = sql.fetch_first(User, _USER, user_id)
        return user if user is not None and self.user_can_authenticate(user) else None
