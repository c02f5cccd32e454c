"""Sign-in with Django's own sessions and password check."""

from django.contrib.auth.backends import ModelBackend

from reviewapp.accounts import queries
from reviewapp.accounts.models import User
from reviewapp.lib import sql


class Backend(ModelBackend):
    """Django's password check; only reading the signed-in user differs.

    Live sessions contain the path of this class: moving it signs everyone out.
    """

    def get_user(self, user_id: int) -> User | None:
        user = sql.fetch_first(User, queries.USER_BY_PK, user_id)
        return user if user is not None and self.user_can_authenticate(user) else None
