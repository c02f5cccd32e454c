"""The trace list in a real browser: suggestions while typing, review states, a bulk push."""

import pytest
from playwright.sync_api import Page, expect

from reviewapp.accounts.models import Project, User
from reviewapp.queues.models import Queue
from tests.browser.conftest import OpenPage
from tests.browser.pages import PAGES, create_test_data

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def traces(open_page: OpenPage, project: Project, queue: Queue, admin: User) -> Page:
    create_test_data(project, queue, admin)
    page = open_page(admin)
    page.goto(PAGES["traces"])
    return page


def test_it_suggests_values_of_the_typed_key(traces: Page) -> None:
    traces.get_by_label("Key", exact=True).fill("environment")
    traces.get_by_label("equals").press_sequentially("prod")
    expect(traces.locator("#values option")).to_have_attribute("value", "production")
    traces.get_by_label("equals").fill("production")
    traces.keyboard.press("Enter")
    expect(traces.locator("#results .chip.on")).to_have_count(1)


def test_it_shows_the_review_state_in_each_row(traces: Page) -> None:
    expect(traces.locator("td.review", has_text="pending")).to_have_count(4)
    expect(traces.locator("td.review", has_text="confirmed")).to_have_count(1)
    expect(traces.get_by_text("Show review status of these traces")).to_have_count(0)


def test_it_previews_sends_and_undoes_a_bulk_push(traces: Page) -> None:
    for box in traces.locator("[name=trace]").all()[:2]:
        box.check()
    traces.get_by_role("button", name="Push metadata").click()
    traces.get_by_label("Metadata, one key=value per line").fill("checked=true\nratio=1.0")
    traces.get_by_role("button", name="Preview").click()
    expect(traces.get_by_text("is a whole number with a decimal point")).to_be_visible()
    traces.get_by_role("button", name="Push to 2 traces").click()
    expect(traces.locator("#progress")).to_contain_text("waiting 2")
    traces.get_by_role("button", name="Undo").click()
    expect(traces.locator("#progress")).to_contain_text("superseded 2")


def test_it_goes_to_the_trace_finder_by_key(traces: Page) -> None:
    traces.keyboard.press("/")
    expect(traces.locator("#find-trace")).to_be_focused()


def test_it_steps_through_a_view_by_keys(traces: Page) -> None:
    traces.get_by_label("Status").select_option("success")
    traces.get_by_role("button", name="Filter").click()
    second = traces.locator("a.row").nth(1).get_attribute("href")
    traces.locator("a.row").first.click()
    expect(traces.get_by_role("link", name="Previous")).to_have_count(0)
    traces.keyboard.press("j")
    expect(traces.get_by_role("link", name="Previous")).to_be_visible()
    assert second is not None
    assert traces.url.endswith(second)
    traces.keyboard.press("k")
    expect(traces.get_by_role("link", name="Previous")).to_have_count(0)
    # In a trace, the key searches the trace.
    traces.keyboard.press("/")
    expect(traces.get_by_label("Search in this trace")).to_be_focused()
