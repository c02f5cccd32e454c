"""Values in order: a sparkline, and a histogram."""

from collections.abc import Sequence

from reviewapp.web.charts.chart import (
    WIDTH,
    Chart,
    Column,
    Line,
    Rect,
    Text,
    format_coordinate,
    format_value,
    make_rect,
    make_scale,
    to_finite,
)

SPARK_WIDTH, SPARK_HEIGHT = 160, 32
HISTOGRAM_HEIGHT, FOOT_HEIGHT = 140, 20
# Labels of bins that have room below a histogram.
MAX_BIN_LABELS = 11


def draw_sparkline(key: str, title: str, points: Sequence[tuple[str, float | None]]) -> Chart:
    """A small line of labelled values in order, without axes; values that are missing are passed over."""
    across = make_scale([0, len(points) - 1], 2, SPARK_WIDTH - 6)
    up = make_scale([value for _, value in points], SPARK_HEIGHT - 4, 4)
    places = [
        (across.place(index), up.place(number))
        for index, (_, value) in enumerate(points)
        if (number := to_finite(value)) is not None
    ]
    rects = []
    if places:
        x, y = places[-1]
        last = next(pair for pair in reversed(points) if to_finite(pair[1]) is not None)
        rects.append(make_rect(x - 2, y - 2, 4, 4, "mark s0", f"{last[0]}: {format_value(last[1])}"))
    line = " ".join(f"{format_coordinate(x)},{format_coordinate(y)}" for x, y in places)
    rows = [[label, format_value(value)] for label, value in points]
    description = f"{len(points)} values, the last one {format_value(points[-1][1]) if points else 'missing'}."
    columns = [Column("When"), Column("Value", is_number=True)]
    return Chart(
        key, title, description, str(SPARK_HEIGHT), columns, rows, rects, points=line, width=str(SPARK_WIDTH)
    )  # fmt: skip


def draw_histogram(key: str, title: str, bins: Sequence[tuple[str, float]]) -> Chart:
    """A column for each labelled bin with its count. Counts below zero and unknown ones are drawn as nothing."""
    up = make_scale([max(to_finite(count) or 0.0, 0.0) for _, count in bins], HISTOGRAM_HEIGHT, 14)
    step = WIDTH / max(len(bins), 1)
    gap = min(2.0, step / 5)
    every = -(-len(bins) // MAX_BIN_LABELS) or 1
    rects: list[Rect] = []
    texts: list[Text] = []
    for index, (label, count) in enumerate(bins):
        number = max(to_finite(count) or 0.0, 0.0)
        x, y = index * step, up.place(number)
        if number > 0:
            tall = max(HISTOGRAM_HEIGHT - y, 1.0)
            left, top = x + gap / 2, HISTOGRAM_HEIGHT - tall
            rects.append(make_rect(left, top, step - gap, tall, "bar s0", f"{label}: {format_value(count)}"))
        if index % every == 0:
            foot = format_coordinate(HISTOGRAM_HEIGHT + 15)
            letters = max(int(step * every // 7), 1)
            texts.append(Text(format_coordinate(x + step / 2), foot, label[:letters], anchor="middle"))
        if len(bins) <= MAX_BIN_LABELS and number > 0:
            place = format_coordinate(x + step / 2), format_coordinate(y - 3)
            texts.append(Text(*place, format_value(count), "figure", "middle"))
    base = Line("0", str(HISTOGRAM_HEIGHT), str(WIDTH), str(HISTOGRAM_HEIGHT), "axis")
    total = format_value(sum(max(to_finite(count) or 0.0, 0.0) for _, count in bins))
    columns = [Column("From"), Column("Count", is_number=True)]
    rows = [[label, format_value(count)] for label, count in bins]
    height = str(HISTOGRAM_HEIGHT + FOOT_HEIGHT)
    return Chart(key, title, f"{len(bins)} bins, {total} in all.", height, columns, rows, rects, [base], texts)
