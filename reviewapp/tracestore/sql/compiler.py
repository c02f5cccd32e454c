"""A ClickHouse query as one SQLite statement over one project's rows."""

from dataclasses import dataclass, field
from functools import lru_cache

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from reviewapp.tracestore.sql import tables
from reviewapp.tracestore.sql.dialect import Read, Write
from reviewapp.tracestore.sql.errors import Refused
from reviewapp.tracestore.sql.rewriter import Parameter, Rewriter

# ClickHouse's own default for the length of a query.
MAX_QUERY = 256 * 1024

_BLOCKED = frozenset(
    "file url remote remotesecure s3 gcs hdfs mysql postgresql mongodb redis sqlite jdbc odbc input cluster merge"
    " dictionary view executable sleep sleepeachrow getsetting currentdatabase currentuser hostname getmacro".split()
)
_BLOCKED_PREFIXES = ("dictget", "dicthas", "joinget")


@dataclass(frozen=True, slots=True)
class Statement:
    """SQLite's text, and by SQLite's names for them the parameters it wants."""

    sql: str
    parameters: dict[str, Parameter] = field(default_factory=dict)


@lru_cache(maxsize=256)
def compiled(query: str) -> Statement:
    """The statement for a query. Raises Refused."""
    if len(query) > MAX_QUERY:
        raise Refused(f"Error executing query: Max query size exceeded ({MAX_QUERY} bytes)")
    if "?" in query:
        # Laminar's ClickHouse client takes any `?` for an argument that nobody binds.
        raise Refused("Error executing query: unbound query argument; put a text with `?` into a parameter", 500)
    try:
        tree = _parsed(query)
        _check(tree)
        _name_columns(tree)
        rewriter = Rewriter()
        tree = rewriter.rewritten(tree)
        return Statement(_scoped(tree), rewriter.parameters)
    except (SqlglotError, ValueError) as error:
        raise Refused(f"Query validation failed: {_plain(error)}") from None
    except RecursionError:
        raise Refused("Query validation failed: the query is nested too deeply") from None


def _parsed(query: str) -> exp.Query:
    statements = sqlglot.parse(query, dialect=Read)
    statement = statements[0] if len(statements) == 1 else None
    if not isinstance(statement, (exp.Select, exp.SetOperation, exp.Subquery)):
        raise Refused("Query validation failed: Only SELECT statements are allowed")
    return statement


def _check(tree: exp.Query) -> None:
    ctes = {cte.alias for cte in tree.find_all(exp.CTE)}
    for name in ctes:
        if name.lower() in tables.NAMES:
            raise Refused(f"Query validation failed: CTE name '{name}' collides with a protected table name")
    for table in tree.find_all(exp.Table):
        if not isinstance(table.this, exp.Identifier):
            raise Refused(f"Query validation failed: Function '{table.this.name}' is not allowed")
        if table.db or table.catalog or table.name not in tables.NAMES | ctes:
            raise Refused(f"Query validation failed: Table '{table.name}' does not exist")
    for call in tree.find_all(exp.Anonymous):
        name = call.name.lower()
        if name in _BLOCKED or name.startswith(_BLOCKED_PREFIXES):
            raise Refused(f"Query validation failed: Function '{call.name}' is not allowed")
    if any(name.name.lower() == "project_id" for name in tree.find_all(exp.Identifier)):
        raise Refused("Query validation failed: Column 'project_id' does not exist")


def _name_columns(tree: exp.Query) -> None:
    """Give each column of the answer the name that ClickHouse would: its alias, its column, its text."""
    select: exp.Expr = tree
    while isinstance(select, (exp.SetOperation, exp.Subquery)):
        select = select.this
    for column in list(select.expressions):
        if not isinstance(column, exp.Alias) and not column.is_star:
            name = column.name if isinstance(column, exp.Column) else column.sql(dialect=Read)
            column.replace(exp.alias_(column.copy(), name, quoted=True))


def _scoped(tree: exp.Query) -> str:
    """The whole statement: the two tables cut to the project, then the query and its own `WITH`."""
    own = tree.args.get("with_")
    if own is not None:
        own.pop()
    scoped = [tables.SCOPED, *(_text(cte) for cte in (own.expressions if own is not None else []))]
    return f"WITH {', '.join(scoped)} {_text(tree)}"


def _text(node: exp.Expr) -> str:
    return node.sql(dialect=Write, identify=True, unsupported_level=sqlglot.ErrorLevel.RAISE)


def _plain(error: Exception) -> str:
    details = getattr(error, "errors", None)
    if not details:
        return str(error)
    first = details[0]
    return f"{first['description']} at line {first['line']}, column {first['col']}"
