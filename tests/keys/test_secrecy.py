"""A canary key is used in every action on keys; it must not appear anywhere."""

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


def dump_tables() -> str:
    """Every value of every table, as text."""
    return "\n".join(str(row) for model in apps.get_models() for row in model._base_manager.values_list())


def read_database_files() -> bytes:
    """The database's files, if it has its own, with deleted data and the write-ahead log."""
    if connection.vendor != "sqlite":
        return b""
    path = Path(str(connection.settings_dict["NAME"]))
    return b"".join(file.read_bytes() for file in path.parent.glob(f"{path.name}*"))


@pytest.mark.django_db(transaction=True)
def test_it_hides_keys_and_tokens(
    store: RunningStore, project: Project, admin_client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    Project.objects.update(base_url=store.url)
    pages = [admin_client.post("/p/support/keys/laminar/", {"key": CANARY}, follow=True).content]
    token_page = admin_client.post("/p/support/keys/tokens/", {"name": "ci"}).content.decode()
    (token,) = re.findall(r"rvw_[\w-]{43}", token_page)
    pages += [admin_client.get(f"/p/support/{page}").content for page in ("", "keys/", "audit/", "audit/?verify")]

    key = get_active_key(project)
    assert key is not None
    assert key.secret == CANARY
    for secret in (CANARY, token):
        assert secret not in dump_tables()
        assert secret.encode() not in read_database_files()
        assert secret not in caplog.text
        assert secret.encode() not in b"".join(pages)


@pytest.mark.django_db(transaction=True)
def test_it_hides_a_refused_key(
    project: Project, admin_client: Client, caplog: pytest.LogCaptureFixture, store: RunningStore
) -> None:
    caplog.set_level(logging.DEBUG)
    Project.objects.update(base_url=store.url)
    response = admin_client.post("/p/support/keys/laminar/", {"key": f"{CANARY}x"})

    assert response.status_code == 422
    assert CANARY not in response.content.decode() + dump_tables() + caplog.text


@pytest.mark.django_db(transaction=True)
def test_it_would_find_a_stored_key(project: Project) -> None:
    """Checks the search itself."""
    Project.objects.update(name=CANARY)

    assert CANARY in dump_tables()
    assert connection.vendor != "sqlite" or CANARY.encode() in read_database_files()
