"""SQL by hand for delivery, each with its reason and what it was measured against.

Figures are the time of one call on SQLite, ORM against this, as `python -m benchmarks queries` measures them.
"""

# Part of every save. The database's own defaults fill in the counters and empty texts. ORM 0.46 ms, this 0.17 ms.
INSERT_PATCH = """
    INSERT INTO reviewapp_patch (project_id, trace_id, metadata, carried, tags, source, state, created_at, due_at)
    VALUES (%s, %s, %s, %s, %s, %s, 'waiting', %s, %s) RETURNING id
"""
# Part of every save, and usually without a result. ORM 0.79 ms, this 0.11 ms.
LOCK_SUPERSEDABLE = """
    SELECT * FROM reviewapp_patch
    WHERE project_id = %s AND trace_id = %s AND state IN ('waiting', 'sending', 'accepted', 'parked')
    ORDER BY id FOR UPDATE
"""

# A worker asks five times a second. For each project, when its oldest waiting row was due: the cost does not grow with
# the number of rows. ORM 1.32 ms, this 0.06 ms.
READY_PROJECTS = """
    SELECT p.id,
        (SELECT w.due_at FROM reviewapp_patch w WHERE w.project_id = p.id AND w.state = 'waiting' AND w.due_at <= %s
         ORDER BY w.due_at LIMIT 1),
        p.push_limit, b.held_until IS NOT NULL
    FROM reviewapp_project p LEFT JOIN reviewapp_breaker b ON b.project_id = p.id
    WHERE b.id IS NULL OR (b.restored_at IS NULL AND (b.held_until IS NULL OR b.held_until <= %s))
"""
# Due rows without another row of the same trace being sent. ORM 1.69 ms, this 0.12 ms.
DUE_PATCHES = """
    SELECT w.* FROM reviewapp_patch w
    WHERE w.project_id = %s AND w.state = 'waiting' AND w.due_at <= %s AND NOT EXISTS (
        SELECT 1 FROM reviewapp_patch s
        WHERE s.project_id = w.project_id AND s.trace_id = w.trace_id AND s.state = 'sending')
    ORDER BY due_at, id LIMIT %s FOR UPDATE OF w SKIP LOCKED
"""

# The end of a chain of superseded patches: the ORM has no recursive queries.
CARRIER = """
    WITH RECURSIVE chain (id, newer) AS (
        SELECT id, superseded_by_id FROM reviewapp_patch WHERE id = %s
        UNION
        SELECT patch.id, patch.superseded_by_id FROM reviewapp_patch patch JOIN chain ON patch.id = chain.newer
    )
    SELECT id FROM chain WHERE newer IS NULL
"""

# What no copy of a PostgreSQL database has in common with it: the server's identity and the database's own number.
POSTGRES_LOCATION = """
    SELECT system_identifier::text || '/' || (SELECT oid FROM pg_database WHERE datname = current_database())
    FROM pg_control_system()
"""
