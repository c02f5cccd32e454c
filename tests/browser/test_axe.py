"""axe-core finds no violation of WCAG 2.2 AA: each kind of page, light and dark, wide and narrow."""

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page

from reviewapp.accounts.models import Project, User
from reviewapp.queues.models import Queue
from tests.browser.conftest import OpenPage
from tests.browser.pages import PAGES, create_test_data
from tests.browser.style_guide import open_style_guide

AXE = (Path(__file__).parent / "vendor" / "axe.min.js").read_text()
OPTIONS = {
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    "resultTypes": ["violations"],
    "preload": False,
    "iframes": False,
}
RUN = """async (options) => (await axe.run(document, options)).violations.flatMap(
    ({id, nodes}) => nodes.map((node) => `${id}: ${node.target.join(" ")}: ${node.failureSummary}`))"""
WIDE, NARROW = {"width": 1440, "height": 900}, {"width": 360, "height": 780}

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def ids(project: Project, queue: Queue, admin: User) -> dict[str, object]:
    return create_test_data(project, queue, admin)


def find_violations(page: Page) -> list[str]:
    """Run axe on the page, wide and light, then narrow and dark.

    Colours do not depend on the width; tests/web/test_contrast.py checks every pair in both colour schemes.
    """
    page.evaluate(AXE)
    violations: list[str] = []
    for size, scheme in ((WIDE, "light"), (NARROW, "dark")):
        page.set_viewport_size(size)  # type: ignore[arg-type]
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]
        violations += [f"{size['width']} {scheme} {text}" for text in page.evaluate(RUN, OPTIONS)]
    return violations


def test_it_finds_no_violation(open_page: OpenPage, admin: User, ids: dict[str, object]) -> None:
    # One test for all pages: creating the data and a page takes twenty times as long as axe.
    page, violations = open_page(admin), {}
    for kind, url in PAGES.items():
        page.goto(url.format(**ids))
        violations[kind] = find_violations(page)

    assert {kind: texts for kind, texts in violations.items() if texts} == {}


def test_it_finds_no_violation_on_the_sign_in_page(page: Page, admin: User) -> None:
    page.goto("/accounts/login/")
    page.get_by_label("Username").fill("nobody")
    page.get_by_label("Password").fill("wrong")
    page.get_by_role("button", name="Sign in").click()

    assert find_violations(page) == []


def test_it_finds_no_violation_in_the_style_guide(page: Page) -> None:
    open_style_guide(page)

    assert find_violations(page) == []


def test_it_detects_a_violation(page: Page) -> None:
    page.goto("/accounts/login/")
    page.evaluate("document.querySelector('h1').style.color = 'var(--line)'")

    assert any("color-contrast" in text for text in find_violations(page))


@pytest.mark.parametrize("event", ["refused", "skipped"])
def test_it_finds_no_violation_after(
    event: str, open_page: OpenPage, admin: User, ids: dict[str, object], refuse: Callable[[Page], None]
) -> None:
    page = open_page(admin)
    page.goto(PAGES["workbench"])
    if event == "refused":
        refuse(page)
    else:
        with page.expect_response("**/skip/"):
            page.keyboard.press("s")
            page.keyboard.press("Enter")

    assert find_violations(page) == []


@pytest.fixture
def refuse() -> Callable[[Page], None]:
    def submit_invalid_score(page: Page) -> None:
        page.locator("[name=score]").fill("seven")
        with page.expect_response("**/items/*/"):
            page.get_by_role("button", name="Submit and next").click()

    return submit_invalid_score
