"""Access tokens for the API. Only a hash of the secret is stored."""

from datetime import timedelta

from django.db import transaction
from django.db.models import Case, F, Q, When
from django.db.models.functions import Greatest

from reviewapp.accounts.models import Project, User
from reviewapp.audit.recording import get_actor_name, record
from reviewapp.keys.models import AccessToken
from reviewapp.lib import clock, names

NAME_RULE = "Give the token a name of up to 80 characters, on one line."
# Seconds of a window of the rate limit.
RATE_WINDOW = 60


def find_name_error(name: str) -> str:
    """A sentence that says why a token cannot have this name; empty if it can."""
    if sentence := names.describe_unreadable(name):
        return f"{NAME_RULE} {sentence}"
    return "" if name and len(name) <= 80 else NAME_RULE


def create_token(project: Project, name: str, actor: User | str, *, secret: str = "") -> str:
    """Create an access token. Returns its secret, which cannot be read again later."""
    secret = secret or AccessToken.generate_secret()
    with transaction.atomic():
        AccessToken.objects.create(
            project=project, name=name, prefix=secret[:8], digest=AccessToken.hash_secret(secret),
            created_by=get_actor_name(actor),
        )  # fmt: skip
        record(project, actor, "created access token", f"token:{name}")
    return secret


def revoke_token(token: AccessToken, actor: User | str) -> bool:
    """Revoke a token at once. Returns False if it was already revoked."""
    with transaction.atomic():
        revoked_count = AccessToken.objects.filter(pk=token.pk, revoked_at=None).update(revoked_at=clock.now())
        if revoked_count:
            record(token.project, actor, "revoked access token", f"token:{token.name}")
    return bool(revoked_count)


def find_valid_token(secret: str) -> AccessToken | None:
    """Return the valid access token with this secret, with its project, or None."""
    now = clock.now()
    token = AccessToken.objects.select_related("project").filter(digest=AccessToken.hash_secret(secret)).first()
    if token is None or not token.is_valid:
        return None
    # Write at most once a minute, so that a busy machine does not cause a write per call.
    is_stale = Q(last_used_at=None) | Q(last_used_at__lt=now - timedelta(minutes=1))
    if token.last_used_at is None or token.last_used_at < now - timedelta(minutes=1):
        AccessToken.objects.filter(is_stale, pk=token.pk).update(last_used_at=now)
    return token


def count_call(token: AccessToken, limit: int) -> int:
    """Count a call in the current window of RATE_WINDOW seconds.

    Returns 0, or the seconds until the next window if this one has had `limit` calls; with a `limit` of 0 nothing is
    counted. One conditional statement, so that calls of several processes are all counted.
    """
    if not limit:
        return 0
    window, elapsed = divmod(int(clock.now().timestamp()), RATE_WINDOW)
    has_room = Q(call_window__lt=window) | Q(call_count__lt=limit)
    is_counted = AccessToken.objects.filter(has_room, pk=token.pk).update(
        # Another process may have a clock that is a little ahead, and have begun the next window.
        call_count=Case(When(call_window__gte=window, then=F("call_count") + 1), default=1),
        call_window=Greatest(F("call_window"), window),
    )
    return 0 if is_counted else RATE_WINDOW - elapsed
