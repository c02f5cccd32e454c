"""The whole flow by keyboard alone: where the focus goes, that it is seen, and what a screen reader is told."""

import pytest
from playwright.sync_api import Page, expect

from reviewapp.accounts.models import Project, User
from reviewapp.queues.models import Queue
from reviewapp.reviews.models import Review
from tests.browser.conftest import OpenPage
from tests.browser.pages import PAGES, create_test_data
from tests.browser.workbench import wait_until_saved
from tests.factories import PASSWORD

# What has the focus, by its words, and whether a reader sees that it has.
FOCUSED = """() => { const one = document.activeElement;
    const words = one.ariaLabel || one.id || one.innerText || one.name; return words.replace(/\\s+/g, " ").trim(); }"""
SEEN = """() => { const one = document.activeElement; const box = one.getBoundingClientRect();
    const look = getComputedStyle(one.matches(".row") ? one.closest("tr") : one);
    return look.outlineStyle !== "none" && parseFloat(look.outlineWidth) >= 2 && box.right > 0 && box.bottom > 0; }"""

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def places(project: Project, queue: Queue, admin: User) -> dict[str, object]:
    return create_test_data(project, queue, admin)


@pytest.fixture
def bench(open_page: OpenPage, reviewer: User) -> Page:
    page = open_page(reviewer, viewport={"width": 1440, "height": 900})
    page.goto(PAGES["workbench"])
    expect(page.get_by_role("separator")).to_be_visible()
    return page


def tab_to(page: Page, words: str, most: int = 40, key: str = "Tab") -> None:
    """Press Tab, or another key, until what these words begin has the focus; every stop on the way must be seen."""
    for _ in range(most):
        page.keyboard.press(key)
        assert page.evaluate(SEEN), page.evaluate(FOCUSED)
        if page.evaluate(FOCUSED).startswith(words):
            return
    raise AssertionError(f"{words} is not reached by Tab")


def stops(page: Page, count: int) -> list[str]:
    found = []
    for _ in range(count):
        page.keyboard.press("Tab")
        found.append(page.evaluate(FOCUSED))
    return found


def test_it_goes_from_the_sign_in_to_the_next_item(page: Page, reviewer: User) -> None:
    page.goto("/p/support/queues/")
    page.keyboard.type(reviewer.username)
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Queues")).to_be_visible()
    tab_to(page, "Review the next item of Answers")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Item 1 of")).to_be_visible()
    tab_to(page, "Score")
    page.keyboard.type("0.5")
    tab_to(page, "notes")
    page.keyboard.type("Left out a step.")
    tab_to(page, "submit")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Item 2 of")).to_be_visible()
    wait_until_saved(page)
    review = Review.objects.get(reviewer=reviewer)
    assert (review.score_text, review.notes) == ("0.5", "Left out a step.")


def test_it_goes_through_the_workbench_in_reading_order(bench: Page) -> None:
    # One begins at the trace; behind the form the page begins anew.
    found = stops(bench, 60)
    order = ["Transcript", "Form width", "Score", "notes", "submit"]
    order += ["Skip to the content", "Review desk", "Queues", "Sign out", "Trace"]

    places = [next(at for at, words in enumerate(found) if f"{words} ".startswith(f"{name} ")) for name in order]
    assert places == sorted(places)


def test_it_stops_at_few_items_of_the_rail(bench: Page) -> None:
    assert sum(words.startswith("item ") for words in stops(bench, 30)) <= 3


@pytest.mark.parametrize(("link", "target"), [("content", "main"), ("trace", "trace"), ("your review", "review")])
def test_it_skips_to(link: str, target: str, bench: Page) -> None:
    tab_to(bench, f"Skip to the {link}" if link != "your review" else "Skip to your review", key="Shift+Tab")
    bench.keyboard.press("Enter")

    assert bench.evaluate("document.activeElement.id") == target


def test_it_announces_what_comes_next(bench: Page) -> None:
    announced = bench.locator("#announcement[role=status]")
    bench.keyboard.press("5")
    bench.keyboard.press("Enter")

    expect(announced).to_have_text("Next, 2 of 10: support-agent")


def test_it_announces_a_refusal(bench: Page) -> None:
    bench.locator("#score").fill("seven")
    bench.keyboard.press("Control+Enter")

    expect(bench.locator("#announcement")).to_have_text("Not saved.")
    expect(bench.get_by_role("alert").first).to_contain_text("all you typed is still here")


def test_it_shows_the_focus_all_along(open_page: OpenPage, admin: User, places: dict[str, object]) -> None:
    page = open_page(admin)
    for kind in ("board", "deliveries", "traces", "reviews", "keys"):
        page.goto(PAGES[kind].format(**places))
        # Enough for each page's own parts, and fewer than any of them has.
        for _ in range(12):
            page.keyboard.press("Tab")
            assert page.evaluate(SEEN), page.evaluate(FOCUSED)


def test_it_moves_nothing_for_who_asked_for_no_motion(open_page: OpenPage, reviewer: User) -> None:
    page = open_page(reviewer, reduced_motion="reduce")
    page.goto(PAGES["workbench"])
    moving = (
        "[...document.querySelectorAll('*')].filter((one) => getComputedStyle(one).transitionDuration !== '0s').length"
    )

    assert page.evaluate(moving) == 0
    assert page.evaluate("document.getAnimations().length") == 0
