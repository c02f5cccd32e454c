"""The store's tables. `PRAGMA user_version` is the number of migration steps applied to a file."""

import sqlite3

# Spans refer to the trace's row number, not to its id: new index entries then go to the end of
# the index, which keeps ingest fast although ids are random.
_INITIAL = """
CREATE TABLE project (
    row INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE
);
CREATE TABLE key (
    hash TEXT PRIMARY KEY,
    project INTEGER NOT NULL REFERENCES project (row),
    shorthand TEXT NOT NULL,
    is_ingest_only INTEGER NOT NULL,
    expires_at TEXT
) WITHOUT ROWID;
CREATE TABLE trace (
    row INTEGER PRIMARY KEY,
    project INTEGER NOT NULL,
    id TEXT NOT NULL,
    start_time TEXT NOT NULL,
    end_time TEXT NOT NULL,
    duration REAL NOT NULL,
    input_tokens INTEGER NOT NULL,
    output_tokens INTEGER NOT NULL,
    total_tokens INTEGER NOT NULL,
    cache_read_input_tokens INTEGER NOT NULL,
    cache_creation_input_tokens INTEGER NOT NULL,
    reasoning_tokens INTEGER NOT NULL,
    input_cost REAL NOT NULL,
    output_cost REAL NOT NULL,
    total_cost REAL NOT NULL,
    metadata TEXT NOT NULL,
    session_id TEXT NOT NULL,
    user_id TEXT NOT NULL,
    status TEXT NOT NULL,
    top_span_id TEXT NOT NULL,
    top_span_name TEXT NOT NULL,
    top_span_type TEXT NOT NULL,
    trace_type TEXT NOT NULL,
    tags BLOB NOT NULL,
    span_names BLOB NOT NULL,
    has_browser_session INTEGER NOT NULL,
    num_spans INTEGER NOT NULL,
    UNIQUE (project, id)
);
CREATE INDEX trace_newest ON trace (project, start_time);
CREATE TABLE span (
    row INTEGER PRIMARY KEY,
    project INTEGER NOT NULL,
    trace INTEGER NOT NULL,
    span_id TEXT NOT NULL,
    parent_span_id TEXT NOT NULL,
    name TEXT NOT NULL,
    path TEXT NOT NULL,
    span_type TEXT NOT NULL,
    status TEXT NOT NULL,
    start_time TEXT NOT NULL,
    end_time TEXT NOT NULL,
    duration REAL NOT NULL,
    request_model TEXT NOT NULL,
    response_model TEXT NOT NULL,
    provider TEXT NOT NULL,
    input_tokens INTEGER NOT NULL,
    output_tokens INTEGER NOT NULL,
    total_tokens INTEGER NOT NULL,
    cache_read_input_tokens INTEGER NOT NULL,
    cache_creation_input_tokens INTEGER NOT NULL,
    reasoning_tokens INTEGER NOT NULL,
    input_cost REAL NOT NULL,
    output_cost REAL NOT NULL,
    total_cost REAL NOT NULL,
    tool_definitions TEXT NOT NULL,
    tags BLOB NOT NULL,
    events BLOB NOT NULL,
    attributes TEXT NOT NULL,
    input TEXT NOT NULL,
    output TEXT NOT NULL,
    UNIQUE (trace, span_id)
);
CREATE INDEX span_newest ON span (project, start_time);
CREATE TABLE patch (
    row INTEGER PRIMARY KEY AUTOINCREMENT,
    project INTEGER NOT NULL,
    trace_id TEXT NOT NULL,
    metadata TEXT NOT NULL,
    apply_at INTEGER NOT NULL
);
CREATE INDEX patch_due ON patch (apply_at, row);
"""

# Verdicts of Laminar's signals, with the columns that its SQL shows.
_SIGNALS = """
CREATE TABLE signal_run (
    row INTEGER PRIMARY KEY,
    project INTEGER NOT NULL,
    signal_id TEXT NOT NULL,
    job_id TEXT NOT NULL,
    trigger_id TEXT NOT NULL,
    run_id TEXT NOT NULL,
    trace_id TEXT NOT NULL,
    error_message TEXT NOT NULL,
    status TEXT NOT NULL,
    mode TEXT NOT NULL,
    event_id TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    input_tokens INTEGER NOT NULL,
    cache_read_tokens INTEGER NOT NULL,
    output_tokens INTEGER NOT NULL,
    UNIQUE (project, run_id)
);
CREATE INDEX signal_run_trace ON signal_run (project, trace_id);
CREATE TABLE signal_event (
    row INTEGER PRIMARY KEY,
    project INTEGER NOT NULL,
    id TEXT NOT NULL,
    signal_id TEXT NOT NULL,
    trace_id TEXT NOT NULL,
    run_id TEXT NOT NULL,
    name TEXT NOT NULL,
    payload TEXT NOT NULL,
    timestamp TEXT NOT NULL,
    severity INTEGER NOT NULL,
    summary TEXT NOT NULL,
    clusters BLOB NOT NULL,
    UNIQUE (project, id)
);
CREATE INDEX signal_event_trace ON signal_event (project, trace_id);
"""

# Datasets with their datapoints, whose parts are JSON text.
_DATASETS = """
CREATE TABLE dataset (
    row INTEGER PRIMARY KEY,
    project INTEGER NOT NULL,
    id TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    created_at TEXT NOT NULL,
    UNIQUE (project, name)
);
CREATE TABLE datapoint (
    row INTEGER PRIMARY KEY,
    dataset INTEGER NOT NULL REFERENCES dataset (row),
    id TEXT NOT NULL,
    data TEXT NOT NULL,
    target TEXT NOT NULL,
    metadata TEXT NOT NULL,
    created_at TEXT NOT NULL,
    UNIQUE (dataset, id)
);
"""

STEPS = (_INITIAL, _SIGNALS, _DATASETS)


class NewerSchemaError(RuntimeError):
    """A newer release of the trace store wrote the file."""


def prepare(connection: sqlite3.Connection) -> None:
    """Migrate the file to this release's schema. Raises NewerSchemaError."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > len(STEPS):
        raise NewerSchemaError(
            f"The trace store's file has schema version {version}, but this release supports up to {len(STEPS)}."
            " Upgrade the trace store."
        )
    for number, step in enumerate(STEPS[version:], start=version + 1):
        connection.executescript(f"BEGIN IMMEDIATE; {step} PRAGMA user_version = {number}; COMMIT;")
