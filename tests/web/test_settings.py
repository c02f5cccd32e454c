"""Unsafe settings are refused at startup."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

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


PRODUCTION = {
    "MODE": "production", "ALLOWED_HOSTS": "reviews.example.com",
    "SECRET_KEY": "", "KEY_ENCRYPTION_KEYS": "", "AUDIT_KEY": "",
}  # fmt: skip


def run_check(folder: Path, **environment: str) -> "subprocess.CompletedProcess[str]":
    """Run `manage.py check --deploy` with these settings."""
    variables = os.environ | {"DATA_DIR": str(folder / "data"), **environment}
    command = [sys.executable, "manage.py", "check", "--deploy"]
    return subprocess.run(command, cwd=ROOT, env=variables, capture_output=True, text=True, check=False)


def test_it_is_clean_in_production_mode(tmp_path: Path) -> None:
    run_check(tmp_path, **PRODUCTION)
    # The first run says which secrets it created.
    process = run_check(tmp_path, **PRODUCTION)

    assert (process.returncode, process.stderr) == (0, "")
    assert "no issues" in process.stdout


def test_it_has_safe_defaults_in_production_mode(tmp_path: Path) -> None:
    names = "SESSION_COOKIE_NAME CSRF_COOKIE_NAME DEVICE_COOKIE_NAME SECURE_SSL_REDIRECT SESSION_COOKIE_SECURE".split()
    code = f"print([getattr(settings, name) for name in {names}], settings.SECURE_HSTS_SECONDS > 1e7)"
    process = run_with_settings(tmp_path / "data", code, **PRODUCTION)

    assert process.stdout.strip() == "['__Host-sessionid', '__Host-csrftoken', '__Host-device', True, True] True"


def test_it_keeps_generated_secrets_apart_in_production_mode(tmp_path: Path) -> None:
    run_with_settings(tmp_path / "data", "settings.DEBUG", **PRODUCTION)

    names = sorted(path.name for path in (tmp_path / "data-secrets").iterdir())
    # The audit key is in the KEY_DIR that tests set.
    assert names == ["key_encryption_key", "secret_key"]
    assert list((tmp_path / "data").iterdir()) == []


def test_it_makes_no_new_master_key_beside_an_old_one(tmp_path: Path) -> None:
    """Laminar keys that the old one encrypted could not be read."""
    run_with_settings(tmp_path / "data", "settings.DEBUG", **PRODUCTION | {"MODE": "development"})
    process = run_with_settings(tmp_path / "data", "settings.DEBUG", **PRODUCTION)

    assert process.returncode == 1
    assert "is beside the database. Nothing was changed. Move the file to" in process.stderr


def test_it_refuses_an_unknown_mode(tmp_path: Path) -> None:
    process = run_with_settings(tmp_path, "settings.DEBUG", MODE="prod")

    assert process.stderr.strip() == "MODE is neither development nor production. Set it to one of them."


def test_it_refuses_to_start_the_web_app_with_unsafe_settings(tmp_path: Path) -> None:
    process = run_with_settings(tmp_path / "data", "import reviewapp.wsgi", **PRODUCTION | {"ALLOWED_HOSTS": ""})

    assert process.returncode == 3
    assert "ALLOWED_HOSTS does not name the hosts. Set ALLOWED_HOSTS" in process.stderr


def test_it_creates_files_for_the_owner_only_whatever_the_umask(tmp_path: Path) -> None:
    code = (
        "import os, django; os.umask(0); django.conf.settings._setup(); django.setup()\n"
        "from django.core.management import call_command; call_command('migrate', verbosity=0)\n"
        "from reviewapp.models import Project; Project.objects.create(slug='a', name='A')"
    )
    process = run_with_settings(
        tmp_path / "data", code, SECRET_KEY="", DATABASE_URL=f"sqlite:///{tmp_path}/data/reviewapp.sqlite3"
    )
    modes = {path.name: path.stat().st_mode & 0o777 for path in [tmp_path / "data", *(tmp_path / "data").iterdir()]}

    assert all(line.startswith("Created the secret ") for line in process.stderr.splitlines())
    assert modes.pop("data") == 0o700
    assert {"reviewapp.sqlite3", "secret_key"} <= modes.keys()
    assert set(modes.values()) == {0o600}


@pytest.mark.parametrize(("name", "setting", "value"), [
    ("SECRET_KEY", "SECRET_KEY", "s" * 50),
    ("KEY_ENCRYPTION_KEYS", "KEY_ENCRYPTION_KEYS", "new, old"),
    ("METRICS_TOKEN", "METRICS_TOKEN", "a token"),
    ("DATABASE_URL", "DATABASES['default']['HOST']", "postgres://desk:secret@db.example/desk"),
])  # fmt: skip
def test_it_reads_each_secret_from_a_file(tmp_path: Path, name: str, setting: str, value: str) -> None:
    (tmp_path / "file").write_text(f"{value}\n")
    process = run_with_settings(
        tmp_path, f"print(settings.{setting})", **{name: "", f"{name}_FILE": str(tmp_path / "file")}
    )
    shown = {"KEY_ENCRYPTION_KEYS": "['new', 'old']", "DATABASE_URL": "db.example"}.get(name, value)
    assert process.stdout.strip() == shown


@pytest.mark.parametrize("name", ["SECRET_KEY", "KEY_ENCRYPTION_KEYS", "METRICS_TOKEN", "DATABASE_URL"])
def test_it_exits_with_a_sentence_if_a_secret_is_unreadable(tmp_path: Path, name: str) -> None:
    file = tmp_path / "missing"
    process = run_with_settings(tmp_path, "settings.DEBUG", **{name: "", f"{name}_FILE": str(file)})

    assert process.returncode == 1
    assert process.stderr.startswith(f"Could not read {name}_FILE {file}: No such file or directory.")


@pytest.mark.parametrize(("variables", "bind"), [
    ({}, "127.0.0.1:8080"), ({"PORT": "9000"}, "127.0.0.1:9000"), ({"BIND": "0.0.0.0:80", "PORT": "1"}, "0.0.0.0:80"),
])  # fmt: skip
def test_it_listens_on_the_loopback_address_unless_told(variables: dict[str, str], bind: str) -> None:
    code = "import runpy; print(runpy.run_path('gunicorn.conf.py')['bind'])"
    environment = {name: value for name, value in os.environ.items() if name not in ("BIND", "PORT")}
    command = [sys.executable, "-c", code]
    output = subprocess.run(command, cwd=ROOT, env=environment | variables, capture_output=True, text=True, check=True)

    assert output.stdout.strip() == bind
