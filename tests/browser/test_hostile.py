"""Traces made to do harm, each opened on every tab as a reviewer would: nothing runs, leaves or freezes."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import pytest
from django.db import transaction
from playwright.sync_api import Page, Route

from reviewapp.accounts.models import User
from reviewapp.lib import clock
from reviewapp.queues.models import Queue, QueueItem
from reviewapp.traces import metadata
from reviewapp.traces.models import Span, Trace
from tests.browser import hostile
from tests.browser.conftest import OpenPage
from tests.browser.hostile import Case
from tests.factories import QueueItemFactory, SpanFactory, TraceFactory

pytestmark = pytest.mark.django_db(transaction=True)

FROZEN = 2_000  # milliseconds

# Opens an item and each of its tabs in the page's own way, and tells what does not belong there.
VISIT = r"""
async ([item, tabs]) => {
  const told = [], add = (words) => told.push(words.slice(0, 300));
  const open = (url, target) => htmx.ajax("GET", url, { target, swap: "outerHTML" });
  await open(item, "#workbench");
  for (const tab of tabs) {
    if (tab !== "transcript") await open(`${document.querySelector("#reading").dataset.url}?tab=${tab}`, "#reading");
    for (const fold of [...document.querySelectorAll("#reading details")].slice(0, 4)) fold.open = true;
    await new Promise((done) => setTimeout(done, 2));
    await Promise.all([...document.querySelectorAll("#reading .htmx-request")].map((one) => new Promise((done) => one.addEventListener("htmx:afterRequest", done, { once: true }))));
    const shown = document.querySelector("#reading");
    for (const bad of shown.querySelectorAll("script, img, iframe, object, embed, style, link, base, meta, video, audio, math, portal, textarea"))
      add(`${tab}: a <${bad.tagName}> element`);
    for (const node of shown.querySelectorAll("*")) {
      for (const { name, value } of node.attributes) {
        if (/^on|^style$|^srcdoc$|^hx-on|^name$/i.test(name) && !(name === "name" && value === "find")) add(`${tab}: ${name}="${value}"`);
        if (name === "id" && !/^(reading|found|jumped|(turn|parts|step)-\d+)$/.test(value)) add(`${tab}: id="${value}"`);
        if (/^(href|src|action|hx-get)$/.test(name) && new URL(value, location).origin !== location.origin) add(`${tab}: ${name}="${value}"`);
      }
    }
    if (/[\u0000-\u0008\u001b\u009b\u200b\u200e\u200f\u202a-\u202e\u2066-\u2069]/.test(shown.textContent.replace(/\u200d/g, ""))) add(`${tab}: a hidden character`);
    if (document.querySelectorAll("#review, #workbench, #submit").length !== 3) add(`${tab}: our own form is not one`);
  }
  if (window.pwned !== undefined || {}.pwned !== undefined) add("something ran");
  return told;
}
"""
# Writes down each time that the page did not answer for long.
WATCH = """
window.frozen = []; let last = performance.now();
setInterval(() => { const now = performance.now(); if (now - last > 500) window.frozen.push(now - last); last = now; }, 50);
"""


@pytest.fixture
def items(queue: Queue) -> list[tuple[Case, QueueItem]]:
    with transaction.atomic():
        return [(case, _stored(queue, case)) for case in hostile.cases()]


@pytest.fixture
def guarded(open_page: OpenPage, reviewer: User, faults: list[str]) -> Iterator[Page]:
    """A reviewer's page from which nothing gets out, and which tells each dialog."""
    page = open_page(reviewer)

    def keep_in(route: Route) -> None:
        if urlsplit(route.request.url).hostname in ("localhost", "127.0.0.1"):
            route.continue_()
        else:
            route.abort()

    page.context.route(lambda url: urlsplit(url).hostname not in ("localhost", "127.0.0.1"), keep_in)
    page.on("dialog", lambda dialog: (faults.append(f"dialog: {dialog.message}"), dialog.dismiss()))
    page.on("framenavigated", lambda frame: faults.append(f"a frame: {frame.url}") if frame.parent_frame else None)
    page.context.on("page", lambda other: faults.append(f"a window: {other.url}"))
    page.add_init_script(WATCH)
    page.set_default_navigation_timeout(60_000)
    yield page


def test_nothing_runs_nothing_leaves_nothing_freezes(guarded: Page, items: list[tuple[Case, QueueItem]]) -> None:
    assert len(items) >= 200
    guarded.goto(f"/p/support/items/{items[0][1].pk}/")
    before = set(guarded.evaluate("Object.getOwnPropertyNames(window)"))
    told = {}
    for case, item in items:
        found = guarded.evaluate(VISIT, [f"/p/support/items/{item.pk}/", ["transcript", "steps", "raw", "metadata"]])
        if found:
            told[case.name] = found
    assert told == {}
    assert set(guarded.evaluate("Object.getOwnPropertyNames(window)")) - before == set()
    assert [time for time in guarded.evaluate("window.frozen") if time > FROZEN] == []
    for case, item in items[::12]:
        guarded.goto(f"/p/support/traces/{item.trace_id}/")
        assert guarded.evaluate("window.pwned") is None, case.name
        assert guarded.locator("#reading :is(script, img, iframe, [style], [onerror])").count() == 0, case.name


def _stored(queue: Queue, case: Case) -> QueueItem:
    # As a pull would: what it keeps of a metadata text, sound and readable.
    kept = metadata.joined(metadata.members(case.trace.pop("metadata", "{}")))
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
