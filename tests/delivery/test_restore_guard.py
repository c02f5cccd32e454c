"""A restored database: noticed before anything is sent, delivery paused until a person has decided."""

import asyncio
import math
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest
from asgiref.sync import sync_to_async
from django.core.management.base import CommandError
from django.db import connection, connections, transaction
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
from tests.worker.running import fake_laminar, run_workers
from tests.worker.test_faults import ScriptedStore, create_project


@pytest.fixture(autouse=True)
def data_dir(settings: Settings, tmp_path: Path) -> Path:
    """A machine of its own."""
    settings.DATA_DIR = tmp_path
    return tmp_path


def restore_database(checks: int = 5) -> None:
    """Set the database's counter back behind the one that this machine has stored."""
    for _ in range(checks):
        restore_guard.check_for_restore()
    RestoreMarker.objects.update(counter=1)


def is_paused(project: Project) -> bool:
    return Breaker.objects.filter(project=project).exclude(paused_at=None).exists()


def test_it_pauses_delivery(project: Project) -> None:
    put(project, {"score": 1})
    restore_database()
    restore_guard.check_for_restore()
    assert is_paused(project)
    assert leasing.lease(5) == []
    assert AuditEvent.objects.get().verb == "paused delivery"


def test_it_skips_a_project_without_unfinished_patches(project: Project, other_project: Project) -> None:
    put(project, {"score": 1})
    PatchFactory.create(project=other_project, state=State.CONFIRMED)
    restore_database()
    restore_guard.check_for_restore()
    assert not is_paused(other_project)


def test_it_does_not_pause_without_a_restore(project: Project) -> None:
    put(project, {"score": 1})
    for _ in range(3):
        restore_guard.check_for_restore()
    assert not is_paused(project)


@pytest.mark.parametrize("text", ["", "x", "1 2 3", "a b", "\x00"])
def test_it_ignores_an_unreadable_marker_file(project: Project, data_dir: Path, text: str) -> None:
    put(project, {"score": 1})
    (data_dir / restore_guard.MARKER_FILE).write_text(text)
    restore_guard.check_for_restore()
    assert not is_paused(project)


def test_it_ignores_the_file_of_another_installation(project: Project) -> None:
    put(project, {"score": 1})
    restore_database()
    RestoreMarker.objects.all().delete()
    restore_guard.check_for_restore()
    assert not is_paused(project)


def test_it_notices_a_restore_once_on_all_machines(
    project: Project, data_dir: Path, settings: Settings, tmp_path_factory: pytest.TempPathFactory
) -> None:
    put(project, {"score": 1})
    restore_database()
    settings.DATA_DIR = tmp_path_factory.mktemp("another")
    restore_database(20)
    restore_guard.check_for_restore()
    restore_guard.resume_delivery(project, "command")
    settings.DATA_DIR = data_dir
    restore_guard.check_for_restore()
    assert not is_paused(project)


def test_it_notices_a_second_restore(project: Project) -> None:
    put(project, {"score": 1})
    for _ in range(2):
        restore_database()
        restore_guard.check_for_restore()
        assert is_paused(project)
        restore_guard.resume_delivery(project, "command")


def test_it_continues_when_the_file_cannot_be_written(project: Project, data_dir: Path) -> None:
    (data_dir / restore_guard.MARKER_FILE).mkdir()
    restore_guard.check_for_restore()
    restore_guard.check_for_restore()
    assert RestoreMarker.objects.get().counter == 2


@pytest.mark.django_db(transaction=True)
def test_it_checks_before_the_first_push_of_a_worker() -> None:
    async def push() -> int:
        worker = Worker()
        count = await worker.push()
        await worker.clients.close()
        await sync_to_async(connections.close_all)()
        return count

    with fake_laminar(ScriptedStore()) as laminar:
        project = create_project(laminar)
        put(project, {"score": 1})
        restore_database()
        assert asyncio.run(push()) == 0
    assert laminar.requests == []
    assert is_paused(project)


@pytest.mark.django_db(transaction=True)
def test_it_checks_again_after_a_fault(project: Project) -> None:
    """The database may have been down to be restored. The worker has checked before, and no heartbeat is due."""
    put(project, {"score": 1})
    Patch.objects.update(due_at=clock.now() + timedelta(hours=1))
    restore_database()
    heartbeat = HeartbeatSender(is_database_checked=True, last_sent=math.inf)
    with connection.cursor() as cursor:
        # Fails the task that applies rules, and no other.
        cursor.execute("ALTER TABLE reviewapp_rule RENAME TO gone")
        try:
            run_workers(until=lambda: is_paused(project), make_worker=partial(Worker, heartbeat=heartbeat))
        finally:
            cursor.execute("ALTER TABLE gone RENAME TO reviewapp_rule")


def test_it_sends_waiting_patches_after_resuming(project: Project, admin: User) -> None:
    patch = put(project, {"score": 1})
    restore_guard.pause_delivery(restore_guard.projects_with_unfinished_deliveries(), "worker")
    assert restore_guard.resume_delivery(project, admin)
    assert not restore_guard.resume_delivery(project, admin)
    assert leasing.lease(5) == [patch]
    assert AuditEvent.objects.filter(verb="resumed delivery", actor_name="admin").count() == 1


def test_it_discards_a_patch(project: Project, admin: User) -> None:
    with transaction.atomic():
        merge.apply_patch(project, merge.lock_trace(project, TRACE_ID), {"score": 1})
    patch = put(project, {"score": 1})
    restore_guard.pause_delivery(restore_guard.projects_with_unfinished_deliveries(), "worker")
    assert restore_guard.discard_patch(project, patch.pk, admin)
    assert not restore_guard.discard_patch(project, patch.pk, admin)
    assert reload(patch).state == State.SUPERSEDED
    assert reload(patch).last_error.startswith("Discarded by admin")
    trace = Trace.objects.get()
    assert (trace.unconfirmed, trace.pull_due_at is not None) == ("{}", True)


def test_it_refuses_to_discard_when_not_paused(project: Project, admin: User) -> None:
    patch = put(project, {"score": 1})
    assert not restore_guard.discard_patch(project, patch.pk, admin)
    assert reload(patch).state == State.WAITING


def test_it_pauses_and_resumes_by_command(project: Project, other_project: Project) -> None:
    put(project, {"score": 1})
    assert "for 1 project." in run_command("hold_deliveries")
    assert (is_paused(project), is_paused(other_project)) == (True, False)
    assert "for 1 project." in run_command("release_deliveries")
    assert not is_paused(project)


def test_it_pauses_and_resumes_one_project_by_command(project: Project, other_project: Project) -> None:
    assert "for 1 project." in run_command("hold_deliveries", "--project=elsewhere")
    assert "for 0 projects." in run_command("release_deliveries", "--project=support")
    assert is_paused(other_project)


@pytest.mark.parametrize("command", ["hold_deliveries", "release_deliveries"])
def test_it_refuses_an_empty_project_name(project: Project, command: str) -> None:
    put(project, {"score": 1})
    if command == "release_deliveries":
        run_command("hold_deliveries")
    was_paused = is_paused(project)
    with pytest.raises(CommandError, match="There is no project “”"):
        run_command(command, "--project=")
    assert is_paused(project) is was_paused


def test_it_counts_workers_by_heartbeat(db: None) -> None:
    assert get_worker_status().seen_at is None
    heartbeat = HeartbeatSender()
    heartbeat.send()
    heartbeat.send()
    assert get_worker_status().count == Heartbeat.objects.count() == 1
    Heartbeat.objects.update(seen_at=clock.now() - timedelta(seconds=40))
    assert get_worker_status().count == 0


def test_it_deletes_old_heartbeats(db: None) -> None:
    HeartbeatSender().send()
    Heartbeat.objects.update(seen_at=clock.now() - RETENTION - timedelta(minutes=1))
    HeartbeatSender().send()
    assert Heartbeat.objects.count() == 1


def test_it_stays_paused_when_the_breaker_closes(project: Project) -> None:
    put(project, {"score": 1})
    restore_guard.pause_delivery(restore_guard.projects_with_unfinished_deliveries(), "worker")
    Breaker.objects.update(open_until=None, failures=0)
    assert leasing.lease(5) == []
    assert Patch.objects.get().state == State.WAITING


@pytest.mark.postgres
def test_it_needs_no_superuser(db: None) -> None:
    location = restore_guard.read_location()
    with connection.cursor() as cursor:
        cursor.execute("CREATE ROLE ordinary NOSUPERUSER")
        cursor.execute("SET LOCAL ROLE ordinary")
        cursor.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user")
        assert cursor.fetchone() == (False,)
    assert restore_guard.read_location() == location
