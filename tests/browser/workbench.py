"""Shared by the workbench tests: a queue with items, and a page on its first item."""

from playwright.sync_api import Page, expect

from reviewapp.accounts.models import User
from reviewapp.queues.models import Queue
from tests.browser.conftest import OpenPage
from tests.factories import QueueItemFactory, SpanFactory, TraceFactory


def fill_queue(queue: Queue, count: int = 4) -> Queue:
    for number in range(count):
        trace = TraceFactory.create(project=queue.project, name=f"agent {number}", spans_pulled_at="2026-11-22T10:00Z")
        SpanFactory.create(trace=trace)
        QueueItemFactory.create(queue=queue, trace_id=trace.trace_id)
    return queue


def open_workbench(open_page: OpenPage, user: User, *, ahead: int = 2, **options: object) -> Page:
    """Open the queue's next item, and wait until `ahead` more are prefetched."""
    page = open_page(user, **options)
    urls: list[str] = []
    page.on("requestfinished", lambda request: urls.append(request.url) if "desk-prefetch" in request.headers else None)
    page.goto("/p/support/queues/answers/review/")
    expect(page.locator("#review")).to_be_visible()
    while len(urls) < ahead:
        page.wait_for_timeout(10)
    # The page reads the last response a moment after its request has finished.
    page.wait_for_timeout(30)
    return page


def wait_for_item(page: Page, position: int) -> None:
    """Wait until the item at this position is on the screen and accepts keys."""
    expect(page.locator("#rail")).to_contain_text(f"Item {position} of")
    page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done))))")


def wait_until_saved(page: Page) -> None:
    """Wait until the outbox and the copies of drafts are empty."""
    page.wait_for_function("() => !Object.keys(localStorage).some((key) => (localStorage[key] ?? '').length > 2)")
