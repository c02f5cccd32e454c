"""Who is asking: Django's sessions and users, read by statements that are written out.

Each request asks both before anything else; see reviewapp.lib.sql for why that is worth it.
"""

from django.contrib.auth.backends import ModelBackend
from django.contrib.sessions.backends import db
from django.contrib.sessions.models import Session

from reviewapp.accounts.models import User
from reviewapp.lib import clock, sql

_SESSION = "SELECT * FROM django_session WHERE session_key = %s AND expire_date > %s"
_USER = "SELECT * FROM reviewapp_user WHERE id = %s"


class SessionStore(db.SessionStore):
    """Django's sessions in the database; only the reading differs."""

    def _get_session_from_db(self) -> Session | None:
        found = sql.fetch_first(Session, _SESSION, self.session_key, clock.now())
        if found is None:
            self._session_key = None
        return found


class Backend(ModelBackend):
    """Django's own check of passwords; only the reading of the one who is signed in differs."""

    def get_user(self, user_id: int) -> User | None:
        user = sql.fetch_first(User, _USER, user_id)
        return user if user is not None and self.user_can_authenticate(user) else None
