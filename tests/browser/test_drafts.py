"""Text that was typed and not submitted is restored, whatever happens to the page."""

import re

import pytest
from playwright.sync_api import Page, expect

from reviewapp.accounts.models import User
from reviewapp.queues import claiming
from reviewapp.queues.models import Queue, QueueItem
from reviewapp.reviews.models import Draft, Review
from tests.browser.conftest import OpenPage
from tests.browser.workbench import fill_queue, open_workbench, wait_for_item, wait_until_saved

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def items(queue: Queue) -> list[QueueItem]:
    return list(fill_queue(queue, 2).items.in_order())


@pytest.fixture
def page(open_page: OpenPage, reviewer: User, items: list[QueueItem]) -> Page:
    return open_workbench(open_page, reviewer, ahead=1)


def test_it_saves_a_draft_after_a_pause_in_typing(page: Page, items: list[QueueItem]) -> None:
    with page.expect_response("**/draft/") as response_info:
        page.locator("#notes").fill("half a thou")
        page.keyboard.press("Escape")
        page.keyboard.press("2")
    assert response_info.value.status == 204
    wait_until_saved(page)
    page.reload()
    expect(page.locator("#draft")).to_contain_text("Draft from")
    expect(page.locator("#notes")).to_have_value("half a thou")
    expect(page.locator("#score")).to_have_value("0.25")


def test_it_restores_the_last_keystrokes_after_the_page_was_closed(page: Page) -> None:
    page.locator("#notes").press_sequentially("typed and gone")
    url = page.url
    page.close()
    other_page = page.context.new_page()
    other_page.goto(url)
    expect(other_page.locator("#notes")).to_have_value("typed and gone")
    assert not Review.objects.exists()


def test_it_saves_a_draft_before_moving_to_another_item(page: Page, items: list[QueueItem]) -> None:
    page.locator("#notes").fill("half a thou")
    page.keyboard.press("Escape")
    with page.expect_response("**/draft/"):
        page.keyboard.press("j")
    wait_for_item(page, 2)
    wait_until_saved(page)
    assert Draft.objects.get().item_id == items[0].pk


def test_it_locks_the_form_when_a_colleague_takes_over(page: Page, items: list[QueueItem], lead: User) -> None:
    claiming.take_over(items[0], lead)
    page.locator("#notes").fill("half a thou")
    expect(page.get_by_text("lead is reviewing this item now")).to_be_visible()
    expect(page.locator("#banner")).to_contain_text("What you typed is saved as your draft")
    expect(page.locator("#notes")).to_have_value("half a thou")
    expect(page.locator(".fields[inert]")).to_have_count(1)
    page.keyboard.type("jj")
    wait_for_item(page, 1)


def test_it_shows_when_the_restored_text_was_typed(page: Page) -> None:
    page.route("**/draft/", lambda route: route.abort())
    page.locator("#notes").fill("half a thou")
    page.reload()
    notice = page.locator("#banner [data-topic=restored]")
    expect(notice).to_have_text(re.compile(r"What you typed at \d\d:\d\d:\d\d is back in the form"))


def test_it_discards_a_draft(page: Page, items: list[QueueItem]) -> None:
    with page.expect_response("**/draft/"):
        page.locator("#notes").fill("no use")
    page.reload()
    page.get_by_role("button", name="Discard draft").click()
    expect(page.locator("#draft")).to_have_count(0)
    expect(page.locator("#notes")).to_have_value("")
    assert not Draft.objects.exists()


def test_it_submits_and_removes_the_draft(page: Page) -> None:
    with page.expect_response("**/draft/"):
        page.locator("#notes").fill("done")
    page.keyboard.press("Control+Enter")
    wait_for_item(page, 2)
    wait_until_saved(page)
    assert (Review.objects.get().notes, Draft.objects.count()) == ("done", 0)


def test_it_shows_that_a_draft_is_not_saved_when_offline(page: Page) -> None:
    page.context.set_offline(True)
    page.locator("#notes").fill("on the train")
    expect(page.locator("#banner")).to_contain_text("1 draft is not saved yet")
    page.context.set_offline(False)
    expect(page.locator("#banner")).to_have_text("")
    assert "on the train" in Draft.objects.get().fields


def test_it_shows_that_the_item_was_reviewed_meanwhile(page: Page, items: list[QueueItem]) -> None:
    QueueItem.objects.filter(pk=items[0].pk).update(version=1)
    page.locator("#notes").fill("too late")
    expect(page.locator("#banner")).to_contain_text("The item was reviewed after you opened it")
    expect(page.locator("#notes")).to_have_value("too late")
