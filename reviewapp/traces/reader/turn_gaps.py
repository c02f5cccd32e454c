"""Which of very many turns stand on the page at once: the ends of a long stretch, and gaps to be opened."""

from typing import NamedTuple

# Turns at a stretch's end that stays, and turns that one opening of a gap brings.
END, OPENED = 60, 100


class Gap(NamedTuple):
    """Turns that are not shown, by position: from `start` up to and without `stop`."""

    start: int
    stop: int


def ends_of(start: int, stop: int, *, head: int = END, tail: int = END) -> list[int | Gap]:
    """The positions of a stretch, its middle a gap when it is long."""
    if stop - start <= head + tail + END:
        return list(range(start, stop))
    gap = Gap(start + head, stop - tail)
    return [*range(start, gap.start), gap, *range(gap.stop, stop)]


def opened(gap: Gap) -> list[int | Gap]:
    """A gap's first turns, and what is left of it."""
    end = min(gap.start + OPENED, gap.stop)
    rest = [Gap(end, gap.stop)] if end < gap.stop else []
    return [*range(gap.start, end), *rest]
