"""The next item is shown at once, and is corrected if the server answers with another."""

import pytest
from playwright.sync_api import Page, Route, expect

from reviewapp.accounts.models import User
from reviewapp.queues import claiming
from reviewapp.queues.models import ItemState, Queue, QueueItem
from reviewapp.reviews.models import Review
from tests.browser.conftest import OpenPage
from tests.browser.workbench import fill_queue, open_workbench, wait_for_item, wait_until_saved

pytestmark = pytest.mark.django_db(transaction=True)

# Presses Enter; returns the milliseconds until another item was painted, and the number of layout shifts since.
SUBMIT_AND_MEASURE = """() => new Promise((done) => {
    let moved = 0;
    // The delivery state of the last review may grow in the rail; the trace and the form must not move.
    const isOutsideRail = ({ node }) => !(node?.closest ? node : node?.parentElement)?.closest("#rail");
    const count = (shift) => (moved += shift.sources.filter(isOutsideRail).length);
    new PerformanceObserver((list) => list.getEntries().forEach(count))
        .observe({ type: "layout-shift" });
    const itemBefore = document.querySelector("#workbench").dataset.item;
    const start = performance.now();
    const poll = () => document.querySelector("#workbench").dataset.item === itemBefore
        ? requestAnimationFrame(poll)
        : requestAnimationFrame(() => {
            const ms = performance.now() - start;
            setTimeout(() => done({ ms, moved }), 400);
        });
    document.body.dispatchEvent(new KeyboardEvent("keydown", { key: "Enter", bubbles: true, cancelable: true }));
    requestAnimationFrame(poll);
})"""


LATENCY = 2_500  # milliseconds


def slow_down(page: Page) -> None:
    """Delay every response by LATENCY."""
    session = page.context.new_cdp_session(page)
    session.send("Network.enable")
    conditions = {"offline": False, "latency": LATENCY, "downloadThroughput": -1, "uploadThroughput": -1}
    session.send("Network.emulateNetworkConditions", conditions)


@pytest.fixture
def items(queue: Queue) -> list[QueueItem]:
    return list(fill_queue(queue, 5).items.in_order())


@pytest.fixture
def page(open_page: OpenPage, reviewer: User, items: list[QueueItem]) -> Page:
    return open_workbench(open_page, reviewer)


def test_it_shows_the_next_item_before_the_response(page: Page, items: list[QueueItem]) -> None:
    slow_down(page)
    with page.expect_response(lambda response: response.request.method == "POST") as response_info:
        page.keyboard.press("1")
        result = page.evaluate(SUBMIT_AND_MEASURE)
    assert result["ms"] < LATENCY
    assert result["moved"] == 0
    assert response_info.value.headers["desk-claimed"] == str(items[1].pk)
    expect(page).to_have_url(f"/p/support/items/{items[1].pk}/?after={items[0].pk}")


def test_it_claims_only_the_item_it_shows(page: Page, items: list[QueueItem], reviewer: User) -> None:
    assert list(QueueItem.objects.filter(claimed_by=reviewer)) == [items[0]]
    page.keyboard.press("1")
    page.keyboard.press("Enter")
    wait_for_item(page, 2)
    wait_until_saved(page)
    assert list(QueueItem.objects.filter(claimed_by=reviewer)) == [items[1]]


def test_it_updates_the_progress_with_the_response(page: Page) -> None:
    page.keyboard.press("1")
    page.keyboard.press("Enter")
    expect(page.locator("#rail")).to_contain_text("1 reviewed")
    expect(page.locator("#left")).to_contain_text("saved here")


def test_it_reviews_several_items_in_a_row(page: Page) -> None:
    for number, key in enumerate("02341", start=1):
        wait_for_item(page, number)
        page.keyboard.press(key)
        page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="All reviewed")).to_be_visible()
    scores = [review.score_text for review in Review.objects.order_by("item_id")]
    assert scores == ["0", "0.25", "0.5", "0.75", "1"]


def test_it_stays_at_the_next_item_when_a_review_is_refused(page: Page, items: list[QueueItem]) -> None:
    page.locator("#notes").fill("ask ann@example.org")
    page.keyboard.press("Control+Enter")
    wait_for_item(page, 2)
    page.locator("#notes").press_sequentially("about this one")
    expect(page.locator("#banner")).to_contain_text("Not saved: item 1.")
    wait_for_item(page, 2)
    expect(page.locator("#notes")).to_have_value("about this one")
    expect(page.locator("#notes")).to_be_focused()


def test_it_claims_the_item_it_stays_at(page: Page, items: list[QueueItem], reviewer: User) -> None:
    page.locator("#notes").fill("ask ann@example.org")
    with page.expect_response(f"**/items/{items[1].pk}/claim/"):
        page.keyboard.press("Control+Enter")
    assert QueueItem.objects.get(pk=items[1].pk).claimed_by == reviewer


def test_it_goes_back_to_a_refused_review(page: Page, items: list[QueueItem]) -> None:
    page.locator("#notes").fill("ask ann@example.org")
    page.keyboard.press("Control+Enter")
    page.get_by_role("link", name="Go back to item 1").click()
    wait_for_item(page, 1)
    expect(page.locator("#notes")).to_have_value("ask ann@example.org")
    page.get_by_role("button", name="Send text unchanged").click()
    wait_for_item(page, 2)
    expect(page.get_by_role("link", name="Go back to item 1")).to_have_count(0)
    assert Review.objects.get().item == items[0]


def test_it_goes_back_to_a_conflict(page: Page, items: list[QueueItem], colleague: User) -> None:
    QueueItem.objects.filter(pk=items[0].pk).update(version=1)
    Review.objects.all().delete()
    page.locator("#notes").fill("mine")
    page.keyboard.press("Control+Enter")
    page.get_by_role("link", name="Go back to item 1").click()
    expect(page.locator("#review .problem")).to_contain_text("submit again")
    expect(page.locator("#notes")).to_have_value("mine")
    wait_for_item(page, 1)
    page.keyboard.press("Control+Enter")
    wait_for_item(page, 2)
    expect(page.locator("#banner")).to_have_text("")


@pytest.mark.parametrize(
    ("score", "reason"), [("seven", "is not a number"), ("7", "out of range"), ("0.005", "between two steps")]
)
def test_it_checks_the_score_before_it_leaves_the_item(page: Page, score: str, reason: str) -> None:
    page.locator("#score").fill(score)
    page.keyboard.press("Control+Enter")
    expect(page.locator("fieldset.score [role=alert]")).to_contain_text(reason)
    expect(page.locator("#score")).to_be_focused()
    wait_for_item(page, 1)


def test_it_replaces_an_item_that_a_colleague_claimed(page: Page, items: list[QueueItem], colleague: User) -> None:
    claiming.claim(items[1], colleague)
    page.keyboard.press("1")
    page.keyboard.press("Enter")
    expect(page.locator("#banner")).to_contain_text("A colleague has taken the item")
    wait_for_item(page, 3)
    assert Review.objects.count() == 1


def test_it_replaces_an_item_that_nobody_can_review_any_more(page: Page, items: list[QueueItem]) -> None:
    QueueItem.objects.filter(pk=items[1].pk).update(state=ItemState.SKIPPED)
    page.keyboard.press("1")
    page.keyboard.press("Enter")
    expect(page.locator("#banner")).to_contain_text("no longer waiting for a review")
    wait_for_item(page, 3)


def test_it_works_without_prefetched_items(page: Page, items: list[QueueItem]) -> None:
    page.route("**/upcoming/**", lambda route: route.abort())
    for number in (1, 2, 3, 4):
        wait_for_item(page, number)
        page.keyboard.press("1")
        page.keyboard.press("Enter")
    wait_for_item(page, 5)
    wait_until_saved(page)
    assert Review.objects.count() == 4


def test_it_goes_back_before_the_response(page: Page) -> None:
    posts: list[Route] = []
    page.route(
        "**/items/*/", lambda route: posts.append(route) if route.request.method == "POST" else route.continue_()
    )
    page.keyboard.press("1")
    page.keyboard.press("Enter")
    wait_for_item(page, 2)
    page.go_back()
    wait_for_item(page, 1)
    posts[0].continue_()
    expect(page.locator("#submit")).to_contain_text("Submit new revision")


def test_it_goes_back_by_the_browser(page: Page, items: list[QueueItem]) -> None:
    page.keyboard.press("1")
    page.keyboard.press("Enter")
    wait_for_item(page, 2)
    wait_until_saved(page)
    page.go_back()
    wait_for_item(page, 1)
    expect(page.locator("#submit")).to_contain_text("Submit new revision")


def test_it_skips_to_a_prefetched_item(page: Page, items: list[QueueItem], reviewer: User) -> None:
    with page.expect_response("**/skip/") as response_info:
        page.keyboard.press("s")
        page.get_by_role("button", name="Skip for everyone").click()
    assert response_info.value.headers["desk-claimed"] == str(items[1].pk)
    wait_for_item(page, 2)
    wait_until_saved(page)
    items[0].refresh_from_db()
    assert (items[0].state, list(QueueItem.objects.filter(claimed_by=reviewer))) == ("skipped", [items[1]])


def test_it_moves_to_a_prefetched_item_and_claims_it(page: Page, items: list[QueueItem], reviewer: User) -> None:
    page.evaluate("window.isSamePage = true")
    with page.expect_response("**/claim/"):
        page.keyboard.press("j")
    wait_for_item(page, 2)
    assert page.evaluate("window.isSamePage") is True
    expect(page).to_have_url(f"/p/support/items/{items[1].pk}/")
    items[1].refresh_from_db()
    assert items[1].claimed_by == reviewer


def test_it_sends_an_offline_skip_later(page: Page, items: list[QueueItem]) -> None:
    page.context.set_offline(True)
    page.keyboard.press("s")
    page.get_by_role("button", name="Skip for everyone").click()
    wait_for_item(page, 2)
    expect(page.locator("#banner")).to_contain_text("1 skip is not saved yet.")
    page.context.set_offline(False)
    wait_until_saved(page)
    items[0].refresh_from_db()
    assert items[0].state == "skipped"
