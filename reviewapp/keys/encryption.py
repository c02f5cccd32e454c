"""Encrypt secrets bound to one database row: moved to another row or changed, they cannot be decrypted."""

import base64
import hashlib
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings


class DecryptionError(Exception):
    """The ciphertext was changed, belongs to another row, or its master key is missing."""

    def __init__(self) -> None:
        super().__init__(
            "Could not decrypt a stored key: KEY_ENCRYPTION_KEYS lacks its master key, or the row was changed."
            " Reviews are safe. Put the old master key back, or paste the Laminar key again."
        )


def encrypt(secret: str, row: str) -> str:
    """Encrypt `secret` with AES-256-GCM, bound to the name of its row. Returns `v1.<master>.<nonce and ciphertext>`."""
    master = settings.KEY_ENCRYPTION_KEYS[0]
    nonce = os.urandom(12)
    ciphertext = AESGCM(_derive_key(master)).encrypt(nonce, secret.encode(), row.encode())
    return f"v1.{_name_master(master)}.{base64.urlsafe_b64encode(nonce + ciphertext).decode()}"


def decrypt(text: str, row: str) -> str:
    """Decrypt a secret that `encrypt` bound to the same row. Raises DecryptionError."""
    try:
        version, name, body = text.split(".")
        raw = base64.urlsafe_b64decode(body)
    except ValueError:
        raise DecryptionError from None
    # Too short for nonce and tag, or another base64 spelling of the same bytes.
    if len(raw) < 28 or base64.urlsafe_b64encode(raw).decode() != body:
        raise DecryptionError
    for master in settings.KEY_ENCRYPTION_KEYS:
        if version == "v1" and _name_master(master) == name:
            try:
                return AESGCM(_derive_key(master)).decrypt(raw[:12], raw[12:], row.encode()).decode()
            except InvalidTag:
                raise DecryptionError from None
    raise DecryptionError


def _derive_key(master: str) -> bytes:
    return hashlib.sha256(b"seal:" + master.encode()).digest()


def _name_master(master: str) -> str:
    return hashlib.sha256(b"name:" + master.encode()).hexdigest()[:8]
