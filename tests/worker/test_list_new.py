"""Listing new traces page by page: none is missed where many began in the same moment."""

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
from reviewapp.traces.sync import pull, watermark
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
    with run_store(tmp_path) as running:
        yield running


class Traces:
    """A Laminar's traces, an hour apart and the newest first; it answers a while and then asks to slow down."""

    def __init__(self, count: int) -> None:
        now = clock.now()
        self.starts = [now - timedelta(hours=number) for number in range(count)]
        self.answers_left = 99
        self.kind = "DEFAULT"

    def answer(self, path: str, body: dict[str, Any]) -> tuple[int, object]:
        if not self.answers_left:
            return 429, None
        self.answers_left -= 1
        asked = {"since": "", "until": "9", **body["parameters"]}
        rows = [
            {"id": str(UUID(int=int(start.timestamp() * 10**6))), "start_time": text, "end_time": text,
             "metadata": "{}", "trace_type": self.kind}
            for start in self.starts
            if asked["since"] <= (text := f"{start:%Y-%m-%d %H:%M:%S.%f}000") < asked["until"]
        ]  # fmt: skip
        return 200, {"data": rows[: asked["limit"]]}


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages of four traces; who fails, or is asked to slow down, goes on at once."""
    monkeypatch.setattr(pull, "PAGE_SIZE", 4)
    monkeypatch.setattr(mirror_sync, "RETRY_DELAY", 0.0)
    monkeypatch.setattr(mirror_sync, "DEFAULT_RATE_LIMIT_DELAY", 0.0)
    monkeypatch.setattr(mirror_sync, "SWEEP_INTERVALS", {})


@pytest.mark.django_db(transaction=True)
def test_it_misses_none_of_many_that_began_in_one_moment(store: RunningStore) -> None:
    now = time.time_ns() - 3_600 * 10**9
    # More than a page in one nanosecond, many in one microsecond, which is all that we see, and some apart.
    starts = [now] * (pull.PAGE_SIZE + 60) + [now + number for number in range(90)]
    starts += [now + number * 10**9 for number in range(1, 40)]
    with store.client() as full:
        send_spans(full, *(make_span(str(uuid4()), start=start) for start in starts))
    project = connect_project(store)
    run_workers(until=Watermark.objects.exists, seconds=30)
    assert Trace.objects.filter(project=project).pulled().count() == len(starts)


@pytest.mark.django_db(transaction=True)
def test_the_next_listing_looks_back_a_little(store: RunningStore) -> None:
    with store.client() as full:
        send_spans(full, make_span(str(uuid4()), start=time.time_ns()))
        connect_project(store)
        run_workers(until=Watermark.objects.exists)
        late = uuid4()
        send_spans(full, make_span(str(late), start=time.time_ns() - 5 * 60 * 10**9))
        run_workers(until=lambda: Trace.objects.filter(trace_id=late).exists())


@pytest.mark.django_db(transaction=True)
def test_traces_that_come_hours_late_come_into_the_mirror(store: RunningStore) -> None:
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
def test_what_is_listed_again_comes_in_bounded_parts(small: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mirror_sync, "SWEEP_INTERVALS", {timedelta(days=1): 3_600.0})
    monkeypatch.setattr(mirror_sync, "MAX_SWEEP_PAGES", 2)
    far_traces = Traces(17)
    with fake_laminar(far_traces.answer) as far:
        project = create_project(far)
        Watermark.objects.create(
            project=project, base_url=far.url, listed_until=clock.now(), complete_since=clock.now() - timedelta(days=2)
        )
        worker = Worker()
        for asked in (2, 4, 6, 6):
            _list(worker, worker.mirror.list_remaining)
            assert len(far.requests) == asked
    assert Trace.objects.count() == 17


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("restarts", [False, True], ids=["one worker", "restarted"])
def test_a_listing_that_was_stopped_goes_on_from_there(small: None, restarts: bool) -> None:
    far_traces = Traces(27)
    with fake_laminar(far_traces.answer) as far:
        project = create_project(far)
        worker = Worker()
        for rest, held in ((3, 10), (2, 13), (2, 16)):
            far_traces.answers_left = rest
            _list(worker, worker.mirror.list_new, worker.mirror.list_remaining)
            mark = watermark.get_watermark(project)
            assert mark is not None
            assert mark.gapless_since == far_traces.starts[held - 1] + timedelta(microseconds=1)
            worker = Worker() if restarts else worker
        far_traces.answers_left = 99
        _list(worker, worker.mirror.list_new, worker.mirror.list_remaining)
    assert Trace.objects.count() == 27
    mark = watermark.get_watermark(project)
    assert mark is not None
    assert mark.gapless_since is not None
    assert mark.gapless_since < clock.now() - timedelta(days=6)


@pytest.mark.django_db(transaction=True)
def test_new_traces_come_while_older_ones_are_listed(small: None, monkeypatch: pytest.MonkeyPatch) -> None:
    far_traces = Traces(9)
    with fake_laminar(far_traces.answer) as far:
        project = create_project(far)
        worker = Worker()
        far_traces.answers_left = 1
        _list(worker, worker.mirror.list_new)
        gap = watermark.get_gap(project)
        assert gap is not None
        far_traces.starts.insert(0, clock.now())
        far_traces.answers_left = 99
        _list(worker, worker.mirror.list_new)
        assert watermark.get_gap(project) == gap
        assert Trace.objects.filter(start_time=far_traces.starts[0]).exists()
        _list(worker, worker.mirror.list_remaining)
    assert (watermark.get_gap(project), Trace.objects.count()) == (None, 10)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("kind", ["EVALUATION", "PLAYGROUND"])
def test_runs_of_evaluations_and_the_playground_are_not_listed(small: None, kind: str) -> None:
    far_traces = Traces(3)
    far_traces.kind = kind
    with fake_laminar(far_traces.answer) as far:
        project = create_project(far)
        worker = Worker()
        _list(worker, worker.mirror.list_new)
    assert watermark.get_watermark(project) is not None
    assert not Trace.objects.exists()
    # Whoever queues one gets it.
    assert pull.store_traces(project, [trace_row(trace_type=kind)])


@pytest.mark.django_db(transaction=True)
def test_a_long_stop_leaves_a_gap_that_is_filled(small: None) -> None:
    far_traces = Traces(13)
    with fake_laminar(far_traces.answer) as far:
        project = create_project(far)
        reached = far_traces.starts[-1]
        since = reached - timedelta(days=3)
        Watermark.objects.create(project=project, base_url=far.url, listed_until=reached, complete_since=since)
        worker = Worker()
        far_traces.answers_left = 2
        _list(worker, worker.mirror.list_new)
        mark = watermark.get_watermark(project)
        assert mark is not None
        assert mark.gapless_since == far_traces.starts[6] + timedelta(microseconds=1)
        far_traces.answers_left = 99
        worker = Worker()
        _list(worker, worker.mirror.list_remaining)
    mark = watermark.get_watermark(project)
    assert mark is not None
    assert (mark.gapless_since, Trace.objects.count()) == (since, 13)


@pytest.mark.django_db(transaction=True)
def test_a_listing_that_fails_is_not_repeated_for_a_while() -> None:
    async def list_twice() -> tuple[int, int]:
        worker = Worker()
        first = await worker.mirror.list_new()
        await worker.mirror.list_new_tasks.wait_all()
        second = await worker.mirror.list_new()
        await worker.clients.close()
        await sync_to_async(connections.close_all)()
        return first, second

    with fake_laminar(lambda path, body: (500, "no")) as far:
        create_project(far)
        assert asyncio.run(list_twice()) == (1, 0)
    assert len(far.requests) == 1


def test_a_trace_from_the_future_does_not_hide_those_to_come(project: Project) -> None:
    began = clock.now() - timedelta(days=2)
    watermark.advance_watermark(project, began, began, clock.now() + timedelta(days=400))
    assert watermark.next_listing_start(project) <= clock.now()
    watermark.advance_watermark(project, began, began, clock.now() - timedelta(days=1))
    assert watermark.next_listing_start(project) > clock.now() - watermark.OVERLAP - timedelta(minutes=1)


@async_to_sync
async def _list(worker: Worker, *acts: Callable[[], Awaitable[int]]) -> None:
    """One round of each of these acts of a worker's, to its end."""
    try:
        for act in acts:
            await act()
            await worker.mirror.list_new_tasks.wait_all()
            await worker.mirror.list_remaining_tasks.wait_all()
    finally:
        # The next round may run in another event loop.
        await worker.clients.close()
        await sync_to_async(connections.close_all)()
