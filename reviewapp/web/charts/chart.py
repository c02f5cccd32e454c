"""What a chart consists of: shapes with coordinates in the units of its view box, and the table that says the same."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from reviewapp.lib.shortening import shorten

# In units of the view box, which are CSS pixels at full size.
WIDTH = 640
LABEL_WIDTH = 170
VALUE_WIDTH = 70
MAX_LABEL_LENGTH = 24
MAX_TITLE_LENGTH = 200
# Largest and smallest magnitudes that are drawn as they are: beyond, arithmetic on them would leave the numbers.
LIMIT = 1e150
MISSING = "no value"


@dataclass(frozen=True, slots=True)
class Rect:
    """A rectangle of a class such as `bar s0`; `title` is shown on hover."""

    x: str
    y: str
    width: str
    height: str
    css: str
    title: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    x1: str
    y1: str
    x2: str
    y2: str
    css: str


@dataclass(frozen=True, slots=True)
class Text:
    """A label; `anchor` is start, middle or end."""

    x: str
    y: str
    text: str
    css: str = "label"
    anchor: str = "start"


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the table beside a chart."""

    name: str
    is_number: bool = False


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart to render with `charts/_chart.html`. `key` makes the ids of a page differ.

    `legend` has a class such as `key-0` and the name of each series.
    """

    key: str
    title: str
    description: str
    height: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[str]]
    rects: Sequence[Rect] = ()
    lines: Sequence[Line] = ()
    texts: Sequence[Text] = ()
    points: str = ""
    legend: Sequence[tuple[str, str]] = ()
    width: str = str(WIDTH)


def to_finite(value: float | None) -> float | None:
    """The number, limited to what can be drawn; None for NaN, infinities and None."""
    if value is None:
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return min(max(number, -LIMIT), LIMIT) if math.isfinite(number) else None


def format_coordinate(number: float) -> str:
    """A coordinate with one decimal at most, always with a point."""
    return f"{number:.1f}".removesuffix(".0")


def make_rect(x: float, y: float, width: float, height: float, css: str, title: str = "") -> Rect:
    return Rect(*_format_box(x, y, width, height), css=css, title=title)


def make_line(x1: float, y1: float, x2: float, y2: float, css: str) -> Line:
    return Line(*_format_box(x1, y1, x2, y2), css=css)


def _format_box(a: float, b: float, c: float, d: float) -> tuple[str, str, str, str]:
    return format_coordinate(a), format_coordinate(b), format_coordinate(c), format_coordinate(d)


def format_value(value: float | None, *, as_percent: bool = False) -> str:
    """A number for people: thousands, four significant digits, or per cent of a share; a dash for none."""
    number = to_finite(value)
    if number is None:
        return MISSING
    if as_percent:
        return f"{100 * number:.4g} %"
    if abs(number) >= 1e12 or 0 < abs(number) < 1e-4:
        return f"{number:.3g}"
    if number == int(number):
        return f"{int(number):,}"
    return f"{number:,.4g}" if abs(number) < 1e4 else f"{number:,.0f}"


def cut_label(text: str) -> str:
    """A label as long as there is room for; the table has all of it."""
    return shorten(" ".join(text.split()), MAX_LABEL_LENGTH)


@dataclass(frozen=True, slots=True)
class Scale:
    """Maps numbers from `low` to `high` to coordinates from `start` to `end`."""

    low: float
    high: float
    start: float
    end: float

    def place(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low)
        return self.start + min(max(share, 0.0), 1.0) * (self.end - self.start)


def make_scale(values: Iterable[float | None], start: float, end: float, *, has_zero: bool = True) -> Scale:
    """A scale for these values; with `has_zero` it contains zero. One value, or none, has a scale too."""
    numbers = [number for number in map(to_finite, values) if number is not None]
    if has_zero or not numbers:
        numbers.append(0.0)
    low, high = min(numbers), max(numbers)
    if high - low <= max(abs(low), abs(high)) * 1e-12:
        low, high = (low, low + (abs(low) or 1.0)) if low >= 0 else (low, 0.0)
    return Scale(low, high, start, end)
