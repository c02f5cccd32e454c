"""What is typed lands in the item it was typed for, however slow the server and whatever it refuses."""

import os

import pytest
from playwright.sync_api import Page

from reviewapp.accounts.models import User
from reviewapp.queues.models import Queue
from reviewapp.reviews.models import Review
from tests.browser.conftest import OpenPage
from tests.browser.workbench import fill_queue, open_workbench, wait_until_saved

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]

# `TYPED_ITEMS=200 pytest tests/browser/test_typing.py` types for five minutes.
ITEMS = int(os.environ.get("TYPED_ITEMS", "15"))
LATENCY = 1_500  # milliseconds
REFUSED = " to ann@example.org"


def slow_down(page: Page) -> None:
    session = page.context.new_cdp_session(page)
    session.send("Network.enable")
    conditions = {"offline": False, "latency": LATENCY, "downloadThroughput": -1, "uploadThroughput": -1}
    session.send("Network.emulateNetworkConditions", conditions)


def wait_for_next_form(page: Page, previous: str) -> str:
    """Wait until another form than that of the trace `previous` can be typed into. Returns its trace's name.

    Returns "" at the end of the queue. An item that is refused while the screen waits for the answer shows its question
    again: it is answered first.
    """
    while True:
        page.wait_for_function(
            """(previous) => {
                const name = document.querySelector("h1")?.textContent.trim();
                const isReady = !document.querySelector("#workbench [inert]");
                return isReady && (name !== previous || document.querySelector("#review .foot [role=alert]"));
            }""",
            arg=previous,
            timeout=60_000,
        )
        name = (page.locator("h1").first.text_content() or "").strip()
        if name != previous:
            return name if page.locator("#notes").count() else ""
        page.get_by_role("button", name="Send text unchanged").click()


def test_it_keeps_every_character_at_its_item(open_page: OpenPage, reviewer: User, queue: Queue) -> None:
    items = fill_queue(queue, ITEMS).items.in_order()
    page = open_workbench(open_page, reviewer)
    slow_down(page)
    name = ""
    while name := wait_for_next_form(page, name):
        if not page.locator("#notes").input_value():
            page.keyboard.press("n")
            agent = " ".join(name.split()[:2])
            page.keyboard.type(agent + (REFUSED if agent.endswith("4") else ""), delay=15)
        page.keyboard.press("Control+Enter")
    wait_until_saved(page)
    reviews = list(Review.objects.order_by("item_id"))
    assert [review.item_id for review in reviews] == [item.pk for item in items]
    assert [review.notes.removesuffix(REFUSED) for review in reviews] == [f"agent {number}" for number in range(ITEMS)]
