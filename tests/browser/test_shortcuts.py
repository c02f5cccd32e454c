"""The reviewer's keyboard shortcuts, in a real browser."""

from decimal import Decimal

import pytest
from playwright.sync_api import Page, expect

from reviewapp.accounts.models import User
from reviewapp.queues.models import Queue
from reviewapp.queues.rubric import criteria
from reviewapp.queues.rubric.criteria import Criterion
from reviewapp.reviews.models import Review
from tests.browser.conftest import OpenPage
from tests.browser.workbench import fill_queue, open_workbench, wait_for_item, wait_until_saved

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def page(open_page: OpenPage, reviewer: User, queue: Queue) -> Page:
    fill_queue(queue)
    return open_workbench(open_page, reviewer)


def focused(page: Page) -> str:
    name: str = page.evaluate("document.activeElement.id || document.activeElement.className")
    return name


def test_it_scores_and_submits_with_two_keys(page: Page) -> None:
    page.keyboard.press("4")
    expect(page.locator("#score")).to_have_value("0.75")
    page.keyboard.press("Enter")
    wait_for_item(page, 2)
    wait_until_saved(page)
    assert Review.objects.get().score_text == "0.75"


def test_it_toggles_needs_review(page: Page) -> None:
    page.keyboard.press("r")
    expect(page.locator("[name=needs_review]")).to_be_checked()
    page.keyboard.press("r")
    expect(page.locator("[name=needs_review]")).not_to_be_checked()


def test_it_ignores_shortcuts_in_the_notes(page: Page) -> None:
    page.keyboard.press("n")
    page.keyboard.type("rsnjku=/? 12")
    expect(page.locator("#notes")).to_have_value("rsnjku=/? 12")
    expect(page.locator("#rail")).to_contain_text("Item 1 of")
    page.keyboard.press("Escape")
    assert focused(page) == "trace"


def test_it_submits_from_inside_the_notes(page: Page) -> None:
    page.keyboard.press("n")
    page.keyboard.type("good")
    page.keyboard.press("Control+Enter")
    wait_for_item(page, 2)
    assert focused(page) == "trace"


def test_it_submits_once_while_enter_is_held(page: Page) -> None:
    page.keyboard.press("1")
    page.locator("#submit").focus()
    for _ in range(6):
        page.keyboard.down("Enter")
    page.keyboard.up("Enter")
    wait_for_item(page, 2)
    wait_until_saved(page)
    assert Review.objects.count() == 1


def test_it_ignores_keys_before_the_item_is_painted(page: Page) -> None:
    page.evaluate(
        """() => { for (const key of ["1", "Enter", "2", "Enter"])
            document.body.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true })) }"""
    )
    wait_for_item(page, 2)
    wait_until_saved(page)
    expect(page.locator("#score")).to_have_value("")
    assert Review.objects.count() == 1


def test_it_submits_once_on_a_double_click(page: Page) -> None:
    page.keyboard.press("1")
    page.locator("#submit").dblclick()
    wait_for_item(page, 2)
    wait_until_saved(page)
    assert Review.objects.count() == 1
    expect(page.locator("#banner p")).to_have_count(0)


@pytest.mark.parametrize(("forward", "back"), [("j", "k"), ("ArrowRight", "ArrowLeft")])
def test_it_moves_between_items(page: Page, forward: str, back: str) -> None:
    page.keyboard.press(forward)
    wait_for_item(page, 2)
    page.keyboard.press(back)
    wait_for_item(page, 1)


@pytest.mark.parametrize("keys", ["Alt+ArrowRight", "Control+j", "Shift+ArrowRight", "Control+u", "Alt+s"])
def test_it_ignores_key_combinations_of_the_browser(page: Page, keys: str) -> None:
    page.keyboard.press(keys)
    page.wait_for_timeout(100)
    expect(page.locator("#rail")).to_contain_text("Item 1 of")


def test_it_ignores_arrows_in_a_radio_group(open_page: OpenPage, reviewer: User, queue: Queue) -> None:
    Queue.objects.update(score_max=5, score_min=1, score_step=1)
    fill_queue(queue, 2)
    page = open_workbench(open_page, reviewer, ahead=1)
    page.keyboard.press("3")
    expect(page.locator("[name=score][value='3']")).to_be_checked()
    page.locator("[name=score][value='3']").focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator("[name=score][value='4']")).to_be_checked()
    expect(page.locator("#rail")).to_contain_text("Item 1 of")


def test_it_chooses_in_the_focused_row(page: Page) -> None:
    page.evaluate(
        """() => document.querySelector("#notes").insertAdjacentHTML("beforebegin",
            `<div data-criterion><input type=radio name=tone value=a data-key=1>
             <input type=radio name=tone value=b data-key=2></div>`)"""
    )
    page.locator("[value=a]").focus()
    page.keyboard.press("2")
    expect(page.locator("[value=b]")).to_be_checked()
    expect(page.locator("#score")).to_have_value("")


def test_it_opens_a_link_with_enter(page: Page) -> None:
    page.keyboard.press("1")
    page.get_by_role("link", name="Steps").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("columnheader", name="Waterfall")).to_be_visible()
    assert not Review.objects.exists()


def test_it_skips(page: Page) -> None:
    page.keyboard.press("s")
    page.keyboard.press("Enter")
    wait_for_item(page, 2)


@pytest.mark.parametrize("arrival", ["opened", "reloaded", "arrow", "skipped"])
def test_it_focuses_the_trace_after(page: Page, arrival: str) -> None:
    if arrival == "reloaded":
        page.reload()
    elif arrival == "arrow":
        page.keyboard.press("j")
        wait_for_item(page, 2)
    elif arrival == "skipped":
        page.keyboard.press("s")
        page.keyboard.press("Enter")
        wait_for_item(page, 2)
    page.wait_for_function("document.activeElement.id === 'trace'")


def test_it_focuses_the_refused_field(page: Page) -> None:
    page.locator("#score").fill("seven")
    page.keyboard.press("Control+Enter")
    expect(page.locator("#score")).to_be_focused()
    expect(page.locator("#score")).to_be_in_viewport()


def test_it_focuses_the_question_about_personal_data(page: Page) -> None:
    page.locator("#notes").fill("ask ann@example.org")
    page.keyboard.press("Control+Enter")
    page.get_by_role("link", name="Go back to item 1").click()
    expect(page.locator("#review .foot [role=alert]")).to_be_focused()


def test_it_moves_focus_to_the_form_and_back(page: Page) -> None:
    page.keyboard.press("f")
    assert focused(page) == "preset"
    page.keyboard.press("2")
    expect(page.locator("#score")).to_have_value("0.25")
    page.keyboard.press("Escape")
    assert focused(page) == "trace"


def test_it_keeps_the_later_of_score_and_unsure(page: Page) -> None:
    page.keyboard.press("3")
    page.keyboard.press("x")
    expect(page.locator("[name=unsure]")).to_be_checked()
    expect(page.locator("#score")).to_have_value("")
    page.keyboard.press("3")
    expect(page.locator("[name=unsure]")).not_to_be_checked()
    expect(page.locator("#score")).to_have_value("0.5")


def test_it_keeps_the_later_of_score_option_and_unsure(open_page: OpenPage, reviewer: User, queue: Queue) -> None:
    Queue.objects.update(score_max=5, score_min=1, score_step=1)
    fill_queue(queue, 2)
    page = open_workbench(open_page, reviewer, ahead=1)
    page.keyboard.press("3")
    page.keyboard.press("x")
    expect(page.locator("[name=score][value='']")).to_be_checked()
    page.keyboard.press("4")
    expect(page.locator("[name=unsure]")).not_to_be_checked()


def test_it_remembers_stay_here(page: Page) -> None:
    page.get_by_label("Stay here").check()
    page.keyboard.press("j")
    wait_for_item(page, 2)
    expect(page.get_by_label("Stay here")).to_be_checked()
    page.go_back()
    wait_for_item(page, 1)
    expect(page.get_by_label("Stay here")).to_be_checked()
    page.get_by_label("Stay here").uncheck()
    page.reload()
    expect(page.get_by_label("Stay here")).not_to_be_checked()


def test_it_highlights_the_focused_row(open_page: OpenPage, reviewer: User, queue: Queue) -> None:
    queue.criteria = criteria.dump_criteria([Criterion("right", "Is it right?", "yes_no")])
    queue.save()
    page = open_workbench(open_page, reviewer, ahead=fill_queue(queue, 2).items.count() - 1)
    row = page.get_by_role("group", name="Is it right?")
    expect(row).to_have_css("box-shadow", "none")
    row.get_by_role("radio", name="yes").click()
    expect(row).not_to_have_css("box-shadow", "none")
    expect(page.locator(".score .keys")).to_be_hidden()


def test_it_repeats_the_last_answers(page: Page) -> None:
    page.locator("#notes").fill("as before")
    page.locator("#notes").blur()
    page.keyboard.press("r")
    page.keyboard.press("3")
    page.keyboard.press("Enter")
    wait_for_item(page, 2)
    wait_until_saved(page)
    page.keyboard.press("=")
    expect(page.locator("#score")).to_have_value("0.5")
    expect(page.locator("#notes")).to_have_value("as before")
    expect(page.locator("[name=needs_review]")).to_be_checked()


def test_it_shows_the_keyboard_shortcuts(page: Page) -> None:
    page.get_by_role("button", name="Shortcuts").click()
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    dialog = page.get_by_role("dialog", name="Keyboard shortcuts")
    expect(dialog).to_contain_text("Undo the last submit")
    page.keyboard.press("1")
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(page.locator("#score")).to_have_value("")


def test_it_flashes_the_pressed_control(page: Page) -> None:
    page.keyboard.press("r")
    expect(page.locator("label.pressed")).to_have_count(1)
    expect(page.locator("label.pressed")).to_have_count(0)


def test_it_sets_the_score_that_the_key_shows(page: Page) -> None:
    for key, score in (("0", "0"), ("1", "1"), ("2", "0.25")):
        page.keyboard.press(key)
        expect(page.locator("#score")).to_have_value(score)


def test_it_shows_pass_and_fail_in_words(open_page: OpenPage, reviewer: User, queue: Queue) -> None:
    queue.score_step = Decimal(1)
    queue.save()
    page = open_workbench(open_page, reviewer, ahead=fill_queue(queue, 2).items.count() - 1)
    page.keyboard.press("1")
    expect(page.get_by_role("radio", name="Pass")).to_be_checked()
    page.keyboard.press("0")
    expect(page.get_by_role("radio", name="Fail")).to_be_checked()


def test_it_submits_by_enter_after_a_click_on_a_button(page: Page) -> None:
    page.locator(".preset").first.click()
    page.keyboard.press("Enter")
    wait_for_item(page, 2)


def test_it_leaves_enter_to_a_button_reached_by_keyboard(page: Page) -> None:
    page.locator("#show-keys").focus()
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog", name="Keyboard shortcuts")).to_be_visible()
    wait_for_item(page, 1)


def test_it_repeats_only_accepted_answers(page: Page) -> None:
    page.locator("#notes").fill("ask ann@example.org")
    page.keyboard.press("Control+Enter")
    expect(page.locator("#banner")).to_contain_text("Not saved: item 1.")
    page.keyboard.press("=")
    expect(page.locator("#notes")).to_have_value("")
