"""Horizontal bars: plain, with intervals, stacked; and intervals alone."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from reviewapp.web.charts.chart import (
    LABEL_WIDTH,
    MISSING,
    VALUE_WIDTH,
    WIDTH,
    Chart,
    Column,
    Line,
    Rect,
    Scale,
    Text,
    cut_label,
    format_coordinate,
    format_value,
    make_line,
    make_rect,
    make_scale,
    to_finite,
)

ROW_HEIGHT, BAR_HEIGHT = 26, 16
# Colours for series; more of them start over.
SERIES_COLOURS = 6


@dataclass(frozen=True, slots=True)
class Bar:
    """One labelled value; `low` and `high` are the ends of its interval."""

    label: str
    value: float | None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Interval:
    """One labelled estimate between two ends; None where it is not known."""

    label: str
    low: float | None
    estimate: float | None
    high: float | None


def draw_bars(key: str, title: str, bars: Sequence[Bar], *, unit: str = "value", as_percent: bool = False) -> Chart:
    """A bar for each value, from zero, with whiskers where there is an interval. `unit` heads the table's column."""
    has_intervals = any(bar.low is not None or bar.high is not None for bar in bars)
    scale = _make_bar_scale(number for bar in bars for number in (bar.value, bar.low, bar.high))
    rects: list[Rect] = []
    lines = [_draw_zero(scale, len(bars))]
    texts: list[Text] = []
    for row, bar in enumerate(bars):
        value = format_value(bar.value, as_percent=as_percent)
        number = to_finite(bar.value)
        if number is not None:
            rects.append(_draw_bar(scale, row, 0.0, number, "bar s0", f"{cut_label(bar.label)}: {value}"))
        lines += _draw_whiskers(scale, row, bar.low, bar.high)
        texts += _label_row(row, bar.label, value)
    columns = [Column("Name"), Column(unit, is_number=True)]
    columns += [Column("From", is_number=True), Column("To", is_number=True)] if has_intervals else []
    rows = [
        [bar.label, *(format_value(number, as_percent=as_percent) for number in _list_numbers(bar, has_intervals))]
        for bar in bars
    ]
    description = _describe([(bar.label, bar.value) for bar in bars], as_percent=as_percent)
    return Chart(key, title, description, _height(len(bars)), columns, rows, rects, lines, texts)


def draw_intervals(key: str, title: str, intervals: Sequence[Interval], *, as_percent: bool = False) -> Chart:
    """A row for each interval, with a mark at its estimate."""
    numbers = [number for each in intervals for number in (each.low, each.estimate, each.high)]
    scale = _make_bar_scale(numbers)
    rects: list[Rect] = []
    lines = [_draw_zero(scale, len(intervals))]
    texts: list[Text] = []
    for row, each in enumerate(intervals):
        estimate = to_finite(each.estimate)
        value = format_value(each.estimate, as_percent=as_percent)
        lines += _draw_whiskers(scale, row, each.low, each.high)
        if estimate is not None:
            x, y = scale.place(estimate) - 4, row * ROW_HEIGHT + ROW_HEIGHT / 2 - 4
            rects.append(make_rect(x, y, 8, 8, "mark s0", f"{cut_label(each.label)}: {value}"))
        texts += _label_row(row, each.label, value)
    columns = [Column("Name"), *(Column(name, is_number=True) for name in ("Estimate", "From", "To"))]
    rows = [
        [each.label, *(format_value(number, as_percent=as_percent) for number in (each.estimate, each.low, each.high))]
        for each in intervals
    ]
    description = _describe([(each.label, each.estimate) for each in intervals], as_percent=as_percent)
    return Chart(key, title, description, _height(len(intervals)), columns, rows, rects, lines, texts)


def draw_stacked_bars(
    key: str, title: str, series: Sequence[str], bars: Sequence[tuple[str, Sequence[float]]]
) -> Chart:
    """A bar for each label, with a part for each series. Parts below zero and unknown ones are drawn as nothing."""
    parts = [[max(to_finite(value) or 0.0, 0.0) for value in values] for _, values in bars]
    scale = _make_bar_scale([sum(values) for values in parts])
    rects: list[Rect] = []
    texts: list[Text] = []
    for row, (label, values) in enumerate(bars):
        start = 0.0
        for index, (number, name) in enumerate(zip(parts[row], series, strict=False)):
            if number > 0:
                hover = f"{cut_label(label)}, {cut_label(name)}: {format_value(values[index])}"
                rects.append(_draw_bar(scale, row, start, start + number, f"bar s{index % SERIES_COLOURS}", hover))
            start += number
        texts += _label_row(row, label, format_value(sum(parts[row])))
    columns = [Column("Name"), *(Column(name, is_number=True) for name in series)]
    rows = [[label, *(format_value(value) for value in values)] for label, values in bars]
    description = _describe([(label, sum(parts[row])) for row, (label, _) in enumerate(bars)])
    lines = [_draw_zero(scale, len(bars))]
    legend = [(f"key-{index % SERIES_COLOURS}", name) for index, name in enumerate(series)]
    return Chart(key, title, description, _height(len(bars)), columns, rows, rects, lines, texts, legend=legend)


def _make_bar_scale(numbers: Iterable[float | None]) -> Scale:
    return make_scale(numbers, LABEL_WIDTH, WIDTH - VALUE_WIDTH)


def _height(count: int) -> str:
    return str(max(count, 1) * ROW_HEIGHT)


def _draw_bar(scale: Scale, row: int, start: float, end: float, css: str, hover: str) -> Rect:
    left, right = sorted((scale.place(start), scale.place(end)))
    top = row * ROW_HEIGHT + (ROW_HEIGHT - BAR_HEIGHT) / 2
    # A value that is not zero has a bar that can be seen.
    width = max(right - left, 1.0 if start != end else 0.0)
    return make_rect(left, top, width, BAR_HEIGHT, css, hover)


def _draw_zero(scale: Scale, count: int) -> Line:
    x = format_coordinate(scale.place(0.0))
    return Line(x, "0", x, _height(count), "axis")


def _draw_whiskers(scale: Scale, row: int, low: float | None, high: float | None) -> list[Line]:
    first, last = to_finite(low), to_finite(high)
    if first is None or last is None:
        return []
    y = row * ROW_HEIGHT + ROW_HEIGHT / 2
    ends = [scale.place(number) for number in sorted((first, last))]
    lines = [make_line(ends[0], y, ends[1], y, "whisker")]
    return lines + [make_line(x, y - 4, x, y + 4, "whisker") for x in ends]


def _label_row(row: int, label: str, value: str) -> list[Text]:
    y = format_coordinate(row * ROW_HEIGHT + ROW_HEIGHT / 2 + 4)
    return [
        Text(str(LABEL_WIDTH - 8), y, cut_label(label), anchor="end"),
        Text(str(WIDTH), y, value if value != MISSING else "–", css="figure", anchor="end"),  # noqa: RUF001
    ]


def _list_numbers(bar: Bar, has_interval: bool) -> list[float | None]:
    return [bar.value, bar.low, bar.high] if has_interval else [bar.value]


def _describe(pairs: Sequence[tuple[str, float | None]], *, as_percent: bool = False) -> str:
    """One sentence: how many, and the largest."""
    numbers = [(number, label) for label, value in pairs if (number := to_finite(value)) is not None]
    if not numbers:
        return f"{len(pairs)} rows, none with a value."
    largest, label = max(numbers)
    return f"{len(pairs)} rows. Largest: {cut_label(label)}, {format_value(largest, as_percent=as_percent)}."
