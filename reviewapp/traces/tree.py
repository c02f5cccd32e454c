"""A trace's spans as a tree, walked without recursion: cycles, orphans and chains of any depth are safe."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from math import inf, isfinite
from typing import Any, Protocol
from uuid import UUID

from reviewapp.traces import faults


class SpanLike(Protocol):
    """What a reader needs of a span. `duration` is in seconds; `input` and `output` are JSON or plain text."""

    @property
    def span_id(self) -> UUID: ...
    @property
    def parent_span_id(self) -> UUID | None: ...
    @property
    def name(self) -> str: ...
    @property
    def span_type(self) -> str: ...
    @property
    def status(self) -> str: ...
    @property
    def start_time(self) -> datetime | None: ...
    @property
    def end_time(self) -> datetime | None: ...
    @property
    def duration(self) -> float: ...
    @property
    def input(self) -> str: ...
    @property
    def output(self) -> str: ...
    @property
    def model(self) -> str: ...
    @property
    def total_tokens(self) -> int: ...
    @property
    def total_cost(self) -> float: ...
    @property
    def events(self) -> Sequence[dict[str, Any]]: ...


@dataclass(frozen=True, slots=True)
class Step:
    """A row of the waterfall: `offset` and `width` are fractions (0..1) of the trace's whole duration."""

    span: SpanLike
    depth: int
    offset: float
    width: float
    is_error: bool
    has_children: bool


@dataclass(frozen=True, slots=True)
class Tree:
    """Spans by position: `starts` in seconds since 1970, infinite where it is not known, so that it sorts last;
    `parents` -1 where a span has none here; `orphans` counts parents that are missing."""

    spans: Sequence[SpanLike]
    starts: list[float]
    parents: list[int]
    children: list[list[int]]
    orphans: int

    @property
    def top(self) -> int:
        """The first span without a parent, else the first of all."""
        roots = [at for at, span in enumerate(self.spans) if _parent_id(span) is None] or range(len(self.spans))
        return min(roots, key=self.starts.__getitem__)


def grow(spans: Sequence[SpanLike]) -> Tree:
    """The tree of `spans`: siblings in start order. A span that is its own parent has none."""
    places: dict[UUID, int] = {}
    for at, span in enumerate(spans):
        places.setdefault(span.span_id, at)
    parents = [-1] * len(spans)
    children: list[list[int]] = [[] for _ in spans]
    starts = [_started(span) for span in spans]
    orphans = 0
    for at in sorted(range(len(spans)), key=starts.__getitem__):
        parent = _parent_id(spans[at])
        if parent is None:
            continue
        above = places.get(parent, -1)
        orphans += above < 0
        if above >= 0 and above != at:
            parents[at] = above
            children[above].append(at)
    return Tree(spans, starts, parents, children, orphans)


def walk(tree: Tree) -> Iterator[tuple[int, int]]:
    """Each span's position and depth once, parents before children, siblings in start order."""
    seen = [False] * len(tree.spans)
    order = sorted(range(len(tree.spans)), key=lambda at: (tree.parents[at] >= 0, tree.starts[at]))
    # The spans without a parent come first; whatever they do not reach hangs in a cycle, cut at its first span.
    for start in order:
        stack = [(start, 0)]
        while stack:
            at, depth = stack.pop()
            if seen[at]:
                continue
            seen[at] = True
            yield at, depth
            stack.extend((child, depth + 1) for child in reversed(tree.children[at]))


def steps(spans: Sequence[SpanLike]) -> list[Step]:
    """The span tree as rows, depth first in start order."""
    tree = grow(spans)
    ends = [ended(tree, at) for at in range(len(spans))]
    begin = min(tree.starts, default=0.0)
    total = max((end for end in ends if isfinite(end)), default=begin) - begin
    return [_step(tree, at, depth, begin, total) for at, depth in walk(tree)]


def is_error(span: SpanLike) -> bool:
    """Whether the span failed: by its status or by an exception it recorded."""
    return (span.status or "").lower() == "error" or bool(faults.read(span.events))


def ended(tree: Tree, at: int) -> float:
    """A span's end in seconds since 1970, or the start of one that has not ended."""
    end = tree.spans[at].end_time
    return end.timestamp() if end else tree.starts[at]


def _step(tree: Tree, at: int, depth: int, begin: float, total: float) -> Step:
    span, start = tree.spans[at], tree.starts[at]
    is_timed = isfinite(total) and total > 0 and isfinite(start)
    offset = _fraction((start - begin) / total) if is_timed else 0.0
    until = _fraction((ended(tree, at) - begin) / total) if is_timed and span.end_time else 1.0
    return Step(span, depth, offset, max(0.0, until - offset), is_error(span), bool(tree.children[at]))


def _started(span: SpanLike) -> float:
    return span.start_time.timestamp() if span.start_time else inf


def _fraction(value: float) -> float:
    return min(1.0, max(0.0, value))


def _parent_id(span: SpanLike) -> UUID | None:
    parent = span.parent_span_id
    return None if parent is None or parent.int == 0 or parent == span.span_id else parent
