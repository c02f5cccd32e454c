"""Jumps, search and tabs of the trace reader, in a real browser."""

from datetime import timedelta
from uuid import UUID

import pytest
from playwright.sync_api import Page, expect

from reviewapp.accounts.models import User
from reviewapp.lib import canonical_json, clock
from reviewapp.queues.models import Queue, QueueItem
from reviewapp.traces.models import Span, Trace
from tests.browser.conftest import OpenPage
from tests.factories import QueueItemFactory, SpanFactory, TraceFactory

pytestmark = pytest.mark.django_db(transaction=True)

# Jump as a keyboard shortcut does.
JUMP = """async (kind) => {
  const module = await import(document.querySelector("script[src$='/main.js']").src.replace("main.js", "reader.js"));
  module.jump(kind);
}"""
LONG = "the needle lies in a long result " * 400


@pytest.fixture
def item(queue: Queue) -> QueueItem:
    """A trace of an agent that calls four tools, two of which fail, and answers."""
    trace: Trace = TraceFactory.create(project=queue.project, spans_pulled_at=clock.now(), span_count=7)
    begin = trace.start_time
    assert begin is not None

    def add(number: int, kind: str, name: str, input_value: object, output_value: object, **fields: object) -> None:
        start = begin + timedelta(seconds=number if number < 7 else 1.2)
        SpanFactory.create(
            trace=trace, span_id=UUID(int=number), parent_span_id=UUID(int=1) if number > 1 else None, name=name,
            span_type=kind, input=canonical_json.dumps(input_value), output=canonical_json.dumps(output_value),
            start_time=start, end_time=start + timedelta(seconds=5 if number == 4 else 0.5), **fields,
        )  # fmt: skip

    add(1, "DEFAULT", "agent", "Where is my **parcel**?", "It comes on Friday.")
    question = {"role": "user", "content": "Where is my **parcel**?"}
    plan = {"role": "assistant", "content": "I **look** it up."}
    add(7, "LLM", "plan", [question], [plan])
    add(2, "TOOL", "lookup", {"order": 1}, "found needle and needle")
    add(3, "TOOL", "broken_first", {"order": 2}, "", status="error")
    add(4, "TOOL", "slow", {"order": 3}, LONG)
    add(5, "TOOL", "broken_second", {"order": 4}, "", status="error")
    add(6, "LLM", "answer", [question, plan], "It comes on Friday.")
    item: QueueItem = QueueItemFactory.create(queue=queue, trace_id=trace.trace_id)
    return item


def open_item(page: Page, item: QueueItem, tab: str = "transcript") -> Page:
    page.goto(f"/p/support/items/{item.pk}/?tab={tab}")
    expect(page.locator("#reading")).to_be_visible()
    return page


def wait_for_text(page: Page, selector: str, text: str) -> None:
    """Wait for an element's text on a page of many rows.

    An expectation that does not hold at once makes Playwright walk the whole page, which takes seconds on such a page.
    """
    page.wait_for_function(
        "([selector, text]) => document.querySelector(selector)?.textContent.includes(text)", arg=[selector, text]
    )


def announcement(page: Page) -> str:
    return page.locator("#jumped").inner_text()


def focused_turn(page: Page) -> str:
    return str(page.evaluate("document.activeElement.closest('.turn, .step').textContent"))


def test_it_starts_from_the_first_error_outside_the_trace(open_page: OpenPage, reviewer: User, item: QueueItem) -> None:
    page = open_item(open_page(reviewer), item)
    announcements = []
    for _ in range(3):
        page.locator("[data-jump=error]").focus()
        page.evaluate("document.activeElement.click()")
        announcements.append(announcement(page))
    assert announcements == ["Error 1 of 2"] * 3


def test_it_jumps_on_from_the_focused_turn(open_page: OpenPage, reviewer: User, item: QueueItem) -> None:
    page = open_item(open_page(reviewer), item)
    names = []
    for _ in range(3):
        page.evaluate(JUMP, "error")
        names.append("first" if "broken_first" in focused_turn(page) else "second")
    assert names == ["first", "second", "first"]
    page.evaluate(JUMP, "longest")
    assert "slow" in focused_turn(page)
    assert announcement(page) == "Longest step 1 of 1"


def test_it_unfolds_and_loads_the_turn_it_jumps_to(open_page: OpenPage, reviewer: User, item: QueueItem) -> None:
    page = open_item(open_page(reviewer), item)
    expect(page.locator(".longest .later")).to_have_count(1)
    page.locator("[data-jump=longest]").click()
    expect(page.locator(".longest pre").last).to_contain_text("in a long result the needle")
    expect(page.locator(".longest .later")).to_have_count(0)


def test_it_searches_folded_turns(open_page: OpenPage, reviewer: User, item: QueueItem) -> None:
    page = open_item(open_page(reviewer), item)
    page.locator(".search input").click()
    expect(page.locator(".later")).to_have_count(0)
    page.keyboard.type("NEEDLE")
    count = page.locator("#found")
    expect(count).to_have_text("1 of 402")
    expect(page.get_by_text("found needle and needle").last).to_be_visible()
    page.keyboard.press("Enter")
    expect(count).to_have_text("2 of 402")
    page.keyboard.press("Shift+Enter")
    page.keyboard.press("Shift+Enter")
    expect(count).to_have_text("402 of 402")


def test_it_finds_a_match_across_formatted_words(open_page: OpenPage, reviewer: User, item: QueueItem) -> None:
    page = open_item(open_page(reviewer), item)
    html = page.locator(".turn.assistant .parts").first.inner_html()
    page.locator(".search input").fill("look it up")
    expect(page.locator("#found")).to_have_text("1 of 1")
    assert page.evaluate("[...CSS.highlights.get('found')].map(String)") == ["look it up"]
    assert page.locator(".turn.assistant .parts").first.inner_html() == html


def test_it_ends_the_search_on_escape(open_page: OpenPage, reviewer: User, item: QueueItem) -> None:
    page = open_item(open_page(reviewer), item)
    page.locator(".search input").fill("friday")
    expect(page.locator("#found")).not_to_be_empty()
    page.locator(".search input").press("Escape")
    expect(page.locator("#found")).to_be_empty()
    assert page.evaluate("CSS.highlights.has('found')") is False


def test_it_switches_tabs_repeatedly(open_page: OpenPage, reviewer: User, item: QueueItem) -> None:
    page = open_item(open_page(reviewer), item)
    page.locator("[name=notes]").fill("kept")
    for tab, text in (
        ("Steps", "Waterfall"),
        ("Raw", "broken_first"),
        ("Metadata", "no metadata"),
        ("Transcript", "Friday"),
    ):
        page.locator(".tabs").get_by_role("link", name=tab).click()
        expect(page.locator("#reading").get_by_text(text).first).to_be_visible()
    expect(page.locator("[name=notes]")).to_have_value("kept")
    expect(page.locator("#workbench")).to_have_count(1)


def test_it_loads_raw_json_node_by_node(open_page: OpenPage, reviewer: User, item: QueueItem) -> None:
    page = open_item(open_page(reviewer), item, "raw")
    page.get_by_text("slow").first.click()
    page.get_by_text("output text, 13,200 characters").click()
    expect(page.locator(".raw pre")).to_contain_text("the needle lies in a long result")


@pytest.mark.parametrize("tab", ["transcript", "steps", "raw"])
def test_it_is_readable_without_javascript(open_page: OpenPage, reviewer: User, item: QueueItem, tab: str) -> None:
    page = open_item(open_page(reviewer, java_script_enabled=False), item, tab)
    for text in {
        "transcript": ["5 steps between", "slow", "Open this turn"],
        "steps": ["slow"],
        "raw": ["slow", "Open this span", "output text"],
    }[tab]:
        page.locator("#reading").get_by_text(text).locator("visible=true").first.click()
    if tab == "raw":
        page.get_by_text("Open this part").locator("visible=true").first.click()
    expect(page.get_by_text("in a long result the needle").locator("visible=true").first).to_be_visible()


def test_it_searches_without_javascript(open_page: OpenPage, reviewer: User, item: QueueItem) -> None:
    page = open_item(open_page(reviewer, java_script_enabled=False), item)
    page.locator(".search input").fill("needle")
    page.get_by_role("button", name="Search").click()
    expect(page.get_by_text("402 matches")).to_be_visible()
    page.locator(".found li a").nth(1).click()
    expect(page.get_by_text("in a long result the needle").first).to_be_visible()


def test_it_jumps_without_javascript(open_page: OpenPage, reviewer: User, item: QueueItem) -> None:
    page = open_item(open_page(reviewer, java_script_enabled=False), item)
    page.locator("[data-jump=error]").click()
    expect(page.locator("#turn-4:target")).to_contain_text("This step failed without recording an exception.")


@pytest.fixture
def long_item(queue: Queue) -> QueueItem:
    """A trace of an agent that calls six hundred tools, of which the 301st and the 401st fail, and answers."""
    trace: Trace = TraceFactory.create(project=queue.project, spans_pulled_at=clock.now(), span_count=602)
    begin = trace.start_time
    assert begin is not None
    question = canonical_json.dumps([{"role": "user", "content": "Where is my parcel?"}])
    spans = [SpanFactory.build(trace=trace, span_id=UUID(int=1), input=question, output='"I look it up."')]
    spans += [
        SpanFactory.build(
            trace=trace, span_id=UUID(int=number), span_type="TOOL", name=f"look {number}", input="{}",
            output=f"a needle in step {number}" if number in (301, 550) else "hay",
            status="error" if number in (301, 401) else "success", start_time=begin + timedelta(seconds=number),
            event_texts="[]",
        )
        for number in range(2, 602)
    ]  # fmt: skip
    late = begin + timedelta(seconds=700)
    spans.append(
        SpanFactory.build(trace=trace, span_id=UUID(int=700), input=question, output='"On Friday."', start_time=late)
    )
    Span.objects.bulk_create(spans)
    item: QueueItem = QueueItemFactory.create(queue=queue, trace_id=trace.trace_id)
    return item


@pytest.mark.parametrize("tab", ["transcript", "steps"])
def test_it_jumps_to_errors_that_are_not_loaded(
    open_page: OpenPage, reviewer: User, long_item: QueueItem, tab: str
) -> None:
    page = open_item(open_page(reviewer), long_item, tab)
    for number, message in ((301, "Error 1 of 2"), (401, "Error 2 of 2"), (301, "Error 1 of 2")):
        page.keyboard.press("e")
        wait_for_text(page, "#jumped", message)
        wait_for_text(page, ":focus", f"look {number}")
        expect(page.locator("#jumped")).to_have_text(message)


def test_it_searches_turns_that_are_not_loaded(open_page: OpenPage, reviewer: User, long_item: QueueItem) -> None:
    page = open_item(open_page(reviewer), long_item, "steps")
    page.locator(".search [type=search]").fill("needle")
    wait_for_text(page, "#found", "1 of 1 loaded")
    expect(page.locator("#found")).to_have_text("1 of 1 loaded")
    page.locator(".search [type=search]").press("Enter")
    wait_for_text(page, ".found", "2 steps in this trace contain “needle”.")
    wait_for_text(page, "#jumped", "Match 2 of 2")
    expect(page.locator("#jumped")).to_have_text("Match 2 of 2")
    expect(page.get_by_text("a needle in step 550")).to_be_visible()
    expect(page.locator(".search [type=search]")).to_be_focused()
    page.get_by_role("button", name="Search the whole trace").click()
    wait_for_text(page, ".tabs [aria-current]", "Steps")


def test_it_opens_with_the_answer_in_view(open_page: OpenPage, reviewer: User, long_item: QueueItem) -> None:
    page = open_item(open_page(reviewer), long_item)
    expect(page.locator(".turn.answer")).to_be_in_viewport()
    expect(page.get_by_text("601 steps between: 1 model call, 600 tool calls 2 errors")).to_be_visible()
    page.keyboard.press("t")
    expect(page.locator(":focus")).to_contain_text("look 2")
    page.keyboard.press("a")
    expect(page.locator(".turn.answer")).to_be_focused()


def test_it_loads_an_image_only_on_request(open_page: OpenPage, reviewer: User, item: QueueItem) -> None:
    trace = Trace.objects.get(trace_id=item.trace_id)
    picture = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
    block = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{picture}"}}
    trace.spans.filter(name="plan").update(input=canonical_json.dumps([{"role": "user", "content": [block]}]))
    page, image_requests = open_page(reviewer), []
    page.on("request", lambda request: image_requests.append("/images/" in request.url))
    open_item(page, item)
    page.evaluate("for (const fold of document.querySelectorAll('#reading details:not(.picture)')) fold.open = true")
    expect(page.get_by_text("Show image")).to_be_visible()
    assert not any(image_requests)
    page.get_by_text("Show image").click()
    expect(page.locator(".picture img")).to_have_js_property("naturalWidth", 1)


def test_it_leaves_half_of_a_phone_to_the_turns(open_page: OpenPage, reviewer: User, long_item: QueueItem) -> None:
    Trace.objects.update(
        name="a trace with quite a long name of its own", total_tokens=39_120, total_cost=0.21,
        metadata=canonical_json.dumps({f"key_{number}": "a value of some length" for number in range(9)}),
    )  # fmt: skip
    QueueItem.objects.update(reason="sampled at 5 % of all conversations with the refund desk", reference="order 4471")
    page = open_item(open_page(reviewer, viewport={"width": 360, "height": 740}), long_item)
    height, head = page.evaluate("""() => {
      const pane = document.querySelector("#trace").getBoundingClientRect();
      return [pane.height, document.querySelector(".transcript").getBoundingClientRect().top - pane.top];
    }""")
    assert head <= height / 2, (head, height)


def count_open_folds(page: Page) -> tuple[int, int]:
    """Return how many folds of the transcript are open, and how many there are."""
    opened, total = (page.locator(f".transcript details.fold{state}").count() for state in ("[open]", ""))
    return opened, total


def test_it_opens_and_folds_all_turns_and_remembers_it(open_page: OpenPage, reviewer: User, item: QueueItem) -> None:
    page = open_item(open_page(reviewer), item)
    total = count_open_folds(page)[1]
    assert total
    assert count_open_folds(page) == (0, total)
    page.keyboard.press("o")
    assert count_open_folds(page) == (total, total)
    open_item(page, item)
    expect(page.get_by_role("button", name="Fold all")).to_be_visible()
    assert count_open_folds(page) == (total, total)
    page.get_by_role("button", name="Fold all").click()
    assert count_open_folds(page) == (0, total)


def test_it_scrolls_to_the_match_itself_below_the_tabs(open_page: OpenPage, reviewer: User, item: QueueItem) -> None:
    page = open_item(open_page(reviewer), item)
    page.locator(".search input").click()
    expect(page.locator(".later")).to_have_count(0)
    page.locator(".search input").fill("the needle lies")
    expect(page.locator("#found")).to_have_text("1 of 400")
    page.keyboard.press("Shift+Enter")
    expect(page.locator("#found")).to_have_text("400 of 400")
    match_top, bar_bottom, height = page.evaluate("""() => [
      [...CSS.highlights.get("found-here")][0].getBoundingClientRect().top,
      document.querySelector(".reader-bar").getBoundingClientRect().bottom,
      innerHeight,
    ]""")
    assert 0 < bar_bottom <= match_top < height
    expect(page.locator(".tabs.links")).to_be_in_viewport()


def test_it_opens_a_step_over_the_full_width(open_page: OpenPage, reviewer: User, item: QueueItem) -> None:
    page = open_item(open_page(reviewer), item, "steps")
    page.locator(".steps summary").get_by_text("plan").click()
    detail = page.locator(".detail:visible")
    expect(detail).to_contain_text("Where is my **parcel**?")
    width, table_width = (locator.bounding_box() for locator in (detail, page.locator(".steps")))
    assert width is not None
    assert table_width is not None
    assert width["width"] > table_width["width"] - 40


def test_it_folds_steps_and_keeps_the_place_of_the_tree(open_page: OpenPage, reviewer: User, item: QueueItem) -> None:
    page = open_item(open_page(reviewer), item, "steps")
    page.locator(".twig").click()
    expect(page.locator("tr.step:visible")).to_have_count(1)
    for tab in ("Raw", "Steps"):
        page.locator(".tabs").get_by_role("link", name=tab).click()
        expect(page.locator(".tabs.links [aria-current]")).to_contain_text(tab)
    expect(page.locator("tr.step:visible")).to_have_count(1)
    page.keyboard.press("e")
    expect(page.locator(":focus")).to_contain_text("broken_first")


def test_it_shows_times_in_the_browsers_zone(open_page: OpenPage, reviewer: User, item: QueueItem) -> None:
    page = open_item(open_page(reviewer, timezone_id="Asia/Tokyo"), item)
    page.reload()
    time = page.locator(".turn time").first
    hour = time.evaluate("element => new Date(element.dateTime).getHours()")
    assert time.inner_text().startswith(f"{hour:02}:")
    assert (time.get_attribute("title") or "").endswith(" UTC")
