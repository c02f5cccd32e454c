"""Master keys: what encrypts the secrets of the database, each with a name that the encrypted text carries."""

import base64
import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass, field

_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,31}", re.ASCII)
KEY_BYTES = 32


class InvalidMasterKeyError(ValueError):
    """A master key cannot be read; the message is a sentence for the operator and never contains the key."""


@dataclass(frozen=True, slots=True)
class MasterKey:
    """An AES-256 key and its id."""

    id: str
    secret: bytes = field(repr=False)


def parse_master_keys(texts: Iterable[str]) -> list[MasterKey]:
    """Parse `id:base64` texts, the base64 of 32 bytes each. Raises InvalidMasterKeyError."""
    keys: dict[str, MasterKey] = {}
    for number, text in enumerate(texts, start=1):
        key_id, _, encoded = text.strip().partition(":")
        if not _ID.fullmatch(key_id):
            raise InvalidMasterKeyError(
                f"Key {number} of MASTER_KEYS has no id. Write each as id:base64, the id in small letters and digits."
            )
        if key_id in keys:
            raise InvalidMasterKeyError(f"MASTER_KEYS has two keys with the id “{key_id}”. Give each its own.")
        keys[key_id] = MasterKey(key_id, _parse_secret(key_id, encoded))
    return list(keys.values())


def derive_master_key(passphrase: str) -> MasterKey:
    """The key of a text in KEY_ENCRYPTION_KEYS, which has no id of its own: it is named by its hash."""
    key_id = hashlib.sha256(b"name:" + passphrase.encode()).hexdigest()[:8]
    return MasterKey(key_id, hashlib.sha256(b"seal:" + passphrase.encode()).digest())


def _parse_secret(key_id: str, encoded: str) -> bytes:
    try:
        secret = base64.b64decode(encoded.strip().replace("-", "+").replace("_", "/"), validate=True)
    except ValueError:
        secret = b""
    if len(secret) != KEY_BYTES or len(set(secret)) < KEY_BYTES // 4:
        raise InvalidMasterKeyError(
            f"The key “{key_id}” of MASTER_KEYS is not {KEY_BYTES} random bytes in base64. Make one with: openssl rand"
            f" -base64 {KEY_BYTES}"
        )
    return secret
