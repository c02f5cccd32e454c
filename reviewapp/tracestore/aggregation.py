"""What one request's spans add to each of their traces."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from reviewapp.tracestore import arrays, ids, jsonb, timestamps
from reviewapp.tracestore.attributes import Record, Usage
from reviewapp.tracestore.spans import Attributes


@dataclass(slots=True)
class Share:
    """One request's share of a trace."""

    start: int
    end: int
    usage: Usage = field(default_factory=Usage)
    metadata: Attributes = field(default_factory=dict)
    session_id: str = ""
    user_id: str = ""
    status: str = "success"
    top_span_id: str = ids.NIL
    top_span_name: str = ""
    top_span_type: str = "DEFAULT"
    trace_type: str = ""
    tags: dict[str, None] = field(default_factory=dict)
    span_names: dict[str, None] = field(default_factory=dict)
    has_browser_session: bool = False
    num_spans: int = 0


def shares(records: Iterable[Record]) -> dict[str, Share]:
    """Each trace's share, by trace id."""
    found: dict[str, Share] = {}
    for record in records:
        share = found.get(record.trace_id)
        if share is None:
            share = found[record.trace_id] = Share(record.start, record.end)
        _add(share, record)
    return found


def row(share: Share) -> tuple[Any, ...]:
    """The columns of table `trace`, from `start_time` on."""
    return (
        timestamps.text(share.start),
        timestamps.text(share.end),
        (share.end - share.start) / 1_000_000_000,
        *share.usage,
        _metadata(share.metadata),
        share.session_id,
        share.user_id,
        share.status,
        share.top_span_id,
        share.top_span_name,
        share.top_span_type,
        share.trace_type,
        arrays.pack(share.tags),
        arrays.pack(share.span_names),
        share.has_browser_session,
        share.num_spans,
    )


def _add(share: Share, record: Record) -> None:
    share.start = min(share.start, record.start)
    share.end = max(share.end, record.end)
    if any(record.usage):
        share.usage = Usage._make(a + b for a, b in zip(share.usage, record.usage, strict=True))
    if record.metadata and record.metadata != share.metadata:
        _merge_deeply(share.metadata, record.metadata)
    share.session_id = share.session_id or record.session_id
    share.user_id = share.user_id or record.user_id
    share.trace_type = record.trace_type or share.trace_type
    if record.tags:
        share.tags.update(dict.fromkeys(record.tags))
    share.span_names[record.name] = None
    share.has_browser_session = share.has_browser_session or record.has_browser_session
    share.num_spans += 1
    if record.status == "error":
        share.status = "error"
    if record.parent_id == ids.NIL:
        share.top_span_id, share.top_span_name, share.top_span_type = record.span_id, record.name, record.type
    elif not share.top_span_name:
        share.top_span_name = record.path[0]


def _merge_deeply(into: Attributes, more: Attributes) -> None:
    for key, value in more.items():
        present = into.get(key)
        if isinstance(present, dict) and isinstance(value, dict):
            _merge_deeply(present, value)
        else:
            into[key] = value


def _metadata(metadata: Attributes) -> str:
    try:
        return jsonb.dumps(metadata) if metadata else ""
    except jsonb.UnstorableError:
        # PostgreSQL refuses such metadata; Laminar logs that and goes on.
        return ""
