"""One trace that cannot be read never stops the others: it is marked, shown and tried again."""

import sqlite3
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from django.db import DatabaseError, connection, connections

from reviewapp.accounts.models import Project
from reviewapp.delivery.models import State
from reviewapp.lib import clock
from reviewapp.traces.models import Trace, UnreadablePart, Watermark
from reviewapp.traces.sync import pull, reread, unreadable, watermark
from reviewapp.worker import mirror_sync
from reviewapp.worker.loop import Worker
from tests.connected_project import connect_project
from tests.factories import LaminarKeyFactory, PatchFactory, ProjectFactory, TraceFactory
from tests.tracestore.store_calls import make_span, send_spans
from tests.tracestore_server import RunningStore, run_store
from tests.worker.running import FakeLaminar, Response, fake_laminar, run_workers

pytestmark = pytest.mark.django_db(transaction=True)

START_OF_2100 = 4_102_444_800 * 10**9
GOOD, BAD, OTHER = (UUID(int=number) for number in (1, 2, 3))
# A number that makes a row unreadable, and one that makes the whole response unreadable.
INVALID, NOT_JSON = 1.08e19, float("nan")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[RunningStore]:
    with run_store(tmp_path) as running_store:
        yield running_store


class TraceServer:
    """A script that serves the traces GOOD, BAD and OTHER, one minute apart, newest first; BAD has `tokens`."""

    def __init__(self, tokens: float) -> None:
        now = clock.now()
        self.starts = {trace_id: now - timedelta(minutes=trace_id.int) for trace_id in (GOOD, BAD, OTHER)}
        self.tokens: dict[UUID, float] = {BAD: tokens}
        self.span: dict[str, Any] = {}

    def __call__(self, path: str, body: dict[str, Any]) -> Response:
        parameters, query = body["parameters"], body["query"]
        if "FROM spans" in query:
            return 200, {"data": [self._span(parameters["id"])] if "since" not in parameters else []}
        excluded = [UUID(trace_id) for trace_id in parameters.get("excluded", [])]
        ids = [UUID(trace_id) for trace_id in parameters.get("ids", map(str, self.starts))]
        rows = [self._row(trace_id, query) for trace_id in self.starts if trace_id in ids and trace_id not in excluded]
        rows = [row for row in rows if row["start_time"] < parameters.get("until", "9")]
        return 200, {"data": rows[: parameters.get("limit")]}

    def _row(self, trace_id: UUID, query: str) -> dict[str, Any]:
        moment = f"{self.starts[trace_id]:%Y-%m-%d %H:%M:%S.%f}000"
        row = {"id": str(trace_id), "start_time": moment}
        if "*" not in query:
            return row
        return row | {"end_time": moment, "metadata": "{}", "total_tokens": self.tokens.get(trace_id, 1)}

    def _span(self, trace_id: str) -> dict[str, Any]:
        moment = "2026-11-22 10:00:00.000000000"
        span = {"span_id": str(UUID(int=9)), "trace_id": trace_id, "name": "step"}
        return span | {"start_time": moment, "end_time": moment} | (self.span if UUID(trace_id) == BAD else {})


def create_project(laminar: FakeLaminar) -> Project:
    project: Project = ProjectFactory.create(slug="support", base_url=laminar.url)
    LaminarKeyFactory.create(project=project)
    return project


def pulled_ids() -> set[UUID]:
    return set(Trace.objects.pulled().values_list("trace_id", flat=True))


def marks() -> list[tuple[UUID, str, str]]:
    """Trace id, part and reason of each mark."""
    return list(UnreadablePart.objects.order_by("pk").values_list("trace__trace_id", "part", "reason"))


def test_it_lists_good_traces_beside_a_bad_one_until_that_can_be_read(store: RunningStore) -> None:
    bad, good = uuid4(), uuid4()
    tokens = {"lmnr.span.type": "LLM", "gen_ai.usage.input_tokens": 2**53 - 1}
    with store.client() as full:
        for batch in range(2):
            spans = [
                make_span(str(bad), batch * 600 + number, start=START_OF_2100, attributes=tokens)
                for number in range(1, 601)
            ]
            send_spans(full, *spans)
        send_spans(full, make_span(str(good), start=time.time_ns()))
    # Whatever the store makes of such a sum.
    _update_store(store, "UPDATE trace SET input_tokens = 1.08e19 WHERE id = ?", str(bad))
    project = connect_project(store)
    run_workers(until=lambda: Watermark.objects.exists() and len(marks()) == 1)
    assert pulled_ids() == {good}
    assert marks() == [(bad, "trace", "“input_tokens” is not a whole number below 2^63")]
    assert watermark.next_listing_start(project) > clock.now() - timedelta(hours=1)
    _update_store(store, "UPDATE trace SET input_tokens = 5, total_tokens = 5 WHERE id = ?", str(bad))
    run_workers(until=lambda: pulled_ids() == {good, bad} and not marks())


@pytest.mark.parametrize("tokens", [INVALID, NOT_JSON], ids=["row", "response"])
def test_it_lists_the_others(tokens: float) -> None:
    with fake_laminar(TraceServer(tokens)) as laminar:
        project = create_project(laminar)
        _run(list_new=1)
    assert pulled_ids() == {GOOD, OTHER}
    assert [trace_id for trace_id, _, _ in marks()] == [BAD]
    assert watermark.get_gap(project) is None
    assert watermark.next_listing_start(project) > clock.now() - timedelta(hours=1)


def test_it_leaves_a_trace_out_of_later_listings_whose_row_makes_them_unreadable() -> None:
    with fake_laminar(TraceServer(NOT_JSON)) as laminar:
        create_project(laminar)
        _run(list_new=1)
        laminar.requests.clear()
        _run(list_new=1)
        assert len(laminar.requests) == 1


def test_it_keeps_the_mark_of_a_trace_that_is_listed_again() -> None:
    with fake_laminar(TraceServer(INVALID)) as laminar:
        create_project(laminar)
        _run(list_new=1)
        before = UnreadablePart.objects.values().get()
        _run(list_new=1)
    assert UnreadablePart.objects.values().get() == before


@pytest.mark.parametrize("tokens", [INVALID, NOT_JSON], ids=["row", "response"])
def test_it_reads_a_marked_trace_again_when_it_is_due(tokens: float) -> None:
    server = TraceServer(tokens)
    with fake_laminar(server) as laminar:
        create_project(laminar)
        _run(list_new=1)
        server.tokens = {}
        UnreadablePart.objects.update(retry_at=clock.now())
        _run(maintenance=1, reread=1)
    assert (marks(), pulled_ids()) == ([], {GOOD, BAD, OTHER})


def test_it_rereads_the_others() -> None:
    server = TraceServer(1)
    with fake_laminar(server) as laminar:
        create_project(laminar)
        _run(list_new=1)
        server.tokens = {BAD: NOT_JSON, GOOD: 7, OTHER: 7}
        Trace.objects.update(read_due_at=clock.now())
        _run(reread=1)
    assert dict(Trace.objects.values_list("trace_id", "total_tokens")) == {GOOD: 7, BAD: 1, OTHER: 7}
    assert [trace_id for trace_id, _, _ in marks()] == [BAD]


def test_it_rereads_a_trace_alone_that_made_a_response_unreadable() -> None:
    with fake_laminar(TraceServer(NOT_JSON)) as laminar:
        project = create_project(laminar)
        _run(list_new=1)
        Trace.objects.update(read_due_at=clock.now())
    assert {trace.trace_id for trace in reread.select_due(project)} == {GOOD, OTHER}
    assert [trace.trace_id for trace in reread.select_due(project)] == [BAD]


@pytest.mark.parametrize("tokens", [INVALID, NOT_JSON], ids=["row", "response"])
def test_it_pulls_the_other_wanted_traces(tokens: float) -> None:
    server = TraceServer(tokens)
    with fake_laminar(server) as laminar:
        project = create_project(laminar)
        pull.request_pull(project, [GOOD, BAD, OTHER])
        _run(pull=1)
        assert set(Trace.objects.exclude(spans_pulled_at=None).values_list("trace_id", flat=True)) == {GOOD, OTHER}
        assert [(trace_id, part) for trace_id, part, _ in marks()] == [(BAD, "trace")]
        trace = Trace.objects.get(trace_id=BAD)
        assert trace.pull_error.startswith("It could not be read: ")
        # A page that stays open asks every second.
        pull.request_for_reader(trace)
        assert pull.select_due() == []
        server.tokens = {}
        UnreadablePart.objects.update(retry_at=clock.now())
        _run(maintenance=1, reread=1, pull=1)
    assert Trace.objects.get(trace_id=BAD).has_spans
    assert marks() == []


def test_it_pulls_a_trace_without_its_bad_spans() -> None:
    server = TraceServer(1)
    server.span = {"end_time": "9999-12-31 23:59:59.999999999"}
    with fake_laminar(server) as laminar:
        project = create_project(laminar)
        pull.request_pull(project, [GOOD, BAD])
        _run(pull=1)
        assert Trace.objects.get(trace_id=BAD).has_spans
        assert marks() == [(BAD, "spans", "in 1 span, “end_time” is not a time between 1900 and 2999")]
        server.span = {}
        UnreadablePart.objects.update(retry_at=clock.now())
        _run(maintenance=1, pull=1)
    assert (marks(), Trace.objects.get(trace_id=BAD).spans.count()) == ([], 1)


def test_it_pulls_the_others_when_laminar_fails_for_the_spans_of_one() -> None:
    server = TraceServer(1)

    def respond(path: str, body: dict[str, Any]) -> Response:
        return (500, "no") if body["parameters"].get("id") == str(GOOD) else server(path, body)

    with fake_laminar(respond) as laminar:
        project = create_project(laminar)
        pull.request_pull(project, [GOOD, BAD, OTHER])
        _run(pull=1)
    assert set(Trace.objects.exclude(spans_pulled_at=None).values_list("trace_id", flat=True)) == {BAD, OTHER}
    assert (marks(), Trace.objects.get(trace_id=GOOD).pull_tries) == ([], 1)


def test_it_marks_nothing_when_the_server_is_not_laminar(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mirror_sync, "RETRY_DELAY", 0.0)
    with fake_laminar(lambda path, body: (200, {"page": "of another server"})) as laminar:
        project = create_project(laminar)
        pull.request_pull(project, [GOOD, BAD])
        _run(list_new=1, pull=1)
    assert marks() == []
    assert set(Trace.objects.values_list("pull_tries", flat=True)) == {1}


def test_it_prunes_a_placeholder_that_stays_unreadable() -> None:
    with fake_laminar(TraceServer(INVALID)) as laminar:
        project = create_project(laminar)
        _run(list_new=1)
    pull.request_pull(project, [GOOD])
    UnreadablePart.objects.update(since=clock.now() - timedelta(days=400))
    with fake_laminar(TraceServer(INVALID)) as laminar:
        _run(prune=1)
    assert not Trace.objects.filter(trace_id=BAD).exists()
    assert Trace.objects.filter(trace_id=GOOD).exists()


def test_it_counts_the_traces_of_each_project() -> None:
    with fake_laminar(TraceServer(INVALID)) as laminar:
        project = create_project(laminar)
        _run(list_new=1)
    unreadable.mark_part(Trace.objects.get(trace_id=BAD), UnreadablePart.Part.SPANS, "no")
    assert (unreadable.count_traces(project), unreadable.count_by_project()) == (1, {"support": 1})


@pytest.mark.sqlite
def test_it_does_the_rest_of_the_maintenance_when_a_step_fails() -> None:
    expired = PatchFactory.create(state=State.SENDING, lease=1, leased_until=clock.now() - timedelta(minutes=1))
    TraceFactory.create(metadata='{"a":1}')
    with connection.cursor() as cursor:
        cursor.execute("CREATE TRIGGER fail BEFORE UPDATE ON reviewapp_term BEGIN SELECT RAISE(ABORT, 'no'); END")
    try:
        with pytest.raises(DatabaseError):
            _run(maintenance=1)
    finally:
        with connection.cursor() as cursor:
            cursor.execute("DROP TRIGGER fail")
    expired.refresh_from_db()
    assert expired.state == State.WAITING


def _update_store(store: RunningStore, statement: str, trace_id: str) -> None:
    database = sqlite3.connect(store.database)
    with database:
        assert database.execute(statement, (trace_id,)).rowcount == 1
    database.close()


@async_to_sync
async def _run(**rounds: int) -> None:
    """Finish rounds of the worker's tasks, in this order."""
    worker = Worker()
    tasks = {
        "maintenance": worker.run_maintenance, "list_new": worker.mirror.list_new, "reread": worker.mirror.reread,
        "pull": worker.pull, "prune": worker.mirror.prune,
    }  # fmt: skip
    try:
        for name, count in rounds.items():
            for _ in range(count):
                await tasks[name]()
                for running in (worker.mirror.list_new_tasks, worker.mirror.reread_tasks, worker.pull_tasks):
                    await running.wait_all()
    finally:
        await worker._close()
        await sync_to_async(connections.close_all)()
