"""Liveness and readiness."""

import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder
from django.test import Client

from reviewapp.delivery.models import Heartbeat
from reviewapp.lib import clock
from tests.faults.test_database import lock_database

ROOT = Path(__file__).resolve().parent.parent.parent
SCRIPT = """
import django
from django.test import Client
django.setup()
for path in ("/health", "/ready"):
    response = Client().get(path, headers={"Host": "localhost"})
    print(response.status_code, response.content.decode())
"""


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/health", "/healthz", "/ready", "/readyz"])
def test_it_answers_ok(client: Client, path: str) -> None:
    response = client.get(path)

    assert (response.status_code, response.content, response["Content-Type"]) == (200, b"OK", "text/plain")


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/health", "/healthz", "/ready", "/readyz"])
def test_it_refuses_post(client: Client, path: str) -> None:
    assert client.head(path).status_code == 200
    assert client.post(path).status_code == 405


@pytest.mark.django_db
def test_it_starts_no_session(client: Client) -> None:
    client.get("/ready")

    assert not client.cookies


def test_it_is_not_ready_without_a_database(tmp_path: Path) -> None:
    """In a process of its own, whose database server does not exist."""
    environment = os.environ | {
        "DJANGO_SETTINGS_MODULE": "reviewapp.settings",
        "DATABASE_URL": f"postgres://nobody@/reviewapp?host={tmp_path}",
        "DATA_DIR": str(tmp_path),
    }
    process = subprocess.run(
        [sys.executable, "-c", SCRIPT], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )

    assert process.stdout.splitlines() == ["200 OK", "503 The database does not answer."]


@pytest.mark.django_db
@pytest.mark.parametrize("host", ["evil.example", "10.0.0.7:8080", "a b", ""])
@pytest.mark.parametrize("path", ["/health", "/healthz", "/ready", "/readyz"])
def test_it_answers_by_any_host_name(client: Client, path: str, host: str) -> None:
    assert client.get(path, headers={"Host": host}).status_code == 200


@pytest.mark.django_db(transaction=True)
def test_it_is_not_ready_without_the_newest_migration(client: Client) -> None:
    applied = MigrationRecorder.Migration.objects
    newest = applied.filter(app="reviewapp").order_by("pk").last()
    assert newest is not None
    applied.filter(pk=newest.pk).update(name="gone")
    try:
        response = client.get("/ready")
    finally:
        applied.filter(pk=newest.pk).update(name=newest.name)
    assert (response.status_code, response.text) == (503, "Migrations are missing: run manage.py migrate.")
    assert client.get("/ready").status_code == 200


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_it_is_not_ready_if_the_database_is_read_only(client: Client) -> None:
    name = connection.settings_dict["NAME"]
    with connection.cursor() as cursor:
        cursor.execute(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
        try:
            response = client.get("/ready")
            assert (response.status_code, response.text.partition(":")[0]) == (503, "The database cannot be written")
        finally:
            cursor.execute(f'ALTER DATABASE "{name}" RESET default_transaction_read_only')


@pytest.mark.django_db(transaction=True)
def test_it_is_ready_while_another_program_writes(client: Client) -> None:
    with lock_database():
        assert client.get("/ready").status_code == 200


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("age", "status", "text"), [
    (None, 503, "No worker was seen so far."), (1, 200, "OK"), (60, 503, "No worker was seen since"),
])  # fmt: skip
def test_it_asks_for_a_worker_if_told_to(client: Client, age: int | None, status: int, text: str) -> None:
    if age is not None:
        seen_at = clock.now() - timedelta(seconds=age)
        Heartbeat.objects.create(worker=uuid4(), host="a", pid=1, started_at=seen_at, seen_at=seen_at)
    response = client.get("/ready?worker=1")
    assert (response.status_code, response.text.startswith(text)) == (status, True)
    assert client.get("/ready").status_code == 200
