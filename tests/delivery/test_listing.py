"""Listing new traces page by page: none is missed where many began in the same moment."""

import asyncio
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from asgiref.sync import sync_to_async
from django.db import connections

from reviewapp.accounts.models import Project
from reviewapp.delivery.worker import Worker
from reviewapp.lib import clock
from reviewapp.traces import pulling
from reviewapp.traces.models import PullMark, Trace
from tests.delivery.conftest import project_of
from tests.delivery.test_faults import project_at
from tests.delivery.working import laminar, work
from tests.tracestore.sending import make_span, send
from tests.tracestore_server import RunningStore, running_store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[RunningStore]:
    with running_store(tmp_path) as running:
        yield running


@pytest.mark.django_db(transaction=True)
def test_it_misses_none_of_many_that_began_in_one_moment(store: RunningStore) -> None:
    now = time.time_ns() - 3_600 * 10**9
    # More than a page in one nanosecond, many in one microsecond, which is all that we see, and some apart.
    starts = [now] * (pulling.PAGE + 60) + [now + number for number in range(90)]
    starts += [now + number * 10**9 for number in range(1, 40)]
    with store.client() as full:
        send(full, *(make_span(str(uuid4()), start=start) for start in starts))
    project = project_of(store)
    work(until=PullMark.objects.exists, seconds=30)
    assert Trace.objects.filter(project=project).here().count() == len(starts)


@pytest.mark.django_db(transaction=True)
def test_the_next_listing_looks_back_a_little(store: RunningStore) -> None:
    with store.client() as full:
        send(full, make_span(str(uuid4()), start=time.time_ns()))
        project_of(store)
        work(until=PullMark.objects.exists)
        late, too_late = uuid4(), uuid4()
        minute = 60 * 10**9
        send(full, make_span(str(late), start=time.time_ns() - 5 * minute))
        send(full, make_span(str(too_late), start=time.time_ns() - 30 * minute))
        work(until=lambda: Trace.objects.filter(trace_id=late).exists())
    assert not Trace.objects.filter(trace_id=too_late).exists()


@pytest.mark.django_db(transaction=True)
def test_a_listing_that_fails_is_not_repeated_for_a_while() -> None:
    async def list_twice() -> tuple[int, int]:
        worker = Worker()
        first = await worker.mirror.list_new()
        await worker.mirror.lists.finish()
        second = await worker.mirror.list_new()
        await worker.clients.close()
        await sync_to_async(connections.close_all)()
        return first, second

    with laminar(lambda path, body: (500, "no")) as far:
        project_at(far)
        assert asyncio.run(list_twice()) == (1, 0)
    assert len(far.asked) == 1


def test_a_trace_from_the_future_does_not_hide_those_to_come(project: Project) -> None:
    began = clock.now() - timedelta(days=2)
    pulling.note_listed(project, began, clock.now() + timedelta(days=400))
    assert pulling.listed_since(project) <= clock.now()
    pulling.note_listed(project, began, clock.now() - timedelta(days=1))
    assert pulling.listed_since(project) > clock.now() - pulling.OVERLAP - timedelta(minutes=1)
