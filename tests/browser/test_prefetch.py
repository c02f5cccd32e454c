"""The next item is on the screen at once, and is the right one whatever the server then says."""

import pytest
from playwright.sync_api import Page, Route, expect

from reviewapp.accounts.models import User
from reviewapp.queues import claiming
from reviewapp.queues.models import Queue, QueueItem
from reviewapp.reviews.models import Review
from tests.browser.conftest import OpenPage
from tests.browser.workbench import fill_queue, open_workbench, wait_for_item, wait_until_saved

pytestmark = pytest.mark.django_db(transaction=True)

# Presses Enter, and tells after how many milliseconds another item was painted, and what moved by itself since.
PAINTED = """() => new Promise((done) => {
    let moved = 0;
    // The words of the last review's delivery grow to the left; what is read and answered stays where it is.
    const isElsewhere = ({ node }) => !(node?.closest ? node : node?.parentElement)?.closest("#rail");
    const count = (shift) => (moved += shift.sources.filter(isElsewhere).length);
    new PerformanceObserver((list) => list.getEntries().forEach(count))
        .observe({ type: "layout-shift" });
    const before = document.querySelector("#workbench").dataset.item;
    const began = performance.now();
    const look = () => document.querySelector("#workbench").dataset.item === before
        ? requestAnimationFrame(look)
        : requestAnimationFrame(() => {
            const ms = performance.now() - began;
            setTimeout(() => done({ ms, moved }), 400);
        });
    document.body.dispatchEvent(new KeyboardEvent("keydown", { key: "Enter", bubbles: true, cancelable: true }));
    requestAnimationFrame(look);
})"""


ANSWER = 2_500  # milliseconds


def slow(page: Page) -> None:
    """Let each answer take so long on its way."""
    session = page.context.new_cdp_session(page)
    session.send("Network.enable")
    wire = {"offline": False, "latency": ANSWER, "downloadThroughput": -1, "uploadThroughput": -1}
    session.send("Network.emulateNetworkConditions", wire)


@pytest.fixture
def items(queue: Queue) -> list[QueueItem]:
    return list(fill_queue(queue, 5).items.in_order())


@pytest.fixture
def page(open_page: OpenPage, reviewer: User, items: list[QueueItem]) -> Page:
    return open_workbench(open_page, reviewer)


def test_it_shows_the_next_item_before_the_answer(page: Page, items: list[QueueItem]) -> None:
    slow(page)
    with page.expect_response(lambda answer: answer.request.method == "POST") as told:
        page.keyboard.press("1")
        shown = page.evaluate(PAINTED)
    assert shown["ms"] < ANSWER
    assert shown["moved"] == 0
    assert told.value.headers["desk-claimed"] == str(items[1].pk)
    expect(page).to_have_url(f"/p/support/items/{items[1].pk}/?after={items[0].pk}")


def test_it_claims_what_it_shows_and_nothing_else(page: Page, items: list[QueueItem], reviewer: User) -> None:
    assert list(QueueItem.objects.filter(claimed_by=reviewer)) == [items[0]]
    page.keyboard.press("1")
    page.keyboard.press("Enter")
    wait_for_item(page, 2)
    wait_until_saved(page)
    assert list(QueueItem.objects.filter(claimed_by=reviewer)) == [items[1]]


def test_it_tells_how_far_the_queue_is_when_the_answer_comes(page: Page) -> None:
    page.keyboard.press("1")
    page.keyboard.press("Enter")
    expect(page.locator("#rail")).to_contain_text("1 reviewed")
    expect(page.locator("#left")).to_contain_text("saved here")


def test_it_answers_several_one_after_the_other(page: Page) -> None:
    for number in range(1, 6):
        wait_for_item(page, number)
        page.keyboard.press(str(number))
        page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="All reviewed")).to_be_visible()
    scores = [review.score_text for review in Review.objects.order_by("item_id")]
    assert scores == ["0", "0.25", "0.5", "0.75", "1"]


def test_it_brings_one_back_to_what_was_refused(page: Page, items: list[QueueItem]) -> None:
    page.locator("#score").fill("seven")
    page.locator("#notes").fill("a long thought")
    page.keyboard.press("Control+Enter")
    expect(page.locator("#banner")).to_contain_text("Not saved. You are back at your last item")
    expect(page.get_by_text("“seven” is not a number")).to_be_visible()
    expect(page.locator("#notes")).to_have_value("a long thought")
    expect(page).to_have_url(f"/p/support/items/{items[0].pk}/")


def test_it_brings_one_back_to_both_texts(page: Page, items: list[QueueItem], colleague: User) -> None:
    QueueItem.objects.filter(pk=items[0].pk).update(version=1)
    Review.objects.all().delete()
    page.locator("#notes").fill("mine")
    page.keyboard.press("Control+Enter")
    expect(page.locator("#review .problem")).to_contain_text("submit again")
    expect(page.locator("#notes")).to_have_value("mine")
    wait_for_item(page, 1)
    page.keyboard.press("Control+Enter")
    wait_for_item(page, 2)
    expect(page.locator("#banner")).to_have_text("")


def test_it_gives_another_item_when_a_colleague_took_the_one_shown(
    page: Page, items: list[QueueItem], colleague: User
) -> None:
    claiming.claim(items[1], colleague)
    page.keyboard.press("1")
    page.keyboard.press("Enter")
    expect(page.locator("#banner")).to_contain_text("A colleague has taken the item")
    wait_for_item(page, 3)
    assert Review.objects.count() == 1


def test_it_goes_on_without_anything_fetched(page: Page, items: list[QueueItem]) -> None:
    page.route("**/upcoming/**", lambda route: route.abort())
    for number in (1, 2, 3, 4):
        wait_for_item(page, number)
        page.keyboard.press("1")
        page.keyboard.press("Enter")
    wait_for_item(page, 5)
    wait_until_saved(page)
    assert Review.objects.count() == 4


def test_it_comes_back_before_the_answer(page: Page) -> None:
    held: list[Route] = []
    page.route("**/items/*/", lambda one: held.append(one) if one.request.method == "POST" else one.continue_())
    page.keyboard.press("1")
    page.keyboard.press("Enter")
    wait_for_item(page, 2)
    page.go_back()
    wait_for_item(page, 1)
    held[0].continue_()
    expect(page.locator("#submit")).to_contain_text("Submit a new revision")


def test_it_comes_back_by_the_browsers_own_button(page: Page, items: list[QueueItem]) -> None:
    page.keyboard.press("1")
    page.keyboard.press("Enter")
    wait_for_item(page, 2)
    wait_until_saved(page)
    page.go_back()
    wait_for_item(page, 1)
    expect(page.locator("#submit")).to_contain_text("Submit a new revision")


def test_it_skips_to_what_was_fetched_ahead(page: Page, items: list[QueueItem], reviewer: User) -> None:
    with page.expect_response("**/skip/") as told:
        page.keyboard.press("s")
        page.get_by_role("button", name="Skip for everyone").click()
    assert told.value.headers["desk-claimed"] == str(items[1].pk)
    wait_for_item(page, 2)
    wait_until_saved(page)
    items[0].refresh_from_db()
    assert (items[0].state, list(QueueItem.objects.filter(claimed_by=reviewer))) == ("skipped", [items[1]])


def test_it_travels_to_what_was_fetched_ahead_and_claims_it(page: Page, items: list[QueueItem], reviewer: User) -> None:
    page.evaluate("window.isSamePage = true")
    with page.expect_response("**/claim/"):
        page.keyboard.press("j")
    wait_for_item(page, 2)
    assert page.evaluate("window.isSamePage") is True
    expect(page).to_have_url(f"/p/support/items/{items[1].pk}/")
    items[1].refresh_from_db()
    assert items[1].claimed_by == reviewer


def test_a_skip_waits_for_the_network(page: Page, items: list[QueueItem]) -> None:
    page.context.set_offline(True)
    page.keyboard.press("s")
    page.get_by_role("button", name="Skip for everyone").click()
    wait_for_item(page, 2)
    expect(page.locator("#banner")).to_contain_text("1 skip is not saved yet.")
    page.context.set_offline(False)
    wait_until_saved(page)
    items[0].refresh_from_db()
    assert items[0].state == "skipped"
