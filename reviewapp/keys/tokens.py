"""Access tokens for the API. Only a hash of the secret is stored."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Case, F, Q, When
from django.db.models.functions import Greatest

from reviewapp.accounts.models import Project, User
from reviewapp.audit.recording import get_actor_name, record
from reviewapp.keys.models import AccessToken, Scope
from reviewapp.lib import clock, names

NAME_RULE = "Give the token a name of up to 80 characters, on one line."
DEFAULT_SCOPES = (Scope.READ.value, Scope.QUEUE.value, Scope.PATCH.value)
# How long a rotated token still works.
OVERLAP = timedelta(days=1)
# Seconds of a window of the rate limit.
RATE_WINDOW = 60


def find_name_error(name: str) -> str:
    """A sentence that says why a token cannot have this name; empty if it can."""
    if sentence := names.describe_unreadable(name):
        return f"{NAME_RULE} {sentence}"
    return "" if name and len(name) <= 80 else NAME_RULE


def create_token(
    project: Project,
    name: str,
    actor: User | str,
    *,
    secret: str = "",
    scopes: Sequence[str] = DEFAULT_SCOPES,
    expires_at: datetime | None = None,
) -> str:
    """Create an access token. Returns its secret, which cannot be read again later."""
    secret = secret or AccessToken.generate_secret()
    with transaction.atomic():
        AccessToken.objects.create(
            project=project, name=name, prefix=secret[:8], digest=AccessToken.hash_secret(secret),
            created_by=get_actor_name(actor), scopes=" ".join(scopes), expires_at=expires_at,
        )  # fmt: skip
        expiry = {"expires_at": clock.iso(expires_at)} if expires_at else {}
        record(project, actor, "created access token", f"token:{name}", scopes=list(scopes), **expiry)
    return secret


def rotate_token(token: AccessToken, actor: User) -> str | None:
    """Create a token like this one, which ends after OVERLAP. Returns the new secret; None if this one is not valid."""
    with transaction.atomic():
        current = AccessToken.objects.select_for_update().select_related("project").get(pk=token.pk)
        if not current.is_valid:
            return None
        lifetime = current.expires_at - current.created_at if current.expires_at else None
        ends_at = clock.now() + OVERLAP
        AccessToken.objects.filter(Q(expires_at=None) | Q(expires_at__gt=ends_at), pk=token.pk).update(
            expires_at=ends_at
        )
        record(current.project, actor, "rotated access token", f"token:{token.name}", before=current.prefix)
        return create_token(
            current.project, current.name, actor, scopes=current.scopes.split(),
            expires_at=clock.now() + lifetime if lifetime else None,
        )  # fmt: skip


def revoke_token(token: AccessToken, actor: User | str) -> bool:
    """Revoke a token at once. Returns False if it was already revoked."""
    with transaction.atomic():
        revoked_count = AccessToken.objects.filter(pk=token.pk, revoked_at=None).update(revoked_at=clock.now())
        if revoked_count:
            record(token.project, actor, "revoked access token", f"token:{token.name}")
    return bool(revoked_count)


def find_valid_token(secret: str, address: str = "") -> AccessToken | None:
    """Return the valid access token with this secret, with its project, or None.

    The first use of a day (UTC) is recorded in the audit log; `address` is where the call comes from.
    """
    now = clock.now()
    token = AccessToken.objects.select_related("project").filter(digest=AccessToken.hash_secret(secret)).first()
    if token is None or not token.is_valid:
        return None
    # Write at most once a minute, so that a busy machine does not cause a write per call.
    is_stale = Q(last_used_at=None) | Q(last_used_at__lt=now - timedelta(minutes=1))
    if token.last_used_at is None or token.last_used_at < now - timedelta(minutes=1):
        is_first_today = token.last_used_at is None or token.last_used_at.date() < now.date()
        with transaction.atomic():
            used = AccessToken.objects.filter(is_stale, pk=token.pk).update(
                last_used_at=now, last_used_from=address[:45]
            )
            if used and is_first_today:
                record(
                    token.project, f"token:{token.name}", "used access token", f"token:{token.name}", address=address
                )
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
