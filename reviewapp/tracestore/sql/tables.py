"""The tables that a query can read, which are Laminar's, limited to one project."""

_TRACES = """
    t.id,
    t.start_time,
    t.end_time,
    t.duration,
    t.input_tokens,
    t.output_tokens,
    t.total_tokens,
    t.cache_read_input_tokens,
    t.cache_creation_input_tokens,
    t.reasoning_tokens,
    t.input_cost,
    t.output_cost,
    t.total_cost,
    t.metadata,
    t.session_id,
    t.user_id,
    t.status,
    t.top_span_id,
    t.top_span_name,
    t.top_span_type,
    iif(t.trace_type IN ('EVALUATION', 'PLAYGROUND'), t.trace_type, 'DEFAULT') AS trace_type,
    t.tags,
    CAST('[]' AS BLOB) AS trace_tags,
    t.span_names,
    t.has_browser_session,
    coalesce((SELECT substr(s.input, 1, 2048) FROM main.span s
              WHERE s.trace = t.row AND s.span_id = t.top_span_id), '') AS root_span_input,
    coalesce((SELECT substr(s.output, 1, 2048) FROM main.span s
              WHERE s.trace = t.row AND s.span_id = t.top_span_id), '') AS root_span_output
"""
_SPANS = """
    s.span_id,
    t.id AS trace_id,
    s.parent_span_id,
    s.name,
    s.path,
    iif(s.span_type = 'PIPELINE', 'UNKNOWN', s.span_type) AS span_type,
    s.status,
    s.start_time,
    s.end_time,
    s.duration,
    s.input,
    s.output,
    s.attributes,
    s.tool_definitions,
    s.tags,
    s.events,
    iif(s.response_model = '', s.request_model, s.response_model) AS model,
    s.request_model,
    s.response_model,
    s.provider,
    s.input_tokens,
    s.output_tokens,
    s.total_tokens,
    s.cache_read_input_tokens,
    s.cache_creation_input_tokens,
    s.reasoning_tokens,
    s.input_cost,
    s.output_cost,
    s.total_cost
"""

_SIGNAL_RUNS = """
    signal_id,
    job_id,
    trigger_id,
    run_id,
    trace_id,
    error_message,
    status,
    mode,
    event_id,
    updated_at,
    input_tokens,
    cache_read_tokens,
    output_tokens
"""
_SIGNAL_EVENTS = """
    id,
    signal_id,
    trace_id,
    run_id,
    name,
    payload,
    timestamp,
    severity,
    summary,
    clusters
"""

_TIME = "DateTime64(9, 'UTC')"
_USAGE = (
    *(f"{name}_tokens Int64" for name in ("input", "output", "total")),
    *(f"{name}_tokens UInt64" for name in ("cache_read_input", "cache_creation_input", "reasoning")),
    *(f"{name}_cost Float64" for name in ("input", "output", "total")),
)
# The columns of each table in order, with the types that Laminar's views give them.
CLICKHOUSE_COLUMNS: dict[str, tuple[str, ...]] = {
    "traces": (
        "id UUID", f"start_time {_TIME}", f"end_time {_TIME}", "duration Float64", *_USAGE, "metadata String",
        "session_id String", "user_id String", "status String", "top_span_id UUID", "top_span_name String",
        "top_span_type String", "trace_type String", "tags Array(String)", "trace_tags Array(String)",
        "span_names Array(String)", "has_browser_session Bool", "root_span_input String", "root_span_output String",
    ),
    "spans": (
        "span_id UUID", "trace_id UUID", "parent_span_id UUID", "name String", "path String", "span_type String",
        "status String", f"start_time {_TIME}", f"end_time {_TIME}", "duration Decimal(18, 9)", "input String",
        "output String", "attributes String", "tool_definitions String", "tags Array(String)",
        "events Array(Tuple(timestamp Int64, name String, attributes String))", "model String", "request_model String",
        "response_model String", "provider String", *_USAGE,
    ),
    "signal_runs": (
        "signal_id UUID", "job_id UUID", "trigger_id UUID", "run_id UUID", "trace_id UUID", "error_message String",
        "status String", "mode String", "event_id UUID", f"updated_at {_TIME}", "input_tokens UInt32",
        "cache_read_tokens UInt32", "output_tokens UInt32",
    ),
    "signal_events": (
        "id UUID", "signal_id UUID", "trace_id UUID", "run_id UUID", "name String", "payload String",
        f"timestamp {_TIME}", "severity UInt8", "summary String", "clusters Array(UUID)",
    ),
}  # fmt: skip

NAMES = frozenset(CLICKHOUSE_COLUMNS)

# Parameter name; bound to the row number of the key's project.
PROJECT = "_project"

# Not materialized, so that SQLite inlines them like views and uses the indexes. `main.` prevents a
# query's own `WITH` from shadowing the real tables.
SCOPED = (
    f"`traces` AS NOT MATERIALIZED (SELECT {_TRACES} FROM main.trace t WHERE t.project = :{PROJECT}), "
    f"`spans` AS NOT MATERIALIZED (SELECT {_SPANS} FROM main.trace t JOIN main.span s ON s.trace = t.row"
    f" WHERE t.project = :{PROJECT} AND s.project = :{PROJECT}), "
    f"`signal_runs` AS NOT MATERIALIZED (SELECT {_SIGNAL_RUNS} FROM main.signal_run WHERE project = :{PROJECT}), "
    f"`signal_events` AS NOT MATERIALIZED (SELECT {_SIGNAL_EVENTS} FROM main.signal_event WHERE project = :{PROJECT})"
)


def _named(type_name: str) -> frozenset[str]:
    columns = [column.split(" ", 1) for columns in CLICKHOUSE_COLUMNS.values() for column in columns]
    return frozenset(name for name, declared in columns if declared == type_name)


TIMES = _named(_TIME)
UUIDS = _named("UUID")
BOOLEANS = _named("Bool")
JSON_TEXTS = frozenset({"metadata"})

# Tables that the query connection may read; `json_each` expands arrays.
READABLE = frozenset({"trace", "span", "signal_run", "signal_event", "json_each"})
