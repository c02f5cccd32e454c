"""Answering a long rubric by keys: which row a digit acts in, and where the focus goes on to."""

import pytest
from playwright.sync_api import Page, expect

from reviewapp.accounts.models import User
from reviewapp.accounts.preferences import Preferences, dump_preferences
from reviewapp.queues.models import Queue, Skip
from reviewapp.queues.rubric import criteria
from reviewapp.queues.rubric.criteria import Criterion, Option
from reviewapp.reviews.models import Review
from tests.browser.conftest import OpenPage
from tests.browser.workbench import fill_queue, open_workbench, wait_for_item, wait_until_saved

pytestmark = pytest.mark.django_db(transaction=True)

LEVELS = (Option("poor"), Option("fair"), Option("good"))
FAULTS = Criterion("faults", "Faults", "choices", options=(Option("invented"), Option("late")))
SEVEN = (
    Criterion("correct", "Correct", "yes_no", help="What the tools returned.", is_required=True, asks_reason=True),
    Criterion("complete", "Complete", "choice", options=LEVELS, is_required=True),
    Criterion("grounded", "Grounded", "choice", options=LEVELS),
    Criterion("tone", "Tone", "choice", options=LEVELS),
    FAULTS,
    Criterion("safe", "Safe", "yes_no"),
    Criterion("concise", "Concise", "choice", options=LEVELS),
)
ANSWERS = {
    "correct": True, "complete": "good", "grounded": "fair", "tone": "poor", "faults": ["late"], "safe": True,
    "concise": "good", "correct_reason": None,
}  # fmt: skip
IN_SIGHT = (
    """() => { const view = document.querySelector(".answers"); return view.scrollHeight <= view.clientHeight; }"""
)
FITS = """() => { const view = document.querySelector(".answers");
    return view.scrollHeight <= view.clientHeight; }"""


@pytest.fixture
def page(open_page: OpenPage, reviewer: User, queue: Queue) -> Page:
    queue.score_min, queue.score_max, queue.score_step = 1, 5, 1
    queue.criteria = criteria.dump_criteria(SEVEN)
    queue.save()
    fill_queue(queue, 3)
    return open_workbench(open_page, reviewer, viewport={"width": 1440, "height": 900})


def test_it_answers_seven_criteria_with_a_key_each(page: Page) -> None:
    assert page.evaluate(FITS)
    for key in "4132113":
        page.keyboard.press(key)
    page.keyboard.press("b")
    page.keyboard.press("Enter")
    wait_for_item(page, 2)
    wait_until_saved(page)
    review = Review.objects.get()
    assert (review.score_text, review.criterion_answers) == ("4", ANSWERS)


def test_it_shows_the_keys_of_the_marked_row_alone(page: Page) -> None:
    correct, tone = page.get_by_role("group", name="Correct"), page.get_by_role("group", name="Tone")
    expect(correct.locator("kbd").first).to_be_hidden()
    page.keyboard.press("4")
    expect(correct).to_be_focused()
    expect(correct.locator("kbd").first).to_be_visible()
    expect(tone.locator("kbd").first).to_be_hidden()


def test_it_clears_an_answer_and_goes_back_to_it(page: Page) -> None:
    tone = page.get_by_role("group", name="Complete")
    expect(tone.get_by_text("No answer")).to_be_hidden()
    for key in ("4", "1", "2", "Backspace", "0"):
        page.keyboard.press(key)
    expect(tone.locator("[value=fair]")).not_to_be_checked()
    expect(page.get_by_role("group", name="Grounded")).to_be_focused()


def test_it_asks_for_a_reason_once_there_is_an_answer(page: Page) -> None:
    reason = page.get_by_label("Correct: reason")
    expect(reason).to_be_hidden()
    page.keyboard.press("4")
    page.keyboard.press("1")
    page.keyboard.press("w")
    expect(reason).to_be_focused()
    page.keyboard.type("12 of 12")
    expect(page.locator("[name=score][value='4']")).to_be_checked()


def test_it_answers_a_rubric_without_javascript(open_page: OpenPage, reviewer: User, page: Page) -> None:
    plain = open_page(reviewer, java_script_enabled=False)
    plain.goto("/p/support/queues/answers/review/")
    complete = plain.get_by_role("group", name="Complete")
    plain.get_by_role("group", name="Correct").get_by_role("radio", name="yes").click()
    complete.get_by_role("radio", name="good").click()
    tone = plain.get_by_role("group", name="Tone")
    tone.get_by_role("radio", name="fair").click()
    tone.get_by_role("radio", name="No answer").click()
    plain.get_by_role("button", name="Submit and next").click()
    expect(plain.get_by_text("Item 2 of 3")).to_be_visible()
    answers = Review.objects.get().criterion_answers
    assert (answers["correct"], answers["complete"], answers["tone"]) == (True, "good", None)


def test_it_answers_100_items_of_five_criteria_in_700_keys(open_page: OpenPage, reviewer: User, queue: Queue) -> None:
    items = 4
    queue.score_min, queue.score_max, queue.score_step = 1, 5, 1
    queue.criteria = criteria.dump_criteria([Criterion(f"c{n}", f"C {n}", "choice", options=LEVELS) for n in range(5)])
    queue.save()
    fill_queue(queue, items + 1)
    page = open_workbench(open_page, reviewer)
    keys = "512312"
    for number in range(items):
        for key in (*keys, "Enter"):
            page.keyboard.press(key)
        wait_for_item(page, number + 2)
    wait_until_saved(page)
    answers = [review.criterion_answers for review in Review.objects.all()]
    assert answers == [{"c0": "poor", "c1": "fair", "c2": "good", "c3": "poor", "c4": "fair"}] * items
    assert (len(keys) + 1) * 100 <= 700


def prefer(user: User, **changes: object) -> None:
    user.preferences_json = dump_preferences(Preferences(**changes))  # type: ignore[arg-type]
    user.save()


def test_it_goes_on_after_the_last_required_answer(open_page: OpenPage, reviewer: User, queue: Queue) -> None:
    prefer(reviewer, advances=True)
    queue.score_min, queue.score_max, queue.score_step = 1, 5, 1
    queue.criteria = criteria.dump_criteria(SEVEN)
    queue.save()
    fill_queue(queue, 3)
    page = open_workbench(open_page, reviewer)
    page.keyboard.press("4")
    page.keyboard.press("1")
    page.wait_for_timeout(400)
    expect(page.locator("#rail")).to_contain_text("Item 1 of")
    page.keyboard.press("3")
    wait_for_item(page, 2)
    wait_until_saved(page)
    assert Review.objects.get().criterion_answers["complete"] == "good"


def test_it_acts_on_own_keys_and_inserts_snippets(open_page: OpenPage, reviewer: User, queue: Queue) -> None:
    prefer(reviewer, own_keys={"notes": ";"}, snippets=("Left out a step.", "Wrong order."))
    fill_queue(queue, 3)
    page = open_workbench(open_page, reviewer)
    page.keyboard.press("n")
    expect(page.locator("#trace")).to_be_focused()
    page.keyboard.press(";")
    page.keyboard.type("Hm.")
    page.keyboard.press("Escape")
    page.keyboard.press("i")
    page.keyboard.press("2")
    expect(page.get_by_label("Notes")).to_have_value("Hm. Wrong order.")
    expect(page.locator("#score")).to_have_value("")


def test_it_skips_by_keys_without_touching_the_score(page: Page, queue: Queue) -> None:
    for key in ("s", "3", "x", "o"):
        page.keyboard.press(key)
    wait_for_item(page, 2)
    wait_until_saved(page)
    assert (Skip.objects.get().kind, Skip.objects.get().reason) == ("other", "Outside my field")
    page.keyboard.press("k")
    wait_for_item(page, 1)
    expect(page.locator("[name=score]:checked")).to_have_count(0)


def test_it_travels_along_the_map_of_a_long_queue(open_page: OpenPage, reviewer: User, queue: Queue) -> None:
    fill_queue(queue, 60)
    page = open_workbench(open_page, reviewer, viewport={"width": 1440, "height": 900})
    box = page.locator(".travel").bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + box["width"] * 0.5, box["y"] + 12)
    wait_for_item(page, 30)
    assert "/items/" in page.url
    mark = page.locator(".map .current").bounding_box()
    assert mark is not None
    assert abs(mark["x"] - box["x"] - box["width"] * 29 / 60) < 2
    page.get_by_role("link", name="Next item").click()
    wait_for_item(page, 31)
