"""A sealed secret opens for its row and its master key, and for nothing else."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pytest_django import Settings

from reviewapp.accounts.models import Project
from reviewapp.keys.encryption import DecryptionError, decrypt, encrypt
from reviewapp.keys.models import LaminarKey
from tests.factories import LaminarKeyFactory, ProjectFactory

SECRET = "canary-Wq3nZ8vT5rLx"
ROW = "laminar-key:1:one"


def refused(sealed: str, row: str = ROW) -> None:
    with pytest.raises(DecryptionError, match="Nothing is lost"):
        decrypt(sealed, row)


def test_it_opens_for_its_row() -> None:
    assert decrypt(encrypt(SECRET, ROW), ROW) == SECRET


@given(st.text())
def test_it_keeps_any_text(secret: str) -> None:
    assert decrypt(encrypt(secret, ROW), ROW) == secret


def test_it_holds_nothing_of_the_secret() -> None:
    sealed = encrypt(SECRET, ROW)

    assert SECRET not in sealed
    assert SECRET.encode() not in base64.urlsafe_b64decode(sealed.split(".")[2])


def test_it_never_seals_twice_the_same() -> None:
    assert len({encrypt(SECRET, ROW) for _ in range(100)}) == 100


def test_it_refuses_another_row() -> None:
    refused(encrypt(SECRET, ROW), "laminar-key:1:two")


def test_it_refuses_every_bit_that_flipped() -> None:
    sealed = encrypt(SECRET, ROW)
    for at, letter in enumerate(sealed):
        for bit in range(7):
            refused(sealed[:at] + chr(ord(letter) ^ 1 << bit) + sealed[at + 1 :])


def test_it_refuses_a_second_spelling_of_the_same_bytes() -> None:
    """Base64 itself would not miss these bits."""
    sealed = encrypt(SECRET, ROW)
    assert sealed.endswith("=")

    refused(sealed[:-2] + chr(ord(sealed[-2]) + 1) + "=")
    refused(sealed[:-9] + "!" + sealed[-9:])
    refused(sealed + "=")


def test_it_refuses_every_cut() -> None:
    sealed = encrypt(SECRET, ROW)
    for end in range(len(sealed)):
        refused(sealed[:end])


@pytest.mark.parametrize("text", ["", ".", "..", "v1..", "a.b.c.d", "v1.é.é", "\x00", "v1.00000000.!!!!"])
def test_it_refuses_what_was_never_sealed(text: str) -> None:
    refused(text)


@given(st.text())
def test_it_refuses_any_other_text(text: str) -> None:
    refused(text)


def test_it_refuses_without_its_master_key(settings: Settings) -> None:
    sealed = encrypt(SECRET, ROW)
    settings.KEY_ENCRYPTION_KEYS = ["another master key"]

    refused(sealed)


def test_it_opens_with_an_old_master_key(settings: Settings) -> None:
    sealed = encrypt(SECRET, ROW)
    settings.KEY_ENCRYPTION_KEYS = ["a new master key", *settings.KEY_ENCRYPTION_KEYS]

    assert decrypt(sealed, ROW) == SECRET


def test_it_seals_with_the_first_master_key(settings: Settings) -> None:
    settings.KEY_ENCRYPTION_KEYS = ["a new master key", "the old master key"]
    sealed = encrypt(SECRET, ROW)
    settings.KEY_ENCRYPTION_KEYS = ["a new master key"]

    assert decrypt(sealed, ROW) == SECRET


def test_it_names_no_master_key(settings: Settings) -> None:
    settings.KEY_ENCRYPTION_KEYS = ["a-master-key"]

    assert "a-master-key" not in encrypt(SECRET, ROW)


def test_it_refuses_a_key_moved_to_another_project(project: Project) -> None:
    mine, theirs = LaminarKeyFactory.create(project=project), LaminarKeyFactory.create(project=ProjectFactory.create())
    LaminarKey.objects.filter(pk=theirs.pk).update(encrypted_secret=mine.encrypted_secret)
    theirs.refresh_from_db()

    with pytest.raises(DecryptionError):
        _ = theirs.secret


def test_it_refuses_a_row_moved_to_another_project(project: Project) -> None:
    key = LaminarKeyFactory.create(project=project)
    LaminarKey.objects.filter(pk=key.pk).update(project=ProjectFactory.create())
    key.refresh_from_db()

    with pytest.raises(DecryptionError):
        _ = key.secret
