"""Offline, and after a session has expired, no answer is lost and each is sent once."""

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from reviewapp.accounts.models import User
from reviewapp.accounts.sign_in_models import Session
from reviewapp.queues.models import Queue, QueueItem
from reviewapp.reviews.models import Review
from tests.browser.conftest import OpenPage
from tests.browser.workbench import fill_queue, open_workbench, wait_for_item, wait_until_saved
from tests.factories import PASSWORD

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def items(queue: Queue) -> list[QueueItem]:
    return list(fill_queue(queue, 5).items.in_order())


@pytest.fixture
def page(open_page: OpenPage, reviewer: User, items: list[QueueItem]) -> Page:
    return open_workbench(open_page, reviewer)


@pytest.fixture
def context(page: Page) -> BrowserContext:
    return page.context


def answer(page: Page, *notes: str) -> None:
    """Answer the item on the screen and the ones after it, each with these notes."""
    for text in notes:
        page.keyboard.press("n")
        page.keyboard.type(text)
        page.keyboard.press("Control+Enter")
        page.evaluate(
            "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done))))"
        )


def saved_notes() -> list[str]:
    return list(Review.objects.order_by("pk").values_list("notes", flat=True))


def test_it_sends_offline_answers_once_and_in_order(page: Page, context: BrowserContext) -> None:
    context.set_offline(True)
    answer(page, "one", "two", "three")
    expect(page.locator("#banner")).to_contain_text("3 reviews are not saved yet")
    assert saved_notes() == []
    context.set_offline(False)
    expect(page.locator("#banner")).to_have_text("")
    wait_for_item(page, 4)
    assert saved_notes() == ["one", "two", "three"]


def test_it_keeps_the_current_item_while_it_sends(page: Page, context: BrowserContext, items: list[QueueItem]) -> None:
    context.set_offline(True)
    answer(page, "one")
    wait_for_item(page, 2)
    page.locator("#notes").fill("being typed")
    context.set_offline(False)
    wait_until_saved(page)
    expect(page.locator("#notes")).to_have_value("being typed")
    assert saved_notes() == ["one"]
    assert QueueItem.objects.get(pk=items[1].pk).is_claimed


def test_it_sends_from_the_next_page_after_a_close(page: Page, context: BrowserContext) -> None:
    context.set_offline(True)
    answer(page, "one", "two")
    page.close()
    context.set_offline(False)
    context.new_page().goto("/p/support/queues/")
    wait_until_saved(context.pages[-1])
    assert saved_notes() == ["one", "two"]


def test_it_saves_one_revision_when_the_response_was_lost(page: Page) -> None:
    is_lost = iter([True])
    page.route(
        "**/items/*/", lambda route: (route.fetch(), route.abort()) if next(is_lost, False) else route.continue_()
    )
    answer(page, "one")
    expect(page.locator("#banner")).to_contain_text("1 review is not saved yet")
    wait_until_saved(page)
    wait_for_item(page, 2)
    assert saved_notes() == ["one"]


def test_it_sends_after_a_new_sign_in(page: Page, reviewer: User) -> None:
    Session.objects.all().delete()
    answer(page, "one")
    expect(page.locator("#banner")).to_contain_text("Your session has expired. 1 review is not saved yet")
    page.get_by_role("link", name="Sign in again").click()
    page.get_by_label("Username").fill(reviewer.username)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.locator("#review")).to_be_visible()
    wait_until_saved(page)
    assert saved_notes() == ["one"]


def test_it_keeps_typed_text_through_a_new_sign_in(page: Page, reviewer: User) -> None:
    Session.objects.all().delete()
    page.locator("#notes").fill("long and dear")
    page.get_by_role("link", name="Sign in again").click()
    page.get_by_label("Username").fill(reviewer.username)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.locator("#notes")).to_have_value("long and dear")


def test_it_sends_nothing_as_another_user(page: Page, context: BrowserContext, colleague: User) -> None:
    Session.objects.all().delete()
    answer(page, "one")
    page.get_by_role("link", name="Sign in again").click()
    page.get_by_label("Username").fill(colleague.username)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.locator("#review")).to_be_visible()
    page.wait_for_timeout(300)
    assert saved_notes() == []
    expect(page.locator("#notes")).to_have_value("")


def test_it_locks_the_last_item_when_no_other_is_loaded(page: Page, context: BrowserContext) -> None:
    context.set_offline(True)
    answer(page, "one", "two", "three")
    wait_for_item(page, 3)
    expect(page.locator("#workbench")).to_have_attribute("aria-busy", "false")
    expect(page.locator("#offline-notice")).to_have_text(
        "You are offline and no more items are loaded. "
        "Your 3 answers are stored in this browser and sent when you are back online."
    )
    page.keyboard.press("r")
    page.keyboard.press("Control+Enter")
    expect(page.locator("[name=needs_review]")).not_to_be_checked()
    context.set_offline(False)
    wait_for_item(page, 4)
    assert saved_notes() == ["one", "two", "three"]


@pytest.mark.parametrize("key", ["j", "ArrowRight"])
def test_it_moves_by_keys_as_far_as_items_are_loaded(page: Page, context: BrowserContext, key: str) -> None:
    page.wait_for_load_state("networkidle")
    context.set_offline(True)
    for number in (2, 3):
        page.keyboard.press(key)
        wait_for_item(page, number)
    page.keyboard.press(key)
    expect(page.locator("#banner")).to_contain_text("Could not open the other item.")
    wait_for_item(page, 3)


def test_it_stays_at_the_item_when_another_cannot_be_loaded(page: Page, context: BrowserContext) -> None:
    page.locator("#notes").fill("being typed")
    page.keyboard.press("Escape")
    context.set_offline(True)
    page.locator("#rail li a").nth(3).click()
    expect(page.locator("#banner")).to_contain_text("Could not open the other item.")
    wait_for_item(page, 1)
    expect(page.locator("#notes")).to_have_value("being typed")
    context.set_offline(False)
    expect(page.locator("#banner [data-topic=offline]")).to_have_count(0)


def test_it_stays_at_the_tab_when_another_cannot_be_loaded(
    page: Page, context: BrowserContext, page_errors: list[str]
) -> None:
    context.set_offline(True)
    page.get_by_role("link", name="Steps").click()
    expect(page.locator("#banner")).to_contain_text("Could not load this.")
    wait_for_item(page, 1)
    page_errors.clear()


def test_it_saves_one_revision_when_the_reviewer_goes_back(page: Page, items: list[QueueItem]) -> None:
    answer(page, "one")
    wait_for_item(page, 2)
    wait_until_saved(page)
    page.go_back()
    wait_for_item(page, 1)
    page.reload()
    expect(page.locator("#notes")).to_have_value("one")
    assert saved_notes() == ["one"]


def test_it_shows_a_review_that_was_refused_later(
    page: Page, context: BrowserContext, items: list[QueueItem], colleague: User
) -> None:
    context.set_offline(True)
    answer(page, "one", "two")
    QueueItem.objects.filter(pk=items[0].pk).update(version=1)
    context.set_offline(False)
    expect(page.locator("#banner")).to_contain_text("Not saved: item 1.")
    page.get_by_role("link", name="Go back to item 1").click()
    expect(page.locator("#notes")).to_have_value("one")
    assert saved_notes() == ["two"]
