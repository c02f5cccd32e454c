"""Write spans to disk: one transaction per request, committed before the response."""

import sqlite3

from reviewapp.tracestore import aggregation, arrays, attributes, database, ids, jsonb, patches, values
from reviewapp.tracestore.attributes import SpanRecord, Usage
from reviewapp.tracestore.spans import Span

_TRACE_COLUMNS = (
    "project, id, start_time, end_time, duration, input_tokens, output_tokens, total_tokens, cache_read_input_tokens,"
    " cache_creation_input_tokens, reasoning_tokens, input_cost, output_cost, total_cost, metadata, session_id,"
    " user_id, status, top_span_id, top_span_name, top_span_type, trace_type, tags, span_names,"
    " has_browser_session, num_spans"
)
_SPAN_COLUMNS = (
    "project, trace, span_id, parent_span_id, name, path, span_type, status, start_time, end_time, duration,"
    " request_model, response_model, provider, input_tokens, output_tokens, total_tokens, cache_read_input_tokens,"
    " cache_creation_input_tokens, reasoning_tokens, input_cost, output_cost, total_cost, tool_definitions, tags,"
    " events, attributes, input, output"
)


def _placeholders(columns: str) -> str:
    return ", ".join("?" * len(columns.split(",")))


# A sum stays what its column is: an integer that overflows would become a float, and two large costs infinite.
_SUMS = ", ".join(
    f"{name} = min({name} + excluded.{name}, {limit!r})"
    for names, limit in (
        (
            "input_tokens output_tokens total_tokens cache_read_input_tokens cache_creation_input_tokens"
            " reasoning_tokens num_spans",
            values.MAX_COUNT,
        ),
        ("input_cost output_cost total_cost", values.MAX_COST),
    )
    for name in names.split()
)
_NEWEST = ", ".join(
    f"{name} = iif(excluded.{name} = '', {name}, excluded.{name})" for name in ("session_id", "user_id", "trace_type")
)
# The span without a parent names the trace; until it arrives, the first name of a path does.
_TOP = ", ".join(
    f"{name} = iif(excluded.top_span_id = '{ids.NIL}' AND top_span_name <> '', {name}, excluded.{name})"
    for name in ("top_span_id", "top_span_name", "top_span_type")
)
_SAVE_TRACE = f"""
INSERT INTO trace ({_TRACE_COLUMNS}) VALUES ({_placeholders(_TRACE_COLUMNS)})
ON CONFLICT (project, id) DO UPDATE SET
    start_time = min(start_time, excluded.start_time),
    end_time = max(end_time, excluded.end_time),
    duration = seconds_between(min(start_time, excluded.start_time), max(end_time, excluded.end_time)),
    metadata = iif(excluded.metadata = '', metadata, jsonb_merge(metadata, excluded.metadata)),
    status = iif(excluded.status = 'error', 'error', status),
    tags = iif(excluded.tags = tags, tags, array_union(tags, excluded.tags)),
    span_names = iif(excluded.span_names = span_names, span_names, array_union(span_names, excluded.span_names)),
    has_browser_session = max(has_browser_session, excluded.has_browser_session),
    {_SUMS}, {_NEWEST}, {_TOP}
"""
_FETCH_COUNTED = f"""
SELECT span.trace, span.span_id, {", ".join(f"span.{name}" for name in Usage._fields)} FROM json_each(?) sent
JOIN span ON span.trace = sent.value ->> 0 AND span.span_id = sent.value ->> 1
"""
_SAVE_SPAN = f"INSERT OR REPLACE INTO span ({_SPAN_COLUMNS}) VALUES ({_placeholders(_SPAN_COLUMNS)})"


def save(project: int, spans: list[Span]) -> None:
    """Store a request's spans; virtual spans, which only carry metadata, are queued as patches.

    A span that was stored before is replaced, also in the sums of its trace: a client may send a request again.
    """
    traced = [span for span in spans if not attributes.is_dropped(span)]
    records = [attributes.read(span) for span in traced if not attributes.is_patch(span)]
    virtual = [
        (span.trace_id, attributes.read_metadata(span.attributes)) for span in traced if attributes.is_patch(span)
    ]
    updates = aggregation.group_by_trace(records, {})
    with database.writing() as connection:
        patches.apply_due(connection)
        if counted := _fetch_counted(connection, project, records):
            updates = aggregation.group_by_trace(records, counted)
        connection.executemany(
            _SAVE_TRACE, [(project, trace_id, *aggregation.to_row(update)) for trace_id, update in updates.items()]
        )
        row_by_id = _fetch_rows(connection, project, list(updates))
        connection.executemany(
            _SAVE_SPAN, [(project, row_by_id[record.trace_id], *attributes.to_row(record)) for record in records]
        )
        for trace_id, metadata in virtual:
            patches.enqueue(connection, project, trace_id, metadata)


def has_trace(project: int, trace_id: str) -> bool:
    """Whether the project has the trace."""
    cursor = database.reader().execute("SELECT 1 FROM trace WHERE project = ? AND id = ?", (project, trace_id))
    return cursor.fetchone() is not None


def tag_top_span(project: int, trace_id: str, names: list[str]) -> bool:
    """Add tags to a trace's top span, if it has arrived. Returns False if the trace does not exist."""
    with database.writing() as connection:
        trace = connection.execute(
            "SELECT row, top_span_id FROM trace WHERE project = ? AND id = ?", (project, trace_id)
        ).fetchone()
        if trace:
            _add_tags(connection, "trace = ? AND span_id = ?", trace, names)
    return trace is not None


def tag_span(project: int, span_id: str, names: list[str]) -> bool:
    """Add tags to a span. Returns False if the project has no such span."""
    with database.writing() as connection:
        return _add_tags(connection, "project = ? AND span_id = ?", (project, span_id), names) > 0


def _add_tags(connection: sqlite3.Connection, where: str, values: tuple[object, ...], names: list[str]) -> int:
    return connection.execute(
        f"UPDATE span SET tags = array_union(tags, ?) WHERE {where}", (arrays.pack(names), *values)
    ).rowcount


def _fetch_counted(
    connection: sqlite3.Connection, project: int, records: list[SpanRecord]
) -> dict[tuple[str, str], Usage]:
    """Returns what the spans that are already stored have added to their traces."""
    row_by_id = _fetch_rows(connection, project, list({record.trace_id for record in records}))
    if not row_by_id:
        return {}
    id_by_row = {row: trace_id for trace_id, row in row_by_id.items()}
    sent = [[row_by_id[record.trace_id], record.span_id] for record in records if record.trace_id in row_by_id]
    stored = connection.execute(_FETCH_COUNTED, (jsonb.dumps(sent),))
    return {(id_by_row[trace], span_id): Usage._make(usage) for trace, span_id, *usage in stored}


def _fetch_rows(connection: sqlite3.Connection, project: int, trace_ids: list[str]) -> dict[str, int]:
    cursor = connection.execute(
        "SELECT id, row FROM trace WHERE project = ? AND id IN (SELECT value FROM json_each(?))",
        (project, jsonb.dumps(trace_ids)),
    )
    return dict(cursor.fetchall())
