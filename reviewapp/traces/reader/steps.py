"""The steps of a trace: its span tree as rows with a waterfall, page by page.

The order needs every span, but only its ids; a row's content is read only for the rows of one page.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple
from uuid import UUID

from django.db.models.functions import Length, Substr

from reviewapp.lib import sql
from reviewapp.traces import queries
from reviewapp.traces.models import Span, Trace
from reviewapp.traces.transcript import span_tree
from reviewapp.traces.transcript.span_tree import SpanLike

PAGE_SIZE = 500
# Characters of a span's input and output that a row shows.
TEXT_LIMIT = 4_000
_NO_PARENT = (None, "0" * 32, UUID(int=0))

Link = tuple[Hashable, Hashable]


class TreePosition(NamedTuple):
    """A span's position among the links and its depth in the tree."""

    position: int
    depth: int


@dataclass(frozen=True, slots=True)
class Outline:
    """Every step of a trace in order, as (primary key, depth), and the primary keys of the jump targets by kind."""

    steps: list[tuple[int, int]]
    targets_by_kind: dict[str, list[int]]
    start_time: datetime
    end_time: datetime


@dataclass(frozen=True, slots=True)
class Step:
    """A row: `offset` and `width` are fractions (0..1) of the trace's whole duration.

    `input_preview` and `output_preview` are the start of the span's input and output; `omitted_chars` counts the rest.
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
class StepPage:
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
        return max(0, self.start - PAGE_SIZE) if self.start else None

    @property
    def next_start(self) -> int | None:
        return self.start + PAGE_SIZE if self.start + PAGE_SIZE < self.total else None


def load_outline(trace: Trace) -> Outline | None:
    """Load the order of all steps of a trace; None if it has no spans."""
    links = sql.fetch_rows(queries.SPAN_LINKS, trace.pk)
    if not links:
        return None
    starts, ends = ([_to_datetime(link[column]) for link in links] for column in (4, 5))
    tree_positions = walk_depth_first([(link[0], link[1]) for link in links])
    ordered_links = [links[position] for position, _ in tree_positions]
    parents = {link[1] for link in links}
    # The longest step is one without children: a span around others lasts as long as they do.
    leaves = [position for position, _ in tree_positions if links[position][0] not in parents]
    longest = max(leaves or [tree_positions[0].position], key=lambda position: ends[position] - starts[position])
    targets_by_kind = {
        "error": [link[2] for link in ordered_links if link[6]],
        "tool": [link[2] for link in ordered_links if link[3] == "TOOL"],
        "longest": [links[longest][2]],
    }
    steps = [(links[position][2], depth) for position, depth in tree_positions]
    return Outline(steps, targets_by_kind, min(starts), max(ends))


def load_page(outline: Outline | None, start: int) -> StepPage:
    """Load the page of steps from a position on, the last page if the position is after the end."""
    if outline is None:
        return StepPage([], 0, 0)
    total = len(outline.steps)
    start = min(start, max(0, (total - 1) // PAGE_SIZE * PAGE_SIZE))
    page_steps = outline.steps[start : start + PAGE_SIZE]
    spans = _load_spans([pk for pk, _ in page_steps])
    rows = [_build_row(spans[pk], depth, outline) for pk, depth in page_steps if pk in spans]
    longest = next((row for row in rows if row.span.pk in outline.targets_by_kind["longest"]), None)
    return StepPage(rows, start, total, longest)


def walk_depth_first(links: Sequence[Link]) -> list[TreePosition]:
    """Return each span once, parents before children, siblings in the order of `links`.

    A link is a span's id and its parent's, in start order. A cycle is cut at its first span.
    """
    parents, children = _build_tree(links)
    is_visited = [False] * len(links)
    tree_positions: list[TreePosition] = []
    # Spans without a parent come first; the spans they do not reach are in a cycle.
    for root in sorted(range(len(links)), key=lambda position: parents[position] >= 0):
        stack = [TreePosition(root, 0)]
        while stack:
            current = stack.pop()
            if not is_visited[current.position]:
                is_visited[current.position] = True
                tree_positions.append(current)
                stack.extend(TreePosition(child, current.depth + 1) for child in reversed(children[current.position]))
    return tree_positions


def waterfall_fractions(trace_start: datetime, trace_end: datetime, span: SpanLike) -> tuple[float, float]:
    """Return a span's offset and width as fractions (0..1) of its trace's duration."""
    total = (trace_end - trace_start).total_seconds()
    if total <= 0:
        return 0.0, 1.0
    start, end = span.start_time or trace_start, span.end_time or trace_end
    start_fraction, end_fraction = (
        max(0.0, min(1.0, (moment - trace_start).total_seconds() / total)) for moment in (start, end)
    )
    return start_fraction, max(0.0, end_fraction - start_fraction)


def _build_tree(links: Sequence[Link]) -> tuple[list[int], list[list[int]]]:
    """Return, for each span, the position of its parent, or -1, and the positions of its children."""
    position_by_id: dict[Hashable, int] = {}
    for position, (span_id, _) in enumerate(links):
        position_by_id.setdefault(span_id, position)
    parents, children = [-1] * len(links), [[] for _ in links]  # type: tuple[list[int], list[list[int]]]
    for position, (span_id, parent_id) in enumerate(links):
        has_parent = parent_id not in _NO_PARENT and parent_id != span_id
        parent = position_by_id.get(parent_id, -1) if has_parent else -1
        if parent >= 0 and parent != position:
            parents[position] = parent
            children[parent].append(position)
    return parents, children


def _load_spans(pks: list[int]) -> dict[int, Span]:
    spans = Span.objects.filter(pk__in=pks).defer("input", "output", "attributes")
    return {
        span.pk: span
        for span in spans.annotate(
            input_preview=Substr("input", 1, TEXT_LIMIT),
            output_preview=Substr("output", 1, TEXT_LIMIT),
            text_length=Length("input") + Length("output"),
        )
    }


def _to_datetime(value: datetime | str) -> datetime:
    """Convert a time as the database returns it to UTC."""
    moment = value if isinstance(value, datetime) else datetime.fromisoformat(value)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _build_row(span: Span, depth: int, outline: Outline) -> Step:
    names = ("input_preview", "output_preview", "text_length")
    input_preview, output_preview, text_length = (getattr(span, name) for name in names)
    offset, width = waterfall_fractions(outline.start_time, outline.end_time, span)
    omitted_chars = text_length - len(input_preview) - len(output_preview)
    is_error = span_tree.is_error(span)
    return Step(span, depth, offset, width, is_error, input_preview, output_preview, omitted_chars)
