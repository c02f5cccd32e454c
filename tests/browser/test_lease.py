"""A claim is renewed while the reviewer works; a lost claim locks the form, and a free item opens it."""

from datetime import timedelta

import pytest
from playwright.sync_api import Page, expect

from reviewapp.accounts.models import User
from reviewapp.lib import clock
from reviewapp.queues.models import Queue, QueueItem
from tests.browser.conftest import OpenPage
from tests.browser.workbench import fill_queue

pytestmark = pytest.mark.django_db(transaction=True)

RENEW_INTERVAL = 61_000  # milliseconds; a little more than the page's
READ_ONLY = "colleague is reviewing this item now"


@pytest.fixture
def item(queue: Queue) -> QueueItem:
    return fill_queue(queue, 2).items.in_order()[0]


@pytest.fixture
def page(open_page: OpenPage, reviewer: User, item: QueueItem) -> Page:
    return open_item(open_page(reviewer), item)


def open_item(page: Page, item: QueueItem) -> Page:
    page.clock.install()
    page.goto(f"/p/support/items/{item.pk}/")
    expect(page.locator("#review")).to_be_visible()
    expect(page.locator("[data-unclaimed]")).to_have_count(0)
    return page


def set_claim(item: QueueItem, by: User | None, minutes: float = 4) -> None:
    QueueItem.objects.filter(pk=item.pk).update(
        claimed_by=by, claimed_until=by and clock.now() + timedelta(minutes=minutes)
    )


def test_it_renews_the_claim_of_an_active_page(page: Page, item: QueueItem, reviewer: User) -> None:
    set_claim(item, reviewer, minutes=1)
    page.locator("#notes").fill("Right")
    with page.expect_response("**/claim/"):
        page.clock.fast_forward(RENEW_INTERVAL)
    item.refresh_from_db()
    assert item.claimed_until is not None
    assert item.claimed_until > clock.now() + timedelta(minutes=4)


def test_it_does_not_renew_the_claim_of_an_idle_page(page: Page, item: QueueItem) -> None:
    urls: list[str] = []
    page.on("request", lambda request: urls.append(request.url))
    page.clock.fast_forward(RENEW_INTERVAL)
    page.locator("#notes").fill("Right")
    assert not [url for url in urls if url.endswith("/claim/")]


def test_it_locks_the_form_when_a_colleague_takes_over(
    page: Page, open_page: OpenPage, lead: User, item: QueueItem
) -> None:
    other_page = open_item(open_page(lead), item)
    other_page.get_by_role("button", name="Take over item").click()
    expect(other_page.locator("#submit")).to_be_enabled()
    page.locator("#notes").fill("Half of a thought")
    page.clock.fast_forward(RENEW_INTERVAL)
    expect(page.get_by_text("lead is reviewing this item now")).to_be_visible()
    expect(page.locator("#notes")).to_have_value("Half of a thought")
    expect(page.locator("#submit")).to_be_disabled()


def test_it_opens_the_form_when_the_colleague_is_done(
    open_page: OpenPage, reviewer: User, colleague: User, item: QueueItem
) -> None:
    set_claim(item, colleague)
    page = open_item(open_page(reviewer), item)
    expect(page.get_by_text(READ_ONLY)).to_be_visible()
    page.get_by_role("link", name="Steps").click()
    expect(page.get_by_role("columnheader", name="Waterfall")).to_be_visible()
    with page.expect_response("**/wait/"):
        page.clock.fast_forward(11_000)
    expect(page.locator("#submit")).to_be_disabled()
    set_claim(item, None)
    page.clock.fast_forward(11_000)
    expect(page.locator("#submit")).to_be_enabled()
    expect(page.get_by_text(READ_ONLY)).to_be_hidden()
    expect(page.get_by_role("columnheader", name="Waterfall")).to_be_visible()
    expect(page.locator("#announcement")).to_have_text("You can review this item now. The form is open.")
    item.refresh_from_db()
    assert item.claimed_by == reviewer


def test_it_keeps_typed_text_when_the_claim_was_lost_and_regained(page: Page, colleague: User, item: QueueItem) -> None:
    set_claim(item, colleague)
    page.locator("#notes").fill("Half of a thought")
    page.clock.fast_forward(RENEW_INTERVAL)
    expect(page.get_by_text(READ_ONLY)).to_be_visible()
    set_claim(item, None)
    page.clock.fast_forward(11_000)
    expect(page.locator("#submit")).to_be_enabled()
    expect(page.locator("#notes")).to_have_value("Half of a thought")
