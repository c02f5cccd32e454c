"""Which turns of a long transcript are on the page: both ends of a long range, with a gap that can be opened."""

from typing import NamedTuple

# Turns shown at an end of a long range.
END_SIZE = 60
# Turns added each time a gap is opened.
GAP_CHUNK = 100


class Gap(NamedTuple):
    """Turns that are not shown, by position: from `start` up to but excluding `stop`."""

    start: int
    stop: int


def shorten_range(start: int, stop: int, *, head: int = END_SIZE, tail: int = END_SIZE) -> list[int | Gap]:
    """Return the positions of a range, with a gap in the middle if it is long."""
    if stop - start <= head + tail + END_SIZE:
        return list(range(start, stop))
    gap = Gap(start + head, stop - tail)
    return [*range(start, gap.start), gap, *range(gap.stop, stop)]


def open_gap(gap: Gap) -> list[int | Gap]:
    """Return the first turns of a gap, followed by the remaining gap if any."""
    end = min(gap.start + GAP_CHUNK, gap.stop)
    remaining = [Gap(end, gap.stop)] if end < gap.stop else []
    return [*range(gap.start, end), *remaining]
