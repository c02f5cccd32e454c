"""Unsafe settings are refused at startup."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent


def run_with_settings(folder: Path, code: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    """Run code in a process of its own with these settings."""
    variables = os.environ | {"DJANGO_SETTINGS_MODULE": "reviewapp.settings", "DATA_DIR": str(folder), **environment}
    command = [sys.executable, "-c", f"from django.conf import settings\n{code}"]
    return subprocess.run(command, cwd=ROOT, env=variables, capture_output=True, text=True, check=False)


def test_it_refuses_a_short_secret(tmp_path: Path) -> None:
    process = run_with_settings(tmp_path, "settings.DEBUG", SECRET_KEY="x" * 49)

    assert process.returncode == 1
    assert "SECRET_KEY is shorter than 50 characters." in process.stderr


def test_it_generates_a_secret(tmp_path: Path) -> None:
    processes = [
        run_with_settings(tmp_path, "print(len(settings.SECRET_KEY), settings.DEBUG)", SECRET_KEY="") for _ in range(2)
    ]

    assert [process.stdout.split() for process in processes] == [["64", "False"]] * 2
    assert (tmp_path / "secret_key").stat().st_mode & 0o777 == 0o600


def test_it_restricts_cookies_to_https_when_set(tmp_path: Path) -> None:
    process = run_with_settings(
        tmp_path, "print(settings.SESSION_COOKIE_SECURE, settings.CSRF_COOKIE_SECURE)", SECURE_COOKIES="1"
    )

    assert process.stdout.split() == ["True", "True"]
