"""Access tokens: created, used and revoked."""

from datetime import timedelta

import pytest

from reviewapp.accounts.models import Project, User
from reviewapp.audit.models import AuditEvent
from reviewapp.keys import tokens
from reviewapp.keys.models import AccessToken
from reviewapp.lib import clock


@pytest.fixture
def secret(project: Project) -> str:
    return tokens.create_token(project, "ci", "command")


def test_it_gives_access_to_its_project(project: Project, secret: str) -> None:
    token = tokens.find_valid_token(secret)

    assert token is not None
    assert (token.project, token.name) == (project, "ci")


def test_it_stores_only_a_digest(secret: str) -> None:
    (row,) = AccessToken.objects.values()

    assert secret not in str(row)
    assert row["prefix"] == secret[:8]


def test_it_generates_unique_tokens(project: Project) -> None:
    secrets = {tokens.create_token(project, "ci", "command") for _ in range(20)}

    assert len(secrets) == 20
    assert {len(secret) for secret in secrets} == {47}


@pytest.mark.parametrize(
    "change", [str.upper, str.swapcase, lambda text: text[:-1], lambda text: f" {text}", lambda _: ""]
)
def test_it_refuses_any_other_text(secret: str, change: object) -> None:
    assert callable(change)
    assert tokens.find_valid_token(change(secret)) is None


def test_it_refuses_the_digest_itself(secret: str) -> None:
    assert tokens.find_valid_token(AccessToken.hash_secret(secret)) is None


def test_it_refuses_a_revoked_token(secret: str, admin: User) -> None:
    assert tokens.revoke_token(AccessToken.objects.get(), admin)
    assert tokens.find_valid_token(secret) is None


def test_it_refuses_an_expired_token(secret: str) -> None:
    AccessToken.objects.update(expires_at=clock.now() - timedelta(seconds=1))

    assert tokens.find_valid_token(secret) is None


def test_it_accepts_a_token_until_it_expires(secret: str) -> None:
    AccessToken.objects.update(expires_at=clock.now() + timedelta(minutes=1))

    assert tokens.find_valid_token(secret) is not None


def test_it_revokes_once(secret: str, admin: User) -> None:
    token = AccessToken.objects.get()

    assert [tokens.revoke_token(token, admin) for _ in range(2)] == [True, False]
    assert AuditEvent.objects.filter(verb="revoked access token").count() == 1


def test_it_records_creation_and_revocation(secret: str, admin: User) -> None:
    tokens.revoke_token(AccessToken.objects.get(), admin)
    created, revoked = AuditEvent.objects.order_by("seq")

    assert created.target == revoked.target == "token:ci"
    assert (created.actor_name, revoked.actor_name) == ("command", "admin")


def test_it_records_the_last_use(secret: str) -> None:
    assert AccessToken.objects.get().last_used_at is None
    tokens.find_valid_token(secret)
    last_used_at = AccessToken.objects.get().last_used_at

    assert last_used_at is not None
    assert clock.now() - last_used_at < timedelta(seconds=30)


def test_it_records_the_last_use_once_a_minute(secret: str) -> None:
    earlier = clock.now() - timedelta(seconds=50)
    AccessToken.objects.update(last_used_at=earlier)
    tokens.find_valid_token(secret)
    assert AccessToken.objects.get().last_used_at == earlier

    AccessToken.objects.update(last_used_at=earlier - timedelta(seconds=11))
    tokens.find_valid_token(secret)
    assert AccessToken.objects.filter(last_used_at__gt=earlier).exists()
