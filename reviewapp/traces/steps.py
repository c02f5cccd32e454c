"""The steps of a trace: its span tree as rows with a waterfall, page by page.

The order needs every span, but only its ids; what a row shows is read for the rows of one page.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from django.db.models import Max, Min
from django.db.models.functions import Length, Substr

from reviewapp.lib import sql
from reviewapp.traces import tree
from reviewapp.traces.models import Span, Trace
from reviewapp.traces.tree import SpanLike

PAGE = 500
# Of a span's input and output, what a row shows.
TEXT_LIMIT = 4_000
_LINKS = "SELECT span_id, parent_span_id, id FROM reviewapp_span WHERE trace_id = %s ORDER BY start_time, id"
_NO_PARENT = (None, "0" * 32, UUID(int=0))

Link = tuple[Hashable, Hashable]


class Place(NamedTuple):
    """Where a span stands: its position among the links, its depth in the tree."""

    at: int
    depth: int


@dataclass(frozen=True, slots=True)
class Step:
    """A row: `offset` and `width` are fractions (0..1) of the trace's whole duration.

    `given` and `said` are the beginnings of the span's input and output, `left_out` counts what is not in them.
    """

    span: Span
    depth: int
    offset: float
    width: float
    is_error: bool
    given: str = ""
    said: str = ""
    left_out: int = 0


@dataclass(frozen=True, slots=True)
class Steps:
    """One page of rows: those from position `start` of `total`."""

    rows: list[Step]
    start: int
    total: int

    @property
    def longest(self) -> Step | None:
        """The row that took most of the time, those around it left out: the one at the deepest."""
        return max(self.rows, key=lambda step: (step.width, step.depth), default=None)

    @property
    def last(self) -> int:
        """The number of the page's last row, counted from 1."""
        return self.start + len(self.rows)

    @property
    def before(self) -> int | None:
        return max(0, self.start - PAGE) if self.start else None

    @property
    def after(self) -> int | None:
        return self.start + PAGE if self.start + PAGE < self.total else None


def page_of(trace: Trace, start: int) -> Steps:
    """The page of steps that begins at a position, the last page for one beyond the end."""
    links = sql.rows(_LINKS, trace.pk)
    start = min(start, max(0, (len(links) - 1) // PAGE * PAGE))
    places = outline([(own, parent) for own, parent, _ in links])[start : start + PAGE]
    spans = _spans([links[place.at][2] for place in places])
    ends = Span.objects.filter(trace=trace).aggregate(begin=Min("start_time"), end=Max("end_time"))
    rows = [_row(spans[pk], place.depth, ends) for place in places if (pk := links[place.at][2]) in spans]
    return Steps(rows, start, len(links))


def outline(links: Sequence[Link]) -> list[Place]:
    """Each span once, parents before children, siblings as given; a cycle is cut at its first span.

    A link is a span's id and its parent's, in start order.
    """
    above, children = _hung(links)
    seen = [False] * len(links)
    found: list[Place] = []
    # The spans without a parent come first; whatever they do not reach hangs in a cycle.
    for top in sorted(range(len(links)), key=lambda at: above[at] >= 0):
        stack = [Place(top, 0)]
        while stack:
            place = stack.pop()
            if not seen[place.at]:
                seen[place.at] = True
                found.append(place)
                stack.extend(Place(child, place.depth + 1) for child in reversed(children[place.at]))
    return found


def fractions(begin: datetime, end: datetime, span: SpanLike) -> tuple[float, float]:
    """Where a span begins on its trace's time, and how much of it it takes."""
    total = (end - begin).total_seconds()
    if total <= 0:
        return 0.0, 1.0
    start, finish = span.start_time or begin, span.end_time or end
    offset, until = ((moment - begin).total_seconds() / total for moment in (start, finish))
    offset, until = max(0.0, min(1.0, offset)), max(0.0, min(1.0, until))
    return offset, max(0.0, until - offset)


def _hung(links: Sequence[Link]) -> tuple[list[int], list[list[int]]]:
    """For each span the position of its parent, or -1, and those of its children."""
    places: dict[Hashable, int] = {}
    for at, (own, _) in enumerate(links):
        places.setdefault(own, at)
    above, children = [-1] * len(links), [[] for _ in links]  # type: tuple[list[int], list[list[int]]]
    for at, (own, parent) in enumerate(links):
        place = -1 if parent in _NO_PARENT or parent == own else places.get(parent, -1)
        if place >= 0 and place != at:
            above[at] = place
            children[place].append(at)
    return above, children


def _spans(pks: list[int]) -> dict[int, Span]:
    found = Span.objects.filter(pk__in=pks).defer("input", "output", "attributes")
    return {
        span.pk: span
        for span in found.annotate(
            given=Substr("input", 1, TEXT_LIMIT),
            said=Substr("output", 1, TEXT_LIMIT),
            size=Length("input") + Length("output"),
        )
    }


def _row(span: Span, depth: int, ends: dict[str, datetime]) -> Step:
    given, said, size = (getattr(span, name) for name in ("given", "said", "size"))
    offset, width = fractions(ends["begin"], ends["end"], span)
    left_out = size - len(given) - len(said)
    return Step(span, depth, offset, width, tree.is_error(span), given, said, left_out)
