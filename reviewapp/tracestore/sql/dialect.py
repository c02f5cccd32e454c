"""sqlglot dialects: queries are parsed as ClickHouse and generated as SQLite."""

from collections.abc import Sequence

from sqlglot.dialects.clickhouse import ClickHouse
from sqlglot.dialects.sqlite import SQLite
from sqlglot.parsers.clickhouse import ClickHouseParser


class ClickHouseReader(ClickHouse):
    """ClickHouse, but every function call stays an anonymous call with its original name.

    sqlglot would translate the functions it knows; here a function is in the store's own list or refused.
    """

    class Parser(ClickHouseParser):
        FUNCTIONS = {}
        FUNCTION_PARSERS = {"CAST": ClickHouseParser.FUNCTION_PARSERS["CAST"]}
        NO_PAREN_FUNCTIONS = {}

        @classmethod
        def _resolve_clickhouse_agg(cls, name: str) -> tuple[str, Sequence[str]] | None:
            return (name, []) if name in ("quantile", "quantileExact") else None


class SQLiteWriter(SQLite):
    """SQLite with identifiers in backticks: SQLite reads an unknown name in double quotes as a string."""

    NORMALIZE_FUNCTIONS: bool | str = False

    class Tokenizer(SQLite.Tokenizer):
        IDENTIFIERS = ["`"]
