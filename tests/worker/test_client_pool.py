"""The worker's client pool: one client per project, for its current key and base URL."""

import asyncio

import pytest
from pytest_django import Settings

from reviewapp.accounts.models import Project
from reviewapp.delivery.heartbeat import get_worker_status
from reviewapp.delivery.models import Breaker, Patch, State
from reviewapp.keys.models import LaminarKey
from reviewapp.laminar import KeyRefused
from reviewapp.lib import clock
from reviewapp.worker.client_pool import NO_KEY_MESSAGE, ClientPool, get_keys_by_project
from reviewapp.worker.loop import Worker
from reviewapp.worker.pusher import Pusher
from tests.factories import LaminarKeyFactory, PatchFactory


@pytest.fixture
def key(project: Project) -> LaminarKey:
    return LaminarKeyFactory.create(project=project)


def get_key(project: Project) -> LaminarKey | None:
    return get_keys_by_project([project.pk]).get(project.pk)


def test_it_reuses_a_client(project: Project, key: LaminarKey) -> None:
    clients = ClientPool()
    assert clients.get(get_key(project)) is clients.get(get_key(project))


def test_it_makes_a_new_client_for_a_new_key(project: Project, key: LaminarKey) -> None:
    clients = ClientPool()
    previous = clients.get(get_key(project))
    LaminarKey.objects.update(retired_at=clock.now())
    LaminarKeyFactory.create(project=project, secret="another-key-5678")
    assert clients.get(get_key(project)) is not previous
    assert [client for _, client in clients.retired] == [previous]


def test_it_sends_a_key_only_to_the_current_base_url(project: Project, key: LaminarKey) -> None:
    clients = ClientPool()
    clients.get(get_key(project))
    Project.objects.update(base_url="https://other.test")
    # `project` still has the old URL, like a patch that was leased before the change.
    with pytest.raises(KeyRefused, match="base URL was changed"):
        clients.get(get_key(project))
    LaminarKey.objects.update(retired_at=clock.now())
    LaminarKeyFactory.create(project=Project.objects.get())
    assert clients.get(get_key(project)).base_url == "https://other.test"


def test_it_refuses_a_project_without_a_key(project: Project) -> None:
    with pytest.raises(KeyRefused) as refusal:
        ClientPool().get(get_key(project))
    assert str(refusal.value) == NO_KEY_MESSAGE


def test_it_refuses_a_key_that_cannot_be_decrypted(project: Project, key: LaminarKey) -> None:
    LaminarKey.objects.update(encrypted_secret=key.encrypted_secret[:-4] + "AAAA")
    with pytest.raises(KeyRefused, match="Reviews are safe"):
        ClientPool().get(get_key(project))


@pytest.mark.django_db(transaction=True)
def test_it_leaves_a_project_whose_master_key_is_missing_to_other_workers(
    project: Project, key: LaminarKey, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    patch = PatchFactory.create(project=project)
    settings.KEY_ENCRYPTION_KEYS = ["another master key"]
    worker = Worker()
    asyncio.run(worker.run_once())
    patch.refresh_from_db()

    assert (patch.state, patch.failures, patch.sends, patch.interruptions) == (State.WAITING, 0, 0, 0)
    assert worker.clients.locked == {project.pk: key.master_id}
    assert not Breaker.objects.filter(open_until__isnull=False).exists()
    assert f"lacks the master key “{key.master_id}”" in caplog.text
    worker.heartbeat.is_database_checked = False
    worker.heartbeat.send()
    assert [worker.missing_master_keys for worker in get_worker_status().without_master_key] == [key.master_id]


@pytest.mark.django_db(transaction=True)
def test_it_releases_what_it_leased_before_it_missed_the_master_key(
    project: Project, key: LaminarKey, settings: Settings
) -> None:
    PatchFactory.create(project=project)
    settings.KEY_ENCRYPTION_KEYS = ["another master key"]
    clients = ClientPool()
    pusher = Pusher(clients)

    async def push() -> None:
        await pusher.run_round()
        await pusher.run_round()
        await pusher.run_round()

    asyncio.run(push())
    assert list(Patch.objects.values_list("state", "failures")) == [(State.WAITING, 0)]
    assert (clients.locked, pusher.leased) == ({project.pk: key.master_id}, {})
