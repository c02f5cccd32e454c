"""Write out what ClickHouse lets a query abbreviate: `* EXCEPT`, aliases used again, GROUP BY ALL, LIMIT BY."""

from collections.abc import Iterator
from typing import Any, cast

from sqlglot import exp

from reviewapp.tracestore.sql import aggregates, tables
from reviewapp.tracestore.sql.errors import QueryError

# Of one SELECT with its aliases written out: ten aliases that each use the one before twice are a thousand copies.
MAX_NODES = 50_000
_ROW, _POSITION = "_limit_by_row", "_limit_by_position"
_QUERIES = (exp.Select, exp.SetOperation, exp.Subquery)


def own_nodes(root: exp.Expr, select: exp.Select) -> Iterator[exp.Expr]:
    """Yield the nodes of a part of a SELECT, without those inside subqueries; the subqueries themselves are yielded."""
    for node in root.dfs(prune=lambda node: isinstance(node, _QUERIES) and node is not select):
        if node is not select:
            yield node


def expand_stars(tree: exp.Query) -> None:
    """Replace `* EXCEPT …`, `* REPLACE …` and the stars of a SELECT with LIMIT BY by columns. Raises QueryError."""
    for select in _selects(tree):
        needs_names = bool(select.args.get("limit_by"))
        columns: list[exp.Expr] = []
        for column in select.expressions:
            star = column.this if isinstance(column, exp.Column) else column
            is_star = isinstance(star, exp.Star)
            if is_star and (needs_names or star.args.get("except_") or star.args.get("replace")):
                columns += _expand_star(select, star, column.table if column is not star else "")
            else:
                columns.append(column)
        select.set("expressions", columns)


def expand_filters(tree: exp.Query) -> None:
    """Replace `f(x) FILTER (WHERE c)` by `fIf(x, c)`, as ClickHouse does."""
    for node in list(tree.find_all(exp.Filter)):
        call, condition = node.this, node.expression.this
        arguments = [argument for argument in call.expressions if not isinstance(argument, exp.Star)]
        node.replace(exp.Anonymous(this=f"{call.name}If", expressions=[*arguments, condition]))


def expand_aliases(tree: exp.Query) -> None:
    """Replace aliases that are used inside their SELECT by their expressions. Raises QueryError."""
    for select in _selects(tree):
        definitions = _take_scalars(select)
        definitions |= {
            column.alias: column.this
            for column in select.expressions
            if isinstance(column, exp.Alias) and not _is_same_column(column)
        }
        if definitions:
            _AliasExpansion(select, definitions).run()


def expand_groups(tree: exp.Query) -> None:
    """Replace GROUP BY ALL and positions in GROUP BY by the expressions that they stand for."""
    for select in _selects(tree):
        group = select.args.get("group")
        if group is None:
            continue
        columns = [column.unalias() for column in select.expressions]
        if group.args.get("all"):
            group.set("all", None)
            keys = [key.copy() for column in columns for key in _find_keys(column, select)]
            # A constant groups nothing, and SQLite would read a number as a position.
            group.set("expressions", [key for key in keys if key.find(exp.Column)])
            if not group.expressions:
                select.set("group", None)
            continue
        for key in group.expressions:
            if isinstance(key, exp.Literal) and not key.is_string and key.name.isdecimal() and len(key.name) < 5:
                position = int(key.name)
                if not 0 < position <= len(columns):
                    raise QueryError(f"Error executing query: Position {position} in GROUP BY is out of bounds")
                key.replace(columns[position - 1].copy())


def expand_limits(tree: exp.Query) -> None:
    """Replace `LIMIT n OFFSET m BY …` by a numbered subquery."""
    for select in _selects(tree):
        limit = select.args.get("limit_by")
        if limit is not None:
            if select.args.get("distinct"):
                raise QueryError("Error executing query: DISTINCT with LIMIT BY is not supported by the trace store")
            select.set("limit_by", None)
            _number_rows(select, limit)


def is_aggregate(node: exp.Expr) -> bool:
    """Whether a node is a call of an aggregate, outside OVER."""
    if isinstance(node.parent, exp.Window) and node.arg_key == "this":
        return False
    if isinstance(node, (exp.ParameterizedAgg, exp.AnonymousAggFunc)):
        return True
    return isinstance(node, exp.Anonymous) and node.name.lower() in aggregates.NAMES


class _AliasExpansion:
    def __init__(self, select: exp.Select, definitions: dict[str, exp.Expr]) -> None:
        self._select = select
        self._definitions = definitions
        self._expanded: dict[str, exp.Expr] = {}
        self._size = 0
        self._aliases = {column.alias for column in select.expressions}
        self._tables = {source.alias_or_name for source in sources(select)}

    def run(self) -> None:
        for name in self._definitions:
            self._expand(name, ())
        for column in self._select.expressions:
            if isinstance(column, exp.Alias) and column.alias in self._definitions and not _is_same_column(column):
                column.set("this", self._expanded[column.alias].copy())
            else:
                self._replace(column, ())
        for key, part in list(self._select.args.items()):
            if key not in ("expressions", "from_", "with_"):
                for node in part if isinstance(part, list) else [part]:
                    self._replace_in_clause(node)

    def _replace_in_clause(self, node: Any) -> None:
        for part in node.expressions if isinstance(node, exp.Order) else [node]:
            # SQLite looks for the alias first where it stands alone in ORDER BY.
            is_alone = isinstance(part, exp.Ordered) and isinstance(part.this, exp.Column) and not part.this.table
            if isinstance(part, exp.Expr) and not (is_alone and part.this.name in self._aliases):
                self._replace(part, ())

    def _expand(self, name: str, inside: tuple[str, ...]) -> exp.Expr:
        if name not in self._expanded:
            # A holder, so that a definition that is a single column can be replaced too.
            holder = exp.Paren(this=self._definitions[name].copy())
            self._replace(holder, (*inside, name))
            if inside and any(used in inside for used in _column_names(holder)):
                # Part of a circle: what it means depends on where it is used.
                return cast(exp.Expr, holder.this)
            self._expanded[name] = holder.this
        return self._expanded[name]

    def _replace(self, root: exp.Expr, inside: tuple[str, ...]) -> None:
        """Replace the uses of aliases; inside its own definition, an alias's name is the column's."""
        if len(inside) > 50:
            raise QueryError("Query validation failed: aliases use each other too deeply")
        variables = {name.name for node in root.find_all(exp.Lambda) for name in node.expressions}
        for node in list(own_nodes(root, self._select)):
            if not isinstance(node, exp.Column) or node.name in inside or node.name in variables:
                continue
            if node.table:
                self._replace_member(node, inside)
                continue
            if node.name in self._definitions and isinstance(node.this, exp.Identifier):
                expanded = self._expand(node.name, inside).copy()
                self._size += sum(1 for _ in expanded.walk())
                if self._size > MAX_NODES:
                    raise QueryError("Error executing query: Expanded AST is too big")
                is_simple = isinstance(expanded, (exp.Column, exp.Literal, exp.Anonymous, exp.Paren))
                node.replace(expanded if is_simple else exp.Paren(this=expanded))

    def _replace_member(self, column: exp.Column, inside: tuple[str, ...]) -> None:
        """`e.name`, where `e` is the alias of a tuple."""
        name = column.table
        if name in self._definitions and name not in inside and name not in self._tables:
            key = column.this.copy() if isinstance(column.this, exp.Literal) else exp.Literal.string(column.name)
            value = self._expand(name, inside).copy()
            column.replace(exp.Anonymous(this="tupleElement", expressions=[value, key]))


def _selects(tree: exp.Query) -> list[exp.Select]:
    """All SELECTs, inner ones first."""
    return [node for node in reversed(list(tree.dfs())) if isinstance(node, exp.Select)]


def _column_names(root: exp.Expr) -> set[str]:
    return {column.name for column in root.find_all(exp.Column)}


def _is_same_column(column: exp.Alias) -> bool:
    return isinstance(column.this, exp.Column) and column.this.name == column.alias


def _take_scalars(select: exp.Select) -> dict[str, exp.Expr]:
    """Remove `WITH 5 AS x`, which names a value, and return the values by name."""
    query_with = select.args.get("with_")
    scalars = {}
    for cte in list(query_with.expressions) if query_with is not None else []:
        is_table = isinstance(cte.this, _QUERIES) and not cte.args.get("scalar")
        if not is_table:
            scalars[cte.alias] = cte.this
            cte.pop()
    if query_with is not None and not query_with.expressions:
        select.set("with_", None)
    return scalars


def _expand_star(select: exp.Select, star: exp.Star, table: str) -> list[exp.Expr]:
    excluded = {column.name for column in star.args.get("except_") or []}
    replaced = {alias.alias: alias for alias in star.args.get("replace") or []}
    columns: list[exp.Expr] = []
    for source in sources(select):
        if table and source.alias_or_name != table:
            continue
        for name in column_names(source):
            if name in excluded:
                excluded = excluded - {name} if len(sources(select)) == 1 else excluded
            elif name in replaced:
                columns.append(replaced[name].copy())
            else:
                columns.append(exp.column(name, table=source.alias_or_name or None, quoted=True))
    return columns


def sources(select: exp.Select) -> list[exp.Expr]:
    """The tables and subqueries that a SELECT reads."""
    from_ = select.args.get("from_")
    found = [from_.this] if from_ is not None else []
    found += [join.this for join in select.args.get("joins") or [] if join.kind != "ARRAY"]
    return [source.this if isinstance(source, exp.Final) else source for source in found]


def column_names(source: exp.Expr) -> list[str]:
    """The names of the columns of a table or subquery. Raises QueryError if they cannot be known."""
    query: Any = source.this if isinstance(source, exp.Subquery) else find_cte(source)
    if query is None:
        return [column.split()[0] for column in tables.CLICKHOUSE_COLUMNS.get(source.name, ())]
    while not isinstance(query, exp.Select):
        query = query.this
    names: list[str] = []
    for column in query.expressions:
        if column.is_star:
            names += [name for inner in sources(query) for name in column_names(inner)]
        else:
            names.append(column.alias_or_name)
    return names


def find_cte(table: exp.Expr) -> exp.Expr | None:
    """The query that `WITH` gives to a table's name, if one does."""
    scope: exp.Expr | None = table.parent
    while scope is not None:
        query_with = scope.args.get("with_")
        for cte in query_with.expressions if query_with is not None else []:
            if cte.alias == table.name and not any(node is cte for node in _ancestors(table)):
                return cast(exp.Expr, cte.this)
        scope = scope.parent
    return None


def _ancestors(node: exp.Expr) -> Iterator[exp.Expr]:
    parent = node.parent
    while parent is not None:
        yield parent
        parent = parent.parent


def _find_keys(column: exp.Expr, select: exp.Select) -> list[exp.Expr]:
    """What GROUP BY ALL groups by of one column: its largest parts without aggregates."""
    keys, stack = [], [column]
    while stack:
        node = stack.pop()
        if not any(is_aggregate(inner) for inner in (node, *own_nodes(node, select))):
            keys.append(node)
        elif not is_aggregate(node):
            stack.extend(node.iter_expressions())
    return keys


def _number_rows(select: exp.Select, limit: exp.Expr) -> None:
    order = select.args.get("order")
    names = [column.alias_or_name for column in select.expressions]
    window_order = order.copy() if order is not None else None
    # In a window, an alias or a position would be a column or a number.
    columns = {column.alias_or_name: column.unalias() for column in select.expressions}
    columns |= {str(position): column.unalias() for position, column in enumerate(select.expressions, 1)}
    for ordered in window_order.expressions if window_order is not None else []:
        is_reference = isinstance(ordered.this, (exp.Column, exp.Literal)) and not ordered.this.text("table")
        if is_reference and ordered.this.name in columns:
            ordered.set("this", columns[ordered.this.name].copy())
    row_number = exp.Anonymous(this="row_number")
    partition = [key.copy() for key in limit.expressions]
    inner = select.copy()
    for key in ("order", "limit", "offset", "with_"):
        inner.set(key, None)
    number = exp.Window(this=row_number, partition_by=partition, over="OVER", order=window_order)
    position = exp.Window(this=row_number.copy(), over="OVER", order=window_order and window_order.copy())
    inner.append("expressions", exp.alias_(number, _ROW))
    inner.append("expressions", exp.alias_(position, _POSITION))
    select_with, tail = select.args.get("with_"), {key: select.args.get(key) for key in ("limit", "offset")}
    offset, row = limit.args.get("offset"), exp.column(_ROW)
    first = offset.copy() if offset is not None else exp.Literal.number(0)
    last = exp.Add(this=exp.Paren(this=first.copy()), expression=exp.Paren(this=limit.expression.copy()))
    condition = exp.And(this=exp.GT(this=row, expression=first), expression=exp.LTE(this=row.copy(), expression=last))
    select.args.clear()
    select.set("with_", select_with)
    select.set("expressions", [exp.column(name, quoted=True) for name in names])
    select.set("from_", exp.From(this=exp.Subquery(this=inner, alias=exp.TableAlias(this=exp.to_identifier("_rows")))))
    select.set("where", exp.Where(this=condition))
    select.set("order", exp.Order(expressions=[exp.Ordered(this=exp.column(_POSITION))]))
    for key, part in tail.items():
        select.set(key, part)
