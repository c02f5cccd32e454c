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
    (found) => found.nodes.map((node) => `${found.id}: ${node.target.join(" ")}: ${node.failureSummary}`))"""
WIDE, NARROW = {"width": 1440, "height": 900}, {"width": 360, "height": 780}

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def places(project: Project, queue: Queue, admin: User) -> dict[str, object]:
    return create_test_data(project, queue, admin)


def violations(page: Page) -> list[str]:
    """What axe says of the page, wide and light, then narrow and dark.

    Colours do not depend on the width; tests/web/test_contrast.py reckons every pair of them in both looks.
    """
    page.evaluate(AXE)
    found: list[str] = []
    for size, scheme in ((WIDE, "light"), (NARROW, "dark")):
        page.set_viewport_size(size)  # type: ignore[arg-type]
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]
        found += [f"{size['width']} {scheme} {said}" for said in page.evaluate(RUN, OPTIONS)]
    return found


def test_it_finds_no_violation(open_page: OpenPage, admin: User, places: dict[str, object]) -> None:
    # One test for all: the furniture and a fresh browser would cost twenty times what axe does.
    page, found = open_page(admin), {}
    for kind, address in PAGES.items():
        page.goto(address.format(**places))
        found[kind] = violations(page)

    assert {kind: said for kind, said in found.items() if said} == {}


def test_it_finds_no_violation_at_the_sign_in(page: Page, admin: User) -> None:
    page.goto("/accounts/login/")
    page.get_by_label("Username").fill("nobody")
    page.get_by_label("Password").fill("wrong")
    page.get_by_role("button", name="Sign in").click()

    assert violations(page) == []


def test_it_finds_no_violation_in_the_parts(page: Page) -> None:
    open_style_guide(page)

    assert violations(page) == []


def test_it_sees_a_violation(page: Page) -> None:
    page.goto("/accounts/login/")
    page.evaluate("document.querySelector('h1').style.color = 'var(--line)'")

    assert any("color-contrast" in said for said in violations(page))


@pytest.mark.parametrize("act", ["refused", "skipped"])
def test_it_finds_no_violation_after(
    act: str, open_page: OpenPage, admin: User, places: dict[str, object], refuse: Callable[[Page], None]
) -> None:
    page = open_page(admin)
    page.goto(PAGES["workbench"])
    if act == "refused":
        refuse(page)
    else:
        with page.expect_response("**/skip/"):
            page.keyboard.press("s")
            page.keyboard.press("Enter")

    assert violations(page) == []


@pytest.fixture
def refuse() -> Callable[[Page], None]:
    def act(page: Page) -> None:
        page.locator("[name=score]").fill("seven")
        with page.expect_response("**/items/*/"):
            page.get_by_role("button", name="Submit and next").click()

    return act
