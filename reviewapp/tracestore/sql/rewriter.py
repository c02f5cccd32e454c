"""Rewrite the syntax tree of a ClickHouse query for SQLite, node by node from its leaves."""

from collections.abc import Callable
from typing import Any, NamedTuple, cast

from sqlglot import exp

from reviewapp.lib.shortening import shorten
from reviewapp.tracestore.sql import array_nodes, expansion, function_map, tables, time_functions
from reviewapp.tracestore.sql.errors import QueryError

_TIME_TYPES = frozenset({exp.DType.DATE, exp.DType.DATE32, exp.DType.DATETIME, exp.DType.DATETIME64})
_TIME_CALLS = frozenset(f"{function_map.PREFIX}{name}" for name in time_functions.TIME_RESULTS)
_CASTS = {
    exp.DType.TEXT: "toString",
    exp.DType.UUID: "toUUID",
    exp.DType.DATE: "toDate",
    exp.DType.DATETIME: "toDateTime",
    exp.DType.DATETIME64: "_datetime64",
    **dict.fromkeys((exp.DType.FLOAT, exp.DType.DOUBLE), "toFloat64"),
    **dict.fromkeys(exp.DataType.INTEGER_TYPES, "toInt64"),
}
# SQLite's functions whose result has the type of their first argument.
_SAME_TYPE = frozenset({"min", "max", "coalesce", "ifnull"})
_TUPLE_ARRAYS = frozenset({"events"})
_SIMPLE_EXTRACTS = {f"{function_map.PREFIX}simpleJSONExtract{kind}": kind for kind in ("String", "Raw")}


class Parameter(NamedTuple):
    """A parameter declared as `{name:Type}`; a query may declare the same name with several types."""

    name: str
    data_type: exp.DataType


class Rewriter:
    """Rewrites one query: collects its parameters and numbers its `json_each` tables."""

    def __init__(self) -> None:
        self.parameters: dict[str, Parameter] = {}
        self._array_count = 0
        # Alias of the table of items, by SELECT and array: ClickHouse joins equal arrays once.
        self._joined_arrays: dict[tuple[int, str], str] = {}

    def rewrite(self, tree: exp.Query) -> exp.Query:
        """Rewrite the tree for SQLite. Raises QueryError."""
        root = exp.Paren(this=tree)
        for node in reversed(list(tree.dfs())):
            rule = self._rules.get(type(node))
            if rule is None:
                continue
            parent = node.parent
            try:
                replacement = rule(self, node)
            except (IndexError, ValueError, AttributeError):
                node_sql = shorten(node.sql(dialect="clickhouse"), 80)
                raise QueryError(
                    f"Error executing query: wrong arguments or unsupported syntax at {node_sql}"
                ) from None
            if replacement is not node and node.parent is parent:
                node.replace(replacement)
        return cast(exp.Query, root.this)

    def _call(self, node: exp.Anonymous) -> exp.Expr:
        arguments = [argument.copy() for argument in node.expressions]
        if node.name == "arrayJoin":
            return self._array_join_call(node, arguments[0])
        if arguments and isinstance(arguments[0], exp.Lambda):
            return self._lambda_call(node.name, arguments[0], *arguments[1:])
        call = function_map.translate_call(node.name, arguments)
        is_value = isinstance(call, exp.Tuple) and isinstance(node.parent, (exp.Alias, exp.Select))
        return array_nodes.to_array(call.expressions) if is_value else call

    def _parametric(self, node: exp.ParameterizedAgg) -> exp.Expr:
        # sqlglot calls what is written first the arguments.
        parameters, arguments = node.expressions, node.args.get("params")
        if arguments is None:
            parameters, arguments = [], parameters
        copies = [[argument.copy() for argument in part] for part in (parameters, arguments)]
        return function_map.translate_aggregate(node.name, *copies)

    def _placeholder(self, node: exp.Placeholder) -> exp.Expr:
        data_type, name = node.args.get("kind"), node.name
        if not isinstance(data_type, exp.DataType) or not name.isidentifier():
            raise QueryError(
                "Error executing query: write parameters as {name:Type}; the type Identifier is not supported"
            )
        declared = Parameter(name, data_type)
        placeholder = next((key for key, parameter in self.parameters.items() if parameter == declared), "")
        if not placeholder:
            placeholder = f"p{len(self.parameters)}"
            self.parameters[placeholder] = declared
        return exp.Placeholder(this=placeholder, kind=data_type)

    def _array_join_call(self, node: exp.Expr, array: exp.Expr) -> exp.Expr:
        """`arrayJoin(x)`: join with SQLite's `json_each` for one row per item."""
        select = node.parent_select
        if not isinstance(select, exp.Select):
            raise QueryError("Error executing query: arrayJoin is only allowed inside a SELECT")
        key = (id(select), array.sql(dialect="clickhouse"))
        if key not in self._joined_arrays:
            self._array_count += 1
            alias = self._joined_arrays[key] = f"_array{self._array_count}"
            table = array_nodes.json_each(array, alias)
            if select.args.get("from_"):
                select.append("joins", exp.Join(this=table, kind="CROSS"))
            else:
                select.set("from_", exp.From(this=table))
        return exp.column("value", table=self._joined_arrays[key])

    def _lambda_call(self, name: str, function: exp.Lambda, *arguments: exp.Expr) -> exp.Expr:
        """`arrayFilter(x -> …, array)` and its like: a subquery over the items."""
        (array,) = arguments
        (variable,) = (parameter.name for parameter in function.expressions)
        self._array_count += 1
        table = f"_array{self._array_count}"
        body = exp.Paren(this=function.this)
        array_nodes.replace_variable(body, variable, table)
        items = exp.select().from_(array_nodes.json_each(array, table))
        if name in ("arrayMap", "arrayFilter", "arraySum", "arrayMax", "arrayMin", "arrayAvg"):
            item = body if name != "arrayFilter" else array_nodes.item_of(table)
            rows = items.select(function_map.call("json_group_array", item))
            rows = rows.where(body) if name == "arrayFilter" else rows
            array = function_map.json_to_array(exp.Subquery(this=rows))
            return array if name in ("arrayMap", "arrayFilter") else function_map.call_custom(name, array)
        if name in ("arrayFirst", "arrayLast"):
            order = exp.Ordered(this=exp.column("key", table=table), desc=name == "arrayLast")
            first = items.select(exp.column("value", table=table)).where(body).order_by(order).limit(1)
            return function_map.call("coalesce", exp.Subquery(this=first), exp.Literal.string(""))
        count: exp.Expr = exp.Subquery(this=items.select(exp.Count(this=exp.Star())).where(_negate(name, body)))
        if name == "arrayCount":
            return count
        comparison = {"arrayExists": exp.GT, "arrayAll": exp.EQ}.get(name)
        if comparison is None:
            raise QueryError(f"Error executing query: {name} with a lambda is not supported by the trace store")
        return exp.Paren(this=comparison(this=count, expression=exp.Literal.number(0)))

    def _select(self, node: exp.Select) -> exp.Expr:
        for name in ("settings", "format"):
            node.set(name, None)
        prewhere = node.args.get("prewhere")
        if prewhere is not None:
            node.set("prewhere", None)
            node.where(prewhere.this, copy=False)
        for join in list(node.args.get("joins") or []):
            if join.kind == "ARRAY":
                self._array_join_clause(node, join)
        return node

    def _array_join_clause(self, select: exp.Select, join: exp.Join) -> None:
        """`ARRAY JOIN x AS y`: replace every `y` in the SELECT with the item."""
        self._array_count += 1
        table = f"_array{self._array_count}"
        array, alias = join.this.unalias(), join.this.alias_or_name
        for column in list(select.find_all(exp.Column)):
            if column.find_ancestor(exp.Join) is join:
                continue
            if column.name == alias and not column.table:
                column.replace(exp.column("value", table=table))
            elif column.table == alias:
                column.replace(array_nodes.member_of(exp.column("value", table=table), column))
        join.replace(
            exp.Join(
                this=array_nodes.json_each(array.copy(), table),
                side=join.side,
                kind="" if join.side else "CROSS",
                on=exp.true() if join.side else None,
            )
        )

    def _compare(self, node: exp.Binary) -> exp.Expr:
        """Convert a constant that is compared with a time or UUID to that type, as ClickHouse does."""
        left, right = node.this, node.expression
        node.set("this", _coerce_constant(left, right))
        node.set("expression", _coerce_constant(right, left))
        return _add_prefilter(node) if isinstance(node, exp.EQ) else node

    def _between(self, node: exp.Between) -> exp.Expr:
        for side in ("low", "high"):
            node.set(side, _coerce_constant(node.args[side], node.this))
        return node

    def _in(self, node: exp.In) -> exp.Expr:
        parameter = node.args.get("field") or (node.expressions[0] if len(node.expressions) == 1 else None)
        if isinstance(parameter, exp.Placeholder) and _declared_type(parameter) == exp.DType.ARRAY:
            items = exp.select("value").from_(array_nodes.json_each(parameter.copy(), "_items"))
            return exp.In(this=node.this.copy(), query=exp.Subquery(this=items))
        if node.args.get("field"):
            raise QueryError(
                "Error executing query: the right side of IN must be a list, a SELECT or an Array parameter"
            )
        node.set("expressions", [_coerce_constant(item, node.this) for item in node.expressions])
        return node

    def _add_or_subtract(self, node: exp.Binary) -> exp.Expr:
        left, right = node.this, node.expression
        if isinstance(left, exp.Interval) and isinstance(node, exp.Add):
            left, right = right, left
        if isinstance(right, exp.Interval):
            unit = right.text("unit").lower().removesuffix("s")
            if unit not in time_functions.UNITS:
                raise QueryError(
                    f"Error executing query: INTERVAL unit {unit or '(none)'} is not supported by the trace store"
                )
            amount: exp.Expr = exp.cast(exp.Paren(this=right.this.copy()), "real")
            signed_amount = exp.Neg(this=amount) if isinstance(node, exp.Sub) else amount
            return function_map.call_custom("_add_interval", left.copy(), signed_amount, exp.Literal.string(unit))
        if _is_time(left) and isinstance(right, exp.Literal) and not right.is_string:
            seconds: exp.Expr = exp.Neg(this=right.copy()) if isinstance(node, exp.Sub) else right.copy()
            unit = "day" if _is_date(left) else "second"
            return function_map.call_custom("_add_interval", left.copy(), seconds, exp.Literal.string(unit))
        if isinstance(node, exp.Sub) and _is_time(left) and _is_time(right):
            return function_map.call_custom("_seconds_between", left.copy(), right.copy())
        return node

    def _cast(self, node: exp.Expr) -> exp.Expr:
        target = node.args["to"]
        data_type = (
            target if isinstance(target, exp.DataType) else exp.DataType.build(target.name, dialect="clickhouse")
        )
        name = _CASTS.get(cast(exp.DType, data_type.this))
        if name is None:
            type_sql = data_type.sql(dialect="clickhouse")
            raise QueryError(f"Error executing query: CAST to {type_sql} is not supported by the trace store")
        return function_map.call_custom(name, node.this.copy())

    def _like(self, node: exp.Binary) -> exp.Expr:
        # ClickHouse escapes % and _ with a backslash; SQLite needs an ESCAPE clause for that.
        return exp.Escape(this=node.copy(), expression=exp.Literal.string("\\"))

    def _array(self, node: exp.Array) -> exp.Expr:
        return array_nodes.to_array(node.expressions)

    def _bracket(self, node: exp.Bracket) -> exp.Expr:
        # sqlglot converted the index to count from 0; arrayElement counts from 1.
        index = exp.Add(this=exp.Paren(this=node.expressions[0].copy()), expression=exp.Literal.number(1))
        return function_map.call_custom("arrayElement", node.this.copy(), index)

    def _ordered(self, node: exp.Ordered) -> exp.Expr:
        # Columns have no nulls; SQLite uses an index only with its default order of nulls.
        node.set("nulls_first", not node.args.get("desc"))
        return node

    def _column(self, node: exp.Column) -> exp.Expr:
        """`events.name` is the names of all events, if `events` is a column and no table."""
        select = node.parent_select
        if (
            node.table not in _TUPLE_ARRAYS
            or not isinstance(select, exp.Select)
            or not isinstance(node.this, exp.Identifier)
        ):
            return node
        if any(source.alias_or_name == node.table for source in expansion.sources(select)):
            return node
        array = exp.column(node.table, table=node.text("db") or None)
        return function_map.call_custom("_members", array, exp.Literal.string(node.name))

    def _dot(self, node: exp.Dot) -> exp.Expr:
        position = node.expression
        key = position.copy() if isinstance(position, exp.Literal) else exp.Literal.string(position.name)
        return function_map.translate_call("tupleElement", [node.this.copy(), key])

    def _tuple(self, node: exp.Tuple) -> exp.Expr:
        """A tuple that is a value of its own becomes an array, as in ClickHouse's JSON."""
        if not isinstance(node.parent, (exp.Alias, exp.Select)) or node.arg_key in ("group", "distinct"):
            return node
        return array_nodes.to_array(node.expressions)

    def _modulo(self, node: exp.Mod) -> exp.Expr:
        return function_map.call_custom("modulo", node.this.copy(), node.expression.copy())

    def _divide_whole(self, node: exp.IntDiv) -> exp.Expr:
        return function_map.call_custom("intDiv", node.this.copy(), node.expression.copy())

    def _concat(self, node: exp.DPipe) -> exp.Expr:
        return function_map.call_custom("concat", node.this.copy(), node.expression.copy())

    def _regexp(self, node: exp.RegexpLike) -> exp.Expr:
        return function_map.call_custom("match", node.this.copy(), node.expression.copy())

    def _final(self, node: exp.Final) -> exp.Expr:
        return cast(exp.Expr, node.this.copy())

    _rules: dict[type[exp.Expr], Callable[["Rewriter", Any], exp.Expr]] = {
        exp.Anonymous: _call,
        **dict.fromkeys((exp.ParameterizedAgg, exp.AnonymousAggFunc), _parametric),
        exp.Column: _column,
        exp.Dot: _dot,
        exp.Tuple: _tuple,
        exp.Mod: _modulo,
        exp.IntDiv: _divide_whole,
        exp.DPipe: _concat,
        exp.RegexpLike: _regexp,
        exp.Placeholder: _placeholder,
        exp.Select: _select,
        **dict.fromkeys((exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE), _compare),
        exp.Between: _between,
        exp.In: _in,
        **dict.fromkeys((exp.Add, exp.Sub), _add_or_subtract),
        **dict.fromkeys((exp.Cast, exp.TryCast, exp.CastToStrType), _cast),
        **dict.fromkeys((exp.Like, exp.ILike), _like),
        exp.Array: _array,
        exp.Bracket: _bracket,
        exp.Ordered: _ordered,
        exp.Final: _final,
    }


def _negate(name: str, condition: exp.Expr) -> exp.Expr:
    return exp.Not(this=condition) if name == "arrayAll" else condition


def _coerce_constant(value: exp.Expr, other: exp.Expr) -> exp.Expr:
    is_time = _is_time(other) or (_is_time(value) and not isinstance(other, exp.Column))
    if is_time and not isinstance(value, (exp.Column, exp.Subquery)):
        return function_map.call_custom("_datetime64", value.copy())
    is_constant = isinstance(value, exp.Placeholder) or (isinstance(value, exp.Literal) and value.is_string)
    if is_constant and isinstance(other, exp.Column) and other.name in tables.UUIDS:
        return function_map.call_custom("toUUID", value.copy())
    return value


def _is_time(node: exp.Expr) -> bool:
    if isinstance(node, exp.Column):
        return node.name in tables.TIMES
    if isinstance(node, exp.Placeholder):
        return (
            node.name in (function_map.NOW, function_map.NOW_FULL, function_map.TODAY, function_map.YESTERDAY)
            or _declared_type(node) in _TIME_TYPES
        )
    if isinstance(node, exp.Anonymous):
        return node.name in _TIME_CALLS or (
            node.name in ("min", "max", "coalesce", "ifnull") and _is_time(node.expressions[0])
        )
    return isinstance(node, exp.Paren) and _is_time(node.this)


def _is_date(node: exp.Expr) -> bool:
    return node.name in (function_map.TODAY, function_map.YESTERDAY, f"{function_map.PREFIX}toDate")


def _declared_type(node: exp.Placeholder) -> object:
    data_type = node.args.get("kind")
    return data_type.this if isinstance(data_type, exp.DataType) else None


def _add_prefilter(node: exp.EQ) -> exp.Expr:
    """Before `simpleJSONExtract…(metadata, key) = value`, let the faster `instr` skip rows that cannot match."""
    for extract, value in ((node.this, node.expression), (node.expression, node.this)):
        kind = _SIMPLE_EXTRACTS.get(extract.name) if isinstance(extract, exp.Anonymous) else None
        if kind is None or not isinstance(value, (exp.Placeholder, exp.Literal)) or len(extract.expressions) != 2:
            continue
        column, key = extract.expressions
        if isinstance(column, exp.Column) and column.name in tables.JSON_TEXTS and not isinstance(key, exp.Column):
            needle = function_map.call_custom("needle", exp.Literal.string(kind), key.copy(), value.copy())
            prefilter = function_map.call("instr", column.copy(), needle)
            return exp.Paren(this=exp.And(this=prefilter, expression=node.copy()))
    return node
