"""Sum up the spans of one request per trace, before one row per trace is written."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from reviewapp.tracestore import arrays, ids, jsonb, timestamps
from reviewapp.tracestore.attributes import SpanRecord, Usage
from reviewapp.tracestore.spans import Attributes

# The usage that each span already added to its trace, by trace id and span id.
CountedUsage = Mapping[tuple[str, str], Usage]


@dataclass(slots=True)
class TraceUpdate:
    """What one request adds to one trace. Times are nanoseconds since 1970."""

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


def group_by_trace(records: Iterable[SpanRecord], counted: CountedUsage) -> dict[str, TraceUpdate]:
    """Returns the update of each trace, by trace id.

    A span that was counted before, in an earlier request or in this one, adds only its difference.
    """
    updates: dict[str, TraceUpdate] = {}
    usage_by_span = dict(counted)
    for record in records:
        update = updates.get(record.trace_id)
        if update is None:
            update = updates[record.trace_id] = TraceUpdate(record.start, record.end)
        _add_record(update, record)
        _count_usage(update, record, usage_by_span.get((record.trace_id, record.span_id)))
        usage_by_span[record.trace_id, record.span_id] = record.usage
    return updates


def to_row(update: TraceUpdate) -> tuple[Any, ...]:
    """Returns the columns of table `trace`, from `start_time` on."""
    return (
        timestamps.text(update.start),
        timestamps.text(update.end),
        (update.end - update.start) / 1_000_000_000,
        *update.usage,
        _dump_metadata(update.metadata),
        update.session_id,
        update.user_id,
        update.status,
        update.top_span_id,
        update.top_span_name,
        update.top_span_type,
        update.trace_type,
        arrays.pack(update.tags),
        arrays.pack(update.span_names),
        update.has_browser_session,
        update.num_spans,
    )


def _add_record(update: TraceUpdate, record: SpanRecord) -> None:
    update.start = min(update.start, record.start)
    update.end = max(update.end, record.end)
    if record.metadata and record.metadata != update.metadata:
        _merge_deeply(update.metadata, record.metadata)
    update.session_id = update.session_id or record.session_id
    update.user_id = update.user_id or record.user_id
    update.trace_type = record.trace_type or update.trace_type
    if record.tags:
        update.tags.update(dict.fromkeys(record.tags))
    update.span_names[record.name] = None
    update.has_browser_session = update.has_browser_session or record.has_browser_session
    if record.status == "error":
        update.status = "error"
    if record.parent_id == ids.NIL:
        update.top_span_id, update.top_span_name, update.top_span_type = record.span_id, record.name, record.type
    elif not update.top_span_name:
        update.top_span_name = record.path[0]


def _count_usage(update: TraceUpdate, record: SpanRecord, before: Usage | None) -> None:
    """Add a span's usage, or its difference from what the same span added before."""
    if before is None:
        before = Usage()
        update.num_spans += 1
    if record.usage != before:
        # The difference first: a span that is sent again unchanged then adds exactly 0, also in floating point.
        difference = (new - old for new, old in zip(record.usage, before, strict=True))
        update.usage = update.usage.plus(Usage._make(difference))


def _merge_deeply(target: Attributes, extra: Attributes) -> None:
    for key, value in extra.items():
        present = target.get(key)
        if isinstance(present, dict) and isinstance(value, dict):
            _merge_deeply(present, value)
        else:
            target[key] = value


def _dump_metadata(metadata: Attributes) -> str:
    try:
        return jsonb.dumps(metadata) if metadata else ""
    except jsonb.UnstorableError:
        # PostgreSQL refuses such metadata; Laminar logs that and continues without it.
        return ""
