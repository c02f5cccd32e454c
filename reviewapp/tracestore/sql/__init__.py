"""ClickHouse's SQL over the store's two tables: read as ClickHouse, answered by SQLite."""
