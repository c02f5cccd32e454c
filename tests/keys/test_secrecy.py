"""A canary key passes through every act that touches one; it must be found nowhere."""

import logging
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.apps import apps
from django.db import connection
from django.test import Client

from reviewapp.accounts.models import Project
from reviewapp.keys.laminar_keys import get_active_key
from tests.tracestore_server import RunningStore, new_keys, run_store

CANARY = "canaryWq3nZ8vT5rLx7Kp2"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStore]:
    with run_store(tmp_path_factory.mktemp("canary"), keys={**new_keys(), "full_key": CANARY}) as running:
        yield running


def rows() -> str:
    """Every value of every table, as text."""
    return "\n".join(str(row) for model in apps.get_models() for row in model._base_manager.values_list())


def database_bytes() -> bytes:
    """The database's files, where it has any of its own: with what is deleted, and what is not yet merged."""
    if connection.vendor != "sqlite":
        return b""
    path = Path(str(connection.settings_dict["NAME"]))
    return b"".join(file.read_bytes() for file in path.parent.glob(f"{path.name}*"))


@pytest.mark.django_db(transaction=True)
def test_it_keeps_keys_and_tokens_to_itself(
    store: RunningStore, project: Project, admin_client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    Project.objects.update(base_url=store.url)
    pages = [admin_client.post("/p/support/keys/laminar/", {"key": CANARY}, follow=True).content]
    answer = admin_client.post("/p/support/keys/tokens/", {"name": "ci"}).content.decode()
    (token,) = re.findall(r"rvw_[\w-]{43}", answer)
    pages += [admin_client.get(f"/p/support/{page}").content for page in ("", "keys/", "audit/", "audit/?verify")]

    key = get_active_key(project)
    assert key is not None
    assert key.secret == CANARY
    for secret in (CANARY, token):
        assert secret not in rows()
        assert secret.encode() not in database_bytes()
        assert secret not in caplog.text
        assert secret.encode() not in b"".join(pages)


@pytest.mark.django_db(transaction=True)
def test_it_tells_no_key_that_was_refused(
    project: Project, admin_client: Client, caplog: pytest.LogCaptureFixture, store: RunningStore
) -> None:
    caplog.set_level(logging.DEBUG)
    Project.objects.update(base_url=store.url)
    response = admin_client.post("/p/support/keys/laminar/", {"key": f"{CANARY}x"})

    assert response.status_code == 422
    assert CANARY not in response.content.decode() + rows() + caplog.text


@pytest.mark.django_db(transaction=True)
def test_it_would_find_a_key_that_is_there(project: Project) -> None:
    """The search itself is put to the test."""
    Project.objects.update(name=CANARY)

    assert CANARY in rows()
    assert connection.vendor != "sqlite" or CANARY.encode() in database_bytes()
