"""Undo of a review and of a skip, by key and by mouse: at the next item, at the end, and too late."""

import pytest
from playwright.sync_api import Page, expect

from reviewapp.accounts.models import User
from reviewapp.delivery.models import Patch
from reviewapp.lib import clock
from reviewapp.queues.models import ItemState, Queue, QueueItem
from reviewapp.reviews.models import Review
from tests.browser.conftest import OpenPage
from tests.browser.workbench import fill_queue, open_workbench, wait_for_item, wait_until_saved

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def items(queue: Queue) -> list[QueueItem]:
    Queue.objects.update(grace_seconds=60)
    return list(fill_queue(queue, 2).items.in_order())


@pytest.fixture
def page(open_page: OpenPage, reviewer: User, items: list[QueueItem]) -> Page:
    return open_workbench(open_page, reviewer, ahead=1)


def answer(page: Page, position: int) -> None:
    wait_for_item(page, position)
    page.keyboard.press("4")
    page.keyboard.press("Enter")


def test_it_reopens_the_item_at_its_own_url(page: Page, items: list[QueueItem]) -> None:
    answer(page, 1)
    expect(page.locator("#undo")).to_be_visible()
    page.keyboard.press("u")
    expect(page).to_have_url(f"/p/support/items/{items[0].pk}/")
    wait_for_item(page, 1)
    page.reload()
    wait_for_item(page, 1)
    expect(page.locator("#score")).to_have_value("0.75")
    expect(page.locator("#submit")).to_contain_text("Submit and next")


def test_it_returns_to_the_interrupted_item(open_page: OpenPage, reviewer: User, queue: Queue) -> None:
    Queue.objects.update(grace_seconds=60)
    fill_queue(queue, 4)
    page = open_workbench(open_page, reviewer)
    answer(page, 1)
    wait_for_item(page, 2)
    wait_until_saved(page)
    page.locator("#undo").click()
    answer(page, 1)
    wait_for_item(page, 2)


def test_it_handles_a_click_on_a_fresh_button(page: Page, items: list[QueueItem]) -> None:
    answer(page, 1)
    expect(page.locator("#undo")).to_be_visible()
    # As the poll inserts it, and before htmx has processed it.
    page.evaluate(
        """() => { const left = document.querySelector("#left"); const fresh = left.cloneNode(true);
            left.replaceWith(fresh); fresh.querySelector("#undo").click(); }"""
    )
    expect(page).to_have_url(f"/p/support/items/{items[0].pk}/")
    wait_for_item(page, 1)


def test_it_works_without_javascript(open_page: OpenPage, reviewer: User, items: list[QueueItem]) -> None:
    page = open_page(reviewer, java_script_enabled=False)
    page.goto(f"/p/support/items/{items[0].pk}/")
    page.locator("#score").fill("0.5")
    page.locator("#submit").click()
    page.get_by_role("link", name="Your last item").click()
    page.get_by_role("button", name="Undo").click()
    expect(page).to_have_url(f"/p/support/items/{items[0].pk}/")
    expect(page.locator("#score")).to_have_value("0.5")


def test_it_undoes_a_skip(page: Page, items: list[QueueItem]) -> None:
    page.keyboard.press("s")
    page.get_by_role("button", name="Skip for everyone").click()
    wait_for_item(page, 2)
    expect(page.locator("#left")).to_contain_text("skipped")
    page.keyboard.press("u")
    wait_for_item(page, 1)
    items[0].refresh_from_db()
    assert items[0].state == ItemState.PENDING


def test_it_works_at_the_end_of_the_queue(page: Page, items: list[QueueItem]) -> None:
    answer(page, 1)
    answer(page, 2)
    expect(page.get_by_role("heading", name="All reviewed")).to_be_visible()
    expect(page.get_by_role("button", name="Undo")).to_be_visible()
    page.keyboard.press("u")
    wait_for_item(page, 2)
    expect(page).to_have_url(f"/p/support/items/{items[1].pk}/")
    assert list(Review.objects.filter(is_latest=True).values_list("item", flat=True)) == [items[0].pk]


def test_it_refuses_when_the_answer_was_pushed(page: Page, items: list[QueueItem]) -> None:
    answer(page, 1)
    expect(page.locator("#undo")).to_be_visible()
    Patch.objects.update(due_at=clock.now())
    expect(page.locator("#undo")).to_have_count(0)
    page.keyboard.press("u")
    expect(page.locator("#banner")).to_contain_text("Too late to undo: your last answer was already pushed.")


def test_it_refuses_when_there_is_nothing_to_undo(page: Page) -> None:
    page.keyboard.press("u")
    expect(page.locator("#banner")).to_contain_text("Nothing to undo.")


def test_it_refuses_when_the_answer_is_not_sent(page: Page) -> None:
    page.context.set_offline(True)
    answer(page, 1)
    wait_for_item(page, 2)
    page.keyboard.press("u")
    expect(page.locator("#banner")).to_contain_text("Your last answer has not been sent yet.")
    page.context.set_offline(False)
    wait_until_saved(page)
