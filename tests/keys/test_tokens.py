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


def test_it_records_the_first_use_of_a_day(secret: str) -> None:
    tokens.find_valid_token(secret, "192.0.2.7")
    AccessToken.objects.update(last_used_at=clock.now() - timedelta(minutes=2))
    tokens.find_valid_token(secret, "192.0.2.8")
    AccessToken.objects.update(last_used_at=clock.now() - timedelta(days=1))
    tokens.find_valid_token(secret, "192.0.2.9")
    uses = AuditEvent.objects.filter(verb="used access token").order_by("seq")

    assert [event.detail for event in uses][-1] == '{"address":"192.0.2.9"}'
    assert len(uses) in (2, 3)  # two minutes ago can be yesterday
    assert AccessToken.objects.get().last_used_from == "192.0.2.9"


def test_it_rotates_a_token_with_overlap(secret: str, admin: User) -> None:
    old = AccessToken.objects.get()
    new_secret = tokens.rotate_token(old, admin)

    assert new_secret is not None
    new, found = tokens.find_valid_token(new_secret), tokens.find_valid_token(secret)
    assert new is not None
    assert found is not None
    assert (new.name, new.scopes, new.expires_at) == (old.name, old.scopes, None)
    assert found.expires_at is not None
    assert timedelta() < found.expires_at - clock.now() <= tokens.OVERLAP


def test_it_refuses_to_rotate_a_revoked_token(secret: str, admin: User) -> None:
    token = AccessToken.objects.get()
    tokens.revoke_token(token, admin)

    assert tokens.rotate_token(token, admin) is None
    assert AccessToken.objects.count() == 1
