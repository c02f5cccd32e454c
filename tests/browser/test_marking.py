"""Mark the first error of a trace: a selected passage by key, a turn without JavaScript."""

import pytest
from playwright.sync_api import expect

from reviewapp.accounts.models import User
from reviewapp.queues.models import Queue
from reviewapp.queues.rubric import criteria
from reviewapp.queues.rubric.criteria import Criterion
from reviewapp.reviews.models import Draft, Review
from tests.browser.conftest import OpenPage
from tests.browser.test_axe import find_violations
from tests.browser.workbench import fill_queue, open_workbench, wait_for_item, wait_until_saved

pytestmark = pytest.mark.django_db(transaction=True)

FAIL = Criterion("fail", "First error", "first_error")


@pytest.fixture
def pointing_queue(queue: Queue) -> Queue:
    queue.criteria = criteria.dump_criteria([FAIL])
    queue.save(update_fields=["criteria"])
    return fill_queue(queue, 2)


def test_it_marks_the_selected_passage(open_page: OpenPage, reviewer: User, pointing_queue: Queue) -> None:
    page = open_workbench(open_page, reviewer, ahead=1)
    answer, question = page.locator("#reading .turn.answer"), page.get_by_role("group", name="First error")
    text = answer.locator(".part").inner_text()
    answer.locator(".part p").first.click(click_count=3)
    page.keyboard.press("m")
    expect(question.locator("blockquote")).to_have_text(text)
    expect(answer.get_by_role("button", name="First error", exact=True)).to_be_visible()
    page.get_by_role("link", name="Steps").first.click()
    expect(page.locator("#reading .steps")).to_be_visible()
    question.get_by_role("link").click()
    expect(answer).to_be_focused()
    assert find_violations(page) == []
    page.set_viewport_size({"width": 1440, "height": 900})
    # Neither key of the next item repeats the mark, which belongs to this one.
    page.keyboard.press("1")
    page.keyboard.press("Enter")
    wait_for_item(page, 2)
    wait_until_saved(page)
    assert Review.objects.get().criterion_answers["fail"]["quote"] == text
    page.keyboard.press("=")
    expect(page.locator("#review [name=score]")).to_have_value("1")
    expect(question.locator(".marked")).to_be_hidden()
    answer.hover()
    answer.get_by_role("button", name="Mark as first error").click()
    question.get_by_role("button", name="Remove").click()
    expect(question.locator(".marked")).to_be_hidden()


def test_it_loads_marking_only_for_a_queue_that_asks_for_it(open_page: OpenPage, reviewer: User, queue: Queue) -> None:
    fill_queue(queue, 1)
    page = open_workbench(open_page, reviewer, ahead=0)
    # The help answers once every module has started.
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keyboard shortcuts")).to_be_visible()
    scripts = page.evaluate("performance.getEntriesByType('resource').map(({ name }) => name.split('/').at(-1))")
    assert "shortcuts.js" in scripts
    assert {"marking.js", "preferences.js"}.isdisjoint(scripts)


def test_it_marks_a_turn_without_javascript(open_page: OpenPage, reviewer: User, pointing_queue: Queue) -> None:
    page = open_page(reviewer, java_script_enabled=False)
    page.goto("/p/support/queues/answers/review/")
    page.get_by_label("Notes").fill("Look at this.")
    turn = page.locator("#reading .turn").first
    turn.hover()
    turn.get_by_role("button", name="Mark as first error").click()
    question = page.get_by_role("group", name="First error")
    expect(question.get_by_role("link")).to_contain_text("(turn 1)")
    expect(page.get_by_label("Notes")).to_have_value("Look at this.")
    page.locator("[name=score]").first.press("Enter")
    expect(page.locator("#rail")).to_contain_text("Item 2 of")
    assert Review.objects.get().criterion_answers["fail"]["at"] == "turn-1"
    assert not Draft.objects.exists()
