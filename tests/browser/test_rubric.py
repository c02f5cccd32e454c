"""The rubric editor and the form it defines, in a real browser."""

from decimal import Decimal

import pytest
from playwright.sync_api import expect

from reviewapp.accounts.models import User
from reviewapp.queues.models import Queue
from reviewapp.queues.rubric import criteria
from reviewapp.queues.rubric.criteria import Criterion, Option
from reviewapp.reviews.models import Review
from tests.browser.conftest import OpenPage
from tests.browser.workbench import fill_queue, open_workbench, wait_for_item, wait_until_saved
from tests.factories import QueueItemFactory, SpanFactory, TraceFactory

pytestmark = pytest.mark.django_db(transaction=True)

URL = "/p/support/queues/answers/rubric/"
OPTIONS = (Option("invented", "Not in the data."), Option("late"))
FAULTS = Criterion("faults", "What went wrong", "choices", options=OPTIONS)
CRITERIA = (FAULTS, Criterion("better", "A better answer", "correction"))


def test_it_previews_the_form(open_page: OpenPage, lead: User, queue: Queue) -> None:
    page = open_page(lead)
    page.goto(URL)
    page.get_by_role("button", name="several choices").click()
    page.get_by_label("Label", exact=True).fill("What went wrong")
    page.get_by_label("Options").fill("invented: Not in the data.\nlate")
    preview = page.get_by_role("region", name="Preview")
    expect(preview.get_by_role("checkbox", name="invented Not in the data.")).to_be_visible()
    page.get_by_role("button", name="yes or no").click()
    expect(page.get_by_label("Label", exact=True)).to_have_count(2)
    expect(page.get_by_label("Label", exact=True).first).to_have_value("What went wrong")
    page.get_by_label("Label", exact=True).last.fill("Is it right?")
    expect(preview.get_by_role("group", name="Is it right?")).to_be_visible()
    page.get_by_role("button", name="Save").first.click()
    expect(page.get_by_text("saved as version 2")).to_be_visible()
    queue.refresh_from_db()
    assert [criterion.key for criterion in queue.parsed_criteria] == ["what_went_wrong", "is_it_right"]


def test_it_edits_the_rubric_without_javascript(open_page: OpenPage, lead: User, queue: Queue) -> None:
    page = open_page(lead, java_script_enabled=False)
    page.goto(URL)
    page.get_by_role("button", name="1 to 5").click()
    page.get_by_role("button", name="number", exact=True).click()
    page.get_by_label("Label", exact=True).fill("Stars")
    page.get_by_label("Label", exact=True).press("Enter")
    page.wait_for_url("**/queues/answers/")
    queue.refresh_from_db()
    assert (queue.score_max, queue.parsed_criteria[0].kind, queue.rubric_version) == (Decimal(5), "number", 2)


def test_it_saves_the_answers_to_criteria(open_page: OpenPage, reviewer: User, queue: Queue) -> None:
    queue.criteria = criteria.dump_criteria(CRITERIA)
    queue.save()
    for _ in range(2):
        trace = TraceFactory.create(project=queue.project, spans_pulled_at="2026-11-22T10:00Z")
        SpanFactory.create(trace=trace)
        QueueItemFactory.create(queue=queue, trace_id=trace.trace_id)
    page = open_page(reviewer)
    page.goto("/p/support/queues/answers/review/")
    page.get_by_role("checkbox", name="late").check()
    expect(page.get_by_label("A better answer")).to_have_value("Paris.")
    page.get_by_label("A better answer").fill("It is Paris.")
    expect(page.get_by_role("group", name="Changes").locator("ins")).to_have_text("It is")
    page.get_by_role("button", name="Submit and next").click()
    expect(page.get_by_text("Item 2 of 2")).to_be_visible()
    wait_until_saved(page)
    assert Review.objects.get().criterion_answers == {
        "faults": ["late"], "better": {"edits": 2, "from": "Paris.", "text": "It is Paris."},
    }  # fmt: skip


def test_it_focuses_the_refused_criterion(open_page: OpenPage, reviewer: User, queue: Queue) -> None:
    queue.criteria = criteria.dump_criteria((*CRITERIA, Criterion("right", "Is it right?", "yes_no", is_required=True)))
    queue.save()
    page = open_workbench(open_page, reviewer, ahead=fill_queue(queue, 2).items.count() - 1)
    page.get_by_label("Notes").fill("good")
    page.locator("#submit").click()
    expect(page.get_by_role("group", name="Is it right?").get_by_role("radio", name="yes")).to_be_focused()
    expect(page.get_by_text("An answer is required.")).to_be_in_viewport()


def test_it_repeats_answers_but_no_correction_or_text(open_page: OpenPage, reviewer: User, queue: Queue) -> None:
    queue.criteria = criteria.dump_criteria((*CRITERIA, Criterion("why", "Why", "text")))
    queue.save()
    page = open_workbench(open_page, reviewer, ahead=fill_queue(queue, 2).items.count() - 1)
    page.get_by_label("invented").check()
    page.get_by_label("A better answer").fill("Paris, in France.")
    page.get_by_label("Why", exact=True).fill("As asked.")
    page.get_by_label("Notes").fill("of the first")
    page.locator("#submit").click()
    wait_for_item(page, 2)
    wait_until_saved(page)
    page.get_by_label("Notes").fill("of the second")
    page.get_by_label("Notes").blur()
    page.keyboard.press("=")
    expect(page.get_by_label("invented")).to_be_checked()
    expect(page.get_by_label("Why", exact=True)).to_have_value("As asked.")
    expect(page.get_by_label("Notes")).to_have_value("of the second")
    expect(page.get_by_label("A better answer")).to_have_value("Paris.")
