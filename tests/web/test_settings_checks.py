"""Checks of the settings: what they find, and how it is said."""

from pathlib import Path

import pytest
from pytest_django import Settings

from reviewapp.lib.secret_strength import find_weakness
from reviewapp.web import settings_checks

GOOD = "q8Zr2nV7xKc4Lw9Tj5Hd1Mf6Bs3Yp0Gu-aE_iOQWRXNCJ"


@pytest.fixture
def production(settings: Settings, tmp_path: Path) -> Settings:
    """Settings that are fit for production mode."""
    for name in ("data", "secrets"):
        (tmp_path / name).mkdir(mode=0o700)
    settings.MODE, settings.IS_PRODUCTION, settings.SECURE_COOKIES = "production", True, True
    settings.ALLOWED_HOSTS = ["reviews.example.com"]
    settings.SECRET_KEY, settings.KEY_ENCRYPTION_KEYS, settings.METRICS_TOKEN = f"{GOOD}one{GOOD}", [GOOD], ""
    settings.DATA_DIR, settings.SECRETS_DIR = tmp_path / "data", tmp_path / "secrets"
    settings.STATIC_ROOT = tmp_path / "data" / "static"
    return settings


def run_checks() -> list[str]:
    return [f"{message.id} {message.msg}" for check in settings_checks.CHECKS.values() for message in check()]


def test_it_finds_nothing_in_sound_settings(production: Settings) -> None:
    assert run_checks() == []


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("DEBUG", True, "E001 DEBUG is on"),
        ("ALLOWED_HOSTS", [], "E002 ALLOWED_HOSTS does not name the hosts."),
        ("ALLOWED_HOSTS", ["*"], "E002 ALLOWED_HOSTS does not name the hosts."),
        ("SECURE_COOKIES", False, "E003 SECURE_COOKIES is off"),
        ("SECRET_KEY", "x" * 60, "E004 SECRET_KEY repeats itself."),
        ("SECRET_KEY", "abcdefghij" * 6, "E004 SECRET_KEY repeats itself."),
        (
            "SECRET_KEY",
            f"django-insecure-{GOOD}",
            "E004 SECRET_KEY looks like a placeholder: it contains “django-insecure”.",
        ),
        ("SECRET_KEY", "ab" * 30 + "c", "E004 SECRET_KEY can be guessed: it has too few different characters."),
        ("KEY_ENCRYPTION_KEYS", ["short"], "E004 Key 1 of KEY_ENCRYPTION_KEYS is shorter than 32 characters."),
        ("KEY_ENCRYPTION_KEYS", [GOOD, f"{GOOD}\n"], "E004 Key 2 of KEY_ENCRYPTION_KEYS has spaces around it"),
        ("KEY_ENCRYPTION_KEYS", [GOOD, GOOD], "E004 Key 2 of KEY_ENCRYPTION_KEYS is the same as Key 1"),
        ("KEY_ENCRYPTION_KEYS", [f"{GOOD}one{GOOD}"], "E004 Key 1 of KEY_ENCRYPTION_KEYS is the same as SECRET_KEY."),
        ("METRICS_TOKEN", GOOD, "E004 METRICS_TOKEN is the same as Key 1 of KEY_ENCRYPTION_KEYS."),
    ],
)
def test_it_finds_unsafe_settings(production: Settings, name: str, value: object, sentence: str) -> None:
    setattr(production, name, value)

    (line,) = run_checks()
    assert line.startswith(f"review_desk.{sentence}")


def test_it_only_warns_in_development(production: Settings) -> None:
    production.IS_PRODUCTION, production.SECRET_KEY = False, "x" * 60

    assert run_checks() == ["review_desk.W004 SECRET_KEY repeats itself."]


def test_it_never_shows_a_secret(production: Settings) -> None:
    production.SECRET_KEY, production.METRICS_TOKEN = "canary-" * 10, "canary"

    assert "canary" not in str(run_checks())


def test_it_finds_a_master_key_beside_the_database(production: Settings) -> None:
    production.SECRETS_DIR = production.DATA_DIR

    assert any("The master key is beside the database" in line for line in run_checks())


def test_it_finds_insecure_cookies_behind_tls(settings: Settings) -> None:
    settings.CSRF_TRUSTED_ORIGINS = ["https://reviews.example.com"]

    assert [message.id for message in settings_checks.check_cookies()] == ["review_desk.W003"]


def test_it_finds_files_that_others_can_open(production: Settings) -> None:
    (production.DATA_DIR / "static").mkdir()
    for name in ("reviewapp.sqlite3-wal", "static/base.css"):
        path = production.DATA_DIR / name
        path.touch()
        path.chmod(0o644)

    assert run_checks() == [
        f"review_desk.E006 Other users of this machine can open {production.DATA_DIR}/reviewapp.sqlite3-wal."
    ]


def test_it_accepts_a_generated_secret() -> None:
    assert find_weakness(GOOD, 32) == ""
