"""Replace a project's Laminar key: tested first, then active at once, with no moment without a key."""

import json
import socket
from functools import partial
from uuid import UUID, uuid4

import pytest
from pytest_django import Settings

from reviewapp.accounts.models import Project, User
from reviewapp.audit.models import AuditEvent
from reviewapp.audit.recording import record
from reviewapp.keys import laminar_keys
from reviewapp.keys.models import LaminarKey
from tests.factories import LaminarKeyFactory, ProjectFactory
from tests.laminar.local_server import KEY, respond_with, run_server
from tests.threads import run_concurrently
from tests.tracestore_server import RunningStore


def get_active_key(project: Project) -> LaminarKey:
    return LaminarKey.objects.get(project=project, retired_at=None)


def assert_refused(project: Project, secret: str, reason: str) -> None:
    """The key is refused for this reason, and nothing is changed."""
    keys = list(LaminarKey.objects.values())
    with pytest.raises(laminar_keys.KeyNotStored, match=reason):
        laminar_keys.replace_key(project, secret, "command")
    assert list(LaminarKey.objects.values()) == keys
    event = AuditEvent.objects.get()
    assert event.verb in ("entered a refused Laminar key", "tried a metadata service")
    assert not secret.strip() or secret not in event.detail


def test_it_accepts_a_full_key(connected_project: Project, tracestore: RunningStore, admin: User) -> None:
    laminar_keys.replace_key(connected_project, tracestore.full_key, admin)
    key = get_active_key(connected_project)
    connected_project.refresh_from_db()

    assert (key.secret, key.kind, key.can_read) == (tracestore.full_key, "full", True)
    assert (key.last_four, key.added_by) == (tracestore.full_key[-4:], "admin")
    assert connected_project.laminar_id == UUID(tracestore.project_id)


def test_it_accepts_an_ingest_only_key(connected_project: Project, tracestore: RunningStore) -> None:
    laminar_keys.replace_key(connected_project, tracestore.ingest_key, "command")
    key = get_active_key(connected_project)
    connected_project.refresh_from_db()

    assert (key.kind, key.can_read, connected_project.laminar_id) == ("ingest-only", False, None)


def test_it_retires_the_old_key(connected_project: Project, tracestore: RunningStore) -> None:
    old = LaminarKeyFactory.create(project=connected_project)
    new = laminar_keys.replace_key(connected_project, tracestore.full_key, "command")
    old.refresh_from_db()

    assert old.retired_at is not None
    assert get_active_key(connected_project) == new


def test_it_keeps_keys_of_other_projects(connected_project: Project, tracestore: RunningStore) -> None:
    other = LaminarKeyFactory.create(project=ProjectFactory.create())
    laminar_keys.replace_key(connected_project, tracestore.full_key, "command")

    assert get_active_key(other.project) == other


def test_it_strips_white_space(connected_project: Project, tracestore: RunningStore) -> None:
    assert (
        laminar_keys.replace_key(connected_project, f"  {tracestore.full_key}\r\n", "command").secret
        == tracestore.full_key
    )


def test_it_records_the_replacement(connected_project: Project, tracestore: RunningStore, admin: User) -> None:
    key = laminar_keys.replace_key(connected_project, tracestore.full_key, admin)
    event = AuditEvent.objects.get(project=connected_project)

    assert (event.actor_name, event.verb, event.target) == ("admin", "replaced Laminar key", f"key:{key.fingerprint}")
    assert tracestore.full_key not in event.detail
    after = {"fingerprint": key.fingerprint, "kind": "full", "last_four": tracestore.full_key[-4:]}
    assert json.loads(event.detail) == {"before": None, "after": after}


def test_it_records_the_key_before(connected_project: Project, tracestore: RunningStore) -> None:
    old = LaminarKeyFactory.create(project=connected_project)
    laminar_keys.replace_key(connected_project, tracestore.full_key, "command")

    assert json.loads(AuditEvent.objects.get().detail)["before"]["fingerprint"] == old.fingerprint


def test_it_records_that_a_metadata_service_was_tried(project: Project) -> None:
    project.base_url = "http://169.254.169.254"

    assert_refused(project, KEY, "metadata service")
    assert AuditEvent.objects.get().verb == "tried a metadata service"


def test_it_refuses_a_wrong_key(connected_project: Project) -> None:
    LaminarKeyFactory.create(project=connected_project)

    assert_refused(connected_project, "full-but-unknown-there", "nothing was changed")


MALFORMED = [
    "", "  ", "two words", "line\nbreak", "clé", "x" * 501, "nul\x00nul", "tab\tbed", "\u202ekey", "x" * 64,
    "short-key-1234", "key<of>letters&signs!",
]  # fmt: skip


@pytest.mark.parametrize("secret", MALFORMED)
def test_it_refuses_a_malformed_key(connected_project: Project, secret: str) -> None:
    LaminarKeyFactory.create(project=connected_project)

    assert_refused(connected_project, secret, "[Nn]othing was changed")


def test_it_refuses_a_key_when_laminar_is_down(project: Project) -> None:
    LaminarKeyFactory.create(project=project)
    with socket.create_server(("127.0.0.1", 0)) as server:
        project.base_url = f"http://127.0.0.1:{server.getsockname()[1]}"

    assert_refused(project, KEY, "Could not connect to")


def test_it_refuses_an_invalid_base_url(project: Project) -> None:
    project.base_url = "not a URL"

    assert_refused(project, KEY, "nothing was changed")


def test_it_refuses_a_server_that_is_not_laminar(project: Project) -> None:
    with run_server(respond_with(b"<h1>Welcome</h1>")) as server:
        project.base_url = server.base_url
        assert_refused(project, KEY, "nothing was changed")


def test_it_refuses_a_key_of_another_laminar_project(connected_project: Project, tracestore: RunningStore) -> None:
    LaminarKeyFactory.create(project=connected_project)
    Project.objects.filter(pk=connected_project.pk).update(laminar_id=uuid4())

    assert_refused(connected_project, tracestore.full_key, "belongs to another Laminar project")


def test_it_refuses_a_private_address_that_is_not_allowed(connected_project: Project, settings: Settings) -> None:
    settings.ALLOWED_LAMINAR_HOSTS = frozenset()

    assert_refused(connected_project, KEY, "private or reserved address")


def test_it_hides_a_key_that_the_server_echoes(project: Project) -> None:
    with run_server(respond_with(f"what is {KEY}?".encode(), "400 Bad Request")) as server:
        project.base_url = server.base_url
        with pytest.raises(laminar_keys.KeyNotStored) as caught:
            laminar_keys.replace_key(project, KEY, "command")

    assert KEY not in str(caught.value)
    assert "what is" in str(caught.value)


@pytest.mark.django_db(transaction=True)
def test_it_leaves_one_active_key_after_concurrent_replacements(tracestore: RunningStore) -> None:
    project = ProjectFactory.create(base_url=tracestore.url)
    keys = [tracestore.full_key, tracestore.ingest_key]
    checked_keys = [laminar_keys.check_key(project.base_url, key) for key in keys]

    run_concurrently([partial(laminar_keys.activate_key, project, checked, "command") for checked in checked_keys])

    assert get_active_key(project).secret in keys
    assert LaminarKey.objects.filter(project=project).count() == 2


@pytest.mark.django_db(transaction=True)
def test_it_does_not_block_audit_events() -> None:
    """Events are recorded while a key is replaced: neither waits for a lock of the other."""
    project = ProjectFactory.create()
    checked = laminar_keys.CheckedKey(KEY, "full", None)

    def replace() -> None:
        for _ in range(25):
            laminar_keys.activate_key(project, checked, "command")

    def record_events() -> None:
        for number in range(60):
            record(project, "command", "counted", f"number:{number}")

    run_concurrently([replace, record_events, record_events])

    assert AuditEvent.objects.count() == 145
