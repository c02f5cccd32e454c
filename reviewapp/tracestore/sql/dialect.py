"""sqlglot dialects: queries are parsed as ClickHouse and generated as SQLite."""

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from sqlglot import exp
from sqlglot.dialects.clickhouse import ClickHouse
from sqlglot.dialects.sqlite import SQLite
from sqlglot.parsers.clickhouse import ClickHouseParser
from sqlglot.tokenizer_core import TokenType

# Aggregates that take parameters before their arguments: `quantile(0.5)(duration)`.
PARAMETRIC = frozenset(
    f"{name}{suffix}"
    for name in ("quantile", "quantileExact", "quantiles", "quantilesExact", "topK", "groupArray", "groupUniqArray")
    for suffix in ("", "If")
)


class ClickHouseReader(ClickHouse):
    """ClickHouse, but every function call stays an anonymous call with its original name.

    sqlglot would translate the functions it knows; here a function is in the store's own list or refused.
    """

    class Parser(ClickHouseParser):
        FUNCTIONS = {}
        FUNCTION_PARSERS = {"CAST": ClickHouseParser.FUNCTION_PARSERS["CAST"]}
        NO_PAREN_FUNCTIONS = {}
        QUERY_MODIFIER_PARSERS: ClassVar[dict[TokenType, Callable[[Any], Any]]] = {
            **ClickHouseParser.QUERY_MODIFIER_PARSERS,
            TokenType.LIMIT: lambda parser: parser.parse_limit_clause(),
        }

        def parse_limit_clause(self) -> tuple[str, exp.Expr | None]:
            """Parse `LIMIT … BY …` apart from `LIMIT`, since a query may have both."""
            limit = self._parse_limit()
            if isinstance(limit, exp.Limit) and not limit.args.get("offset"):
                offset = self._parse_offset()
                if isinstance(offset, exp.Offset):
                    limit.set("offset", offset.expression)
                    limit.set("expressions", offset.expressions or limit.expressions)
            return "limit_by" if isinstance(limit, exp.Limit) and limit.expressions else "limit", limit

        @classmethod
        def _resolve_clickhouse_agg(cls, name: str) -> tuple[str, Sequence[str]] | None:
            return (name, []) if name in PARAMETRIC else None


class SQLiteWriter(SQLite):
    """SQLite with identifiers in backticks: SQLite reads an unknown name in double quotes as a string."""

    NORMALIZE_FUNCTIONS: bool | str = False

    class Tokenizer(SQLite.Tokenizer):
        IDENTIFIERS = ["`"]
