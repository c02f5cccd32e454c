"""A trace's spans as a tree, without recursion: cycles, orphans and chains of any depth are safe."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from math import inf
from typing import Any, Protocol
from uuid import UUID

from reviewapp.traces.transcript import span_exceptions


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


def is_error(span: SpanLike) -> bool:
    """Whether the span failed: by its status or by an exception it recorded."""
    return (span.status or "").lower() == "error" or bool(span_exceptions.read(span.events))


def ended(tree: Tree, at: int) -> float:
    """A span's end in seconds since 1970, or the start of one that has not ended."""
    end = tree.spans[at].end_time
    return end.timestamp() if end else tree.starts[at]


def _started(span: SpanLike) -> float:
    return span.start_time.timestamp() if span.start_time else inf


def _parent_id(span: SpanLike) -> UUID | None:
    parent = span.parent_span_id
    return None if parent is None or parent.int == 0 or parent == span.span_id else parent
