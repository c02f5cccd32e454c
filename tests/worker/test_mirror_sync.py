"""The worker's part in the mirror, against a Laminar that answers by a script."""

from datetime import timedelta
from typing import Any

from asgiref.sync import async_to_sync, sync_to_async

from reviewapp.accounts.models import Project
from reviewapp.lib import clock
from reviewapp.traces.models import Trace
from reviewapp.worker.loop import Worker
from tests.factories import LaminarKeyFactory, ProjectFactory, TraceFactory
from tests.worker.running import FakeLaminar, fake_laminar

DUE = 8


def prepared(far: FakeLaminar) -> Project:
    project: Project = ProjectFactory.create(base_url=far.url)
    LaminarKeyFactory.create(project=project)
    for _ in range(DUE):
        TraceFactory.create(project=project, read_due_at=clock.now() - timedelta(minutes=1), is_kept=True)
    return project


def ids_of(body: dict[str, Any]) -> list[str]:
    found: list[str] = body["parameters"]["ids"]
    return found


def test_traces_are_read_again_by_id(transactional_db: None) -> None:
    def script(path: str, body: dict[str, Any]) -> tuple[int, object]:
        began = "2026-11-22 10:00:00.000000000"
        return 200, {
            "data": [{"id": one, "start_time": began, "end_time": began, "metadata": '{"a":1}'} for one in ids_of(body)]
        }

    with fake_laminar(script) as far:
        prepared(far)
        _read(1)
        assert len(far.requests) == 1
    assert set(Trace.objects.values_list("metadata", flat=True)) == {'{"a":1}'}
    assert not Trace.objects.filter(read_due_at__lte=clock.now()).exists()


def test_too_many_at_once_are_halved(transactional_db: None) -> None:
    def script(path: str, body: dict[str, Any]) -> tuple[int, object]:
        return (413, "too large") if len(ids_of(body)) > 2 else (200, {"data": []})

    with fake_laminar(script) as far:
        prepared(far)
        _read(4)
        assert [len(ids_of(body)) for _, _, body in far.requests] == [8, 4, 2, 4]


def test_one_that_is_too_much_by_itself_holds_up_no_other(transactional_db: None) -> None:
    with fake_laminar(lambda path, body: (400, {"error": "no"})) as far:
        project = prepared(far)
        Trace.objects.filter(project=project).exclude(pk=Trace.objects.order_by("pk")[0].pk).update(read_due_at=None)
        _read(2)
        assert len(far.requests) == 1
    assert Trace.objects.get(read_due_at__isnull=False).read_due_at > clock.now() + timedelta(hours=23)  # type: ignore[operator]


def test_a_429_holds_every_pull_of_the_project(transactional_db: None) -> None:
    with fake_laminar(lambda path, body: (429, None)) as far:
        project = prepared(far)
        Trace.objects.update(pull_due_at=clock.now())
        worker = _read(3)
        assert len(far.requests) == 1
        assert worker.mirror.rate_limited_projects == [project.pk]
    assert Trace.objects.filter(read_due_at__lte=clock.now()).count() == DUE


@async_to_sync
async def _read(rounds: int) -> Worker:
    """So many rounds of reading again, each to its end, and a pull after them."""
    worker = Worker()
    try:
        for _ in range(rounds):
            await worker.mirror.reread()
            await worker.mirror.reread_tasks.wait_all()
        if worker.mirror.rate_limited_projects:
            await worker.pull()
    finally:
        await worker._close()
    await sync_to_async(Trace.objects.exists)()
    return worker
