"""Liveness and readiness."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.test import Client

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
@pytest.mark.parametrize("path", ["/health", "/ready"])
def test_it_answers_ok(client: Client, path: str) -> None:
    response = client.get(path)

    assert (response.status_code, response.content, response["Content-Type"]) == (200, b"OK", "text/plain")


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/health", "/ready"])
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
