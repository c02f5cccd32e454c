"""Settings that would be unsafe are refused at the start, and safe ones hold."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent


def started(folder: Path, code: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    """A process of its own with these settings."""
    given = os.environ | {"DJANGO_SETTINGS_MODULE": "reviewapp.settings", "DATA_DIR": str(folder), **environment}
    command = [sys.executable, "-c", f"from django.conf import settings\n{code}"]
    return subprocess.run(command, cwd=ROOT, env=given, capture_output=True, text=True, check=False)


def test_it_refuses_a_short_secret(tmp_path: Path) -> None:
    ended = started(tmp_path, "settings.DEBUG", SECRET_KEY="x" * 49)

    assert ended.returncode == 1
    assert "SECRET_KEY is shorter than 50 characters. Make a long random one." in ended.stderr


def test_it_makes_a_secret_of_its_own(tmp_path: Path) -> None:
    asked = [started(tmp_path, "print(len(settings.SECRET_KEY), settings.DEBUG)", SECRET_KEY="") for _ in range(2)]

    assert [ended.stdout.split() for ended in asked] == [["64", "False"]] * 2
    assert (tmp_path / "secret_key").stat().st_mode & 0o777 == 0o600


def test_it_keeps_cookies_to_https_when_told(tmp_path: Path) -> None:
    ended = started(tmp_path, "print(settings.SESSION_COOKIE_SECURE, settings.CSRF_COOKIE_SECURE)", SECURE_COOKIES="1")

    assert ended.stdout.split() == ["True", "True"]
