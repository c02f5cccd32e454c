"""`manage.py pull_traces`."""

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


def test_it_pulls_new_traces_and_moves_the_watermark(connected: Project) -> None:
    assert "3 traces listed, 3 of them new" in run_command("pull_traces", "--project", "support")
    assert Trace.objects.pulled().count() == 3
    watermark_row = Watermark.objects.get()
    assert watermark_row.complete_since is not None
    assert watermark_row.complete_since < clock.now() - timedelta(days=6)
    assert "0 of them new" in run_command("pull_traces")


def test_it_creates_no_watermark_when_limited(connected: Project) -> None:
    output = run_command("pull_traces", "--limit", "2")
    assert "2 traces listed" in output
    assert "--until" in output
    assert (Trace.objects.count(), Watermark.objects.exists()) == (2, False)


def test_it_extends_the_coverage_with_an_adjacent_older_range(connected: Project) -> None:
    since = clock.now() - timedelta(days=5)
    Watermark.objects.create(
        project=connected, base_url=connected.base_url, listed_until=clock.now(), complete_since=since
    )
    run_command("pull_traces", "--since", (since - timedelta(days=5)).isoformat(), "--until", clock.now().isoformat())
    assert Watermark.objects.get().complete_since == since - timedelta(days=5)


def test_it_extends_the_coverage_with_a_continued_backfill(connected: Project) -> None:
    now = clock.now()
    Watermark.objects.create(
        project=connected, base_url=connected.base_url, listed_until=now, complete_since=now - timedelta(minutes=30)
    )
    since = now - timedelta(days=90)
    output = run_command("pull_traces", "--since", since.isoformat(), "--limit", "2")
    until = output.rpartition("--until ")[2].strip().rstrip(".")
    run_command("pull_traces", "--since", since.isoformat(), "--until", until)
    assert Watermark.objects.get().complete_since == since


def test_it_fills_the_gap_of_the_worker(connected: Project) -> None:
    since = clock.now() - timedelta(days=7)
    watermark.advance_watermark(connected, since, clock.now() - timedelta(minutes=30), clock.now())
    assert "3 traces listed" in run_command("pull_traces")
    assert watermark.get_gap(connected) is None


def test_it_starts_again_when_the_project_has_another_laminar(connected: Project) -> None:
    run_command("pull_traces")
    Project.objects.update(base_url="https://elsewhere.test")
    connected.refresh_from_db()
    assert watermark.get_watermark(connected) is None
    assert watermark.next_listing_start(connected) < clock.now() - timedelta(days=6)
    now = clock.now()
    watermark.advance_watermark(connected, now - timedelta(days=7), now - timedelta(days=7), now)
    assert Watermark.objects.get().base_url == "https://elsewhere.test"


def test_it_refuses_a_project_without_a_key_that_reads(project: Project) -> None:
    LaminarKeyFactory.create(project=project, kind="ingest-only")
    with pytest.raises(CommandError, match="ingest-only") as caught:
        run_command("pull_traces")
    assert caught.value.returncode == 2


@pytest.mark.parametrize(
    "arguments",
    [("--project", "nowhere"), ("--since", "2026-01-02", "--until", "2026-01-01")],
    ids=["unknown project", "reversed range"],
)
def test_it_refuses_invalid_arguments(project: Project, arguments: tuple[str, ...]) -> None:
    with pytest.raises(CommandError) as caught:
        run_command("pull_traces", *arguments)
    assert caught.value.returncode == 2


def test_it_keeps_the_watermark_when_a_range_starts_after_it(project: Project) -> None:
    listed_until = clock.now() - timedelta(days=1)
    since, later = listed_until - timedelta(days=7), listed_until + timedelta(hours=2)
    watermark.advance_watermark(project, since, since, listed_until)
    watermark.advance_watermark(project, later, later, clock.now())
    assert Watermark.objects.get().listed_until == listed_until


@pytest.mark.parametrize(
    ("option", "text", "sentence"),
    [
        ("--since", "yesterday", "argument --since: “yesterday” is not a time. Write it as 2026-11-22"),
        ("--until", "\x1b[31m", "“[U+001B][31m” is not a time"),
        ("--since", "0001-01-01T00:00+14:00", "is not a time"),
        ("--limit", "0", "argument --limit: “0” is not a whole number above 0"),
        ("--limit", "many", "“many” is not a whole number above 0"),
    ],
)
def test_it_explains_an_invalid_option(option: str, text: str, sentence: str) -> None:
    with pytest.raises(CommandError) as error:
        run_command("pull_traces", option, text)

    assert sentence in str(error.value)


def test_it_prints_no_control_character_in_an_error(db: None) -> None:
    with pytest.raises(CommandError, match=r"There is no project “\[U\+001B\]\[31mQA”"):
        run_command("pull_traces", "--project", "\x1b[31mQA")
