"""How queries are read (as ClickHouse) and how they are written (as SQLite)."""

from collections.abc import Sequence

from sqlglot.dialects.clickhouse import ClickHouse
from sqlglot.dialects.sqlite import SQLite
from sqlglot.parsers.clickhouse import ClickHouseParser


class Read(ClickHouse):
    """ClickHouse in which every function call keeps its own name.

    sqlglot would translate those it knows; here a function is either in the store's own list or refused.
    """

    class Parser(ClickHouseParser):
        FUNCTIONS = {}
        FUNCTION_PARSERS = {"CAST": ClickHouseParser.FUNCTION_PARSERS["CAST"]}
        NO_PAREN_FUNCTIONS = {}

        @classmethod
        def _resolve_clickhouse_agg(cls, name: str) -> tuple[str, Sequence[str]] | None:
            return (name, []) if name in ("quantile", "quantileExact") else None


class Write(SQLite):
    """SQLite with names in backticks: a name in double quotes that it does not know, it takes for a text."""

    NORMALIZE_FUNCTIONS: bool | str = False

    class Tokenizer(SQLite.Tokenizer):
        IDENTIFIERS = ["`"]
