"""Traces made to do harm, each opened on every tab as a reviewer would: nothing runs, leaves or freezes."""

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

FROZEN = 2  # seconds of the page's own computing, however busy the machine is
# The corpus goes in parts that run side by side.
PARTS = 6

VISIT = (Path(__file__).parent / "hostile_traces.js").read_text()


@pytest.fixture(params=range(PARTS))
def items(request: pytest.FixtureRequest, queue: Queue) -> list[tuple[HostileCase, QueueItem]]:
    with transaction.atomic():
        return [(case, _stored(queue, case)) for case in list(hostile_traces.hostile_cases())[request.param :: PARTS]]


@pytest.fixture
def guarded(open_page: OpenPage, reviewer: User, faults: list[str]) -> Page:
    """A reviewer's page from which nothing gets out, and which tells each dialog."""
    page = open_page(reviewer)

    def keep_in(route: Route) -> None:
        if urlsplit(route.request.url).hostname in ("localhost", "127.0.0.1"):
            route.continue_()
        else:
            route.abort()

    def refuse(dialog: Dialog) -> None:
        faults.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    page.context.route(lambda url: urlsplit(url).hostname not in ("localhost", "127.0.0.1"), keep_in)
    page.on("dialog", refuse)
    page.on("framenavigated", lambda frame: faults.append(f"a frame: {frame.url}") if frame.parent_frame else None)
    page.context.on("page", lambda other: faults.append(f"a window: {other.url}"))
    page.set_default_navigation_timeout(60_000)
    return page


def test_nothing_runs_nothing_leaves_nothing_freezes(guarded: Page, items: list[tuple[HostileCase, QueueItem]]) -> None:
    assert len(items) * PARTS >= 200
    guarded.goto(f"/p/support/items/{items[0][1].pk}/")
    computed = clock_of(guarded)
    before = set(guarded.evaluate("Object.getOwnPropertyNames(window)"))
    told, slow, spent = {}, {}, computed()
    for case, item in items:
        found = guarded.evaluate(VISIT, [f"/p/support/items/{item.pk}/", case.tabs])
        before_it, spent = spent, computed()
        if found:
            told[case.name] = found
        if spent - before_it > FROZEN:
            slow[case.name] = spent - before_it
    assert (told, slow) == ({}, {})
    assert set(guarded.evaluate("Object.getOwnPropertyNames(window)")) - before == set()
    for case, item in items[::12]:
        guarded.goto(f"/p/support/traces/{item.trace_id}/")
        assert guarded.evaluate("window.pwned") is None, case.name
        assert guarded.locator("#reading :is(script, :not(.picture) > img, iframe, [style], [onerror])").count() == 0, (
            case.name
        )


def clock_of(page: Page) -> Callable[[], float]:
    """What tells how many seconds the page's main thread has computed so far."""
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable", {"timeDomain": "threadTicks"})

    def computed() -> float:
        metrics = session.send("Performance.getMetrics")["metrics"]
        return float(next(metric["value"] for metric in metrics if metric["name"] == "TaskDuration"))

    return computed


def _stored(queue: Queue, case: HostileCase) -> QueueItem:
    # As a pull would: what it keeps of a metadata text, sound and readable.
    kept = merge.dump_members(merge.parse_members(case.trace.pop("metadata", "{}")))
    trace: Trace = TraceFactory.create(
        project=queue.project, spans_pulled_at=clock.now(), span_count=len(case.spans), metadata=kept, **case.trace
    )
    Span.objects.bulk_create([_span(trace, at, given) for at, given in enumerate(case.spans)], batch_size=200)
    made: QueueItem = QueueItemFactory.create(queue=queue, trace_id=trace.trace_id, **case.item)
    return made


def _span(trace: Trace, at: int, given: dict[str, Any]) -> Span:
    number, under = given.pop("number") or at + 1, given.pop("under")
    assert trace.start_time is not None
    made: Span = SpanFactory.build(
        trace=trace, span_id=UUID(int=number), parent_span_id=UUID(int=under) if under else None,
        start_time=trace.start_time + timedelta(seconds=at), **given,
    )  # fmt: skip
    return made
