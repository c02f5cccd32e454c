"""Screenshots of the running product: `python -m tests.browser.take_screenshots FOLDER`.

Start the demo on its own ports and data, review a few items, and capture each page at 1440, 1024 and 360 px, light and
dark; then the style guide for docs/design.md and the workbench for the README.
"""

import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.browser.chromium import FLAGS
from tests.browser.style_guide import open_style_guide
from tests.demo_server import Demo, run_demo

WIDTHS = {1440: 900, 1024: 768, 360: 780}
PAGES = {
    "projects": "/",
    "home": "/p/{project}/",
    "queues": "/p/{project}/queues/",
    "board": "/p/{project}/queues/{queue}/",
    "settings": "/p/{project}/queues/{queue}/settings/",
    "rules": "/p/{project}/queues/{queue}/rules/",
    "new-rule": "/p/{project}/queues/{queue}/rules/new/?m=environment%3Dproduction",
    "new-queue": "/p/{project}/queues/new/",
    "end": "/p/{project}/queues/{queue}/end/",
    "reviews": "/p/{project}/queues/{queue}/reviews/",
    "reviews-of-trace": "{trace}reviews/",
    "traces": "/p/{project}/traces/?m=environment%3Dproduction",
    "nothing-found": "/p/{project}/traces/?m=environment%3Dnowhere",
    "trace": "{trace}",
    "trace-steps": "{trace}?tab=steps",
    "trace-metadata": "{trace}?tab=metadata",
    "trace-keys": "/p/{project}/traces/keys/",
    "traces-of-laminar": "/p/{project}/traces/?m=environment%3Dproduction&source=laminar",
    "deliveries": "/p/{project}/deliveries/",
    "delivery": "/p/{project}/deliveries/1/",
    "keys": "/p/{project}/keys/",
    "audit": "/p/{project}/audit/?verify",
    "fault": "/p/{project}/nowhere/",
    "workbench": "/p/{project}/queues/{queue}/review/",
}
# The notes in the README's screenshot belong to the first item of the demo queue.
FIRST_ITEM = "/p/{project}/items/1/"
NOTES = "Right about the refund, the date and the store credit. It does not say which card the money goes to."


def take_screenshots(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as data, run_demo(Path(data)) as demo, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS)
        reviewer = _sign_in(browser, demo, "reviewer")
        _capture_first_item(reviewer, demo, folder)
        _review_items(reviewer, demo)
        for scheme in ("light", "dark"):
            page = browser.new_context(base_url=demo.info["url"], color_scheme=scheme).new_page()
            page.goto("/accounts/login/")
            _capture(page, folder, f"sign-in-{scheme}")
            page = _sign_in(browser, demo, "admin", color_scheme=scheme)
            trace = _first_trace_url(page, demo)
            for name, path in PAGES.items():
                page.goto(path.format(trace=trace, **demo.info))
                _capture(page, folder, f"{name}-{scheme}")
            _capture_style_guide(page, folder, scheme)
            page.context.close()
        browser.close()


def _capture(page: Page, folder: Path, name: str) -> None:
    for width, height in WIDTHS.items():
        page.set_viewport_size({"width": width, "height": height})
        page.wait_for_load_state("networkidle")
        page.screenshot(path=folder / f"{name}-{width}.png")


def _capture_style_guide(page: Page, folder: Path, scheme: str) -> None:
    page.set_viewport_size({"width": 1024, "height": 768})
    open_style_guide(page)
    page.screenshot(path=folder / f"parts-{scheme}.png", full_page=True)


def _capture_first_item(page: Page, demo: Demo, folder: Path) -> None:
    page.set_viewport_size({"width": 1440, "height": 900})
    page.goto(FIRST_ITEM.format(**demo.info))
    expect(page.get_by_role("link", name="Transcript")).to_be_visible(timeout=15_000)
    page.get_by_role("button", name="0.75").click()
    page.locator("[name=notes]").fill(NOTES)
    page.screenshot(path=folder / "workbench.png")


def _first_trace_url(page: Page, demo: Demo) -> str:
    page.goto(PAGES["traces"].format(**demo.info))
    return page.locator("#results .row").first.get_attribute("href") or ""


def _sign_in(browser: Browser, demo: Demo, role: str, **options: object) -> Page:
    page = browser.new_context(base_url=demo.info["url"], **options).new_page()  # type: ignore[arg-type]
    person = demo.person(role)
    page.goto("/accounts/login/")
    page.get_by_label("Username").fill(person["username"])
    page.get_by_label("Password").fill(person["password"])
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/p/**")
    return page


def _review_items(page: Page, demo: Demo) -> None:
    page.goto("/p/{project}/queues/{queue}/review/".format(**demo.info))
    for number, score in enumerate(("1", "0.5", "0.75", "0", "1", "0.25")):
        page.locator("[name=score]").fill(score)
        if number % 3 == 1:
            page.locator("[name=notes]").fill("Right, but longer than it has to be.")
            page.get_by_label("Needs review").check()
        with page.expect_response("**/items/*/"):
            page.get_by_role("button", name="Submit and next").click()
        page.wait_for_timeout(300)


if __name__ == "__main__":
    take_screenshots(Path(sys.argv[1]))
