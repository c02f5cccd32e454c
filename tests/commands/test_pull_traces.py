"""`manage.py pull_traces`: the worker's listing, at once."""

import time
from collections.abc import Iterator
from datetime import timedelta
from uuid import uuid4

import pytest
from django.core.management.base import CommandError

from reviewapp.accounts.models import Project
from reviewapp.lib import clock
from reviewapp.traces.models import Trace, Watermark
from reviewapp.traces.sync import watermark
from tests.commands.runner import run_command
from tests.connected_project import connect_project
from tests.factories import LaminarKeyFactory
from tests.tracestore.store_calls import send_span
from tests.tracestore_server import run_store


@pytest.fixture
def connected(db: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    with run_store(tmp_path_factory.mktemp("store")) as store:
        with store.client() as full:
            for _ in range(3):
                send_span(full, str(uuid4()), start=time.time_ns() - 3_600 * 10**9)
        yield connect_project(store)


def test_it_pulls_what_is_new_and_remembers_how_far(connected: Project) -> None:
    assert "3 traces listed, 3 of them new" in run_command("pull_traces", "--project", "support")
    assert Trace.objects.pulled().count() == 3
    mark = Watermark.objects.get()
    assert mark.complete_since is not None
    assert mark.complete_since < clock.now() - timedelta(days=6)
    assert "0 of them new" in run_command("pull_traces")


def test_a_part_is_no_whole(connected: Project) -> None:
    said = run_command("pull_traces", "--limit", "2")
    assert "2 traces listed" in said
    assert "--until" in said
    assert (Trace.objects.count(), Watermark.objects.exists()) == (2, False)


def test_an_older_range_that_joins_on_moves_what_is_held(connected: Project) -> None:
    since = clock.now() - timedelta(days=5)
    Watermark.objects.create(
        project=connected, base_url=connected.base_url, listed_until=clock.now(), complete_since=since
    )
    run_command("pull_traces", "--since", (since - timedelta(days=5)).isoformat(), "--until", clock.now().isoformat())
    assert Watermark.objects.get().complete_since == since - timedelta(days=5)


def test_a_backfill_that_was_stopped_and_gone_on_with_counts(connected: Project) -> None:
    now = clock.now()
    Watermark.objects.create(
        project=connected, base_url=connected.base_url, listed_until=now, complete_since=now - timedelta(minutes=30)
    )
    since = now - timedelta(days=90)
    said = run_command("pull_traces", "--since", since.isoformat(), "--limit", "2")
    until = said.rpartition("--until ")[2].strip().rstrip(".")
    run_command("pull_traces", "--since", since.isoformat(), "--until", until)
    assert Watermark.objects.get().complete_since == since


def test_it_fills_the_gap_that_the_worker_left(connected: Project) -> None:
    since = clock.now() - timedelta(days=7)
    watermark.advance_watermark(connected, since, clock.now() - timedelta(minutes=30), clock.now())
    assert "3 traces listed" in run_command("pull_traces")
    assert watermark.get_gap(connected) is None


def test_a_project_that_is_connected_elsewhere_begins_anew(connected: Project) -> None:
    run_command("pull_traces")
    Project.objects.update(base_url="https://elsewhere.test")
    connected.refresh_from_db()
    assert watermark.get_watermark(connected) is None
    assert watermark.next_listing_start(connected) < clock.now() - timedelta(days=6)
    moment = clock.now()
    watermark.advance_watermark(connected, moment - timedelta(days=7), moment - timedelta(days=7), moment)
    assert Watermark.objects.get().base_url == "https://elsewhere.test"


def test_it_refuses_without_a_key_that_reads(project: Project) -> None:
    LaminarKeyFactory.create(project=project, kind="ingest-only")
    with pytest.raises(CommandError, match="ingest-only") as fault:
        run_command("pull_traces")
    assert fault.value.returncode == 2


@pytest.mark.parametrize(
    "arguments", [("--project", "nowhere"), ("--since", "2026-01-02", "--until", "2026-01-01")], ids=["who", "when"]
)
def test_it_refuses_what_makes_no_sense(project: Project, arguments: tuple[str, ...]) -> None:
    with pytest.raises(CommandError) as fault:
        run_command("pull_traces", *arguments)
    assert fault.value.returncode == 2


def test_a_later_range_leaves_no_gap_behind(project: Project) -> None:
    reached = clock.now() - timedelta(days=1)
    watermark.advance_watermark(project, reached - timedelta(days=7), reached - timedelta(days=7), reached)
    watermark.advance_watermark(project, reached + timedelta(hours=2), reached + timedelta(hours=2), clock.now())
    assert Watermark.objects.get().listed_until == reached
