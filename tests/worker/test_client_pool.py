"""The worker's clients: one per project, with the key and the address of this moment."""

import pytest

from reviewapp.accounts.models import Project
from reviewapp.keys.models import LaminarKey
from reviewapp.laminar import KeyRefused
from reviewapp.lib import clock
from reviewapp.worker.client_pool import NO_KEY_MESSAGE, ClientPool, get_keys_by_project
from tests.factories import LaminarKeyFactory


@pytest.fixture
def key(project: Project) -> LaminarKey:
    return LaminarKeyFactory.create(project=project)


def key_of(project: Project) -> LaminarKey | None:
    return get_keys_by_project([project.pk]).get(project.pk)


def test_a_client_is_kept(project: Project, key: LaminarKey) -> None:
    clients = ClientPool()
    assert clients.get(key_of(project)) is clients.get(key_of(project))


def test_a_new_key_has_a_new_client(project: Project, key: LaminarKey) -> None:
    clients = ClientPool()
    before = clients.get(key_of(project))
    LaminarKey.objects.update(retired_at=clock.now())
    LaminarKeyFactory.create(project=project, secret="another-key-5678")
    assert clients.get(key_of(project)) is not before
    assert [client for _, client in clients.retired] == [before]


def test_a_key_goes_to_the_address_it_is_for(project: Project, key: LaminarKey) -> None:
    clients = ClientPool()
    clients.get(key_of(project))
    Project.objects.update(base_url="https://other.test")
    # `project` still has the old address, as a row that was leased before the change has.
    assert clients.get(key_of(project)).base_url == "https://other.test"


def test_a_project_without_a_key_is_told_so(project: Project) -> None:
    with pytest.raises(KeyRefused) as refusal:
        ClientPool().get(key_of(project))
    assert str(refusal.value) == NO_KEY_MESSAGE


def test_a_key_that_cannot_be_opened_loses_nothing(project: Project, key: LaminarKey) -> None:
    LaminarKey.objects.update(encrypted_secret=key.encrypted_secret[:-4] + "AAAA")
    with pytest.raises(KeyRefused, match="Nothing is lost"):
        ClientPool().get(key_of(project))
