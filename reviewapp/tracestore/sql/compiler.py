"""Compile a ClickHouse query to one SQLite statement over one project's rows."""

from dataclasses import dataclass, field
from functools import lru_cache

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.tokenizer_core import Token, TokenType

from reviewapp.tracestore.sql import column_names, expansion, tables, type_checks
from reviewapp.tracestore.sql.dialect import ClickHouseReader, SQLiteWriter
from reviewapp.tracestore.sql.errors import QueryError
from reviewapp.tracestore.sql.rewriter import Parameter, Rewriter

# ClickHouse's default limit on the length of a query, in bytes.
MAX_QUERY = 256 * 1024
# Rewriting takes time in proportion to the tokens times the depth; the columns of a SELECT are renamed one by one.
MAX_TOKENS, MAX_DEPTH, MAX_COLUMNS = 20_000, 50, 1_000

_BLOCKED = frozenset(
    "file url remote remotesecure s3 gcs hdfs mysql postgresql mongodb redis sqlite jdbc odbc input cluster merge"
    " dictionary view executable sleep sleepeachrow getsetting currentdatabase currentuser hostname getmacro".split()
)
_DEPTH_CHANGES = {
    **dict.fromkeys((TokenType.L_PAREN, TokenType.L_BRACKET, TokenType.CASE), 1),
    **dict.fromkeys((TokenType.R_PAREN, TokenType.R_BRACKET, TokenType.END), -1),
}
_BLOCKED_PREFIXES = ("dictget", "dicthas", "joinget")


@dataclass(frozen=True, slots=True)
class Statement:
    """A SQLite statement and its declared parameters, by placeholder name."""

    sql: str
    parameters: dict[str, Parameter] = field(default_factory=dict)


@lru_cache(maxsize=256)
def compile_query(query: str) -> Statement:
    """Compile a query. Raises QueryError."""
    if len(query.encode(errors="replace")) > MAX_QUERY:
        raise QueryError(f"Error executing query: Max query size exceeded ({MAX_QUERY} bytes)")
    if "?" in query:
        # Laminar's ClickHouse client treats any `?` as a positional argument without a value.
        raise QueryError(
            "Error executing query: unbound query argument; pass text that contains `?` as a parameter", 500
        )
    try:
        tree = parse_query(query)
        _check_access(tree)
        expansion.expand_filters(tree)
        expansion.expand_stars(tree)
        _name_columns(tree)
        expansion.expand_aliases(tree)
        expansion.expand_groups(tree)
        type_checks.check(tree)
        expansion.expand_limits(tree)
        rewriter = Rewriter()
        tree = rewriter.rewrite(tree)
        return Statement(_add_project_scope(tree), rewriter.parameters)
    except (SqlglotError, ValueError) as error:
        raise QueryError(f"Query validation failed: {_error_message(error)}") from None
    except RecursionError:
        raise QueryError("Query validation failed: the query is nested too deeply") from None


def parse_query(query: str) -> exp.Query:
    dialect = ClickHouseReader()
    tokens = dialect.tokenize(query)
    _check_size(tokens)
    statements = dialect.parser().parse(tokens, query)
    statement = statements[0] if len(statements) == 1 else None
    if not isinstance(statement, (exp.Select, exp.SetOperation, exp.Subquery)):
        raise QueryError("Query validation failed: Only SELECT statements are allowed")
    if any(len(select.expressions) > MAX_COLUMNS for select in statement.find_all(exp.Select)):
        raise QueryError(f"Query validation failed: Too many columns; the maximum is {MAX_COLUMNS:,}")
    return statement


def _check_size(tokens: list[Token]) -> None:
    """Refuse a query that is too large to be parsed in reasonable time. Raises QueryError."""
    if len(tokens) > MAX_TOKENS:
        raise QueryError(f"Query validation failed: Too many words; the maximum is {MAX_TOKENS:,}. Use parameters")
    depth = 0
    for token in tokens:
        depth += _DEPTH_CHANGES.get(token.token_type, 0)
        if depth > MAX_DEPTH:
            raise QueryError("Query validation failed: the query is nested too deeply")


def _check_access(tree: exp.Query) -> None:
    ctes = {cte.alias for cte in tree.find_all(exp.CTE)}
    for name in ctes:
        if name.lower() in tables.NAMES:
            raise QueryError(f"Query validation failed: CTE name '{name}' collides with a protected table name")
    for table in tree.find_all(exp.Table):
        if not isinstance(table.this, exp.Identifier):
            raise QueryError(f"Query validation failed: Function '{table.this.name}' is not allowed")
        if table.db or table.catalog or table.name not in tables.NAMES | ctes:
            raise QueryError(f"Query validation failed: Table '{table.name}' does not exist")
    for call in tree.find_all(exp.Anonymous):
        name = call.name.lower()
        if name in _BLOCKED or name.startswith(_BLOCKED_PREFIXES):
            raise QueryError(f"Query validation failed: Function '{call.name}' is not allowed")
    if any(name.name.lower() == "project_id" for name in tree.find_all(exp.Identifier)):
        raise QueryError("Query validation failed: Column 'project_id' does not exist")


def _name_columns(tree: exp.Query) -> None:
    """Name each result column as ClickHouse does: by its alias, its column name or its expression."""
    select: exp.Expr = tree
    while isinstance(select, (exp.SetOperation, exp.Subquery)):
        select = select.this
    for column in list(select.expressions):
        if not isinstance(column, exp.Alias) and not column.is_star:
            column.replace(exp.alias_(column.copy(), column_names.name_column(column), quoted=True))


def _add_project_scope(tree: exp.Query) -> str:
    """Returns the full SQL: `traces` and `spans` limited to the project, the query's own `WITH`, the query."""
    query_with = tree.args.get("with_")
    if query_with is not None:
        query_with.pop()
    ctes = [tables.SCOPED, *(_to_sql(cte) for cte in (query_with.expressions if query_with is not None else []))]
    return f"WITH {', '.join(ctes)} {_to_sql(tree)}"


def _to_sql(node: exp.Expr) -> str:
    return node.sql(dialect=SQLiteWriter, identify=True, unsupported_level=sqlglot.ErrorLevel.RAISE)


def _error_message(error: Exception) -> str:
    details = getattr(error, "errors", None)
    if not details:
        return str(error)
    first = details[0]
    return f"{first['description']} at line {first['line']}, column {first['col']}"
