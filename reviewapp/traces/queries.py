"""SQL by hand for traces, each with its reason and what it was measured against.

Figures are the time of one call on SQLite, ORM against this, as `python -m benchmarks queries` measures them.
`[]` is the place of a list of any length (see reviewapp.lib.sql).
"""

# Every next item asks for its trace. ORM 0.69 ms, this 0.12 ms.
TRACE_BY_ID = "SELECT * FROM reviewapp_trace WHERE project_id = %s AND trace_id = %s"

# Every page of a trace asks whether parts of it could not be read. ORM 0.40 ms, this 0.03 ms.
UNREADABLE_PARTS = "SELECT * FROM reviewapp_unreadablepart WHERE trace_id = %s ORDER BY id"

# A save locks the trace once and writes it once. ORM 0.47 ms, this 0.11 ms; ORM 0.40 ms, this 0.12 ms.
LOCK_TRACE = """
    SELECT id, start_time, metadata, unconfirmed, reviews FROM reviewapp_trace
    WHERE project_id = %s AND trace_id = %s FOR UPDATE
"""
UPDATE_METADATA = """
    UPDATE reviewapp_trace SET metadata = %s, unconfirmed = %s, reviews = reviews + %s, noted_at = %s WHERE id = %s
"""
# A save adds a row for each key. Five rows: ORM 0.48 ms, this 0.20 ms.
INSERT_CHANGES = "INSERT INTO reviewapp_change (project_id, trace_id, key, before, after, at, by, patch)"

# The index of a saved trace. Locks the terms, so that none is deleted before its posting is inserted: PostgreSQL
# checks foreign keys only at the end of the transaction. Five terms: ORM 0.45 ms, this 0.13 ms.
LOCK_TERMS = "SELECT digest, id FROM reviewapp_term WHERE project_id = %s AND digest IN [] FOR KEY SHARE"
# The ORM cannot skip conflicts and return the inserted rows.
INSERT_TERMS = "INSERT INTO reviewapp_term (project_id, key, value, digest, count)"
SKIP_CONFLICTS = "ON CONFLICT DO NOTHING RETURNING digest, id"
# ORM 0.36 ms, this 0.05 ms; five rows each: ORM 0.47 ms, this 0.21 ms; ORM 0.32 ms, this 0.12 ms.
POSTINGS = "SELECT trace_id, term_id, start_time, signature FROM reviewapp_posting WHERE trace_id IN []"
INSERT_POSTINGS = "INSERT INTO reviewapp_posting (term_id, trace_id, start_time, signature)"
UPDATE_CONFLICTS = """
    ON CONFLICT (term_id, trace_id) DO UPDATE SET start_time = excluded.start_time, signature = excluded.signature
"""
INSERT_TALLIES = "INSERT INTO reviewapp_tally (term_id, delta)"
# Pairs of term and trace, which the ORM can only delete one query each.
DELETE_POSTING = "DELETE FROM reviewapp_posting WHERE term_id = %s AND trace_id = %s"

# The index's maintenance. Many rows, each with another value, which the ORM can only update one query each.
ADD_TO_COUNT = "UPDATE reviewapp_term SET count = count + %s WHERE id = %s"
# The ORM's upsert can replace a value, not add to it.
INSERT_KEYS = "INSERT INTO reviewapp_key (project_id, name, count)"
ADD_TO_CONFLICTS = "ON CONFLICT (project_id, name) DO UPDATE SET count = reviewapp_key.count + excluded.count"
# The ORM passes -1 as a parameter: then SQLite cannot use the small partial index on unsigned postings.
UNSIGNED_TRACES = "SELECT DISTINCT trace_id FROM reviewapp_posting WHERE signature = -1 LIMIT %s"

# A condition of the scan behind every filter view. A scalar subquery, because PostgreSQL turns EXISTS into a join of
# all postings of both terms; composing it with the ORM took three times as long as the whole scan.
HAS_SIGNATURE = "signature & %s = %s"
HAS_TERM = """
    (SELECT 1 FROM reviewapp_posting other
     WHERE other.term_id IN [] AND other.trace_id = reviewapp_posting.trace_id LIMIT 1) IS NOT NULL
"""

# Conditions of partial indexes, spelled out: SQLite uses such an index only if the same condition is in the query.
HAS_SESSION = "NOT (reviewapp_trace.session_id = '')"
HAS_USER = "NOT (reviewapp_trace.user_id = '')"
HAS_FAILED = "reviewapp_trace.status = 'error'"

# The first values of each of 25 keys in one statement, which the ORM cannot compose: its unions cannot be limited
# part by part on SQLite. Four keys: ORM in four queries 2.89 ms, this 0.07 ms.
TERMS_OF_KEY = """
    SELECT * FROM (
        SELECT key, value, count,
            (SELECT start_time FROM reviewapp_posting WHERE term_id = term.id ORDER BY start_time LIMIT 1),
            (SELECT start_time FROM reviewapp_posting WHERE term_id = term.id ORDER BY start_time DESC LIMIT 1)
        FROM reviewapp_term term WHERE project_id = %s AND key = %s AND count > 0 ORDER BY count DESC LIMIT %s
    ) AS part
"""

# The span tree of a trace of up to 100,000 spans, as the database spells ids and times; the ORM converts each. Five
# spans: ORM 1.02 ms, this 0.06 ms. The name of an event is spelled as pull.py stores it; quotes inside texts are
# escaped there.
SPAN_LINKS = """
    SELECT span_id, parent_span_id, id, span_type, start_time, end_time,
        CASE WHEN LOWER(status) = 'error' OR event_texts LIKE '%%"name": "exception"%%' THEN 1 ELSE 0 END
    FROM reviewapp_span WHERE trace_id = %s ORDER BY start_time, id
"""

# A listing stores 2,000 traces a second, and a re-read 200 per query: one statement for many rows, each with values of
# its own. The second compares the lease: a trace that was rescheduled meanwhile keeps its new time.
TRACE_FIELDS = (
    "name", "start_time", "end_time", "status", "session_id", "user_id", "input_tokens", "output_tokens",
    "total_tokens", "total_cost", "duration", "metadata", "noted_at", "pulled_at", "asked_at", "pull_due_at",
    "read_due_at", "changed_at",
)  # fmt: skip
UPDATE_TRACE = f"UPDATE reviewapp_trace SET {', '.join(f'{name} = %s' for name in TRACE_FIELDS)} WHERE id = %s"  # noqa: S608
SCHEDULE_READ = "UPDATE reviewapp_trace SET read_due_at = %s WHERE id = %s AND read_due_at = %s"

# Every opened item. ORM 0.52 ms, this 0.08 ms.
TRANSCRIPT_OF_TRACE = "SELECT * FROM reviewapp_prepared WHERE trace_id = %s AND version = %s"
