"""The tables that a query can read: Laminar's `traces` and `spans`, limited to one project."""

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

NAMES = frozenset({"traces", "spans"})

# Parameter name; bound to the row number of the key's project.
PROJECT = "_project"

# Not materialized, so that SQLite inlines them like views and uses the indexes. `main.` prevents a
# query's own `WITH` from shadowing the real tables.
SCOPED = (
    f"`traces` AS NOT MATERIALIZED (SELECT {_TRACES} FROM main.trace t WHERE t.project = :{PROJECT}), "
    f"`spans` AS NOT MATERIALIZED (SELECT {_SPANS} FROM main.trace t JOIN main.span s ON s.trace = t.row"
    f" WHERE t.project = :{PROJECT} AND s.project = :{PROJECT})"
)

TIMES = frozenset({"start_time", "end_time"})
UUIDS = frozenset({"id", "trace_id", "span_id", "parent_span_id", "top_span_id"})
BOOLEANS = frozenset({"has_browser_session"})
JSON_TEXTS = frozenset({"metadata"})

# Tables that the query connection may read; `json_each` expands arrays.
READABLE = frozenset({"trace", "span", "json_each"})
