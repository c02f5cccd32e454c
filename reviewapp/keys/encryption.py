"""Encrypt secrets bound to one database row: moved to another row or changed, they cannot be decrypted."""

import base64
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings

from reviewapp.lib.master_keys import MasterKey, derive_master_key

# v1 was bound to project and row, v2 is bound to the project's base URL too.
VERSION, OLD_VERSION = "v2", "v1"


class DecryptionError(Exception):
    """The ciphertext was changed, belongs to another row or base URL, or its master key is missing."""

    def __init__(self) -> None:
        super().__init__(
            "Could not decrypt a stored key: KEY_ENCRYPTION_KEYS and MASTER_KEYS lack its master key, or the row or the"
            " project's base URL was changed. Reviews are safe. Put the old master key back, or paste the Laminar key"
            " again."
        )


class MissingMasterKeyError(DecryptionError):
    """This process has no master key of that id; another one may have it."""


def load_master_keys() -> list[MasterKey]:
    """All master keys of this process: the first one encrypts, all of them decrypt."""
    return [*settings.MASTER_KEYS, *map(derive_master_key, settings.KEY_ENCRYPTION_KEYS)]


def encrypt(secret: str, context: str) -> str:
    """Encrypt `secret` with AES-256-GCM, bound to the name of its row. Returns `v2.<id>.<nonce and ciphertext>`."""
    master = load_master_keys()[0]
    nonce = os.urandom(12)
    ciphertext = AESGCM(master.secret).encrypt(nonce, secret.encode(), f"{VERSION}:{context}".encode())
    return f"{VERSION}.{master.id}.{base64.urlsafe_b64encode(nonce + ciphertext).decode()}"


def decrypt(text: str, context: str) -> str:
    """Decrypt a secret that `encrypt` bound to the same row. Raises DecryptionError."""
    try:
        version, key_id, body = text.split(".")
        raw = base64.urlsafe_b64decode(body)
    except ValueError:
        raise DecryptionError from None
    # Too short for nonce and tag, or another base64 spelling of the same bytes.
    if len(raw) < 28 or base64.urlsafe_b64encode(raw).decode() != body or version not in (VERSION, OLD_VERSION):
        raise DecryptionError
    bound_to = f"{VERSION}:{context}" if version == VERSION else context
    for master in load_master_keys():
        if master.id == key_id:
            try:
                return AESGCM(master.secret).decrypt(raw[:12], raw[12:], bound_to.encode()).decode()
            except (InvalidTag, UnicodeDecodeError):
                raise DecryptionError from None
    raise MissingMasterKeyError


def is_old(text: str) -> bool:
    """Whether a ciphertext is of the version before base URLs were bound."""
    return text.startswith(f"{OLD_VERSION}.")


def get_master_id(text: str) -> str:
    """The id of the master key of a ciphertext; empty if it is malformed."""
    parts = text.split(".")
    return parts[1] if len(parts) == 3 else ""
