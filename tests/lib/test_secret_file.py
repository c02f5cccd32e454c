import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from reviewapp.lib import secret_file


def test_it_generates_a_long_secret(tmp_path: Path) -> None:
    assert len(secret_file.read_or_create(tmp_path / "key")) >= 64


def test_it_reads_the_same_secret_again(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "key"

    assert secret_file.read_or_create(path) == secret_file.read_or_create(path)


def test_it_keeps_an_existing_secret(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("chosen by hand\n")

    assert secret_file.read_or_create(tmp_path / "key") == "chosen by hand"


def test_it_is_readable_by_the_owner_only(tmp_path: Path) -> None:
    secret_file.read_or_create(tmp_path / "key")

    assert stat.S_IMODE((tmp_path / "key").stat().st_mode) == 0o600


def test_it_generates_a_secret_per_file(tmp_path: Path) -> None:
    assert secret_file.read_or_create(tmp_path / "one") != secret_file.read_or_create(tmp_path / "two")


def test_it_generates_one_secret_when_started_concurrently(tmp_path: Path) -> None:
    with ThreadPoolExecutor(16) as pool:
        secrets = set(pool.map(secret_file.read_or_create, [tmp_path / "key"] * 64))

    assert len(secrets) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["key"]


def test_it_reads_a_secret_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("the secret\n")

    assert secret_file.read_setting("KEY", {"KEY_FILE": str(tmp_path / "key")}) == "the secret"
    assert secret_file.read_setting("KEY", {"KEY": "in the variable"}) == "in the variable"
    assert secret_file.read_setting("KEY", {}) == ""


@pytest.mark.parametrize(("content", "reason"), [
    (None, "No such file or directory"), (b"", "is empty"), (b" \n", "is empty"), (b"\xff", "not text in UTF-8"),
])  # fmt: skip
def test_it_refuses_an_unusable_file(tmp_path: Path, content: bytes | None, reason: str) -> None:
    if content is not None:
        (tmp_path / "key").write_bytes(content)
    with pytest.raises(secret_file.UnreadableSecretError, match=f"KEY_FILE .*key.*{reason}"):
        secret_file.read_setting("KEY", {"KEY_FILE": str(tmp_path / "key")})


def test_it_refuses_a_secret_in_both_places(tmp_path: Path) -> None:
    with pytest.raises(secret_file.UnreadableSecretError, match="KEY and KEY_FILE are both set"):
        secret_file.read_setting("KEY", {"KEY": "a", "KEY_FILE": str(tmp_path / "key")})


def test_it_reports_a_new_secret_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(2):
        secret_file.read_or_create(tmp_path / "key")

    assert capsys.readouterr().err.count(f"Created the secret {tmp_path / 'key'}. Back it up") == 1
