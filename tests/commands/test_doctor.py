"""`manage.py doctor`."""

import os
import time
from datetime import timedelta
from pathlib import Path

import pytest
from django.conf import LazySettings
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder

from reviewapp.accounts.models import Project
from reviewapp.delivery.models import Heartbeat
from reviewapp.lib import clock
from reviewapp.management.doctor import examine
from tests.commands.runner import run_command
from tests.factories import LaminarKeyFactory

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def healthy(settings: LazySettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An installation without any problem."""
    monkeypatch.setenv("AUDIT_KEY", "the same on every node")
    settings.DATA_DIR = settings.SECRETS_DIR = settings.KEY_DIR = tmp_path
    settings.ALLOWED_HOSTS = ["localhost"]
    settings.STATIC_ROOT = tmp_path
    (tmp_path / "staticfiles.json").touch()
    (tmp_path / "backups").mkdir()
    (tmp_path / "backups" / "today").touch()
    Heartbeat.objects.create(host="a", pid=1, started_at=clock.now(), seen_at=clock.now())


def find_problems(tmp_path: Path) -> dict[str, str]:
    return {finding.check: finding.problem for finding in examine(tmp_path / "backups") if finding.problem}


def test_it_finds_nothing_wrong_with_a_healthy_installation(tmp_path: Path) -> None:
    assert find_problems(tmp_path) == {}
    assert "OK       database" in run_command("doctor", f"--backups={tmp_path / 'backups'}")


def test_it_exits_with_1_and_says_how_to_mend_a_problem(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as raised:
        run_command("doctor")
    assert raised.value.code == 1


@pytest.mark.parametrize(("name", "value", "problem"), [
    ("DEBUG", True, "DEBUG is on"),
    ("ALLOWED_HOSTS", ["reviews.example.com"], "Cookies are also sent without TLS"),
    ("SECURE_COOKIES", True, "CSRF_TRUSTED_ORIGINS is empty"),
])  # fmt: skip
def test_it_names_a_wrong_setting(
    settings: LazySettings, tmp_path: Path, name: str, value: object, problem: str
) -> None:
    setattr(settings, name, value)
    assert find_problems(tmp_path)["settings"].startswith(problem)


@pytest.mark.postgres
def test_it_names_a_secret_of_one_node(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("KEY_ENCRYPTION_KEYS")
    assert find_problems(tmp_path)["settings"].startswith("KEY_ENCRYPTION_KEYS is this node's own")


def test_it_names_a_secret_that_everybody_can_read(tmp_path: Path) -> None:
    (tmp_path / "secret_key").touch()
    (tmp_path / "secret_key").chmod(0o644)
    assert find_problems(tmp_path)["secrets"].startswith("Every user of this machine can read")


def test_it_names_an_old_backup(tmp_path: Path) -> None:
    before = time.time() - 27 * 3600
    os.utime(tmp_path / "backups" / "today", (before, before))
    assert "no backup of the last 26 hours" in find_problems(tmp_path)["backups"]


def test_it_names_static_files_that_were_not_collected(tmp_path: Path) -> None:
    (tmp_path / "staticfiles.json").unlink()
    assert "not collected" in find_problems(tmp_path)["static files"]


def test_it_names_missing_migrations(tmp_path: Path) -> None:
    applied = MigrationRecorder(connection).migration_qs
    newest = applied.filter(app="reviewapp").order_by("pk").last()
    assert newest is not None
    applied.filter(pk=newest.pk).update(name="gone")
    try:
        assert find_problems(tmp_path)["database"].startswith("Migrations are missing")
    finally:
        applied.filter(pk=newest.pk).update(name=newest.name)


def test_it_names_a_missing_worker(tmp_path: Path) -> None:
    Heartbeat.objects.update(seen_at=clock.now() - timedelta(minutes=5))
    assert find_problems(tmp_path)["worker"].startswith("No worker was seen since")


def test_it_names_a_wrong_clock(tmp_path: Path) -> None:
    Heartbeat.objects.update(clock_offset=-60)
    assert find_problems(tmp_path)["clock"] == "The clock of a differs by -60 s."


def test_it_names_a_laminar_that_does_not_answer(project: Project, tmp_path: Path) -> None:
    Project.objects.update(base_url="http://127.0.0.1:9")
    LaminarKeyFactory.create(project=project)
    assert find_problems(tmp_path)["Laminar"].startswith("support: ")


def test_it_names_a_key_of_another_master(project: Project, settings: LazySettings, tmp_path: Path) -> None:
    LaminarKeyFactory.create(project=project)
    settings.KEY_ENCRYPTION_KEYS = ["another"]
    assert "cannot be decrypted" in find_problems(tmp_path)["Laminar"]
