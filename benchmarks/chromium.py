"""A real Chromium at a review desk, with a clock in its pages: from a key to the next item painted."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Page, sync_playwright

from tests.browser.chromium import FLAGS

# Of each Enter: the milliseconds until the frame after another item stood in the page; and all layout shifts
# that no input explains, as the browser counts them.
CLOCK = """
    window.bench = { pressed: 0, item: null, times: [], shift: 0 };
    const item = () => document.querySelector("#workbench")?.dataset.item;
    addEventListener("keydown", (event) => {
        if (event.key === "Enter") Object.assign(bench, { pressed: performance.now(), item: item() });
    }, true);
    new MutationObserver(() => {
        if (!bench.pressed || !item() || item() === bench.item) return;
        const began = bench.pressed;
        bench.pressed = 0;
        requestAnimationFrame(() => setTimeout(() => bench.times.push(performance.now() - began)));
    }).observe(document, { childList: true, subtree: true, attributes: true, attributeFilter: ["data-item"] });
    new PerformanceObserver((list) => {
        for (const entry of list.getEntries()) bench.shift += entry.value;
    }).observe({ type: "layout-shift", buffered: true });
"""


@contextmanager
def open_reviewer_page(url: str, desk: dict[str, str], person: int = 0) -> Iterator[Page]:
    """A page of a signed-in reviewer, before the first item is opened. Needs Chromium; CHROMIUM names another."""
    program = os.environ.get("CHROMIUM") or shutil.which("chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=FLAGS)
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.add_init_script(CLOCK)
        page.goto(f"{url}/accounts/login/")
        page.fill("[name=username]", desk["people"][person])
        page.fill("[name=password]", desk["password"])
        page.press("[name=password]", "Enter")
        page.wait_for_url(lambda at: "/login/" not in at)
        yield page
        browser.close()


def open_next_item(page: Page, url: str, desk: dict[str, str]) -> None:
    """Open the queue's next item and wait until it and what it loads ahead are here."""
    page.goto(f"{url}/p/{desk['project']}/queues/{desk['queue']}/review/")
    page.wait_for_load_state("networkidle")


def answer_item(page: Page, score: str, *, reading: float) -> None:
    """Look at the item for so many seconds, then answer it by two keys; returns when the next one is painted."""
    page.wait_for_timeout(reading * 1000)
    seen = page.evaluate("bench.times.length")
    page.keyboard.press(score)
    page.keyboard.press("Enter")
    page.wait_for_function("count => bench.times.length > count", arg=seen)
