"""Sessions in our own table, stored under a hash of their id, and Django's password check."""

import hashlib
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.contrib.auth.backends import ModelBackend
from django.contrib.sessions.backends.base import CreateError, SessionBase, UpdateError
from django.db import DatabaseError, IntegrityError, transaction
from django.http import HttpRequest, HttpResponse

from reviewapp.accounts import queries
from reviewapp.accounts.models import User
from reviewapp.accounts.sign_in_models import Session
from reviewapp.lib import clock, sql

# How old `seen_at` may become before it is written again: not every request writes.
SEEN_INTERVAL = timedelta(minutes=5)
EXPIRED_BATCH = 500


def forget_expired_sessions() -> None:
    """Delete expired sessions, EXPIRED_BATCH at most: whoever had one has to sign in again anyway."""
    expired = Session.objects.filter(expires_at__lte=clock.now()).order_by("expires_at")
    if digests := list(expired.values_list("digest", flat=True)[:EXPIRED_BATCH]):
        Session.objects.filter(digest__in=digests).delete()


class SessionStore(SessionBase):
    """A session that ends after SESSION_IDLE_HOURS without a request, and after SESSION_DAYS in any case."""

    def __init__(self, session_key: str | None = None) -> None:
        super().__init__(session_key)
        self.created_at: datetime | None = None
        self.seen_at: datetime | None = None
        self.confirmed_at: datetime | None = None

    @property
    def digest(self) -> str:
        return hash_id(self.session_key or "")

    def load(self) -> dict[str, Any]:
        """Read the session of this id. A new one begins if it is unknown or has ended."""
        rows = sql.fetch_rows(queries.SESSION, self.digest, clock.now()) if self.session_key else []
        if not rows:
            self._session_key = None
            return {}
        data, *times = rows[0]
        self.created_at, self.seen_at, self.confirmed_at = map(sql.parse_datetime, times)
        return self.decode(data)

    def exists(self, session_key: str) -> bool:
        return Session.objects.filter(digest=hash_id(session_key)).exists()

    def create(self) -> None:
        """Begin a session under a new id."""
        while True:
            self._session_key = self._get_new_session_key()  # type: ignore[attr-defined]
            with suppress(CreateError):
                self.save(must_create=True)
                break
        self.modified = True

    def save(self, must_create: bool = False) -> None:
        """Write the session. Raises UpdateError if it was ended meanwhile, CreateError if its id is taken."""
        if self.session_key is None:
            self.create()
            return
        data = self._get_session(no_load=must_create)  # type: ignore[attr-defined]
        now = clock.now()
        if must_create or self.created_at is None:
            self.created_at, self.confirmed_at = now, None
        self.seen_at = now
        values = {
            "data": self.encode(data), "user_id": data.get(SESSION_KEY), "seen_at": now,
            "expires_at": _end_of(self.created_at, now),
        }  # fmt: skip
        if must_create:
            try:
                with transaction.atomic():
                    Session.objects.create(digest=self.digest, created_at=now, **values)
            except IntegrityError:
                raise CreateError from None
        elif not Session.objects.filter(digest=self.digest).update(**values):
            raise UpdateError

    def delete(self, session_key: str | None = None) -> None:
        key = session_key or self.session_key
        if key is not None:
            Session.objects.filter(digest=hash_id(key)).delete()

    def renew(self) -> None:
        """Record that the session was used, at most once in SEEN_INTERVAL."""
        now = clock.now()
        if self.created_at and self.seen_at and self.session_key and now - self.seen_at > SEEN_INTERVAL:
            end = _end_of(self.created_at, now)
            Session.objects.filter(digest=self.digest).update(seen_at=now, expires_at=end)
            self.seen_at = now

    def confirm(self) -> None:
        """Record that the person has typed their password again."""
        self.confirmed_at = clock.now()
        Session.objects.filter(digest=self.digest).update(confirmed_at=self.confirmed_at)

    @classmethod
    def clear_expired(cls) -> None:
        Session.objects.filter(expires_at__lte=clock.now()).delete()


def hash_id(session_key: str) -> str:
    """The name of a session's row. An id has 165 random bits: it needs no slow hash."""
    return hashlib.sha256(session_key.encode("utf-8", "surrogatepass")).hexdigest()


def _end_of(created_at: datetime, now: datetime) -> datetime:
    return min(
        now + timedelta(hours=settings.SESSION_IDLE_HOURS), created_at + timedelta(days=settings.SESSION_DAYS)
    )  # fmt: skip


def renew_session(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Middleware: keep a session that is used from ending for idleness."""

    def middleware(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        if request.session.accessed:
            # A page that was read is shown although nothing can be written now.
            with suppress(DatabaseError):
                request.session.renew()  # type: ignore[attr-defined]
        return response

    return middleware


def end_sessions(user: User, *, except_digest: str = "") -> int:
    """End the person's sessions on every device but one. Returns how many."""
    count, _ = Session.objects.filter(user=user).exclude(digest=except_digest).delete()
    return count


class Backend(ModelBackend):
    """Django's password check; only reading the signed-in user differs.

    Live sessions contain the path of this class: moving it signs everyone out.
    """

    def get_user(self, user_id: int) -> User | None:
        user = sql.fetch_first(User, queries.USER_BY_PK, user_id)
        return user if user is not None and self.user_can_authenticate(user) else None
