"""Finding one's way in a trace, in a real browser."""

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

# As a key map would call it.
JUMP = """async (kind) => {
  const module = await import(document.querySelector("script[src$='/main.js']").src.replace("main.js", "reader.js"));
  module.jump(kind);
}"""
LONG = "the needle lies in a long result " * 400


@pytest.fixture
def item(queue: Queue) -> QueueItem:
    """An agent that is asked, calls four tools of which two break, and answers."""
    trace: Trace = TraceFactory.create(project=queue.project, spans_pulled_at=clock.now(), span_count=7)
    begin = trace.start_time
    assert begin is not None

    def add(number: int, kind: str, name: str, given: object, said: object, **more: object) -> None:
        at = begin + timedelta(seconds=number if number < 7 else 1.2)
        SpanFactory.create(
            trace=trace, span_id=UUID(int=number), parent_span_id=UUID(int=1) if number > 1 else None, name=name,
            span_type=kind, input=canonical_json.dumps(given), output=canonical_json.dumps(said), start_time=at,
            end_time=at + timedelta(seconds=5 if number == 4 else 0.5), **more,
        )  # fmt: skip

    add(1, "DEFAULT", "agent", "Where is my **parcel**?", "It comes on Friday.")
    asked = {"role": "user", "content": "Where is my **parcel**?"}
    plan = {"role": "assistant", "content": "I **look** it up."}
    add(7, "LLM", "plan", [asked], [plan])
    add(2, "TOOL", "lookup", {"order": 1}, "found needle and needle")
    add(3, "TOOL", "broken_first", {"order": 2}, "", status="error")
    add(4, "TOOL", "slow", {"order": 3}, LONG)
    add(5, "TOOL", "broken_second", {"order": 4}, "", status="error")
    add(6, "LLM", "answer", [asked, plan], "It comes on Friday.")
    made: QueueItem = QueueItemFactory.create(queue=queue, trace_id=trace.trace_id)
    return made


def opened(page: Page, item: QueueItem, tab: str = "transcript") -> Page:
    page.goto(f"/p/support/items/{item.pk}/?tab={tab}")
    expect(page.locator("#reading")).to_be_visible()
    return page


def heard(page: Page) -> str:
    return page.locator("#jumped").inner_text()


def here(page: Page) -> str:
    return str(page.evaluate("document.activeElement.closest('.turn, .step').textContent"))


def test_it_goes_from_error_to_error_and_round(open_page: OpenPage, reviewer: User, item: QueueItem) -> None:
    page = opened(open_page(reviewer), item)
    places = []
    for _ in range(3):
        page.locator("[data-jump=error]").focus()
        page.evaluate("document.activeElement.click()")
        places.append(heard(page))
    assert places == ["Error 1 of 2"] * 3


def test_it_goes_on_from_where_one_is(open_page: OpenPage, reviewer: User, item: QueueItem) -> None:
    page = opened(open_page(reviewer), item)
    names = []
    for _ in range(3):
        page.evaluate(JUMP, "error")
        names.append("first" if "broken_first" in here(page) else "second")
    assert names == ["first", "second", "first"]
    page.evaluate(JUMP, "longest")
    assert "slow" in here(page)
    assert heard(page) == "Longest step 1 of 1"


def test_it_opens_a_folded_turn_and_loads_what_it_holds(open_page: OpenPage, reviewer: User, item: QueueItem) -> None:
    page = opened(open_page(reviewer), item)
    expect(page.locator(".longest .later")).to_have_count(1)
    page.locator("[data-jump=longest]").click()
    expect(page.locator(".longest pre").last).to_contain_text("in a long result the needle")
    expect(page.locator(".longest .later")).to_have_count(0)


def test_it_counts_matches_in_folded_turns_and_opens_them(open_page: OpenPage, reviewer: User, item: QueueItem) -> None:
    page = opened(open_page(reviewer), item)
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


def test_a_match_may_lie_across_marked_words(open_page: OpenPage, reviewer: User, item: QueueItem) -> None:
    page = opened(open_page(reviewer), item)
    before = page.locator(".turn.assistant .parts").first.inner_html()
    page.locator(".search input").fill("look it up")
    expect(page.locator("#found")).to_have_text("1 of 1")
    assert page.evaluate("[...CSS.highlights.get('found')].map(String)") == ["look it up"]
    assert page.locator(".turn.assistant .parts").first.inner_html() == before


def test_escape_ends_the_search(open_page: OpenPage, reviewer: User, item: QueueItem) -> None:
    page = opened(open_page(reviewer), item)
    page.locator(".search input").fill("friday")
    expect(page.locator("#found")).not_to_be_empty()
    page.locator(".search input").press("Escape")
    expect(page.locator("#found")).to_be_empty()
    assert page.evaluate("CSS.highlights.has('found')") is False


def test_its_tabs_change_in_their_place_again_and_again(open_page: OpenPage, reviewer: User, item: QueueItem) -> None:
    page = opened(open_page(reviewer), item)
    page.locator("[name=notes]").fill("kept")
    for tab, sign in (
        ("Steps", "Waterfall"),
        ("Raw", "broken_first"),
        ("Metadata", "no metadata"),
        ("Transcript", "Friday"),
    ):
        page.locator(".tabs").get_by_role("link", name=tab).click()
        expect(page.locator("#reading").get_by_text(sign).first).to_be_visible()
    expect(page.locator("[name=notes]")).to_have_value("kept")
    expect(page.locator("#workbench")).to_have_count(1)


def test_it_shows_a_span_raw_node_by_node(open_page: OpenPage, reviewer: User, item: QueueItem) -> None:
    page = opened(open_page(reviewer), item, "raw")
    page.get_by_text("slow").first.click()
    page.get_by_text("output text, 13,200 characters").click()
    expect(page.locator(".raw pre")).to_contain_text("the needle lies in a long result")


@pytest.mark.parametrize("tab", ["transcript", "steps", "raw"])
def test_it_is_read_without_javascript(open_page: OpenPage, reviewer: User, item: QueueItem, tab: str) -> None:
    page = opened(open_page(reviewer, java_script_enabled=False), item, tab)
    for words in {
        "transcript": ["5 steps between", "slow", "Open this turn"],
        "steps": ["slow"],
        "raw": ["slow", "Open this span", "output text"],
    }[tab]:
        page.locator("#reading").get_by_text(words).locator("visible=true").first.click()
    if tab == "raw":
        page.get_by_text("Open this part").locator("visible=true").first.click()
    expect(page.get_by_text("in a long result the needle").locator("visible=true").first).to_be_visible()


def test_it_finds_without_javascript(open_page: OpenPage, reviewer: User, item: QueueItem) -> None:
    page = opened(open_page(reviewer, java_script_enabled=False), item)
    page.locator(".search input").fill("needle")
    page.get_by_role("button", name="Find").click()
    expect(page.get_by_text("402 matches")).to_be_visible()
    page.locator(".found li a").nth(1).click()
    expect(page.get_by_text("in a long result the needle").first).to_be_visible()


def test_a_jump_works_without_javascript(open_page: OpenPage, reviewer: User, item: QueueItem) -> None:
    page = opened(open_page(reviewer, java_script_enabled=False), item)
    page.locator("[data-jump=error]").click()
    expect(page.locator("#turn-4:target")).to_contain_text("This step failed without recording an exception.")


@pytest.fixture
def long_item(queue: Queue) -> QueueItem:
    """An agent that calls six hundred tools, of which the 301st and the 401st break, and answers."""
    trace: Trace = TraceFactory.create(project=queue.project, spans_pulled_at=clock.now(), span_count=602)
    begin = trace.start_time
    assert begin is not None
    asked = canonical_json.dumps([{"role": "user", "content": "Where is my parcel?"}])
    spans = [SpanFactory.build(trace=trace, span_id=UUID(int=1), input=asked, output='"I look it up."')]
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
        SpanFactory.build(trace=trace, span_id=UUID(int=700), input=asked, output='"On Friday."', start_time=late)
    )
    Span.objects.bulk_create(spans)
    made: QueueItem = QueueItemFactory.create(queue=queue, trace_id=trace.trace_id)
    return made


@pytest.mark.parametrize("tab", ["transcript", "steps"])
def test_it_jumps_to_errors_that_are_not_loaded(
    open_page: OpenPage, reviewer: User, long_item: QueueItem, tab: str
) -> None:
    page = opened(open_page(reviewer), long_item, tab)
    for number, words in ((301, "Error 1 of 2"), (401, "Error 2 of 2"), (301, "Error 1 of 2")):
        page.keyboard.press("e")
        expect(page.locator("#jumped")).to_have_text(words)
        expect(page.locator(":focus")).to_contain_text(f"look {number}")


def test_a_search_goes_on_to_what_is_not_loaded(open_page: OpenPage, reviewer: User, long_item: QueueItem) -> None:
    page = opened(open_page(reviewer), long_item, "steps")
    page.locator(".search [type=search]").fill("needle")
    expect(page.locator("#found")).to_have_text("1 of 1 loaded")
    page.locator(".search [type=search]").press("Enter")
    expect(page.locator(".found")).to_contain_text("2 steps in this trace contain “needle”.")
    expect(page.locator("#jumped")).to_have_text("Match 2 of 2")
    expect(page.get_by_text("a needle in step 550")).to_be_visible()
    expect(page.locator(".search [type=search]")).to_be_focused()
    page.get_by_role("button", name="Search the whole trace").click()
    expect(page.locator(".tabs [aria-current]")).to_contain_text("Steps")


def test_the_answer_is_in_sight_at_the_opening(open_page: OpenPage, reviewer: User, long_item: QueueItem) -> None:
    page = opened(open_page(reviewer), long_item)
    expect(page.locator(".turn.answer")).to_be_in_viewport()
    expect(page.get_by_text("601 steps between: 1 model call, 600 tool calls 2 errors")).to_be_visible()
    page.keyboard.press("t")
    expect(page.locator(":focus")).to_contain_text("look 2")
    page.keyboard.press("a")
    expect(page.locator(".turn.answer")).to_be_focused()


def test_an_image_comes_only_when_it_is_asked_for(open_page: OpenPage, reviewer: User, item: QueueItem) -> None:
    trace = Trace.objects.get(trace_id=item.trace_id)
    picture = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
    block = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{picture}"}}
    trace.spans.filter(name="plan").update(input=canonical_json.dumps([{"role": "user", "content": [block]}]))
    page, asked = open_page(reviewer), []
    page.on("request", lambda request: asked.append("/images/" in request.url))
    opened(page, item)
    page.evaluate("for (const fold of document.querySelectorAll('#reading details:not(.picture)')) fold.open = true")
    expect(page.get_by_text("Show image")).to_be_visible()
    assert not any(asked)
    page.get_by_text("Show image").click()
    expect(page.locator(".picture img")).to_have_js_property("naturalWidth", 1)


def test_a_phone_shows_more_of_the_trace_than_of_its_head(
    open_page: OpenPage, reviewer: User, long_item: QueueItem
) -> None:
    Trace.objects.update(
        name="a trace with quite a long name of its own", total_tokens=39_120, total_cost=0.21,
        metadata=canonical_json.dumps({f"key_{number}": "a value of some length" for number in range(9)}),
    )  # fmt: skip
    QueueItem.objects.update(reason="sampled at 5 % of all conversations with the refund desk", reference="order 4471")
    page = opened(open_page(reviewer, viewport={"width": 360, "height": 740}), long_item)
    room, head = page.evaluate("""() => {
      const half = document.querySelector("#trace").getBoundingClientRect();
      return [half.height, document.querySelector(".transcript").getBoundingClientRect().top - half.top];
    }""")
    assert head <= room / 2, (head, room)
