"""`manage.py connect_project`."""

import io
from collections.abc import Callable

import pytest
from django.core.management.base import CommandError
from pytest_django import Settings

from reviewapp.accounts.models import Project
from reviewapp.audit.models import AuditEvent
from reviewapp.keys.laminar_keys import get_active_key
from reviewapp.management.command_actor import get_command_actor
from tests.commands.runner import run_command, run_command_json
from tests.tracestore_server import RunningStore, tracestore

__all__ = ["tracestore"]

pytestmark = pytest.mark.django_db


@pytest.fixture
def paste(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Put a text on standard input."""
    return lambda text: monkeypatch.setattr("sys.stdin", io.StringIO(text))


def arguments(store: RunningStore, *options: str, url: str = "") -> list[str]:
    return ["support", "--name=Support", f"--url={url or store.url}", "--key-stdin", *options]


def test_it_connects_a_project(tracestore: RunningStore, paste: Callable[[str], None]) -> None:
    paste(f"{tracestore.full_key}\n")
    output = run_command("connect_project", *arguments(tracestore))
    key = get_active_key(Project.objects.get(slug="support"))

    assert output == f"Support is connected to {tracestore.url} with the full key …{tracestore.full_key[-4:]}."
    assert key is not None
    assert key.secret == tracestore.full_key


def test_it_prints_json(tracestore: RunningStore, paste: Callable[[str], None]) -> None:
    paste(tracestore.ingest_key)

    assert run_command_json("connect_project", *arguments(tracestore)) == {
        "project": "support", "url": tracestore.url, "key": f"…{tracestore.ingest_key[-4:]}", "kind": "ingest-only",
    }  # fmt: skip


def test_it_records_events(tracestore: RunningStore, paste: Callable[[str], None]) -> None:
    paste(tracestore.full_key)
    run_command("connect_project", *arguments(tracestore, "--ui-url=https://laminar.test"))

    assert set(AuditEvent.objects.values_list("actor_name", flat=True)) == {get_command_actor()}


def assert_refuses(reason: str, arguments: list[str]) -> None:
    with pytest.raises(CommandError, match=reason) as caught:
        run_command("connect_project", *arguments)
    assert str(caught.value).endswith(".")
    assert not Project.objects.exists()


@pytest.mark.parametrize("key", ["", "\n", "wrong-key", "two words"])
def test_it_refuses_an_invalid_key(tracestore: RunningStore, paste: Callable[[str], None], key: str) -> None:
    paste(key)
    assert_refuses(r"[Nn]othing was changed", arguments(tracestore))


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "http://localhost:1", "http://[::1]:1", "http://10.0.0.1"])
def test_it_refuses_a_private_address(
    tracestore: RunningStore, paste: Callable[[str], None], settings: Settings, url: str
) -> None:
    settings.ALLOWED_LAMINAR_HOSTS = frozenset()
    paste(tracestore.full_key)
    assert_refuses(r"private or reserved address.*ask the operator to allow", arguments(tracestore, url=url))


def test_it_accepts_a_loopback_address_that_is_allowed(
    tracestore: RunningStore, paste: Callable[[str], None], settings: Settings
) -> None:
    settings.ALLOWED_LAMINAR_HOSTS = frozenset({f"127.0.0.1:{tracestore.port}"})
    paste(tracestore.full_key)

    assert "is connected" in run_command("connect_project", *arguments(tracestore))


def test_it_refuses_another_port_than_the_allowed_one(
    tracestore: RunningStore, paste: Callable[[str], None], settings: Settings
) -> None:
    settings.ALLOWED_LAMINAR_HOSTS = frozenset({f"127.0.0.1:{tracestore.port + 1}"})
    paste(tracestore.full_key)
    assert_refuses("private or reserved address", arguments(tracestore))


@pytest.mark.parametrize("slug", ["Two Words", "-a", "ä"])
def test_it_refuses_an_invalid_slug(tracestore: RunningStore, paste: Callable[[str], None], slug: str) -> None:
    paste(tracestore.full_key)
    assert_refuses("Use small letters", [slug.replace("-a", "a-"), *arguments(tracestore)[1:]])


def test_it_refuses_an_empty_name(tracestore: RunningStore, paste: Callable[[str], None]) -> None:
    paste(tracestore.full_key)
    assert_refuses("Name: This field cannot be blank", ["support", "--name=", f"--url={tracestore.url}", "--key-stdin"])


def test_it_refuses_a_missing_key_option(tracestore: RunningStore) -> None:
    """The key is never an argument: those show in the process list and in the shell's history."""
    with pytest.raises(CommandError, match="required: --key-stdin"):
        run_command("connect_project", "support", "--name=Support", f"--url={tracestore.url}")
