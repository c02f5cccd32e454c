"""The review screen in a real browser."""

import pytest
from playwright.sync_api import Page, expect

from reviewapp.accounts.models import User
from reviewapp.queues.models import Queue
from reviewapp.reviews.models import Review
from tests.browser.conftest import OpenPage
from tests.browser.workbench import wait_until_saved
from tests.factories import QueueItemFactory, SpanFactory, TraceFactory

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def full_queue(queue: Queue) -> Queue:
    for number in range(3):
        trace = TraceFactory.create(project=queue.project, name=f"agent {number}", spans_pulled_at="2026-11-22T10:00Z")
        SpanFactory.create(trace=trace)
        QueueItemFactory.create(queue=queue, trace_id=trace.trace_id)
    return queue


def open_queue(page: Page) -> Page:
    page.goto("/p/support/queues/answers/review/")
    expect(page.get_by_text("Item 1 of 3")).to_be_visible()
    return page


def test_it_shows_the_next_item_after_a_submit(open_page: OpenPage, reviewer: User, full_queue: Queue) -> None:
    page = open_queue(open_page(reviewer))
    page.locator("[name=score]").fill("0.5")
    page.get_by_role("button", name="Submit and next").click()
    expect(page.get_by_text("Item 2 of 3")).to_be_visible()
    wait_until_saved(page)
    assert Review.objects.get().score_text == "0.5"


def test_it_works_without_javascript(open_page: OpenPage, reviewer: User, full_queue: Queue) -> None:
    page = open_queue(open_page(reviewer, java_script_enabled=False))
    page.locator("[name=score]").fill("0.5")
    page.get_by_role("button", name="Submit and next").click()
    expect(page.get_by_text("Item 2 of 3")).to_be_visible()
    page.locator("[name=notes]").fill("Right so far")
    page.get_by_role("button", name="Steps").click()
    expect(page.get_by_role("columnheader", name="Waterfall")).to_be_visible()
    expect(page.locator("[name=notes]")).to_have_value("Right so far")
    page.locator("[name=score]").fill("1")
    page.locator("[name=score]").press("Enter")
    expect(page.get_by_text("Item 3 of 3")).to_be_visible()


def test_it_reviews_by_keys_alone(open_page: OpenPage, reviewer: User, full_queue: Queue) -> None:
    page = open_queue(open_page(reviewer))
    page.keyboard.press("4")
    page.keyboard.press("r")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Item 2 of 3")).to_be_visible()
    wait_until_saved(page)
    review = Review.objects.get()
    assert (review.score_text, review.needs_review) == ("0.75", True)


def test_it_types_letters_into_the_notes(open_page: OpenPage, reviewer: User, full_queue: Queue) -> None:
    page = open_queue(open_page(reviewer))
    page.keyboard.press("n")
    page.keyboard.type("rsjk 45")
    page.keyboard.press("Control+Enter")
    expect(page.get_by_text("Item 2 of 3")).to_be_visible()
    wait_until_saved(page)
    review = Review.objects.get()
    assert (review.notes, review.needs_review, review.score) == ("rsjk 45", False, None)


def test_it_keeps_the_input_of_a_refused_review(open_page: OpenPage, reviewer: User, full_queue: Queue) -> None:
    page = open_queue(open_page(reviewer))
    page.locator("[name=score]").fill("seven")
    page.locator("[name=notes]").fill("a long thought")
    page.get_by_role("button", name="Submit and next").click()
    expect(page.get_by_text("“seven” is not a number")).to_be_visible()
    expect(page.locator("[name=score]")).to_have_value("seven")
    expect(page.locator("[name=notes]")).to_have_value("a long thought")


def test_it_shows_a_conflict_to_the_second_reviewer(
    open_page: OpenPage, reviewer: User, colleague: User, full_queue: Queue
) -> None:
    page = open_queue(open_page(reviewer))
    item = full_queue.items.in_order()[0]
    other_page = open_page(colleague)
    item_url = f"/p/support/items/{item.pk}/"
    full_queue.items.update(claimed_by=None, claimed_until=None)
    other_page.goto(item_url)
    other_page.locator("[name=notes]").fill("theirs")
    other_page.get_by_role("button", name="Submit and next").click()
    expect(other_page.get_by_text("Item 2 of 3")).to_be_visible()
    wait_until_saved(other_page)
    page.locator("[name=notes]").fill("mine")
    page.get_by_role("button", name="Submit and next").click()
    page.get_by_role("link", name="Go back to item 1").click()
    expect(page.get_by_text("colleague reviewed this item after you opened it")).to_be_visible()
    expect(page.get_by_role("alert")).to_contain_text("theirs")
    expect(page.locator("[name=notes]")).to_have_value("mine")


def test_it_shows_that_all_items_are_reviewed(open_page: OpenPage, reviewer: User, full_queue: Queue) -> None:
    page = open_queue(open_page(reviewer))
    for number in (1, 2, 3):
        expect(page.get_by_text(f"Item {number} of 3")).to_be_visible()
        page.locator("[name=score]").fill("1")
        page.get_by_role("button", name="Submit and next").click()
    expect(page.get_by_role("heading", name="All reviewed")).to_be_visible()


def test_it_keeps_typed_text_while_the_delivery_is_polled(
    open_page: OpenPage, reviewer: User, full_queue: Queue
) -> None:
    page = open_queue(open_page(reviewer))
    url = page.url
    page.keyboard.press("4")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Item 2 of 3")).to_be_visible()
    wait_until_saved(page)
    page.goto(url)
    with page.expect_response("**/delivery/"):
        page.locator("#notes").fill("a second thought")
    page.wait_for_timeout(300)
    expect(page.locator("#notes")).to_have_value("a second thought")
    expect(page.locator("#submit")).to_be_enabled()


def test_it_switches_tabs_within_the_trace(open_page: OpenPage, reviewer: User, full_queue: Queue) -> None:
    page = open_queue(open_page(reviewer))
    page.locator("#notes").fill("still here")
    for name, text in (("Metadata", "no metadata"), ("Steps", "Waterfall"), ("Transcript", "Paris")):
        page.get_by_role("link", name=name).click()
        expect(page.locator("#reading")).to_contain_text(text)
    expect(page.locator(".workbench")).to_have_count(1)
    expect(page.locator("#notes")).to_have_value("still here")


def test_it_goes_back_with_the_whole_page(open_page: OpenPage, reviewer: User, full_queue: Queue) -> None:
    page = open_queue(open_page(reviewer))
    page.keyboard.press("4")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Item 2 of 3")).to_be_visible()
    page.go_back()
    expect(page.get_by_text("Item 1 of 3")).to_be_visible()
    expect(page.locator("header.top")).to_have_count(1)
    expect(page.locator(".workbench")).to_have_count(1)
