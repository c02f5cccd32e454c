"""Access tokens: how another program signs in to the API. Only a hash of the secret is stored."""

from datetime import timedelta

from django.db import transaction
from django.db.models import Q

from reviewapp.accounts.models import Project, User
from reviewapp.audit.recording import get_actor_name, record
from reviewapp.keys.models import AccessToken
from reviewapp.lib import clock


def create_token(project: Project, name: str, actor: User | str, *, secret: str = "") -> str:
    """A new access token for a machine; this is the only moment it can be read."""
    secret = secret or AccessToken.generate_secret()
    with transaction.atomic():
        AccessToken.objects.create(
            project=project, name=name, prefix=secret[:8], digest=AccessToken.hash_secret(secret),
            created_by=get_actor_name(actor),
        )  # fmt: skip
        record(project, actor, "made access token", f"token:{name}")
    return secret


def revoke_token(token: AccessToken, actor: User) -> bool:
    """End a token at once; False when it was ended before."""
    with transaction.atomic():
        ended = AccessToken.objects.filter(pk=token.pk, revoked_at=None).update(revoked_at=clock.now())
        if ended:
            record(token.project, actor, "revoked access token", f"token:{token.name}")
    return bool(ended)


def find_valid_token(secret: str) -> AccessToken | None:
    """The valid access token that `secret` is, with its project; None for any other text."""
    now = clock.now()
    token = AccessToken.objects.select_related("project").filter(digest=AccessToken.hash_secret(secret)).first()
    if token is None or not token.is_valid:
        return None
    # Once a minute is enough to see that it is used, and keeps a busy machine from writing at each call.
    stale = Q(last_used_at=None) | Q(last_used_at__lt=now - timedelta(minutes=1))
    if token.last_used_at is None or token.last_used_at < now - timedelta(minutes=1):
        AccessToken.objects.filter(stale, pk=token.pk).update(last_used_at=now)
    return token
