"""Charts: parsed SVG for every number and label, and the table that says the same."""

import math
import re
from collections.abc import Callable, Sequence
from xml.etree import ElementTree

import pytest
from django.template.loader import render_to_string

from reviewapp.web.charts import (
    Bar,
    Chart,
    Interval,
    draw_bars,
    draw_histogram,
    draw_intervals,
    draw_matrix,
    draw_sparkline,
    draw_stacked_bars,
)

SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = "<script>alert(1)</script>\"'&\u202e\x00" + "w" * 5_000
NUMBERS: Sequence[Sequence[float]] = [
    [], [0.0], [-0.0, 0.0], [7.0], [-7.0], [1.0, 2.0, 3.0], [-3.0, 5.0], [math.nan], [math.inf, -math.inf, 1.0],
    [math.nan, 2.0, math.nan], [1e308, -1e308], [5e-324, 1e-300], [1e308, 1e-308], [10**400, 1],  [0.1] * 500,
]  # fmt: skip
DRAW: dict[str, Callable[[Sequence[float]], Chart]] = {
    "bars": lambda numbers: draw_bars("c", "Scores", [Bar(HOSTILE, number) for number in numbers]),
    "bars with intervals": lambda numbers: draw_bars(
        "c", "Scores", [Bar(f"b{n}", number, -number, number) for n, number in enumerate(numbers)], as_percent=True
    ),
    "intervals": lambda numbers: draw_intervals(
        "c", "Agreement", [Interval(HOSTILE, number, number, None) for number in numbers]
    ),
    "stacked bars": lambda numbers: draw_stacked_bars("c", "Work", ["a"] * len(numbers), [("x", numbers)] * 2),
    "matrix": lambda numbers: draw_matrix("c", "Pairs", ["r", HOSTILE], [HOSTILE] * len(numbers), [numbers, numbers]),
    "sparkline": lambda numbers: draw_sparkline("c", "Trend", [(HOSTILE, number) for number in numbers]),
    "histogram": lambda numbers: draw_histogram("c", "Spread", [(HOSTILE, number) for number in numbers]),
}


def render(chart: Chart) -> str:
    return render_to_string("charts/_chart.html", {"chart": chart})


def parse_svg(html: str) -> ElementTree.Element:
    """The chart's SVG. Raises ElementTree.ParseError if it is not well-formed."""
    (text,) = re.findall(r"<svg.*?</svg>", html, re.DOTALL)
    return ElementTree.fromstring(text.replace("<svg", f'<svg xmlns="{SVG[1:-1]}"', 1))  # noqa: S314 - our own text


def find_all(chart: Chart, tag: str, css: str = "") -> list[dict[str, str]]:
    elements = parse_svg(render(chart)).iter(f"{SVG}{tag}")
    return [dict(element.attrib) for element in elements if css in element.get("class", "").split() or not css]


@pytest.mark.parametrize("numbers", NUMBERS, ids=lambda numbers: str(numbers)[:40])
@pytest.mark.parametrize("kind", DRAW)
def test_it_draws_any_number_inside_its_box(kind: str, numbers: Sequence[float]) -> None:
    chart = DRAW[kind](numbers)
    width, height = float(chart.width), float(chart.height)

    for rect in find_all(chart, "rect"):
        x, y, across, down = (float(rect[name]) for name in ("x", "y", "width", "height"))
        assert across >= 0
        assert down >= 0
        assert -3 <= x <= x + across <= width + 3
        assert -3 <= y <= y + down <= height + 3
    coordinates = [float(line[name]) for line in find_all(chart, "line") for name in ("x1", "y1", "x2", "y2")]
    coordinates += [float(part) for part in re.split("[ ,]", chart.points) if part]
    assert all(map(math.isfinite, coordinates))


@pytest.mark.parametrize("kind", DRAW)
def test_it_escapes_and_cuts_labels(kind: str) -> None:
    html = render(DRAW[kind]([1.0, 2.0]))
    svg = parse_svg(html)

    assert "<script" not in html
    assert "\u202e" not in html
    assert "\x00" not in html
    assert not re.search(r"\s(?:style|on\w+)=", html)
    assert all(len(element.text or "") < 120 for element in svg.iter(f"{SVG}text"))


@pytest.mark.parametrize("kind", DRAW)
def test_it_has_a_title_a_description_and_a_table(kind: str) -> None:
    html = render(DRAW[kind]([1.0, 2.0]))
    svg = parse_svg(html)

    assert svg.get("role") == "img"
    title, description = (svg.find(f"{SVG}{name}") for name in ("title", "desc"))
    assert title is not None
    assert description is not None
    assert svg.get("aria-labelledby") == f"{title.get('id')} {description.get('id')}"
    assert description.text
    assert "<table" in html


def test_it_draws_bars_in_proportion() -> None:
    bars = find_all(draw_bars("c", "Scores", [Bar("a", 10), Bar("b", 5), Bar("c", None)]), "rect", "bar")
    widths = [float(bar["width"]) for bar in bars]
    assert widths == [400, 200]


def test_it_draws_negative_bars_to_the_left_of_zero() -> None:
    chart = draw_bars("c", "Change", [Bar("a", -5), Bar("b", 5)])
    below, above = find_all(chart, "rect", "bar")
    (axis,) = find_all(chart, "line", "axis")
    assert float(below["x"]) + float(below["width"]) == float(above["x"]) == float(axis["x1"])


def test_it_draws_whiskers_between_the_ends() -> None:
    chart = draw_intervals("c", "Agreement", [Interval("a", 0.0, 0.5, 1.0)])
    whisker, *_ = find_all(chart, "line", "whisker")
    (mark,) = find_all(chart, "rect", "mark")
    assert float(whisker["x1"]) < float(mark["x"]) < float(whisker["x2"])


def test_it_stacks_parts_without_a_gap() -> None:
    first, second = find_all(draw_stacked_bars("c", "Work", ["done", "open"], [("ana", [3, 1])]), "rect", "bar")
    assert float(first["x"]) + float(first["width"]) == float(second["x"])
    assert (first["class"], second["class"]) == ("bar s0", "bar s1")


def test_it_tints_a_matrix_from_lowest_to_highest() -> None:
    chart = draw_matrix("c", "Pairs", ["a", "b"], ["a", "b"], [[None, 0.2], [0.9, 0.5]])
    assert [rect["class"] for rect in find_all(chart, "rect")] == ["cell tnone", "cell t0", "cell t5", "cell t2"]


def test_it_says_in_the_table_what_is_missing() -> None:
    chart = draw_bars("c", "Scores", [Bar("a", math.nan), Bar("b", 1234.5)])
    assert chart.rows == [["a", "no value"], ["b", "1,234"]]
    assert "Largest: b, 1,234." in chart.description
