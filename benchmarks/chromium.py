"""A real Chromium on the review page, with a timer in its pages: from the key press to the painted next item."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Page, sync_playwright

from tests.browser.chromium import FLAGS

# Record for each Enter the milliseconds until the frame after the next item is in the page, and add up the layout
# shifts as the browser reports them.
CLOCK = """
    window.bench = { pressed: 0, item: null, times: [], shift: 0 };
    const item = () => document.querySelector("#workbench")?.dataset.item;
    addEventListener("keydown", (event) => {
        if (event.key === "Enter") Object.assign(bench, { pressed: performance.now(), item: item() });
    }, true);
    new MutationObserver(() => {
        if (!bench.pressed || !item() || item() === bench.item) return;
        const pressed = bench.pressed;
        bench.pressed = 0;
        requestAnimationFrame(() => setTimeout(() => bench.times.push(performance.now() - pressed)));
    }).observe(document, { childList: true, subtree: true, attributes: true, attributeFilter: ["data-item"] });
    new PerformanceObserver((list) => {
        for (const entry of list.getEntries()) bench.shift += entry.value;
    }).observe({ type: "layout-shift", buffered: true });
"""


@contextmanager
def open_reviewer_page(url: str, queue_data: dict[str, str], person: int = 0) -> Iterator[Page]:
    """Yield a signed-in reviewer's page, before the first item. CHROMIUM is the path of another browser to use."""
    program = os.environ.get("CHROMIUM") or shutil.which("chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=FLAGS)
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.add_init_script(CLOCK)
        page.goto(f"{url}/accounts/login/")
        page.fill("[name=username]", queue_data["people"][person])
        page.fill("[name=password]", queue_data["password"])
        page.press("[name=password]", "Enter")
        page.wait_for_url(lambda address: "/login/" not in address)
        yield page
        browser.close()


def open_next_item(page: Page, url: str, queue_data: dict[str, str]) -> None:
    """Open the queue's next item and wait until it and what it preloads are loaded."""
    page.goto(f"{url}/p/{queue_data['project']}/queues/{queue_data['queue']}/review/")
    page.wait_for_load_state("networkidle")


def answer_item(page: Page, score: str, *, reading: float) -> None:
    """Wait `reading` seconds, answer the item with two keys, and return when the next item is painted."""
    page.wait_for_timeout(reading * 1000)
    count = page.evaluate("bench.times.length")
    page.keyboard.press(score)
    page.keyboard.press("Enter")
    page.wait_for_function("count => bench.times.length > count", arg=count)
