"""Seal a secret for one row: moved to another row, or changed by a bit, it does not open."""

import base64
import hashlib
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings


class DecryptionError(Exception):
    """The sealed text was changed, belongs to another row, or its master key is missing."""

    def __init__(self) -> None:
        super().__init__(
            "A stored key cannot be opened: KEY_ENCRYPTION_KEYS lacks the key that sealed it, or the row was changed. "
            "Nothing is lost: put the old master key back, or paste the Laminar key anew."
        )


def encrypt(secret: str, row: str) -> str:
    """AES-256-GCM of `secret`, bound to the name of its row; text of the form `v1.<master>.<nonce and cipher>`."""
    master = settings.KEY_ENCRYPTION_KEYS[0]
    nonce = os.urandom(12)
    sealed = AESGCM(_key(master)).encrypt(nonce, secret.encode(), row.encode())
    return f"v1.{_name(master)}.{base64.urlsafe_b64encode(nonce + sealed).decode()}"


def decrypt(text: str, row: str) -> str:
    """The secret that `seal` was given for the same row. Raises CannotOpen."""
    try:
        version, name, body = text.split(".")
        raw = base64.urlsafe_b64decode(body)
    except ValueError:
        raise DecryptionError from None
    # Shorter than nonce and tag, or one of the other texts that base64 reads as the same bytes.
    if len(raw) < 28 or base64.urlsafe_b64encode(raw).decode() != body:
        raise DecryptionError
    for master in settings.KEY_ENCRYPTION_KEYS:
        if version == "v1" and _name(master) == name:
            try:
                return AESGCM(_key(master)).decrypt(raw[:12], raw[12:], row.encode()).decode()
            except InvalidTag:
                raise DecryptionError from None
    raise DecryptionError


def _key(master: str) -> bytes:
    return hashlib.sha256(b"seal:" + master.encode()).digest()


def _name(master: str) -> str:
    return hashlib.sha256(b"name:" + master.encode()).hexdigest()[:8]
