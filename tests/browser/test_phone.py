"""The workbench on a phone: the trace has the screen, and the form opens over it as a sheet."""

import pytest
from playwright.sync_api import Page, expect

from reviewapp.accounts.models import User
from reviewapp.queues.models import Queue
from reviewapp.queues.rubric import criteria
from reviewapp.reviews.models import Review
from tests.browser.conftest import OpenPage
from tests.browser.test_answering import SEVEN
from tests.browser.workbench import fill_queue, open_workbench, wait_for_item, wait_until_saved

# What is wider than the screen, or ends below it, of the parts that do not scroll.
CLIPPED = """() => [...document.querySelectorAll(".top *, .rail *, .foot *, .score *")].filter((element) => {
    const box = element.getBoundingClientRect(); const isShown = box.width > 1 && element.checkVisibility();
    return isShown && !element.closest("svg, ol, .unseen") && (box.left < 0 || box.right > innerWidth + 1
        || box.bottom > innerHeight + 1); }).map((element) => element.outerHTML.slice(0, 120))"""
TRACE_SHARE = "document.querySelector('#trace').getBoundingClientRect().height / innerHeight"

pytestmark = pytest.mark.django_db(transaction=True)


def open_phone(open_page: OpenPage, user: User, queue: Queue, *, width: int = 390) -> Page:
    queue.score_min, queue.score_max, queue.score_step = 1, 5, 1
    queue.criteria = criteria.dump_criteria(SEVEN)
    queue.save()
    fill_queue(queue, 3)
    screen = {"width": width, "height": 780}
    return open_workbench(open_page, user, viewport=screen, is_mobile=True, has_touch=True)


@pytest.mark.parametrize("width", [390, 360])
def test_it_leaves_the_trace_most_of_the_screen(open_page: OpenPage, reviewer: User, queue: Queue, width: int) -> None:
    page = open_phone(open_page, reviewer, queue, width=width)
    assert page.evaluate(TRACE_SHARE) >= 0.6
    assert page.evaluate(CLIPPED) == []
    # A phone widens its view to what does not fit.
    assert page.evaluate("innerWidth") == width
    assert page.locator(".workbench kbd:visible").count() == 0


def test_it_answers_in_the_sheet(open_page: OpenPage, reviewer: User, queue: Queue) -> None:
    page = open_phone(open_page, reviewer, queue)
    complete = page.get_by_role("group", name="Complete")
    expect(complete).to_be_hidden()
    page.locator(".score").get_by_text("4", exact=True).locator("..").tap()
    page.get_by_role("button", name="Submit and next").tap()
    expect(complete.get_by_text("An answer is required.")).to_be_visible()
    page.get_by_role("group", name="Correct").get_by_role("radio", name="yes").tap()
    complete.get_by_role("radio", name="good").tap()
    page.get_by_role("button", name="Submit and next").tap()
    wait_for_item(page, 2)
    wait_until_saved(page)
    assert Review.objects.get().criterion_answers["complete"] == "good"
    expect(complete).to_be_hidden()


def test_it_opens_and_closes_the_sheet_without_javascript(open_page: OpenPage, reviewer: User, queue: Queue) -> None:
    fill_queue(queue, 2)
    page = open_page(reviewer, viewport={"width": 390, "height": 780}, java_script_enabled=False)
    page.goto("/p/support/queues/answers/review/")
    expect(page.get_by_label("Notes")).to_be_hidden()
    page.get_by_text("More", exact=True).click()
    expect(page.get_by_label("Notes")).to_be_visible()
    page.get_by_text("Close").click()
    expect(page.get_by_label("Notes")).to_be_hidden()
