"""SQL by hand for backups: the ORM has no statement for snapshots, whole databases or a file's integrity."""

# Of the caller's transaction, which has to stay open while the copy is made.
USE_ONE_SNAPSHOT = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"
DISABLE_TIMEOUTS = """
    SELECT set_config('statement_timeout', '0', true), set_config('idle_in_transaction_session_timeout', '0', true)
"""
EXPORT_SNAPSHOT = "SELECT pg_export_snapshot()"

OTHER_SESSIONS = """
    SELECT count(*), string_agg(DISTINCT coalesce(nullif(application_name, ''), 'without name'), ', ')
    FROM pg_stat_activity WHERE datname = %s AND pid <> pg_backend_pid() AND backend_type = 'client backend'
"""
DATABASE_LOCALE = "SELECT pg_encoding_to_char(encoding), datcollate, datctype FROM pg_database WHERE datname = %s"

SQLITE_TABLES = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
SQLITE_COLUMNS = "SELECT name FROM pragma_table_info(?)"
SQLITE_MIGRATIONS = "SELECT name FROM django_migrations WHERE app = 'reviewapp'"
MARK_AS_BACKUP = """
    INSERT INTO reviewapp_tide (id, installation, mark, location) VALUES (1, ?, 0, ?)
    ON CONFLICT (id) DO UPDATE SET location = excluded.location
"""


def count_rows(quoted_table: str) -> str:
    return f"SELECT count(*) FROM {quoted_table}"  # noqa: S608 - a table's name from the catalogue, quoted
