"""The whole flow by keyboard: where the focus goes, that it is visible, and what a screen reader announces."""

import pytest
from playwright.sync_api import Page, expect

from reviewapp.accounts.models import Project, User
from reviewapp.queues.models import Queue
from reviewapp.reviews.models import Review
from tests.browser.conftest import OpenPage
from tests.browser.pages import PAGES, create_test_data
from tests.browser.workbench import wait_until_saved
from tests.factories import PASSWORD

# The text of the focused element, and whether its focus is visible.
FOCUSED_TEXT = """() => { const element = document.activeElement;
    const text = element.ariaLabel || element.id || element.innerText || element.name;
    return text.replace(/\\s+/g, " ").trim(); }"""
IS_FOCUS_VISIBLE = """() => { const element = document.activeElement; const box = element.getBoundingClientRect();
    const style = getComputedStyle(element.matches(".row") ? element.closest("tr") : element);
    return style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2 && box.right > 0 && box.bottom > 0; }"""

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def ids(project: Project, queue: Queue, admin: User) -> dict[str, object]:
    return create_test_data(project, queue, admin)


@pytest.fixture
def bench(open_page: OpenPage, reviewer: User) -> Page:
    page = open_page(reviewer, viewport={"width": 1440, "height": 900})
    page.goto(PAGES["workbench"])
    expect(page.get_by_role("separator")).to_be_visible()
    return page


def tab_to(page: Page, text: str, limit: int = 40, key: str = "Tab") -> None:
    """Press Tab, or another key, until the element with this text has the focus; every focus must be visible."""
    for _ in range(limit):
        page.keyboard.press(key)
        assert page.evaluate(IS_FOCUS_VISIBLE), page.evaluate(FOCUSED_TEXT)
        if page.evaluate(FOCUSED_TEXT).startswith(text):
            return
    raise AssertionError(f"{text} is not reached by {key}")


def list_tab_stops(page: Page, count: int) -> list[str]:
    texts = []
    for _ in range(count):
        page.keyboard.press("Tab")
        texts.append(page.evaluate(FOCUSED_TEXT))
    return texts


def test_it_reviews_an_item_from_sign_in_to_submit(page: Page, reviewer: User) -> None:
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


def test_it_tabs_through_the_workbench_in_reading_order(bench: Page) -> None:
    # The focus starts at the trace; after the form it goes to the top of the page.
    texts = list_tab_stops(bench, 60)
    order = ["Transcript", "Form width", "Score", "notes", "submit"]
    order += ["Skip to the content", "Review desk", "Queues", "Sign out", "Trace"]

    indexes = [next(i for i, text in enumerate(texts) if f"{text} ".startswith(f"{name} ")) for name in order]
    assert indexes == sorted(indexes)


def test_it_has_few_tab_stops_on_the_rail(bench: Page) -> None:
    assert sum(text.startswith("item ") for text in list_tab_stops(bench, 30)) <= 3


@pytest.mark.parametrize(("link", "target"), [("content", "main"), ("trace", "trace"), ("your review", "review")])
def test_it_skips_to(link: str, target: str, bench: Page) -> None:
    tab_to(bench, f"Skip to the {link}" if link != "your review" else "Skip to your review", key="Shift+Tab")
    bench.keyboard.press("Enter")

    assert bench.evaluate("document.activeElement.id") == target


def test_it_announces_the_next_item(bench: Page) -> None:
    region = bench.locator("#announcement[role=status]")
    bench.keyboard.press("1")
    bench.keyboard.press("Enter")

    expect(region).to_have_text("Next, 2 of 10: support-agent")


def test_it_announces_a_refusal(bench: Page) -> None:
    bench.locator("#score").fill("seven")
    bench.keyboard.press("Control+Enter")

    expect(bench.locator("#announcement")).to_have_text("Not saved.")
    expect(bench.get_by_role("alert").first).to_contain_text("is not a number")


def test_it_shows_the_focus_on_every_page(open_page: OpenPage, admin: User, ids: dict[str, object]) -> None:
    page = open_page(admin)
    for kind in ("board", "deliveries", "traces", "reviews", "keys"):
        page.goto(PAGES[kind].format(**ids))
        # Enough to reach the page's own controls; every page has more.
        for _ in range(12):
            page.keyboard.press("Tab")
            assert page.evaluate(IS_FOCUS_VISIBLE), page.evaluate(FOCUSED_TEXT)


def test_it_respects_reduced_motion(open_page: OpenPage, reviewer: User) -> None:
    page = open_page(reviewer, reduced_motion="reduce")
    page.goto(PAGES["workbench"])
    transitions = """[...document.querySelectorAll("*")]
        .filter((element) => getComputedStyle(element).transitionDuration !== "0s").length"""

    assert page.evaluate(transitions) == 0
    assert page.evaluate("document.getAnimations().length") == 0
