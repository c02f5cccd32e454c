"""Encrypt the file of a backup with a passphrase: AES-256-GCM, piece by piece, in flat memory.

The file is MAGIC, a salt, the prefix of the nonces, and pieces of CHUNK bytes, each with a tag of 16 bytes. A piece's
nonce has its number, and whether it is the last: pieces cannot be swapped, repeated or cut off unnoticed.
"""

import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from reviewapp.backups import files
from reviewapp.backups.errors import BackupError

MAGIC = b"review-desk backup 1\n"
CHUNK, TAG_SIZE, SALT_SIZE, PREFIX_SIZE = 1 << 20, 16, 16, 7
MIN_PASSPHRASE = 12
# Scrypt's cost: 64 MiB and about a fifth of a second for each guess.
COST = 2**16


def is_encrypted(file: Path) -> bool:
    """Whether the file begins as an encrypted backup does; false if it cannot be read."""
    try:
        with file.open("rb") as stream:
            return stream.read(len(MAGIC)) == MAGIC
    except OSError:
        return False


def encrypt_file(plain: Path, file: Path, passphrase: str) -> None:
    """Write an encrypted copy of `plain` to the new file `file`. Raises BackupError."""
    if len(passphrase) < MIN_PASSPHRASE:
        raise BackupError(f"The passphrase is shorter than {MIN_PASSPHRASE} characters. Nothing was written.")
    salt, prefix = secrets.token_bytes(SALT_SIZE), secrets.token_bytes(PREFIX_SIZE)
    cipher = _make_cipher(passphrase, salt)
    with files.new_file(file) as partial, plain.open("rb") as source, partial.open("wb") as target:
        header = MAGIC + salt + prefix
        target.write(header)
        for number, piece, is_last in _read_pieces(source, CHUNK):
            target.write(cipher.encrypt(_make_nonce(prefix, number, is_last=is_last), piece, header))


def decrypt_file(file: Path, plain: Path, passphrase: str) -> None:
    """Write what is in the encrypted `file` to the new file `plain`. Raises BackupError, without a file then."""
    if not passphrase:
        raise BackupError(f"{file} is encrypted. Nothing was changed. Set BACKUP_PASSPHRASE or BACKUP_PASSPHRASE_FILE.")
    with files.new_file(plain) as partial, file.open("rb") as source, partial.open("wb") as target:
        header = source.read(len(MAGIC) + SALT_SIZE + PREFIX_SIZE)
        salt, prefix = header[len(MAGIC) : -PREFIX_SIZE], header[-PREFIX_SIZE:]
        if len(header) < len(MAGIC) + SALT_SIZE + PREFIX_SIZE:
            raise BackupError(f"{file} is damaged: it ends too early. Nothing was changed. Use another backup.")
        cipher = _make_cipher(passphrase, salt)
        for number, piece, is_last in _read_pieces(source, CHUNK + TAG_SIZE):
            try:
                target.write(cipher.decrypt(_make_nonce(prefix, number, is_last=is_last), piece, header))
            except InvalidTag:
                reason = "is damaged, or was encrypted with another passphrase" if number == 0 else "is damaged"
                raise BackupError(f"{file} {reason}. Nothing was changed.") from None


def _make_cipher(passphrase: str, salt: bytes) -> AESGCM:
    return AESGCM(Scrypt(salt=salt, length=32, n=COST, r=8, p=1).derive(passphrase.encode("utf-8", "surrogateescape")))


def _make_nonce(prefix: bytes, number: int, *, is_last: bool) -> bytes:
    return prefix + number.to_bytes(4, "big") + bytes([is_last])


def _read_pieces(source: BinaryIO, size: int) -> Iterator[tuple[int, bytes, bool]]:
    """Yield number, bytes and whether it is the last, for each piece; an empty file has one empty piece."""
    number, piece = 0, source.read(size)
    while True:
        following = source.read(size)
        yield number, piece, not following
        if not following:
            return
        number, piece = number + 1, following
