"""Pictures of the running product: `python -m tests.browser.take_screenshots FOLDER`.

Starts the demo on ports and data of its own, reviews a few items, and takes each page at 1440, 1024 and 360 px,
light and dark.
"""

import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from tests.browser.chromium import FLAGS
from tests.demo_server import Demo, running_demo

WIDTHS = {1440: 900, 1024: 768, 360: 780}
PAGES = {
    "home": "/p/{project}/",
    "queue": "/p/{project}/queues/{queue}/",
    "workbench": "/p/{project}/queues/{queue}/review/",
    "steps": "/p/{project}/queues/second-look/review/?tab=steps",
    "reviews": "/p/{project}/queues/{queue}/reviews/",
    "traces": "/p/{project}/traces/?m=environment%3Dproduction",
    "deliveries": "/p/{project}/deliveries/",
    "keys": "/p/{project}/keys/",
    "audit": "/p/{project}/audit/",
}


def take(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as data, running_demo(Path(data)) as demo, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS)
        _review_some(_signed_in(browser, demo, "reviewer"), demo)
        for scheme in ("light", "dark"):
            for width, height in WIDTHS.items():
                page = _signed_in(
                    browser, demo, "admin", color_scheme=scheme, viewport={"width": width, "height": height}
                )
                for name, path in PAGES.items():
                    page.goto(path.format(**demo.told))
                    page.wait_for_timeout(500)
                    page.screenshot(path=folder / f"{name}-{scheme}-{width}.png")
                page.context.close()
        browser.close()


def _signed_in(browser: Browser, demo: Demo, role: str, **options: object) -> Page:
    page = browser.new_context(base_url=demo.told["url"], **options).new_page()  # type: ignore[arg-type]
    person = demo.person(role)
    page.goto("/accounts/login/")
    page.get_by_label("Username").fill(person["username"])
    page.get_by_label("Password").fill(person["password"])
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/p/**")
    return page


def _review_some(page: Page, demo: Demo) -> None:
    page.goto("/p/{project}/queues/{queue}/review/".format(**demo.told))
    for number, score in enumerate(("1", "0.5", "0.75", "0", "1", "0.25")):
        page.locator("[name=score]").fill(score)
        if number % 3 == 1:
            page.locator("[name=notes]").fill("Left out that store credit is final.")
            page.get_by_label("Needs review").check()
        with page.expect_response("**/items/*/"):
            page.get_by_role("button", name="Submit and next").click()
        page.wait_for_timeout(300)


if __name__ == "__main__":
    take(Path(sys.argv[1]))
