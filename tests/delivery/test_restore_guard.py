"""A database that was put back to an earlier state: noticed before anything is sent, held until a person has looked."""

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest
from asgiref.sync import sync_to_async
from django.core.management.base import CommandError
from django.db import connections, transaction
from pytest_django import Settings

from reviewapp.accounts.models import Project, User
from reviewapp.audit.models import AuditEvent
from reviewapp.delivery import leasing, restore_guard
from reviewapp.delivery.heartbeat import RETENTION, HeartbeatSender, get_worker_status
from reviewapp.delivery.models import Breaker, Heartbeat, Patch, RestoreMarker, State
from reviewapp.lib import clock
from reviewapp.traces.metadata import merge
from reviewapp.traces.models import Trace
from reviewapp.worker.loop import Worker
from tests.commands.runner import run_command
from tests.delivery.patches import TRACE_ID, put, reload
from tests.factories import PatchFactory
from tests.worker.running import fake_laminar
from tests.worker.test_faults import ScriptedStore, create_project


@pytest.fixture(autouse=True)
def folder(settings: Settings, tmp_path: Path) -> Path:
    """A machine of its own."""
    settings.DATA_DIR = tmp_path
    return tmp_path


def put_back(marks: int = 5) -> None:
    """Have the database go back behind what this machine has noted."""
    for _ in range(marks):
        restore_guard.check_for_restore()
    RestoreMarker.objects.update(counter=1)


def is_held(project: Project) -> bool:
    return Breaker.objects.filter(project=project).exclude(paused_at=None).exists()


def test_it_holds_what_waits(project: Project) -> None:
    put(project, {"score": 1})
    put_back()
    restore_guard.check_for_restore()
    assert is_held(project)
    assert leasing.lease(5) == []
    assert AuditEvent.objects.get().verb == "held deliveries"


def test_it_holds_no_project_without_deliveries_on_their_way(project: Project, other_project: Project) -> None:
    put(project, {"score": 1})
    PatchFactory.create(project=other_project, state=State.CONFIRMED)
    put_back()
    restore_guard.check_for_restore()
    assert not is_held(other_project)


def test_nothing_is_held_while_the_database_goes_on(project: Project) -> None:
    put(project, {"score": 1})
    for _ in range(3):
        restore_guard.check_for_restore()
    assert not is_held(project)


@pytest.mark.parametrize("text", ["", "x", "1 2 3", "a b", "\x00"])
def test_a_file_that_cannot_be_read_holds_nothing(project: Project, folder: Path, text: str) -> None:
    put(project, {"score": 1})
    (folder / restore_guard.MARKER_FILE).write_text(text)
    restore_guard.check_for_restore()
    assert not is_held(project)


def test_another_installations_file_holds_nothing(project: Project) -> None:
    put(project, {"score": 1})
    put_back()
    RestoreMarker.objects.all().delete()
    restore_guard.check_for_restore()
    assert not is_held(project)


def test_it_is_noticed_once_on_all_machines(
    project: Project, folder: Path, settings: Settings, tmp_path_factory: pytest.TempPathFactory
) -> None:
    put(project, {"score": 1})
    put_back()
    settings.DATA_DIR = tmp_path_factory.mktemp("another")
    put_back(20)
    restore_guard.check_for_restore()
    restore_guard.resume_delivery(project, "command")
    settings.DATA_DIR = folder
    restore_guard.check_for_restore()
    assert not is_held(project)


def test_a_second_restore_is_noticed_too(project: Project) -> None:
    put(project, {"score": 1})
    for _ in range(2):
        put_back()
        restore_guard.check_for_restore()
        assert is_held(project)
        restore_guard.resume_delivery(project, "command")


def test_a_folder_that_takes_nothing_stops_no_worker(project: Project, folder: Path) -> None:
    (folder / restore_guard.MARKER_FILE).mkdir()
    restore_guard.check_for_restore()
    restore_guard.check_for_restore()
    assert RestoreMarker.objects.get().counter == 2


@pytest.mark.django_db(transaction=True)
def test_a_worker_looks_before_its_first_push() -> None:
    async def push() -> int:
        worker = Worker()
        count = await worker.push()
        await worker.clients.close()
        await sync_to_async(connections.close_all)()
        return count

    with fake_laminar(ScriptedStore()) as far:
        project = create_project(far)
        put(project, {"score": 1})
        put_back()
        assert asyncio.run(push()) == 0
    assert far.requests == []
    assert is_held(project)


def test_letting_go_sends_what_waits(project: Project, admin: User) -> None:
    patch = put(project, {"score": 1})
    restore_guard.pause_delivery(restore_guard.projects_with_unfinished_patches(), "worker")
    assert restore_guard.resume_delivery(project, admin)
    assert not restore_guard.resume_delivery(project, admin)
    assert leasing.lease(5) == [patch]
    assert AuditEvent.objects.filter(verb="released deliveries", actor_name="admin").count() == 1


def test_one_can_be_left_out(project: Project, admin: User) -> None:
    with transaction.atomic():
        merge.apply_patch(project, merge.lock_trace(project, TRACE_ID), {"score": 1})
    patch = put(project, {"score": 1})
    restore_guard.pause_delivery(restore_guard.projects_with_unfinished_patches(), "worker")
    assert restore_guard.discard_patch(project, patch.pk, admin)
    assert not restore_guard.discard_patch(project, patch.pk, admin)
    assert reload(patch).state == State.SUPERSEDED
    assert reload(patch).last_error.startswith("Left out by admin")
    trace = Trace.objects.get()
    assert (trace.unconfirmed, trace.pull_due_at is not None) == ("{}", True)


def test_nothing_is_left_out_that_is_not_held(project: Project, admin: User) -> None:
    patch = put(project, {"score": 1})
    assert not restore_guard.discard_patch(project, patch.pk, admin)
    assert reload(patch).state == State.WAITING


def test_an_operator_holds_and_releases_by_command(project: Project, other_project: Project) -> None:
    put(project, {"score": 1})
    assert run_command("hold_deliveries").startswith("1 held.")
    assert (is_held(project), is_held(other_project)) == (True, False)
    assert run_command("release_deliveries").startswith("1 released.")
    assert not is_held(project)


def test_an_operator_names_a_project(project: Project, other_project: Project) -> None:
    assert run_command("hold_deliveries", "--project=elsewhere").startswith("1 held.")
    assert run_command("release_deliveries", "--project=support").startswith("0 released.")
    assert is_held(other_project)


@pytest.mark.parametrize("command", ["hold_deliveries", "release_deliveries"])
def test_an_operator_who_names_nothing_changes_nothing(project: Project, command: str) -> None:
    put(project, {"score": 1})
    if command == "release_deliveries":
        run_command("hold_deliveries")
    before = is_held(project)
    with pytest.raises(CommandError, match="There is no project “”"):
        run_command(command, "--project=")
    assert is_held(project) is before


def test_a_worker_gives_signs_of_life(db: None) -> None:
    assert get_worker_status().seen_at is None
    pulse = HeartbeatSender()
    pulse.send()
    pulse.send()
    assert get_worker_status().count == Heartbeat.objects.count() == 1
    Heartbeat.objects.update(seen_at=clock.now() - timedelta(seconds=40))
    assert get_worker_status().count == 0


def test_old_signs_of_life_are_removed(db: None) -> None:
    HeartbeatSender().send()
    Heartbeat.objects.update(seen_at=clock.now() - RETENTION - timedelta(minutes=1))
    HeartbeatSender().send()
    assert Heartbeat.objects.count() == 1


def test_patches_are_held_until_released_also_when_the_breaker_closes(project: Project) -> None:
    put(project, {"score": 1})
    restore_guard.pause_delivery(restore_guard.projects_with_unfinished_patches(), "worker")
    Breaker.objects.update(open_until=None, failures=0)
    assert leasing.lease(5) == []
    assert Patch.objects.get().state == State.WAITING
