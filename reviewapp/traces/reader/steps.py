"""The steps of a trace: its span tree as rows with a waterfall, page by page.

The order needs every span, but only its ids; what a row shows is read for the rows of one page.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple
from uuid import UUID

from django.db.models.functions import Length, Substr

from reviewapp.lib import sql
from reviewapp.traces.models import Span, Trace
from reviewapp.traces.transcript import span_tree
from reviewapp.traces.transcript.span_tree import SpanLike

PAGE = 500
# Of a span's input and output, what a row shows.
TEXT_LIMIT = 4_000
# An event's name is spelled as `pulling` writes it; quotes inside of texts are escaped there.
_LINKS = """
    SELECT span_id, parent_span_id, id, span_type, start_time, end_time,
        CASE WHEN LOWER(status) = 'error' OR event_texts LIKE '%%"name": "exception"%%' THEN 1 ELSE 0 END
    FROM reviewapp_span WHERE trace_id = %s ORDER BY start_time, id
"""
_NO_PARENT = (None, "0" * 32, UUID(int=0))

Link = tuple[Hashable, Hashable]


class Place(NamedTuple):
    """Where a span stands: its position among the links, its depth in the tree."""

    position: int
    depth: int


@dataclass(frozen=True, slots=True)
class Course:
    """Every step of a trace in its order, as primary key and depth, and the keys of those that one jumps to by kind."""

    stops: list[tuple[int, int]]
    kinds: dict[str, list[int]]
    begin: datetime
    end: datetime


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
    input_preview: str = ""
    output_preview: str = ""
    omitted_chars: int = 0


@dataclass(frozen=True, slots=True)
class Steps:
    """One page of rows: those from position `start` of `total`."""

    rows: list[Step]
    start: int
    total: int
    longest: Step | None = None

    @property
    def last(self) -> int:
        """The number of the page's last row, counted from 1."""
        return self.start + len(self.rows)

    @property
    def previous_start(self) -> int | None:
        return max(0, self.start - PAGE) if self.start else None

    @property
    def next_start(self) -> int | None:
        return self.start + PAGE if self.start + PAGE < self.total else None


def load_outline(trace: Trace) -> Course | None:
    """The way through all steps of a trace; None where it has none."""
    links = sql.fetch_rows(_LINKS, trace.pk)
    if not links:
        return None
    begins, ends = ([_moment(link[column]) for link in links] for column in (4, 5))
    places = walk_depth_first([(link[0], link[1]) for link in links])
    parents = {link[1] for link in links}
    # What took longest is a step and not what stands around it.
    leaves = [place.position for place in places if links[place.position][0] not in parents]
    longest = max(leaves or [places[0].position], key=lambda at: ends[at] - begins[at])
    kinds = {
        "error": [links[place.position][2] for place in places if links[place.position][6]],
        "tool": [links[place.position][2] for place in places if links[place.position][3] == "TOOL"],
        "longest": [links[longest][2]],
    }
    return Course([(links[place.position][2], place.depth) for place in places], kinds, min(begins), max(ends))


def load_page(course: Course | None, start: int) -> Steps:
    """The page of steps that begins at a position, the last page for one beyond the end."""
    if course is None:
        return Steps([], 0, 0)
    total = len(course.stops)
    start = min(start, max(0, (total - 1) // PAGE * PAGE))
    stops = course.stops[start : start + PAGE]
    spans = _spans([pk for pk, _ in stops])
    rows = [_row(spans[pk], depth, course) for pk, depth in stops if pk in spans]
    longest = next((row for row in rows if row.span.pk in course.kinds["longest"]), None)
    return Steps(rows, start, total, longest)


def walk_depth_first(links: Sequence[Link]) -> list[Place]:
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
            if not seen[place.position]:
                seen[place.position] = True
                found.append(place)
                stack.extend(Place(child, place.depth + 1) for child in reversed(children[place.position]))
    return found


def waterfall_fractions(begin: datetime, end: datetime, span: SpanLike) -> tuple[float, float]:
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


def _moment(value: datetime | str) -> datetime:
    """A time as the database spells it, in UTC."""
    moment = value if isinstance(value, datetime) else datetime.fromisoformat(value)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _row(span: Span, depth: int, course: Course) -> Step:
    given, said, size = (getattr(span, name) for name in ("given", "said", "size"))
    offset, width = waterfall_fractions(course.begin, course.end, span)
    left_out = size - len(given) - len(said)
    return Step(span, depth, offset, width, span_tree.is_error(span), given, said, left_out)
