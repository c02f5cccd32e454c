"""Layout of the pages: the divider, narrow screens, no layout shift, no sideways scrolling."""

import json

import pytest
from playwright.sync_api import Page, expect

from reviewapp.accounts.models import Project, User
from reviewapp.queues.models import Queue
from reviewapp.queues.rubric import versions
from tests.browser.conftest import OpenPage
from tests.browser.pages import PAGES, create_test_data
from tests.factories import ReviewFactory, TraceFactory

SHIFTS = """() => { window.shifts = []; new PerformanceObserver((list) => window.shifts.push(
    ...list.getEntries().map((entry) => entry.value))).observe({type: "layout-shift"}); }"""
BOXES = """() => [".top", ".rail", ".trace", ".divider", ".panel", ".answers", ".foot", "#submit"].map((name) => {
    const box = document.querySelector(name).getBoundingClientRect();
    return [name, box.x, box.y, box.width, box.height].join(" "); })"""
# A machine may have other fonts, wider or narrower; the letter spacing is wider than any of them.
FONTS = {
    "as installed": "",
    "wide": '* { font-family: "DejaVu Sans", Verdana !important }',
    "narrow": '* { font-family: "Liberation Sans Narrow", "Arial Narrow" !important }',
    "monospaced": '* { font-family: "DejaVu Sans Mono", monospace !important }',
    "spaced": "* { letter-spacing: 2px !important }",
}
WIDTHS = """(styles) => {
    const style = document.head.appendChild(document.createElement("style"));
    const widths = styles.map((text) => { style.textContent = text; return document.documentElement.scrollWidth; });
    style.remove();
    return widths; }"""
SCREENS = [(1440, 900), (1024, 768), (360, 780), (720, 450)]

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def ids(project: Project, queue: Queue, admin: User) -> dict[str, object]:
    return create_test_data(project, queue, admin)


@pytest.fixture
def bench(open_page: OpenPage, reviewer: User, ids: dict[str, object]) -> Page:
    page = open_page(reviewer, viewport={"width": 1440, "height": 900})
    page.goto(PAGES["workbench"])
    expect(page.get_by_role("separator")).to_be_visible()
    return page


def form_width(page: Page) -> int:
    return round(page.locator(".panel").evaluate("(panel) => panel.getBoundingClientRect().width"))


def submit(page: Page) -> None:
    page.locator("[name=score]").fill("1")
    item = page.locator("#workbench").get_attribute("data-item")
    page.get_by_role("button", name="Submit and next").click()
    expect(page.locator(f"#workbench:not([data-item='{item}'])")).to_be_visible()


def test_it_moves_the_divider_by_keys_and_remembers_it(bench: Page) -> None:
    before = form_width(bench)
    bench.get_by_role("separator").focus()
    bench.keyboard.press("ArrowLeft")
    assert form_width(bench) == before + 24
    assert bench.get_by_role("separator").get_attribute("aria-valuenow") == str(before + 24)
    bench.reload()
    assert form_width(bench) == before + 24


def test_it_drags_the_divider_down_to_the_minimum_form_width(bench: Page) -> None:
    bench.mouse.move(*divider_center(bench))
    bench.mouse.down()
    bench.mouse.move(800, 400)
    assert form_width(bench) == 640
    bench.mouse.move(1400, 400)
    bench.mouse.up()
    assert form_width(bench) == 400


def test_it_keeps_the_form_width_for_the_next_item(bench: Page) -> None:
    bench.get_by_role("separator").focus()
    bench.keyboard.press("End")
    widest = form_width(bench)
    submit(bench)

    assert form_width(bench) == widest == 1440 - 360
    assert bench.get_by_role("separator").get_attribute("aria-valuenow") == str(widest)


@pytest.mark.parametrize(("width", "height"), SCREENS)
def test_it_shifts_nothing_when_the_next_item_comes(bench: Page, width: int, height: int) -> None:
    bench.set_viewport_size({"width": width, "height": height})
    submit(bench)
    expect(bench.locator("#left")).to_contain_text("saved here")
    bench.evaluate(SHIFTS)
    before = bench.evaluate(BOXES)
    submit(bench)
    expect(bench.locator("#left")).to_contain_text("saved here")

    assert bench.evaluate(BOXES) == before
    assert sum(bench.evaluate("window.shifts")) == 0


def test_it_never_scrolls_sideways(open_page: OpenPage, admin: User, ids: dict[str, object]) -> None:
    page = open_page(admin, bypass_csp=True)
    too_wide = []
    for kind, url in PAGES.items():
        page.goto(url.format(**ids))
        for width in (1280, 1024, 720, 360):
            page.set_viewport_size({"width": width, "height": 450})
            widths = page.evaluate(WIDTHS, list(FONTS.values()))
            too_wide += [(kind, width, font) for font, actual in zip(FONTS, widths, strict=True) if actual > width]
    assert too_wide == []


@pytest.mark.parametrize(("width", "height"), [(360, 780), (390, 844), (320, 640)])
def test_it_shows_the_form_without_scrolling_on_a_phone(bench: Page, width: int, height: int) -> None:
    bench.set_viewport_size({"width": width, "height": height})

    expect(bench.get_by_role("button", name="Submit and next")).to_be_in_viewport(ratio=1)
    expect(bench.locator("#score")).to_be_in_viewport(ratio=1)
    expect(bench.locator(".trace h1")).to_be_in_viewport(ratio=1)
    expect(bench.get_by_role("separator")).to_be_hidden()


def test_it_links_the_last_answer_on_the_rail(bench: Page) -> None:
    item = bench.locator("#workbench").get_attribute("data-item")
    submit(bench)

    link = bench.get_by_role("link", name="Your last answer")
    expect(link).to_have_attribute("href", f"/p/support/items/{item}/")


def test_it_keeps_the_form_enabled_while_it_polls_the_delivery(bench: Page) -> None:
    submit(bench)
    bench.get_by_role("link", name="Your last answer").click()
    with bench.expect_response("**/delivery/"):
        expect(bench.locator("#review .way")).to_contain_text("saved here")
    bench.wait_for_timeout(100)

    expect(bench.get_by_role("button", name="Submit new revision")).to_be_enabled()


def divider_center(page: Page) -> tuple[float, float]:
    box = page.get_by_role("separator").bounding_box()
    assert box is not None
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


@pytest.mark.parametrize(("width", "query"), [(360, ""), (1024, "?c=a&c=b&c=c&c=d")])
def test_it_wraps_a_long_trace_name(open_page: OpenPage, lead: User, project: Project, width: int, query: str) -> None:
    TraceFactory.create(project=project, name="a_long_root_span_name_without_a_blank.step", metadata='{"tier":"free"}')
    page = open_page(lead, viewport={"width": width, "height": 780})
    page.goto(f"/p/support/traces/{query}")
    assert page.evaluate("document.documentElement.scrollWidth") == width


def test_it_gives_a_chosen_column_room_for_a_word(open_page: OpenPage, lead: User, project: Project) -> None:
    metadata = json.dumps({"customer_tier": "enterprise", "long": "x" * 80, "request_id": "req-" + "0123456789" * 4})
    TraceFactory.create(project=project, name="answer_ticket " * 4, metadata=metadata)
    page = open_page(lead, viewport={"width": 1280, "height": 800})
    page.goto("/p/support/traces/?c=customer_tier&c=long&c=request_id")
    box = page.get_by_role("columnheader", name="customer_tier").bounding_box()
    assert box is not None
    assert box["width"] >= 80


@pytest.mark.parametrize(
    "path", ["queues/answers/mine/", "queues/answers/reviews/", "queues/answers/", "traces/{}/reviews/"]
)
def test_it_breaks_a_word_of_10_000_characters(open_page: OpenPage, lead: User, queue: Queue, path: str) -> None:
    word = "x" * 10_000
    criteria = [{"key": "tone", "label": word[:120], "kind": "text", "help": ""}]
    User.objects.filter(pk=lead.pk).update(username=word[:80])
    Queue.objects.filter(pk=queue.pk).update(name=word[:120], criteria=json.dumps(criteria))
    queue.refresh_from_db()
    versions.store_version(queue, "lead")
    trace = TraceFactory.create(project=queue.project, name=word[:300])
    texts = {"reviewer": lead, "notes": word, "answers": json.dumps({"tone": word})}
    first = ReviewFactory.create(
        item__queue=queue, item__trace_id=trace.trace_id, item__reference=word[:200], item__reason=word[:300],
        is_latest=False, **texts,
    )  # fmt: skip
    ReviewFactory.create(item=first.item, revision=2, **texts)
    page = open_page(lead)
    page.goto("/p/support/" + path.format(trace.trace_id))
    page.locator("details:not(.menu)").evaluate_all("(folds) => folds.forEach((fold) => { fold.open = true; })")
    for width in (1280, 1024, 720, 360):
        page.set_viewport_size({"width": width, "height": 780})
        assert page.evaluate("document.documentElement.scrollWidth") == width
