"""Listing new traces page by page misses none, even when many start at the same time."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from django.db import connections

from reviewapp.accounts.models import Project
from reviewapp.lib import clock
from reviewapp.traces.models import Trace, Watermark
from reviewapp.traces.sync import pull, storing, watermark
from reviewapp.worker import mirror_sync
from reviewapp.worker.loop import Worker
from tests.connected_project import connect_project
from tests.traces.rows import trace_row
from tests.tracestore.store_calls import make_span, send_spans
from tests.tracestore_server import RunningStore, run_store
from tests.worker.running import fake_laminar, run_workers
from tests.worker.test_faults import create_project


@pytest.fixture
def store(tmp_path: Path) -> Iterator[RunningStore]:
    with run_store(tmp_path) as running_store:
        yield running_store


class TraceServer:
    """A script that serves traces one hour apart, newest first, and answers 429 once `responses_left` is 0."""

    def __init__(self, count: int) -> None:
        now = clock.now()
        self.starts = [now - timedelta(hours=number) for number in range(count)]
        self.responses_left = 99
        self.kind = "DEFAULT"

    def respond(self, path: str, body: dict[str, Any]) -> tuple[int, object]:
        if not self.responses_left:
            return 429, None
        self.responses_left -= 1
        parameters = {"since": "", "until": "9", **body["parameters"]}
        rows = [
            {"id": str(UUID(int=int(start.timestamp() * 10**6))), "start_time": text, "end_time": text,
             "metadata": "{}", "trace_type": self.kind}
            for start in self.starts
            if parameters["since"] <= (text := f"{start:%Y-%m-%d %H:%M:%S.%f}000") < parameters["until"]
        ]  # fmt: skip
        return 200, {"data": rows[: parameters["limit"]]}


@pytest.fixture
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages of four traces, and no delay after a failure or a 429."""
    monkeypatch.setattr(pull, "PAGE_SIZE", 4)
    monkeypatch.setattr(mirror_sync, "RETRY_DELAY", 0.0)
    monkeypatch.setattr(mirror_sync, "DEFAULT_RATE_LIMIT_DELAY", 0.0)
    monkeypatch.setattr(mirror_sync, "SWEEP_INTERVALS", {})


@pytest.mark.django_db(transaction=True)
def test_it_misses_no_trace_when_many_start_at_the_same_time(store: RunningStore) -> None:
    now = time.time_ns() - 3_600 * 10**9
    # More than a page in one nanosecond, many in one microsecond (our resolution), and some seconds apart.
    starts = [now] * (pull.PAGE_SIZE + 60) + [now + number for number in range(90)]
    starts += [now + number * 10**9 for number in range(1, 40)]
    with store.client() as full:
        send_spans(full, *(make_span(str(uuid4()), start=start) for start in starts))
    project = connect_project(store)
    run_workers(until=Watermark.objects.exists)
    assert Trace.objects.filter(project=project).pulled().count() == len(starts)


@pytest.mark.django_db(transaction=True)
def test_it_lists_traces_that_arrive_a_few_minutes_late(store: RunningStore) -> None:
    with store.client() as full:
        send_spans(full, make_span(str(uuid4()), start=time.time_ns()))
        connect_project(store)
        run_workers(until=Watermark.objects.exists)
        late = uuid4()
        send_spans(full, make_span(str(late), start=time.time_ns() - 5 * 60 * 10**9))
        run_workers(until=lambda: Trace.objects.filter(trace_id=late).exists())


@pytest.mark.django_db(transaction=True)
def test_it_lists_traces_that_arrive_hours_late(store: RunningStore) -> None:
    with store.client() as full:
        send_spans(full, make_span(str(uuid4()), start=time.time_ns()))
        connect_project(store)
        run_workers(until=Watermark.objects.exists)
        late, later = uuid4(), uuid4()
        minute = 60 * 10**9
        send_spans(full, make_span(str(late), start=time.time_ns() - 30 * minute))
        send_spans(full, make_span(str(later), start=time.time_ns() - 20 * 60 * minute))
        run_workers(until=lambda: Trace.objects.filter(trace_id__in=[late, later]).count() == 2)


@pytest.mark.django_db(transaction=True)
def test_it_lists_traces_again_in_bounded_parts(small_pages: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mirror_sync, "SWEEP_INTERVALS", {timedelta(days=1): 3_600.0})
    monkeypatch.setattr(mirror_sync, "MAX_SWEEP_PAGES", 2)
    trace_server = TraceServer(17)
    with fake_laminar(trace_server.respond) as laminar:
        project = create_project(laminar)
        Watermark.objects.create(
            project=project,
            base_url=laminar.url,
            listed_until=clock.now(),
            complete_since=clock.now() - timedelta(days=2),
        )
        worker = Worker()
        for request_count in (2, 4, 6, 6):
            _list(worker, worker.mirror.list_remaining)
            assert len(laminar.requests) == request_count
    assert Trace.objects.count() == 17


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("restarts", [False, True], ids=["one worker", "restarted"])
def test_it_continues_a_listing_that_was_interrupted(small_pages: None, restarts: bool) -> None:
    trace_server = TraceServer(27)
    with fake_laminar(trace_server.respond) as laminar:
        project = create_project(laminar)
        worker = Worker()
        for responses, listed in ((3, 10), (2, 13), (2, 16)):
            trace_server.responses_left = responses
            _list(worker, worker.mirror.list_new, worker.mirror.list_remaining)
            mirror_watermark = watermark.get_watermark(project)
            assert mirror_watermark is not None
            assert mirror_watermark.gapless_since == trace_server.starts[listed - 1] + timedelta(microseconds=1)
            worker = Worker() if restarts else worker
        trace_server.responses_left = 99
        _list(worker, worker.mirror.list_new, worker.mirror.list_remaining)
    assert Trace.objects.count() == 27
    mirror_watermark = watermark.get_watermark(project)
    assert mirror_watermark is not None
    assert mirror_watermark.gapless_since is not None
    assert mirror_watermark.gapless_since < clock.now() - timedelta(days=6)


@pytest.mark.django_db(transaction=True)
def test_it_lists_new_traces_while_older_ones_are_missing(small_pages: None, monkeypatch: pytest.MonkeyPatch) -> None:
    trace_server = TraceServer(9)
    with fake_laminar(trace_server.respond) as laminar:
        project = create_project(laminar)
        worker = Worker()
        trace_server.responses_left = 1
        _list(worker, worker.mirror.list_new)
        gap = watermark.get_gap(project)
        assert gap is not None
        trace_server.starts.insert(0, clock.now())
        trace_server.responses_left = 99
        _list(worker, worker.mirror.list_new)
        assert watermark.get_gap(project) == gap
        assert Trace.objects.filter(start_time=trace_server.starts[0]).exists()
        _list(worker, worker.mirror.list_remaining)
    assert (watermark.get_gap(project), Trace.objects.count()) == (None, 10)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("kind", ["EVALUATION", "PLAYGROUND"])
def test_it_does_not_list_evaluations_and_playground_runs(small_pages: None, kind: str) -> None:
    trace_server = TraceServer(3)
    trace_server.kind = kind
    with fake_laminar(trace_server.respond) as laminar:
        project = create_project(laminar)
        worker = Worker()
        _list(worker, worker.mirror.list_new)
    assert watermark.get_watermark(project) is not None
    assert not Trace.objects.exists()
    # A queued one is still pulled.
    assert storing.store_traces(project, [trace_row(trace_type=kind)])


@pytest.mark.django_db(transaction=True)
def test_it_fills_the_gap_that_a_long_stop_leaves(small_pages: None) -> None:
    trace_server = TraceServer(13)
    with fake_laminar(trace_server.respond) as laminar:
        project = create_project(laminar)
        listed_until = trace_server.starts[-1]
        since = listed_until - timedelta(days=3)
        Watermark.objects.create(project=project, base_url=laminar.url, listed_until=listed_until, complete_since=since)
        worker = Worker()
        trace_server.responses_left = 2
        _list(worker, worker.mirror.list_new)
        mirror_watermark = watermark.get_watermark(project)
        assert mirror_watermark is not None
        assert mirror_watermark.gapless_since == trace_server.starts[6] + timedelta(microseconds=1)
        trace_server.responses_left = 99
        worker = Worker()
        _list(worker, worker.mirror.list_remaining)
    mirror_watermark = watermark.get_watermark(project)
    assert mirror_watermark is not None
    assert (mirror_watermark.gapless_since, Trace.objects.count()) == (since, 13)


@pytest.mark.django_db(transaction=True)
def test_it_does_not_repeat_a_failed_listing_at_once() -> None:
    async def list_twice() -> tuple[int, int]:
        worker = Worker()
        first = await worker.mirror.list_new()
        await worker.mirror.list_new_tasks.wait_all()
        second = await worker.mirror.list_new()
        await worker.clients.close()
        await sync_to_async(connections.close_all)()
        return first, second

    with fake_laminar(lambda path, body: (500, "no")) as laminar:
        create_project(laminar)
        assert asyncio.run(list_twice()) == (1, 0)
    assert len(laminar.requests) == 1


def test_it_lists_new_traces_after_one_from_the_future(project: Project) -> None:
    since = clock.now() - timedelta(days=2)
    watermark.advance_watermark(project, since, since, clock.now() + timedelta(days=400))
    assert watermark.next_listing_start(project) <= clock.now()
    watermark.advance_watermark(project, since, since, clock.now() - timedelta(days=1))
    assert watermark.next_listing_start(project) > clock.now() - watermark.OVERLAP - timedelta(minutes=1)


@async_to_sync
async def _list(worker: Worker, *methods: Callable[[], Awaitable[int]]) -> None:
    """Finish one round of each of these methods of the worker."""
    try:
        for method in methods:
            await method()
            await worker.mirror.list_new_tasks.wait_all()
            await worker.mirror.list_remaining_tasks.wait_all()
    finally:
        # The next round may run in another event loop.
        await worker.clients.close()
        await sync_to_async(connections.close_all)()
