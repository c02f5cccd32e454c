"""Who is at work on an item keeps it, who lost it is told so, and who waits for it gets the form."""

from datetime import timedelta

import pytest
from playwright.sync_api import Page, expect

from reviewapp.accounts.models import User
from reviewapp.lib import clock
from reviewapp.queues.models import Queue, QueueItem
from tests.browser.conftest import OpenPage
from tests.browser.workbench import fill_queue

pytestmark = pytest.mark.django_db(transaction=True)

MINUTE = 61_000
THEIRS = "colleague is reviewing this item now"


@pytest.fixture
def item(queue: Queue) -> QueueItem:
    return fill_queue(queue, 2).items.in_order()[0]


@pytest.fixture
def page(open_page: OpenPage, reviewer: User, item: QueueItem) -> Page:
    return opened(open_page(reviewer), item)


def opened(page: Page, item: QueueItem) -> Page:
    page.clock.install()
    page.goto(f"/p/support/items/{item.pk}/")
    expect(page.locator("#review")).to_be_visible()
    return page


def held(item: QueueItem, by: User | None, minutes: float = 4) -> None:
    QueueItem.objects.filter(pk=item.pk).update(
        claimed_by=by, claimed_until=by and clock.now() + timedelta(minutes=minutes)
    )


def test_it_renews_the_claim_of_a_page_in_use(page: Page, item: QueueItem, reviewer: User) -> None:
    held(item, reviewer, minutes=1)
    page.locator("#notes").fill("Right")
    with page.expect_response("**/claim/"):
        page.clock.fast_forward(MINUTE)
    item.refresh_from_db()
    assert item.claimed_until is not None
    assert item.claimed_until > clock.now() + timedelta(minutes=4)


def test_it_lets_the_claim_of_an_unused_page_end(page: Page, item: QueueItem) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.clock.fast_forward(MINUTE)
    page.locator("#notes").fill("Right")
    assert not [url for url in asked if url.endswith("/claim/")]


def test_it_tells_that_a_colleague_took_the_item_over(
    page: Page, open_page: OpenPage, lead: User, item: QueueItem
) -> None:
    theirs = opened(open_page(lead), item)
    theirs.get_by_role("button", name="Take over item").click()
    expect(theirs.locator("#submit")).to_be_enabled()
    page.locator("#notes").fill("Half of a thought")
    page.clock.fast_forward(MINUTE)
    expect(page.get_by_text("lead is reviewing this item now")).to_be_visible()
    expect(page.locator("#notes")).to_have_value("Half of a thought")
    expect(page.locator("#submit")).to_be_disabled()


def test_the_form_opens_when_the_colleague_is_done(
    open_page: OpenPage, reviewer: User, colleague: User, item: QueueItem
) -> None:
    held(item, colleague)
    page = opened(open_page(reviewer), item)
    expect(page.get_by_text(THEIRS)).to_be_visible()
    page.get_by_role("link", name="Steps").click()
    expect(page.get_by_role("columnheader", name="Waterfall")).to_be_visible()
    with page.expect_response("**/wait/"):
        page.clock.fast_forward(11_000)
    expect(page.locator("#submit")).to_be_disabled()
    held(item, None)
    page.clock.fast_forward(11_000)
    expect(page.locator("#submit")).to_be_enabled()
    expect(page.get_by_text(THEIRS)).to_be_hidden()
    expect(page.get_by_role("columnheader", name="Waterfall")).to_be_visible()
    expect(page.locator("#announcement")).to_have_text("You can review this item now. The form is open.")
    item.refresh_from_db()
    assert item.claimed_by == reviewer


def test_what_was_typed_before_the_claim_was_lost_is_in_the_form_that_opens(
    page: Page, colleague: User, item: QueueItem
) -> None:
    held(item, colleague)
    page.locator("#notes").fill("Half of a thought")
    page.clock.fast_forward(MINUTE)
    expect(page.get_by_text(THEIRS)).to_be_visible()
    held(item, None)
    page.clock.fast_forward(11_000)
    expect(page.locator("#submit")).to_be_enabled()
    expect(page.locator("#notes")).to_have_value("Half of a thought")
