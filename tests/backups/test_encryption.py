"""An encrypted backup: whole or refused."""

from pathlib import Path

import pytest

from reviewapp.backups import encryption
from reviewapp.backups.encryption import CHUNK, TAG_SIZE
from reviewapp.backups.errors import BackupError

PASSPHRASE = "seven quiet lamps at noon"
HEADER = len(encryption.MAGIC) + encryption.SALT_SIZE + encryption.PREFIX_SIZE
PIECE = CHUNK + TAG_SIZE


@pytest.fixture
def encrypted(tmp_path: Path) -> Path:
    """An encrypted file of three pieces."""
    plain, file = tmp_path / "plain", tmp_path / "encrypted"
    plain.write_bytes(b"a" * CHUNK + b"b" * CHUNK + b"c")
    encryption.encrypt_file(plain, file, PASSPHRASE)
    return file


@pytest.mark.parametrize("size", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1])
def test_it_returns_what_was_encrypted(tmp_path: Path, size: int) -> None:
    plain, file, again = (tmp_path / name for name in ("plain", "encrypted", "again"))
    plain.write_bytes(b"x" * size)
    encryption.encrypt_file(plain, file, PASSPHRASE)
    encryption.decrypt_file(file, again, PASSPHRASE)

    assert again.read_bytes() == plain.read_bytes()
    assert file.stat().st_mode & 0o777 == 0o600
    assert encryption.is_encrypted(file)
    assert not encryption.is_encrypted(plain)


def test_it_refuses_another_passphrase(encrypted: Path, tmp_path: Path) -> None:
    with pytest.raises(BackupError, match="another passphrase"):
        encryption.decrypt_file(encrypted, tmp_path / "again", PASSPHRASE + "!")
    assert not (tmp_path / "again").exists()


def test_it_refuses_a_missing_passphrase(encrypted: Path, tmp_path: Path) -> None:
    with pytest.raises(BackupError, match="BACKUP_PASSPHRASE"):
        encryption.decrypt_file(encrypted, tmp_path / "again", "")


def test_it_refuses_a_short_passphrase(tmp_path: Path) -> None:
    with pytest.raises(BackupError, match="shorter than 12"):
        encryption.encrypt_file(tmp_path / "plain", tmp_path / "encrypted", "short")


@pytest.mark.parametrize("damage", ["cut at a piece", "cut", "swapped", "changed", "header", "begun"])
def test_it_refuses_a_damaged_file(encrypted: Path, tmp_path: Path, damage: str) -> None:
    data = encrypted.read_bytes()
    header, first, second = data[:HEADER], data[HEADER : HEADER + PIECE], data[HEADER + PIECE : HEADER + 2 * PIECE]
    encrypted.write_bytes({
        "cut at a piece": header + first + second,
        "cut": data[:-1],
        "swapped": header + second + first + data[HEADER + 2 * PIECE :],
        "changed": data[:-20] + bytes([data[-20] ^ 1]) + data[-19:],
        "header": data[: HEADER - 1] + bytes([data[HEADER - 1] ^ 1]) + data[HEADER:],
        "begun": data[: HEADER - 5],
    }[damage])  # fmt: skip
    with pytest.raises(BackupError, match="damaged"):
        encryption.decrypt_file(encrypted, tmp_path / "again", PASSPHRASE)
    assert not (tmp_path / "again").exists()
