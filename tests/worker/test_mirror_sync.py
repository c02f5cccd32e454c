"""The worker rereads known traces, against a fake Laminar."""

from datetime import timedelta
from typing import Any

from asgiref.sync import async_to_sync, sync_to_async

from reviewapp.accounts.models import Project
from reviewapp.lib import clock
from reviewapp.traces.models import Trace
from reviewapp.worker.loop import Worker
from tests.factories import LaminarKeyFactory, ProjectFactory, TraceFactory
from tests.worker.running import FakeLaminar, Response, fake_laminar

DUE_COUNT = 8


def create_due_traces(laminar: FakeLaminar) -> Project:
    project: Project = ProjectFactory.create(base_url=laminar.url)
    LaminarKeyFactory.create(project=project)
    for _ in range(DUE_COUNT):
        TraceFactory.create(project=project, read_due_at=clock.now() - timedelta(minutes=1), is_kept=True)
    return project


def requested_ids(body: dict[str, Any]) -> list[str]:
    ids: list[str] = body["parameters"]["ids"]
    return ids


def test_it_rereads_due_traces_by_id(transactional_db: None) -> None:
    def script(path: str, body: dict[str, Any]) -> Response:
        moment = "2026-11-22 10:00:00.000000000"
        return 200, {
            "data": [
                {"id": trace_id, "start_time": moment, "end_time": moment, "metadata": '{"a":1}'}
                for trace_id in requested_ids(body)
            ]
        }

    with fake_laminar(script) as laminar:
        create_due_traces(laminar)
        _reread(1)
        assert len(laminar.requests) == 1
    assert set(Trace.objects.values_list("metadata", flat=True)) == {'{"a":1}'}
    assert not Trace.objects.filter(read_due_at__lte=clock.now()).exists()


def test_it_halves_a_batch_that_is_too_large(transactional_db: None) -> None:
    def script(path: str, body: dict[str, Any]) -> Response:
        return (413, "too large") if len(requested_ids(body)) > 2 else (200, {"data": []})

    with fake_laminar(script) as laminar:
        create_due_traces(laminar)
        _reread(4)
        assert [len(requested_ids(body)) for _, _, body in laminar.requests] == [8, 4, 2, 4]


def test_it_delays_a_trace_that_is_too_large_alone(transactional_db: None) -> None:
    with fake_laminar(lambda path, body: (400, {"error": "no"})) as laminar:
        project = create_due_traces(laminar)
        Trace.objects.filter(project=project).exclude(pk=Trace.objects.order_by("pk")[0].pk).update(read_due_at=None)
        _reread(2)
        assert len(laminar.requests) == 1
    assert Trace.objects.get(read_due_at__isnull=False).read_due_at > clock.now() + timedelta(hours=23)  # type: ignore[operator]


def test_it_reads_nothing_of_a_project_after_a_429(transactional_db: None) -> None:
    with fake_laminar(lambda path, body: (429, None)) as laminar:
        project = create_due_traces(laminar)
        Trace.objects.update(pull_due_at=clock.now())
        worker = _reread(3)
        assert len(laminar.requests) == 1
        assert worker.mirror.rate_limited_projects == [project.pk]
    assert Trace.objects.filter(read_due_at__lte=clock.now()).count() == DUE_COUNT


@async_to_sync
async def _reread(rounds: int) -> Worker:
    """Finish this many reread rounds, then try a pull if a project is rate limited. Returns the worker."""
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
