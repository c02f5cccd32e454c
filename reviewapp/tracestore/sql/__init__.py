"""ClickHouse SQL over the store's two tables: parsed as ClickHouse, translated, run by SQLite."""
