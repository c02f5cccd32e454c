"""Hostile traces, each opened on every tab as a reviewer would: nothing runs, no request leaves, nothing freezes."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import pytest
from django.db import transaction
from playwright.sync_api import Dialog, Page, Route

from reviewapp.accounts.models import User
from reviewapp.lib import clock
from reviewapp.queues.models import Queue, QueueItem
from reviewapp.traces.metadata import merge
from reviewapp.traces.models import Span, Trace
from tests.browser import hostile_traces
from tests.browser.conftest import OpenPage
from tests.browser.hostile_traces import HostileCase
from tests.factories import QueueItemFactory, SpanFactory, TraceFactory

pytestmark = pytest.mark.django_db(transaction=True)

MAX_COMPUTING = 2  # seconds of the page's main thread, however busy the machine is
# The corpus is split, so that its parts can run in parallel.
PARTS = 6

VISIT = (Path(__file__).parent / "hostile_traces.js").read_text()


@pytest.fixture(params=range(PARTS))
def items(request: pytest.FixtureRequest, queue: Queue) -> list[tuple[HostileCase, QueueItem]]:
    with transaction.atomic():
        return [(case, _store(queue, case)) for case in list(hostile_traces.hostile_cases())[request.param :: PARTS]]


@pytest.fixture
def guarded_page(open_page: OpenPage, reviewer: User, page_errors: list[str]) -> Page:
    """A reviewer's page that blocks requests to other hosts and records every dialog, frame and window."""
    page = open_page(reviewer)

    def block_other_hosts(route: Route) -> None:
        if urlsplit(route.request.url).hostname in ("localhost", "127.0.0.1"):
            route.continue_()
        else:
            route.abort()

    def dismiss(dialog: Dialog) -> None:
        page_errors.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    page.context.route(lambda url: urlsplit(url).hostname not in ("localhost", "127.0.0.1"), block_other_hosts)
    page.on("dialog", dismiss)
    page.on("framenavigated", lambda frame: page_errors.append(f"a frame: {frame.url}") if frame.parent_frame else None)
    page.context.on("page", lambda window: page_errors.append(f"a window: {window.url}"))
    page.set_default_navigation_timeout(60_000)
    return page


def test_it_shows_hostile_traces_unharmed(guarded_page: Page, items: list[tuple[HostileCase, QueueItem]]) -> None:
    assert len(items) * PARTS >= 200
    guarded_page.goto(f"/p/support/items/{items[0][1].pk}/")
    computed = measure_computing(guarded_page)
    globals_before = set(guarded_page.evaluate("Object.getOwnPropertyNames(window)"))
    problems, slow, total = {}, {}, computed()
    for case, item in items:
        findings = guarded_page.evaluate(VISIT, [f"/p/support/items/{item.pk}/", case.tabs])
        previous, total = total, computed()
        if findings:
            problems[case.name] = findings
        if total - previous > MAX_COMPUTING:
            slow[case.name] = total - previous
    assert (problems, slow) == ({}, {})
    assert set(guarded_page.evaluate("Object.getOwnPropertyNames(window)")) - globals_before == set()
    for case, item in items[::12]:
        guarded_page.goto(f"/p/support/traces/{item.trace_id}/")
        assert guarded_page.evaluate("window.pwned") is None, case.name
        assert (
            guarded_page.locator("#reading :is(script, :not(.picture) > img, iframe, [style], [onerror])").count() == 0
        ), case.name


def measure_computing(page: Page) -> Callable[[], float]:
    """Return a function for the seconds that the page's main thread has computed so far."""
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable", {"timeDomain": "threadTicks"})

    def computed() -> float:
        metrics = session.send("Performance.getMetrics")["metrics"]
        return float(next(metric["value"] for metric in metrics if metric["name"] == "TaskDuration"))

    return computed


def _store(queue: Queue, case: HostileCase) -> QueueItem:
    # As a pull stores it: invalid members of the metadata are dropped.
    metadata = merge.dump_members(merge.parse_members(case.trace.pop("metadata", "{}")))
    trace: Trace = TraceFactory.create(
        project=queue.project, spans_pulled_at=clock.now(), span_count=len(case.spans), metadata=metadata, **case.trace
    )
    Span.objects.bulk_create(
        [_build_span(trace, index, fields) for index, fields in enumerate(case.spans)], batch_size=200
    )
    item: QueueItem = QueueItemFactory.create(queue=queue, trace_id=trace.trace_id, **case.item)
    return item


def _build_span(trace: Trace, index: int, fields: dict[str, Any]) -> Span:
    number, parent = fields.pop("number") or index + 1, fields.pop("parent")
    assert trace.start_time is not None
    span: Span = SpanFactory.build(
        trace=trace, span_id=UUID(int=number), parent_span_id=UUID(int=parent) if parent else None,
        start_time=trace.start_time + timedelta(seconds=index), **fields,
    )  # fmt: skip
    return span
