"""Refuse what ClickHouse refuses before it reads a row: wrong types, and columns that a grouped query cannot have."""

from collections.abc import Callable, Iterator
from typing import Any

from sqlglot import exp

from reviewapp.lib.shortening import shorten
from reviewapp.tracestore import ids, timestamps
from reviewapp.tracestore.sql import expansion, kinds
from reviewapp.tracestore.sql.errors import QueryError
from reviewapp.tracestore.sql.kinds import Kind

_COMPARISONS = (exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE)
_CALCULATIONS: dict[type[exp.Expr], str] = {
    exp.Add: "plus", exp.Sub: "minus", exp.Mul: "multiply", exp.Div: "divide", exp.Mod: "modulo", exp.IntDiv: "intDiv",
}  # fmt: skip
_ONLY_TEXT, _ONLY_NUMBER, _ONLY_TIME = frozenset({Kind.TEXT}), frozenset({Kind.NUMBER}), frozenset({Kind.TIME})
_COMPARABLE = frozenset({Kind.NUMBER, Kind.TIME})
# What the first argument of a function must be.
_ARGUMENTS: dict[str, frozenset[Kind]] = {
    **dict.fromkeys(
        "lower upper lowerUTF8 upperUTF8 substringUTF8 position positionCaseInsensitive trim trimBoth replaceAll"
        " startsWith endsWith match like ilike extract extractAll replaceRegexpAll replaceRegexpOne isValidJSON JSONHas"
        " JSONLength JSONExtract JSONExtractString JSONExtractRaw JSONExtractInt JSONExtractUInt JSONExtractFloat"
        " JSONExtractBool JSON_VALUE simpleJSONHas simpleJSONExtractString simpleJSONExtractRaw simpleJSONExtractInt"
        " simpleJSONExtractUInt simpleJSONExtractFloat simpleJSONExtractBool".split(),
        _ONLY_TEXT,
    ),
    **dict.fromkeys("sum sumIf abs round floor ceil sqrt pow exp log sign intDiv modulo".split(), _ONLY_NUMBER),
    # ClickHouse has these of times too; the store does not.
    **dict.fromkeys(
        "avg avgIf median quantile quantileExact quantiles quantilesExact quantileIf quantilesIf".split(), _ONLY_NUMBER
    ),
    **dict.fromkeys(
        [name for name, kind in kinds.RESULTS.items() if name.startswith("toStartOf") and kind == Kind.TIME], _ONLY_TIME
    ),
    **dict.fromkeys(
        "toMonday toHour toMinute toSecond toYear toMonth toQuarter toDayOfMonth toDayOfWeek toDayOfYear toYYYYMM"
        " toYYYYMMDD formatDateTime".split(),
        _ONLY_TIME,
    ),
    "length": frozenset({Kind.TEXT, Kind.ARRAY}),
    "if": _ONLY_NUMBER,
    "countIf": _ONLY_NUMBER,
}


# What an aggregate of no rows is, where SQLite has null.
_EMPTY = {
    Kind.NUMBER: exp.Literal.number(0),
    Kind.TEXT: exp.Literal.string(""),
    Kind.UUID: exp.Literal.string(ids.NIL),
    Kind.TIME: exp.Literal.string(timestamps.text(0)),
}
_NEVER_NULL = frozenset("min max any anylast argmax argmin".split())


def check(tree: exp.Query) -> None:
    """Check every SELECT of a query whose aliases are written out; fill aggregates of no rows. Raises QueryError."""
    checker = _Checker()
    selects = [node for node in tree.dfs() if isinstance(node, exp.Select)]
    for select in reversed(selects):
        checker.columns_of(select)
    for select in reversed(selects):
        checker.fill_aggregates(select)


class _Checker:
    def __init__(self) -> None:
        # By id of the node, whose kinds are looked up by those around it.
        self._kinds: dict[int, Kind] = {}
        self._columns: dict[int, dict[str, Kind]] = {}
        self._sources: dict[int, dict[str, dict[str, Kind]]] = {}

    def columns_of(self, query: Any) -> dict[str, Kind]:
        """Returns the kinds of a query's columns by name, after checking the query."""
        while not isinstance(query, exp.Select):
            query = query.this
        if id(query) not in self._columns:
            # For a query that reads itself.
            self._columns[id(query)] = {}
            self._columns[id(query)] = self._check_select(query)
        return self._columns[id(query)]

    def fill_aggregates(self, select: exp.Select) -> None:
        """Give the aggregates that have no rows ClickHouse's value: 0, an empty text, the first time."""
        for node in list(expansion.own_nodes(select, select)):
            name = node.name.lower()
            is_conditional = name.endswith("if")
            if name.removesuffix("if") not in _NEVER_NULL or not expansion.is_aggregate(node):
                continue
            empty = _EMPTY.get(self._kind_of(node))
            if empty is not None and (is_conditional or select.args.get("group") is None):
                node.replace(exp.Anonymous(this="ifNull", expressions=[node.copy(), empty.copy()]))

    def _check_select(self, select: exp.Select) -> dict[str, Kind]:
        self._sources[id(select)] = self._read_sources(select)
        for node in reversed(list(expansion.own_nodes(select, select))):
            self._kinds[id(node)] = self._infer(node, select)
            self._check_node(node)
        for part in ("where", "prewhere", "having"):
            if select.args.get(part) is not None:
                self._check_filter(select.args[part], part)
        _check_aggregates(select)
        _GroupCheck(select, self._sources[id(select)]).run()
        columns: dict[str, Kind] = {}
        for column in select.expressions:
            if column.is_star:
                for source in self._sources[id(select)].values():
                    columns |= source
            else:
                columns[column.alias_or_name] = self._kind_of(column)
        return columns

    def _read_sources(self, select: exp.Select) -> dict[str, dict[str, Kind]]:
        read: dict[str, dict[str, Kind]] = {}
        for source in expansion.sources(select):
            if isinstance(source, exp.Subquery):
                read[source.alias or f"_{len(read)}"] = self.columns_of(source.this)
            elif isinstance(source, exp.Table):
                query = expansion.find_cte(source)
                columns = kinds.TABLES.get(source.name, {}) if query is None else self.columns_of(query)
                read[source.alias_or_name] = columns
        return read

    def _kind_of(self, node: exp.Expr) -> Kind:
        return self._kinds.get(id(node), Kind.UNKNOWN)

    def _infer(self, node: exp.Expr, select: exp.Select) -> Kind:
        if isinstance(node, exp.Subquery):
            columns = self.columns_of(node)
            return next(iter(columns.values())) if len(columns) == 1 else Kind.UNKNOWN
        if isinstance(node, exp.Column):
            return self._infer_column(node, select)
        return kinds.infer(node, self._kind_of)

    def _infer_column(self, column: exp.Column, select: exp.Select) -> Kind:
        lambdas = column.find_ancestor(exp.Lambda, exp.Select)
        if isinstance(lambdas, exp.Lambda) or any(join.kind == "ARRAY" for join in select.args.get("joins") or []):
            return Kind.UNKNOWN
        sources = self._sources[id(select)]
        if column.table:
            return sources.get(column.table, {}).get(column.name, Kind.UNKNOWN)
        found = [source[column.name] for source in sources.values() if column.name in source]
        return found[0] if found else Kind.UNKNOWN

    def _check_node(self, node: Any) -> None:
        if isinstance(node, _COMPARISONS):
            self._check_comparison(node.this, node.expression)
        elif isinstance(node, exp.Between):
            for side in ("low", "high"):
                self._check_comparison(node.this, node.args[side])
        elif isinstance(node, exp.In):
            self._check_items(node)
        elif type(node) in _CALCULATIONS:
            self._check_calculation(node)
        elif isinstance(node, (exp.Anonymous, exp.ParameterizedAgg, exp.AnonymousAggFunc)):
            arguments = node.args.get("params") or node.expressions
            allowed = _ARGUMENTS.get(node.name, _ARGUMENTS.get(node.name.lower()))
            if arguments and allowed is not None:
                self._require(arguments[0], allowed, node.name)
        else:
            self._check_condition(node)

    def _check_condition(self, node: Any) -> None:
        if isinstance(node, (exp.And, exp.Or)):
            for side in (node.this, node.expression):
                self._require(side, _ONLY_NUMBER, type(node).__name__.lower())
        elif isinstance(node, exp.Not):
            self._require(node.this, _ONLY_NUMBER, "not")
        elif isinstance(node, exp.If) and not isinstance(node.parent, exp.Case):
            self._require(node.this, _ONLY_NUMBER, "if")
        elif isinstance(node, (exp.Like, exp.ILike, exp.RegexpLike)):
            self._require(node.this, _ONLY_TEXT, "match" if isinstance(node, exp.RegexpLike) else "like")

    def _require(self, node: exp.Expr, allowed: frozenset[Kind], function: str) -> None:
        kind = self._kind_of(node)
        if kind not in allowed and kind != Kind.UNKNOWN:
            raise QueryError(f"Error executing query: Illegal type {kind} of argument of function {function}")

    def _check_filter(self, clause: exp.Expr, name: str) -> None:
        kind = self._kind_of(clause.this)
        if kind not in (Kind.NUMBER, Kind.UNKNOWN):
            raise QueryError(f"Error executing query: Invalid type for filter in {name.upper()}: {kind}")

    def _check_comparison(self, left: exp.Expr, right: exp.Expr) -> None:
        for side, other in ((left, right), (right, left)):
            if _is_text_constant(side) and self._kind_of(other) != Kind.TEXT:
                _check_constant(side, self._kind_of(other))
                return
            # A parameter is a constant too; its value is read when it is bound.
            if isinstance(side, exp.Placeholder):
                return
        sides = {self._kind_of(left), self._kind_of(right)}
        if Kind.UNKNOWN not in sides and len(sides) > 1 and sides != _COMPARABLE:
            raise QueryError(
                f"Error executing query: There is no supertype for types {self._kind_of(left)}, {self._kind_of(right)}"
            )

    def _check_items(self, node: exp.In) -> None:
        for item in node.expressions:
            if _is_text_constant(item):
                _check_constant(item, self._kind_of(node.this))

    def _check_calculation(self, node: Any) -> None:
        left, right = self._kind_of(node.this), self._kind_of(node.expression)
        if Kind.UNKNOWN in (left, right):
            return
        is_moved_time = isinstance(node, (exp.Add, exp.Sub)) and {left, right} in (
            {Kind.TIME, Kind.INTERVAL}, {Kind.TIME, Kind.NUMBER}, {Kind.INTERVAL},
        )  # fmt: skip
        is_difference = isinstance(node, exp.Sub) and left == right == Kind.TIME
        if not (left == right == Kind.NUMBER or is_moved_time or is_difference):
            raise QueryError(
                f"Error executing query: Illegal types {left} and {right} of arguments of function"
                f" {_CALCULATIONS[type(node)]}"
            )


def _is_text_constant(node: exp.Expr) -> bool:
    return isinstance(node, exp.Literal) and bool(node.is_string)


def _check_constant(constant: exp.Expr, kind: Kind) -> None:
    """Check that a text can be read as a value of the kind that it is compared with. Raises QueryError."""
    try:
        if kind == Kind.UUID:
            ids.uuid(constant.name)
        elif kind == Kind.NUMBER:
            float(constant.name.replace("_", "x"))
        elif kind == Kind.TIME:
            timestamps.parse(constant.name)
        elif kind in (Kind.ARRAY, Kind.TUPLE):
            raise ValueError
    except timestamps.InvalidTimeError as error:
        raise QueryError(f"Error executing query: {error}") from None
    except ValueError:
        raise QueryError(f"Error executing query: Cannot parse “{shorten(constant.name, 80)}” as {kind}") from None


def _check_aggregates(select: exp.Select) -> None:
    for part in ("where", "prewhere"):
        clause = select.args.get(part)
        if clause is not None and any(map(expansion.is_aggregate, expansion.own_nodes(clause, select))):
            raise QueryError(f"Error executing query: Aggregate functions are not allowed in {part.upper()}")
    for node in expansion.own_nodes(select, select):
        if expansion.is_aggregate(node):
            outer = node.find_ancestor(exp.Anonymous, exp.ParameterizedAgg, exp.AnonymousAggFunc, exp.Select)
            if outer is not None and outer is not select and expansion.is_aggregate(outer):
                raise QueryError(
                    f"Error executing query: Aggregate function {node.name} is found inside another aggregate function"
                )


class _GroupCheck:
    """Finds columns of a grouped SELECT that are neither grouped by nor inside an aggregate."""

    def __init__(self, select: exp.Select, sources: dict[str, dict[str, Kind]]) -> None:
        self._select = select
        self._sources = sources
        self._keys: dict[int, int] = {}

    def run(self) -> None:
        select, group = self._select, self._select.args.get("group")
        order = select.args.get("order")
        parts = [*select.expressions, *filter(None, (select.args.get("having"), order))]
        has_aggregate = any(expansion.is_aggregate(node) for part in parts for node in self._nodes(part))
        if group is None and not has_aggregate:
            return
        keys = {self._key(key) for key in (group.expressions if group is not None else [])}
        names = {column.alias for column in select.expressions if isinstance(column, exp.Alias)}
        for part in parts:
            for node in part.dfs(prune=lambda node: self._is_allowed(node, keys)):
                if self._is_allowed(node, keys) or not self._is_own(node):
                    continue
                is_alias = isinstance(node.parent, exp.Ordered) and node.name in names
                if not is_alias:
                    raise QueryError(
                        f"Error executing query: Column '{node.name or '*'}' is not under aggregate function and not in"
                        " GROUP BY keys"
                    )

    def _nodes(self, part: exp.Expr) -> Iterator[exp.Expr]:
        return iter([part, *expansion.own_nodes(part, self._select)])

    def _is_allowed(self, node: exp.Expr, keys: set[int]) -> bool:
        is_query = isinstance(node, (exp.Query, exp.Subquery))
        return is_query or expansion.is_aggregate(node) or (bool(keys) and self._key(node) in keys)

    def _is_own(self, node: exp.Expr) -> bool:
        """Whether a node is a column of this SELECT's own tables."""
        if isinstance(node, exp.Star):
            return not isinstance(node.parent, exp.Anonymous)
        if not isinstance(node, exp.Column):
            return False
        if node.table:
            return node.table in self._sources and node.name in self._sources[node.table]
        lambdas = [node.find_ancestor(exp.Lambda)]
        is_variable = any(parent and node.name in {name.name for name in parent.expressions} for parent in lambdas)
        return not is_variable and any(node.name in source for source in self._sources.values())

    def _key(self, node: exp.Expr) -> int:
        """Returns a number that equal expressions share. Computed once for each node."""
        if id(node) not in self._keys:
            for child in reversed(list(node.dfs())):
                self._keys[id(child)] = self._make_key(child)
        return self._keys[id(node)]

    def _make_key(self, node: exp.Expr) -> int:
        if isinstance(node, (exp.Paren, exp.Alias)):
            return self._keys[id(node.this)]
        if isinstance(node, exp.Column):
            owner = node.table or next((name for name, source in self._sources.items() if node.name in source), "")
            return hash(("column", owner, node.name))
        convert: Callable[[Any], Any] = lambda value: (  # noqa: E731
            self._keys[id(value)]
            if isinstance(value, exp.Expr)
            else tuple(map(convert, value))
            if isinstance(value, list)
            else value
        )
        return hash((type(node), *((key, convert(value)) for key, value in node.args.items() if value)))
