"""`manage.py check_permissions`."""

from pathlib import Path

import pytest
from django.core.management import CommandError
from pytest_django import Settings

from tests.commands.runner import run_command


@pytest.fixture
def open_file(settings: Settings, tmp_path: Path) -> Path:
    """A database that everybody can read, in a folder that everybody can enter."""
    settings.DATA_DIR = settings.SECRETS_DIR = tmp_path / "data"
    settings.STATIC_ROOT = tmp_path / "data" / "static"
    settings.DATA_DIR.mkdir(mode=0o755)
    settings.DATA_DIR.chmod(0o755)
    path: Path = settings.DATA_DIR / "reviewapp.sqlite3"
    path.touch()
    path.chmod(0o644)
    (settings.DATA_DIR / "link").symlink_to("/etc/passwd")
    return path


def test_it_names_what_others_can_open(open_file: Path) -> None:
    with pytest.raises(CommandError) as error:
        run_command("check_permissions")

    assert str(error.value).splitlines()[1:] == [str(open_file.parent), str(open_file)]
    assert open_file.stat().st_mode & 0o777 == 0o644


def test_it_closes_them(open_file: Path) -> None:
    assert "Closed 2." in run_command("check_permissions", "--fix")
    assert [path.stat().st_mode & 0o777 for path in (open_file.parent, open_file)] == [0o700, 0o600]
    assert "Only the owner can open the files." in run_command("check_permissions")
