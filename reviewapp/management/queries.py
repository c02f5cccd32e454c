"""SQL by hand for `migrate` on PostgreSQL: the ORM has no statement for locks and timeouts of a session."""

# One for each database. It ends with the session, also if that is killed.
TRY_MIGRATION_LOCK = "SELECT pg_try_advisory_lock(7275368191)"
RELEASE_MIGRATION_LOCK = "SELECT pg_advisory_unlock(7275368191)"

SET_TIMEOUTS = "SELECT set_config('lock_timeout', %s, false), set_config('statement_timeout', '0', false)"
RESET_TIMEOUTS = "RESET lock_timeout; RESET statement_timeout"

# The transaction that most likely holds a lock which a migration waits for.
OLDEST_TRANSACTION = """
    SELECT pid, application_name, extract(epoch FROM now() - xact_start)::int FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid() AND xact_start IS NOT NULL
    ORDER BY xact_start LIMIT 1
"""
