"""The worker against a real trace store: a patch goes from the outbox into the trace."""

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
from reviewapp.keys.encryption import encrypt
from reviewapp.keys.models import LaminarKey
from reviewapp.lib import clock
from reviewapp.queues.adding import Entry, add
from reviewapp.queues.models import QueueItem, Rule
from reviewapp.queues.rules.runner import BATCH_SIZE
from reviewapp.traces.models import CHANGE_WINDOW, Trace
from reviewapp.traces.sync import prune, pull
from reviewapp.worker.loop import Worker
from reviewapp.worker.mirror_sync import MAX_PRUNE_BATCHES
from tests.connected_project import connect_project
from tests.delivery.patches import put
from tests.factories import LaminarKeyFactory, ProjectFactory, QueueFactory, RuleFactory, TraceFactory
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


def test_it_pushes_and_confirms_a_patch(connected_project: Project, tracestore: RunningStore, trace_id: UUID) -> None:
    with tracestore.client() as full:
        send_span(full, str(trace_id), {f"{METADATA_PREFIX}environment": "production"})
        put(connected_project, {"score": 1, "notes": None, "needs_review": False}, trace_id)
        run_workers(until=all_patches_are(State.CONFIRMED))
        metadata = json.loads(fetch_metadata(full, str(trace_id)))
    assert metadata == {"environment": "production", "score": 1, "notes": None, "needs_review": False}
    assert [attempt.act for attempt in Attempt.objects.order_by("pk")] == ["push", "read back"]


def test_it_confirms_a_patch_that_is_applied_late(tmp_path: Path, transactional_db: None, trace_id: UUID) -> None:
    with run_store(tmp_path, apply_delay_ms=1_800) as store, store.client() as full:
        send_span(full, str(trace_id))
        patch = put(connect_project(store), {"score": 1}, trace_id)
        run_workers(until=all_patches_are(State.CONFIRMED))
        assert _count_spans(store, trace_id) == 2
    patch.refresh_from_db()
    assert (patch.sends, patch.reads > 0) == (1, True)


def test_it_pushes_again_when_the_trace_arrives_after_its_review(
    connected_project: Project, tracestore: RunningStore, trace_id: UUID
) -> None:
    patch = put(connected_project, {"score": 1}, trace_id)
    run_workers(until=lambda: Patch.objects.get(pk=patch.pk).misses == 1)
    with tracestore.client() as full:
        send_span(full, str(trace_id))
        run_workers(until=all_patches_are(State.CONFIRMED))
    assert (Patch.objects.get().failures, Breaker.objects.exists()) == (0, False)
    assert list(Attempt.objects.order_by("pk").values_list("status", flat=True)) == [404, 200, 200]


def test_it_delivers_waiting_patches_when_a_store_is_back(
    tmp_path: Path, transactional_db: None, trace_id: UUID
) -> None:
    store = start_store(tmp_path)
    with store.client() as full:
        send_span(full, str(trace_id))
    project = connect_project(store)
    store.stop()
    patch = put(project, {"score": 1}, trace_id)
    run_workers(until=lambda: Patch.objects.get().failures >= 1)
    restarted = start_store(tmp_path, keys=_keys(store))
    key = LaminarKey.objects.get()
    secret, key.project.base_url = key.secret, restarted.url
    key.project.save(update_fields=["base_url"])
    LaminarKey.objects.update(encrypted_secret=encrypt(secret, key._bound_to))
    Patch.objects.update(due_at=clock.now())
    try:
        run_workers(until=all_patches_are(State.CONFIRMED))
    finally:
        restarted.stop()
    assert Attempt.objects.filter(patch=patch, status=None).exists()


def test_it_stops_on_a_wrong_key_until_it_is_replaced(
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


def test_it_uses_a_new_key_without_a_restart(
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


def test_it_pushes_with_an_ingest_only_key_and_confirms_with_a_full_key(
    connected_project: Project, tracestore: RunningStore, trace_id: UUID
) -> None:
    LaminarKey.objects.all().delete()
    kind = LaminarKey.Kind.INGEST_ONLY
    LaminarKeyFactory.create(project=connected_project, secret=tracestore.ingest_key, kind=kind)
    with tracestore.client() as full:
        send_span(full, str(trace_id))
    patch = put(connected_project, {"score": 1}, trace_id)
    in_a_long_time = clock.now() + CHANGE_WINDOW
    run_workers(until=lambda: Patch.objects.filter(state=State.ACCEPTED, due_at__gt=in_a_long_time).exists())
    LaminarKey.objects.update(retired_at=clock.now())
    LaminarKeyFactory.create(project=connected_project, secret=tracestore.full_key)
    run_workers(until=all_patches_are(State.CONFIRMED))
    assert Attempt.objects.filter(patch=patch, act="push").count() == 1


def test_it_sends_each_patch_once_with_two_workers(connected_project: Project, tracestore: RunningStore) -> None:
    trace_ids = [uuid4() for _ in range(12)]
    with tracestore.client() as full:
        for number, trace_id in enumerate(trace_ids):
            send_span(full, str(trace_id))
            put(connected_project, {"score": number}, trace_id)
    run_workers(until=all_patches_are(State.CONFIRMED), workers=2)
    assert [_count_spans(tracestore, trace_id) for trace_id in trace_ids] == [2] * 12
    assert Attempt.objects.filter(act="read back").count() == 12


def test_it_pulls_a_requested_trace_with_its_spans(
    connected_project: Project, tracestore: RunningStore, trace_id: UUID
) -> None:
    with tracestore.client() as full:
        send_span(full, str(trace_id), {f"{METADATA_PREFIX}environment": "production"})
    pull.request_pull(connected_project, [trace_id])
    run_workers(until=lambda: Trace.objects.filter(trace_id=trace_id).exclude(spans_pulled_at=None).exists())
    trace = Trace.objects.get(trace_id=trace_id)
    assert (trace.metadata, trace.spans.count()) == ('{"environment":"production"}', 1)


def test_it_skips_an_item_whose_session_is_queued_already(connected_project: Project, tracestore: RunningStore) -> None:
    queue = QueueFactory.create(project=connected_project, unit="sessions")
    trace_ids = [uuid4(), uuid4()]
    with tracestore.client() as full:
        for sent_id in trace_ids:
            send_span(full, str(sent_id), {"lmnr.association.properties.session_id": "s1"})
    add(queue, [Entry(queued_id) for queued_id in trace_ids], "command")
    run_workers(until=lambda: QueueItem.objects.filter(state="skipped").exists())
    assert list(queue.items.order_by("pk").values_list("state", flat=True)) == ["pending", "skipped"]


def test_it_pulls_a_long_trace_page_by_page(
    connected_project: Project, tracestore: RunningStore, trace_id: UUID
) -> None:
    # Many spans start at the same time, and a page ends among them.
    spans = [make_span(str(trace_id), number, start=START + number // 400) for number in range(1, 1_201)]
    with tracestore.client() as full:
        full.post("/v1/traces", content=encode_spans(*spans), headers=PROTOBUF_HEADERS)
    pull.request_pull(connected_project, [trace_id])
    run_workers(until=lambda: Trace.objects.filter(trace_id=trace_id).exclude(spans_pulled_at=None).exists())
    trace = Trace.objects.get(trace_id=trace_id)
    assert (trace.span_count, trace.spans.count(), trace.is_cut) == (1_200, 1_200, False)


def test_it_lists_new_traces(connected_project: Project, tracestore: RunningStore, trace_id: UUID) -> None:
    span = make_span(str(trace_id), start=time.time_ns())
    with tracestore.client() as full:
        full.post("/v1/traces", content=encode_spans(span), headers=PROTOBUF_HEADERS)
    run_workers(until=lambda: Trace.objects.filter(trace_id=trace_id).exclude(pulled_at=None).exists())


def test_it_prunes_all_expired_traces(transactional_db: None) -> None:
    project, start_time = ProjectFactory.create(), clock.now() - timedelta(days=100)
    count = MAX_PRUNE_BATCHES * prune.BATCH_SIZE + 1
    Trace.objects.bulk_create([Trace(project=project, trace_id=uuid4(), start_time=start_time) for _ in range(count)])
    run_workers(until=lambda: not Trace.objects.exists())


def test_it_applies_rules_again_and_again(transactional_db: None) -> None:
    rule = RuleFactory.create()
    _create_production_traces(rule, 1)

    def has_two_items() -> bool:
        if QueueItem.objects.count() == Trace.objects.count() == 1:
            _create_production_traces(rule, 1)
        return QueueItem.objects.count() == 2

    run_workers(until=has_two_items)
    assert set(QueueItem.objects.values_list("rule", flat=True)) == {rule.pk}


def test_it_applies_rules_to_all_traces_when_run_once(transactional_db: None) -> None:
    rule = RuleFactory.create()
    # More traces than a rule takes in one round.
    trace_ids = _create_production_traces(rule, BATCH_SIZE + 1)
    _run_once()
    assert set(QueueItem.objects.filter(rule=rule).values_list("trace_id", flat=True)) == trace_ids


def test_it_does_what_is_due_and_ends_when_run_once(
    connected_project: Project, tracestore: RunningStore, trace_id: UUID
) -> None:
    with tracestore.client() as full:
        send_span(full, str(trace_id))
    put(connected_project, {"score": 1}, trace_id)
    pull.request_pull(connected_project, [trace_id])

    _run_once()
    assert patch_states() == [State.CONFIRMED]
    assert Trace.objects.get(trace_id=trace_id).has_spans


@pytest.mark.postgres
def test_it_survives_a_terminated_database_session(
    connected_project: Project, tracestore: RunningStore, trace_id: UUID
) -> None:
    with tracestore.client() as full:
        send_span(full, str(trace_id))
    terminated: list[int] = []

    def confirmed() -> bool:
        # This runs in the worker's thread, on the worker's connection.
        try:
            if not terminated:
                put(connected_project, {"score": 1}, trace_id)
                terminated.append(_session_id())
                _run_in_thread(lambda: _terminate(terminated[0]))
            return patch_states() == [State.CONFIRMED] and _session_id() != terminated[0]
        except DatabaseError:
            return False

    run_workers(until=confirmed)


def _create_production_traces(rule: Rule, count: int) -> set[UUID]:
    """Create traces that the rule of RuleFactory matches. Returns their trace ids."""
    traces = TraceFactory.create_batch(count, project=rule.queue.project, metadata='{"environment":"production"}')
    return {trace.trace_id for trace in traces}


def _run_once() -> None:
    async def run_once() -> None:
        await Worker().run_once()
        await sync_to_async(connections.close_all)()

    asyncio.run(asyncio.wait_for(run_once(), 20))


def _session_id() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        return int(cursor.fetchone()[0])


def _terminate(session_id: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s)", [session_id])
    connection.close()


def _run_in_thread(function: Callable[[], None]) -> None:
    thread = threading.Thread(target=function)
    thread.start()
    thread.join()


def _keys(store: RunningStore) -> dict[str, str]:
    return {"project_id": store.project_id, "full_key": store.full_key, "ingest_key": store.ingest_key}


def _count_spans(store: RunningStore, trace_id: UUID) -> int:
    """The trace's number of spans in the store; each push adds one."""
    with sqlite3.connect(store.database) as database:
        (count,) = database.execute("SELECT num_spans FROM trace WHERE id = ?", (str(trace_id),)).fetchone()
    database.close()
    return int(count)
