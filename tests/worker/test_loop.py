"""The worker against a real trace store: from the outbox to a value that stands in the trace."""

import asyncio
import json
import sqlite3
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from asgiref.sync import sync_to_async
from django.db import DatabaseError, connection, connections

from reviewapp.accounts.models import Project
from reviewapp.delivery.models import Attempt, Breaker, Patch, State
from reviewapp.keys.models import LaminarKey
from reviewapp.lib import clock
from reviewapp.traces.models import CHANGE_WINDOW, Trace
from reviewapp.traces.sync import prune, pull
from reviewapp.worker.loop import Worker
from reviewapp.worker.mirror_sync import MAX_PRUNE_BATCHES
from tests.connected_project import connect_project
from tests.delivery.patches import put
from tests.factories import LaminarKeyFactory, ProjectFactory
from tests.tracestore.store_calls import (
    METADATA_PREFIX,
    PROTOBUF_HEADERS,
    START,
    encode_spans,
    fetch_metadata,
    make_span,
    send_span,
)
from tests.tracestore_server import RunningStore, run_store, start_store
from tests.worker.running import all_patches_are, patch_states, run_workers


def test_a_patch_is_pushed_and_confirmed(connected_project: Project, tracestore: RunningStore, trace_id: UUID) -> None:
    with tracestore.client() as full:
        send_span(full, str(trace_id), {f"{METADATA_PREFIX}environment": "production"})
        put(connected_project, {"score": 1, "notes": None, "needs_review": False}, trace_id)
        run_workers(until=all_patches_are(State.CONFIRMED))
        there = json.loads(fetch_metadata(full, str(trace_id)))
    assert there == {"environment": "production", "score": 1, "notes": None, "needs_review": False}
    assert [attempt.act for attempt in Attempt.objects.order_by("pk")] == ["push", "read back"]


def test_it_waits_for_a_patch_that_is_applied_later(tmp_path: Path, transactional_db: None, trace_id: UUID) -> None:
    with run_store(tmp_path, apply_delay_ms=1_800) as store, store.client() as full:
        send_span(full, str(trace_id))
        patch = put(connect_project(store), {"score": 1}, trace_id)
        run_workers(until=all_patches_are(State.CONFIRMED))
        assert _spans_counted(store, trace_id) == 2
    patch.refresh_from_db()
    assert (patch.sends, patch.reads > 0) == (1, True)


def test_a_trace_that_comes_after_its_review_gets_it(
    connected_project: Project, tracestore: RunningStore, trace_id: UUID
) -> None:
    patch = put(connected_project, {"score": 1}, trace_id)
    run_workers(until=lambda: Patch.objects.get(pk=patch.pk).misses == 1)
    with tracestore.client() as full:
        send_span(full, str(trace_id))
        run_workers(until=all_patches_are(State.CONFIRMED))
    assert (Patch.objects.get().failures, Breaker.objects.exists()) == (0, False)
    assert list(Attempt.objects.order_by("pk").values_list("status", flat=True)) == [404, 200, 200]


def test_a_store_that_comes_back_gets_what_waited(tmp_path: Path, transactional_db: None, trace_id: UUID) -> None:
    store = start_store(tmp_path)
    with store.client() as full:
        send_span(full, str(trace_id))
    project = connect_project(store)
    store.stop()
    patch = put(project, {"score": 1}, trace_id)
    run_workers(until=lambda: Patch.objects.get().failures >= 1)
    again = start_store(tmp_path, keys=_keys(store))
    Project.objects.update(base_url=again.url)
    Patch.objects.update(due_at=clock.now())
    try:
        run_workers(until=all_patches_are(State.CONFIRMED))
    finally:
        again.stop()
    assert Attempt.objects.filter(patch=patch, status=None).exists()


def test_a_wrong_key_holds_all_until_it_is_replaced(
    connected_project: Project, tracestore: RunningStore, trace_id: UUID
) -> None:
    LaminarKey.objects.all().delete()
    wrong = LaminarKeyFactory.create(project=connected_project, secret="not-the-key-0000")
    with tracestore.client() as full:
        send_span(full, str(trace_id))
        put(connected_project, {"score": 1}, trace_id)
        run_workers(until=lambda: Breaker.objects.filter(refused_key=wrong.pk).exists())
        assert patch_states() == [State.WAITING]
        LaminarKey.objects.update(retired_at=clock.now())
        LaminarKeyFactory.create(project=connected_project, secret=tracestore.full_key)
        run_workers(until=all_patches_are(State.CONFIRMED))
        assert json.loads(fetch_metadata(full, str(trace_id))) == {"score": 1}
    assert "not-the-key-0000" not in "".join(str(row) for row in [*Attempt.objects.values(), *Patch.objects.values()])


def test_a_key_is_replaced_while_a_worker_runs(
    connected_project: Project, tracestore: RunningStore, trace_id: UUID
) -> None:
    LaminarKey.objects.all().delete()
    LaminarKeyFactory.create(project=connected_project, secret="not-the-key-0000")
    with tracestore.client() as full:
        send_span(full, str(trace_id))
    put(connected_project, {"score": 1}, trace_id)

    def confirmed() -> bool:
        if Breaker.objects.exclude(refused_key=None).exists() and not LaminarKey.objects.exclude(retired_at=None):
            LaminarKey.objects.update(retired_at=clock.now())
            LaminarKeyFactory.create(project=connected_project, secret=tracestore.full_key)
        return patch_states() == [State.CONFIRMED]

    run_workers(until=confirmed)


def test_an_ingest_only_key_pushes_and_a_full_one_confirms(
    connected_project: Project, tracestore: RunningStore, trace_id: UUID
) -> None:
    LaminarKey.objects.all().delete()
    kind = LaminarKey.Kind.INGEST_ONLY
    LaminarKeyFactory.create(project=connected_project, secret=tracestore.ingest_key, kind=kind)
    with tracestore.client() as full:
        send_span(full, str(trace_id))
    patch = put(connected_project, {"score": 1}, trace_id)
    far_off = clock.now() + CHANGE_WINDOW
    run_workers(until=lambda: Patch.objects.filter(state=State.ACCEPTED, due_at__gt=far_off).exists())
    LaminarKey.objects.update(retired_at=clock.now())
    LaminarKeyFactory.create(project=connected_project, secret=tracestore.full_key)
    run_workers(until=all_patches_are(State.CONFIRMED))
    assert Attempt.objects.filter(patch=patch, act="push").count() == 1


def test_two_workers_send_each_patch_once(connected_project: Project, tracestore: RunningStore) -> None:
    trace_ids = [uuid4() for _ in range(12)]
    with tracestore.client() as full:
        for number, trace_id in enumerate(trace_ids):
            send_span(full, str(trace_id))
            put(connected_project, {"score": number}, trace_id)
    run_workers(until=all_patches_are(State.CONFIRMED), workers=2)
    assert [_spans_counted(tracestore, trace_id) for trace_id in trace_ids] == [2] * 12
    assert Attempt.objects.filter(act="read back").count() == 12


def test_it_pulls_a_wanted_trace_with_its_spans(
    connected_project: Project, tracestore: RunningStore, trace_id: UUID
) -> None:
    with tracestore.client() as full:
        send_span(full, str(trace_id), {f"{METADATA_PREFIX}environment": "production"})
    pull.request_pull(connected_project, [trace_id])
    run_workers(until=lambda: Trace.objects.filter(trace_id=trace_id).exclude(spans_pulled_at=None).exists())
    trace = Trace.objects.get(trace_id=trace_id)
    assert (trace.metadata, trace.spans.count()) == ('{"environment":"production"}', 1)


def test_it_pulls_a_long_trace_page_by_page(
    connected_project: Project, tracestore: RunningStore, trace_id: UUID
) -> None:
    # Many begin at one moment: a page ends among them.
    spans = [make_span(str(trace_id), number, start=START + number // 400) for number in range(1, 1_201)]
    with tracestore.client() as full:
        full.post("/v1/traces", content=encode_spans(*spans), headers=PROTOBUF_HEADERS)
    pull.request_pull(connected_project, [trace_id])
    run_workers(until=lambda: Trace.objects.filter(trace_id=trace_id).exclude(spans_pulled_at=None).exists())
    trace = Trace.objects.get(trace_id=trace_id)
    assert (trace.span_count, trace.spans.count(), trace.is_cut) == (1_200, 1_200, False)


def test_it_lists_new_traces_by_itself(connected_project: Project, tracestore: RunningStore, trace_id: UUID) -> None:
    span = make_span(str(trace_id), start=time.time_ns())
    with tracestore.client() as full:
        full.post("/v1/traces", content=encode_spans(span), headers=PROTOBUF_HEADERS)
    run_workers(until=lambda: Trace.objects.filter(trace_id=trace_id).exclude(pulled_at=None).exists())


def test_it_prunes_until_nothing_is_left_to_prune(transactional_db: None) -> None:
    project, began = ProjectFactory.create(), clock.now() - timedelta(days=100)
    more = MAX_PRUNE_BATCHES * prune.BATCH_SIZE + 1
    Trace.objects.bulk_create([Trace(project=project, trace_id=uuid4(), start_time=began) for _ in range(more)])
    run_workers(until=lambda: not Trace.objects.exists())


def test_it_does_what_it_is_given_beside(transactional_db: None) -> None:
    done: list[int] = []

    def act() -> int:
        done.append(1)
        return int(len(done) < 3)

    run_workers(until=lambda: len(done) == 3, make_worker=lambda: Worker(extra_tasks=[act]))
    asyncio.run(Worker(extra_tasks=[act]).run_once())

    assert len(done) == 4


def test_once_does_what_is_due_and_ends(connected_project: Project, tracestore: RunningStore, trace_id: UUID) -> None:
    with tracestore.client() as full:
        send_span(full, str(trace_id))
    put(connected_project, {"score": 1}, trace_id)
    pull.request_pull(connected_project, [trace_id])

    async def once() -> None:
        await Worker().run_once()
        await sync_to_async(connections.close_all)()

    asyncio.run(asyncio.wait_for(once(), 20))
    assert patch_states() == [State.CONFIRMED]
    assert Trace.objects.get(trace_id=trace_id).has_spans


@pytest.mark.postgres
def test_it_survives_that_its_database_session_is_cut(
    connected_project: Project, tracestore: RunningStore, trace_id: UUID
) -> None:
    with tracestore.client() as full:
        send_span(full, str(trace_id))
    cut: list[int] = []

    def confirmed() -> bool:
        # This runs in the worker's thread, on the worker's connection.
        try:
            if not cut:
                put(connected_project, {"score": 1}, trace_id)
                cut.append(_session())
                _in_another_thread(lambda: _cut(cut[0]))
            return patch_states() == [State.CONFIRMED] and _session() != cut[0]
        except DatabaseError:
            return False

    run_workers(until=confirmed)


def _session() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        return int(cursor.fetchone()[0])


def _cut(session: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s)", [session])
    connection.close()


def _in_another_thread(act: Callable[[], None]) -> None:
    thread = threading.Thread(target=act)
    thread.start()
    thread.join()


def _keys(store: RunningStore) -> dict[str, str]:
    return {"project_id": store.project_id, "full_key": store.full_key, "ingest_key": store.ingest_key}


def _spans_counted(store: RunningStore, trace_id: UUID) -> int:
    """What the store counts as the trace's spans: each push adds one."""
    with sqlite3.connect(store.database) as database:
        (count,) = database.execute("SELECT num_spans FROM trace WHERE id = ?", (str(trace_id),)).fetchone()
    database.close()
    return int(count)
