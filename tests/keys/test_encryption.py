"""An encrypted secret can be decrypted for its row and with its master key only."""

import base64

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st
from pytest_django import Settings

from reviewapp.accounts.models import Project
from reviewapp.keys.encryption import DecryptionError, decrypt, encrypt, load_master_keys
from reviewapp.keys.models import LaminarKey
from tests.factories import LaminarKeyFactory, ProjectFactory

SECRET = "canary-Wq3nZ8vT5rLx"
ROW = "laminar-key:1:one"


def assert_not_decrypted(ciphertext: str, row: str = ROW) -> None:
    with pytest.raises(DecryptionError, match="Could not decrypt"):
        decrypt(ciphertext, row)


def test_it_decrypts_for_its_row() -> None:
    assert decrypt(encrypt(SECRET, ROW), ROW) == SECRET


@given(st.text())
def test_it_decrypts_any_text(secret: str) -> None:
    assert decrypt(encrypt(secret, ROW), ROW) == secret


def test_it_hides_the_secret() -> None:
    ciphertext = encrypt(SECRET, ROW)

    assert SECRET not in ciphertext
    assert SECRET.encode() not in base64.urlsafe_b64decode(ciphertext.split(".")[2])


def test_it_encrypts_differently_each_time() -> None:
    assert len({encrypt(SECRET, ROW) for _ in range(100)}) == 100


def test_it_refuses_another_row() -> None:
    assert_not_decrypted(encrypt(SECRET, ROW), "laminar-key:1:two")


def test_it_refuses_every_flipped_bit() -> None:
    ciphertext = encrypt(SECRET, ROW)
    for index, letter in enumerate(ciphertext):
        for bit in range(7):
            assert_not_decrypted(ciphertext[:index] + chr(ord(letter) ^ 1 << bit) + ciphertext[index + 1 :])


def test_it_refuses_a_second_spelling_of_the_same_bytes() -> None:
    """Base64 itself ignores these bits."""
    ciphertext = encrypt(SECRET, ROW)
    assert ciphertext.endswith("=")

    assert_not_decrypted(ciphertext[:-2] + chr(ord(ciphertext[-2]) + 1) + "=")
    assert_not_decrypted(ciphertext[:-9] + "!" + ciphertext[-9:])
    assert_not_decrypted(ciphertext + "=")


def test_it_refuses_every_truncation() -> None:
    ciphertext = encrypt(SECRET, ROW)
    for end in range(len(ciphertext)):
        assert_not_decrypted(ciphertext[:end])


@pytest.mark.parametrize("text", ["", ".", "..", "v1..", "a.b.c.d", "v1.é.é", "\x00", "v1.00000000.!!!!"])
def test_it_refuses_malformed_text(text: str) -> None:
    assert_not_decrypted(text)


@given(st.text())
def test_it_refuses_any_other_text(text: str) -> None:
    assert_not_decrypted(text)


def test_it_refuses_without_its_master_key(settings: Settings) -> None:
    ciphertext = encrypt(SECRET, ROW)
    settings.KEY_ENCRYPTION_KEYS = ["another master key"]

    assert_not_decrypted(ciphertext)


def test_it_decrypts_with_an_old_master_key(settings: Settings) -> None:
    ciphertext = encrypt(SECRET, ROW)
    settings.KEY_ENCRYPTION_KEYS = ["a new master key", *settings.KEY_ENCRYPTION_KEYS]

    assert decrypt(ciphertext, ROW) == SECRET


def test_it_encrypts_with_the_first_master_key(settings: Settings) -> None:
    settings.KEY_ENCRYPTION_KEYS = ["a new master key", "the old master key"]
    ciphertext = encrypt(SECRET, ROW)
    settings.KEY_ENCRYPTION_KEYS = ["a new master key"]

    assert decrypt(ciphertext, ROW) == SECRET


def test_it_hides_the_master_key(settings: Settings) -> None:
    settings.KEY_ENCRYPTION_KEYS = ["a-master-key"]

    assert "a-master-key" not in encrypt(SECRET, ROW)


def test_it_refuses_a_key_moved_to_another_project(project: Project) -> None:
    own_key, foreign_key = (
        LaminarKeyFactory.create(project=project),
        LaminarKeyFactory.create(project=ProjectFactory.create()),
    )
    LaminarKey.objects.filter(pk=foreign_key.pk).update(encrypted_secret=own_key.encrypted_secret)
    foreign_key.refresh_from_db()

    with pytest.raises(DecryptionError):
        _ = foreign_key.secret


def test_it_refuses_a_row_moved_to_another_project(project: Project) -> None:
    key = LaminarKeyFactory.create(project=project)
    LaminarKey.objects.filter(pk=key.pk).update(project=ProjectFactory.create())
    key.refresh_from_db()

    with pytest.raises(DecryptionError):
        _ = key.secret


def test_it_refuses_a_key_after_its_base_url_changed(project: Project) -> None:
    key = LaminarKeyFactory.create(project=project)
    Project.objects.filter(pk=project.pk).update(base_url="https://elsewhere.test")

    with pytest.raises(DecryptionError, match="base URL"):
        _ = LaminarKey.objects.get(pk=key.pk).secret


def test_it_reads_a_key_from_before_base_urls_were_bound(project: Project) -> None:
    key = LaminarKeyFactory.create(project=project)
    key.encrypted_secret = encrypt_as_before(SECRET, f"laminar-key:{project.pk}:{key.pk}")

    assert key.secret == SECRET
    assert key.encrypt_again().startswith("v2.")


def test_it_refuses_another_version(project: Project) -> None:
    key = LaminarKeyFactory.create(project=project)
    key.encrypted_secret = key.encrypted_secret.replace("v2.", "v1.", 1)

    with pytest.raises(DecryptionError):
        _ = key.secret


def encrypt_as_before(secret: str, row: str) -> str:
    """A ciphertext of version 1."""
    master = load_master_keys()[0]
    body = bytes(12) + AESGCM(master.secret).encrypt(bytes(12), secret.encode(), row.encode())
    return f"v1.{master.id}.{base64.urlsafe_b64encode(body).decode()}"
