"""All stored keys are encrypted again with the newest master key, and old ones can be retired."""

import base64
import threading

import pytest
from django.core.management.base import CommandError
from pytest_django import Settings

from reviewapp.accounts.models import Project
from reviewapp.audit.models import AuditEvent
from reviewapp.keys import rotation
from reviewapp.keys.models import LaminarKey
from reviewapp.lib import clock
from reviewapp.lib.master_keys import MasterKey, parse_master_keys
from tests.commands.runner import run_command
from tests.factories import SECRET, LaminarKeyFactory, ProjectFactory


def make_master(key_id: str) -> MasterKey:
    return parse_master_keys([f"{key_id}:{base64.b64encode(key_id.encode() * 4 + bytes(range(32)))[:43].decode()}="])[0]


OLD, NEW = make_master("old1"), make_master("new1")


@pytest.fixture
def keys(db: None, settings: Settings) -> list[LaminarKey]:
    """An active key and a replaced one, encrypted with the old master key; the new one is first now."""
    settings.KEY_ENCRYPTION_KEYS, settings.MASTER_KEYS = [], [OLD]
    project = ProjectFactory.create(slug="support")
    retired_at = clock.now()
    keys = [LaminarKeyFactory.create(project=project, **values) for values in ({"retired_at": retired_at}, {})]
    settings.MASTER_KEYS = [NEW, OLD]
    return keys


def test_it_encrypts_every_key_with_the_newest_master_key(keys: list[LaminarKey], settings: Settings) -> None:
    output = run_command("rotate_master_key")
    settings.MASTER_KEYS = [NEW]

    assert {key.secret for key in LaminarKey.objects.all()} == {SECRET}
    assert "2 Laminar keys encrypted" in output
    assert "old1: 0 stored keys; it can be removed" in output


def test_it_records_each_key(keys: list[LaminarKey]) -> None:
    run_command("rotate_master_key")

    assert {event.detail for event in AuditEvent.objects.all()} == {'{"after":"new1","before":"old1"}'}
    assert AuditEvent.objects.count() == 2


def test_it_does_nothing_again(keys: list[LaminarKey]) -> None:
    run_command("rotate_master_key")
    rows = list(LaminarKey.objects.values_list("encrypted_secret", flat=True))

    assert "0 Laminar keys encrypted" in run_command("rotate_master_key")
    assert list(LaminarKey.objects.values_list("encrypted_secret", flat=True)) == rows


def test_it_continues_where_it_was_interrupted(keys: list[LaminarKey], settings: Settings) -> None:
    next(rotation.rotate_master_key())
    assert rotation.count_by_master() == {"new1": 1, "old1": 1}

    assert "1 Laminar key encrypted" in run_command("rotate_master_key")


def test_it_only_counts_with_check(keys: list[LaminarKey]) -> None:
    output = run_command("rotate_master_key", "--check")

    assert output.splitlines() == ["new1: 0 stored keys; new keys are encrypted with it", "old1: 2 stored keys"]
    assert rotation.count_by_master() == {"old1": 2}


def test_it_names_keys_whose_master_key_is_missing(keys: list[LaminarKey], settings: Settings) -> None:
    settings.MASTER_KEYS = [NEW]

    with pytest.raises(CommandError, match=r"2 could not be decrypted.*support …1234 \(master key “old1”\)"):
        run_command("rotate_master_key")
    assert "old1: 2 stored keys; this node lacks it" in run_command("rotate_master_key", "--check")


def test_it_leaves_a_key_that_is_replaced_meanwhile(keys: list[LaminarKey]) -> None:
    stale = LaminarKey.objects.select_related("project").get(pk=keys[1].pk)
    LaminarKey.objects.filter(pk=stale.pk).update(encrypted_secret="")
    rotation._encrypt_again(stale)

    assert LaminarKey.objects.get(pk=stale.pk).encrypted_secret == ""
    assert not AuditEvent.objects.exists()


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_it_rotates_a_thousand_keys_while_they_are_used(settings: Settings) -> None:
    settings.KEY_ENCRYPTION_KEYS, settings.MASTER_KEYS = [], [OLD]
    for project in ProjectFactory.create_batch(1_000):
        LaminarKeyFactory.create(project=project)
    settings.MASTER_KEYS = [NEW, OLD]
    is_done = threading.Event()
    secrets: set[str] = set()

    def read_keys() -> None:
        while not is_done.is_set():
            secrets.update(key.secret for key in LaminarKey.objects.select_related("project").order_by("?")[:20])

    reader = threading.Thread(target=read_keys)
    reader.start()
    try:
        assert "1,000 Laminar keys encrypted" in run_command("rotate_master_key")
    finally:
        is_done.set()
        reader.join()
    assert secrets == {SECRET}
    assert Project.objects.filter(audit_head__seq=1).count() == 1_000
