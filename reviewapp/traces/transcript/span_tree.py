"""A trace's spans as a tree, built without recursion: cycles, orphans and chains of any depth are safe."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from math import inf
from typing import Any, Protocol
from uuid import UUID

from reviewapp.traces.transcript import span_exceptions

MODEL_TYPES = ("LLM", "CACHED")


class SpanLike(Protocol):
    """The span fields that the transcript needs. `duration` is in seconds; `input` and `output` are JSON or text."""

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
    """Spans in the order passed in; an index is a position in `spans`.

    `starts`: start times in seconds since 1970, infinite if unknown so that they sort last. `parents`: the index of
    each span's parent, -1 if it has none in the trace. `orphans`: the number of spans whose parent is missing.
    """

    spans: Sequence[SpanLike]
    starts: list[float]
    parents: list[int]
    children: list[list[int]]
    orphans: int

    @property
    def top(self) -> int:
        """The index of the first span without a parent, else of the earliest span."""
        roots = [index for index, span in enumerate(self.spans) if _parent_id(span) is None] or range(len(self.spans))
        return min(roots, key=self.starts.__getitem__)


def build_tree(spans: Sequence[SpanLike]) -> Tree:
    """Build the tree of `spans`, siblings in start order. A span that is its own parent counts as having none."""
    index_by_id: dict[UUID, int] = {}
    for index, span in enumerate(spans):
        index_by_id.setdefault(span.span_id, index)
    parents = [-1] * len(spans)
    children: list[list[int]] = [[] for _ in spans]
    starts = [_start_seconds(span) for span in spans]
    orphans = 0
    for index in sorted(range(len(spans)), key=starts.__getitem__):
        parent_id = _parent_id(spans[index])
        if parent_id is None:
            continue
        parent = index_by_id.get(parent_id, -1)
        orphans += parent < 0
        if parent >= 0 and parent != index:
            parents[index] = parent
            children[parent].append(index)
    return Tree(spans, starts, parents, children, orphans)


def is_error(span: SpanLike) -> bool:
    """Whether the span failed: by its status or by an exception it recorded."""
    return (span.status or "").lower() == "error" or bool(span_exceptions.read(span.events))


def end_seconds(tree: Tree, index: int) -> float:
    """Return a span's end in seconds since 1970, or its start if it has not ended."""
    end_time = tree.spans[index].end_time
    return end_time.timestamp() if end_time else tree.starts[index]


def _start_seconds(span: SpanLike) -> float:
    return span.start_time.timestamp() if span.start_time else inf


def _parent_id(span: SpanLike) -> UUID | None:
    parent = span.parent_span_id
    return None if parent is None or parent.int == 0 or parent == span.span_id else parent
