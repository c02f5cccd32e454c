"""The tree of a ClickHouse query, node by node from its leaves, made into SQLite's."""

from collections.abc import Callable
from typing import Any, NamedTuple, cast

from sqlglot import exp

from reviewapp.tracestore.sql import function_map, tables, time_functions
from reviewapp.tracestore.sql.errors import Refused

_TIME_TYPES = frozenset({exp.DType.DATE, exp.DType.DATE32, exp.DType.DATETIME, exp.DType.DATETIME64})
_TIME_CALLS = frozenset(f"{function_map.PREFIX}{name}" for name in time_functions.ANSWER_TIMES)
_CASTS = {
    exp.DType.TEXT: "toString",
    exp.DType.UUID: "toUUID",
    exp.DType.DATE: "toDate",
    exp.DType.DATETIME: "toDateTime",
    exp.DType.DATETIME64: "_full",
    **dict.fromkeys((exp.DType.FLOAT, exp.DType.DOUBLE), "toFloat64"),
    **dict.fromkeys(exp.DataType.INTEGER_TYPES, "toInt64"),
}
_SCANS = {f"{function_map.PREFIX}simpleJSONExtract{kind}": kind for kind in ("String", "Raw")}


class Parameter(NamedTuple):
    """What a query writes as `{name:Type}`; one name may be written with several types."""

    name: str
    kind: exp.DataType


class Rewriter:
    """One query's rewriting: collects its parameters and numbers its unrolled arrays."""

    def __init__(self) -> None:
        self.parameters: dict[str, Parameter] = {}
        self._arrays = 0

    def rewritten(self, tree: exp.Query) -> exp.Query:
        """The tree in SQLite's words. Raises Refused."""
        root = exp.Paren(this=tree)
        for node in reversed(list(tree.dfs())):
            rule = self._rules.get(type(node))
            if rule is None:
                continue
            parent = node.parent
            try:
                new = rule(self, node)
            except (IndexError, ValueError, AttributeError):
                shown = node.sql(dialect="clickhouse")[:80]
                raise Refused(f"Error executing query: wrong arguments or an unknown form at {shown}") from None
            if new is not node and node.parent is parent:
                node.replace(new)
        return cast(exp.Query, root.this)

    def _call(self, node: exp.Anonymous) -> exp.Expr:
        arguments = [argument.copy() for argument in node.expressions]
        if node.name == "arrayJoin":
            return self._unrolled(node, arguments[0])
        if node.name in ("arrayExists", "arrayCount") and isinstance(arguments[0], exp.Lambda):
            return self._tested(node.name, arguments[0], arguments[1])
        return function_map.written(node.name, arguments)

    def _parametric(self, node: exp.ParameterizedAgg) -> exp.Expr:
        return function_map.own("quantile", node.args["params"][0].copy(), node.expressions[0].copy())

    def _placeholder(self, node: exp.Placeholder) -> exp.Expr:
        kind, name = node.args.get("kind"), node.name
        if not isinstance(kind, exp.DataType) or not name.isidentifier():
            raise Refused("Error executing query: a parameter is written {name:Type}, and Identifier is no type here")
        declared = Parameter(name, kind)
        bound = next((bound for bound, known in self.parameters.items() if known == declared), "")
        if not bound:
            bound = f"p{len(self.parameters)}"
            self.parameters[bound] = declared
        return exp.Placeholder(this=bound, kind=kind)

    def _unrolled(self, node: exp.Expr, array: exp.Expr) -> exp.Expr:
        """`arrayJoin(x)`: a row for each item, by a join with SQLite's `json_each`."""
        select = node.parent_select
        if not isinstance(select, exp.Select):
            raise Refused("Error executing query: arrayJoin stands outside a SELECT")
        self._arrays += 1
        table = _each(array, f"_array{self._arrays}")
        if select.args.get("from_"):
            select.append("joins", exp.Join(this=table, kind="CROSS"))
        else:
            select.set("from_", exp.From(this=table))
        return exp.column("value", table=f"_array{self._arrays}")

    def _tested(self, name: str, test: exp.Lambda, array: exp.Expr) -> exp.Expr:
        """`arrayExists(x -> …, array)`: a subquery over the items."""
        self._arrays += 1
        table = f"_array{self._arrays}"
        bound = test.expressions[0].name
        body = exp.Paren(this=test.this)
        for part in list(body.find_all(exp.Column, exp.Identifier)):
            is_bound = part.name == bound and (isinstance(part, exp.Column) or not isinstance(part.parent, exp.Column))
            if is_bound:
                part.replace(exp.column("value", table=table))
        rows = exp.select(exp.Count(this=exp.Star())).from_(_each(array, table)).where(body)
        count = exp.Subquery(this=rows)
        return count if name == "arrayCount" else exp.Paren(this=exp.GT(this=count, expression=exp.Literal.number(0)))

    def _select(self, node: exp.Select) -> exp.Expr:
        for name in ("settings", "format"):
            node.set(name, None)
        before = node.args.get("prewhere")
        if before is not None:
            node.set("prewhere", None)
            node.where(before.this, copy=False)
        for join in list(node.args.get("joins") or []):
            if join.kind == "ARRAY":
                self._array_join(node, join)
        return node

    def _array_join(self, select: exp.Select, join: exp.Join) -> None:
        """`ARRAY JOIN x AS y`: every `y` of the SELECT becomes the item."""
        self._arrays += 1
        table = f"_array{self._arrays}"
        array, alias = join.this.unalias(), join.this.alias_or_name
        for column in list(select.find_all(exp.Column)):
            if column.name == alias and not column.table and column.find_ancestor(exp.Join) is not join:
                column.replace(exp.column("value", table=table))
        join.replace(
            exp.Join(
                this=_each(array.copy(), table),
                side=join.side,
                kind="" if join.side else "CROSS",
                on=exp.true() if join.side else None,
            )
        )

    def _compare(self, node: exp.Binary) -> exp.Expr:
        """Beside a time or a UUID, a constant is read as one, as ClickHouse does."""
        left, right = node.this, node.expression
        node.set("this", _beside(left, right))
        node.set("expression", _beside(right, left))
        return _sieved(node) if isinstance(node, exp.EQ) else node

    def _between(self, node: exp.Between) -> exp.Expr:
        for side in ("low", "high"):
            node.set(side, _beside(node.args[side], node.this))
        return node

    def _in(self, node: exp.In) -> exp.Expr:
        bound = node.args.get("field") or (node.expressions[0] if len(node.expressions) == 1 else None)
        if isinstance(bound, exp.Placeholder) and _type(bound) == exp.DType.ARRAY:
            items = exp.select("value").from_(_each(bound.copy(), "_items"))
            return exp.In(this=node.this.copy(), query=exp.Subquery(this=items))
        if node.args.get("field"):
            raise Refused("Error executing query: the right side of IN is a list, a SELECT or an Array parameter")
        node.set("expressions", [_beside(item, node.this) for item in node.expressions])
        return node

    def _plus(self, node: exp.Binary) -> exp.Expr:
        left, right = node.this, node.expression
        if isinstance(left, exp.Interval) and isinstance(node, exp.Add):
            left, right = right, left
        if isinstance(right, exp.Interval):
            unit = right.text("unit").lower().removesuffix("s")
            if unit not in time_functions.UNITS:
                raise Refused(f"Error executing query: INTERVAL in {unit or 'no unit'} is not in the trace store")
            count: exp.Expr = exp.cast(exp.Paren(this=right.this.copy()), "real")
            moved = exp.Neg(this=count) if isinstance(node, exp.Sub) else count
            return function_map.own("_shifted", left.copy(), moved, exp.Literal.string(unit))
        if isinstance(node, exp.Sub) and _is_time(left) and _is_time(right):
            return function_map.own("_seconds_between", left.copy(), right.copy())
        return node

    def _cast(self, node: exp.Expr) -> exp.Expr:
        target = node.args["to"]
        kind = target if isinstance(target, exp.DataType) else exp.DataType.build(target.name, dialect="clickhouse")
        name = _CASTS.get(cast(exp.DType, kind.this))
        if name is None:
            raise Refused(f"Error executing query: CAST to {kind.sql(dialect='clickhouse')} is not in the trace store")
        return function_map.own(name, node.this.copy())

    def _like(self, node: exp.Binary) -> exp.Expr:
        # ClickHouse escapes % and _ with a backslash; SQLite has to be told so.
        return exp.Escape(this=node.copy(), expression=exp.Literal.string("\\"))

    def _array(self, node: exp.Array) -> exp.Expr:
        return function_map.array(function_map.call("json_array", *(item.copy() for item in node.expressions)))

    def _bracket(self, node: exp.Bracket) -> exp.Expr:
        # sqlglot counts from 0 where ClickHouse counts from 1.
        index = exp.Add(this=exp.Paren(this=node.expressions[0].copy()), expression=exp.Literal.number(1))
        return function_map.own("arrayElement", node.this.copy(), index)

    def _ordered(self, node: exp.Ordered) -> exp.Expr:
        # The columns hold no nulls, and only SQLite's own order of nulls lets it walk an index.
        node.set("nulls_first", not node.args.get("desc"))
        return node

    def _final(self, node: exp.Final) -> exp.Expr:
        return cast(exp.Expr, node.this.copy())

    _rules: dict[type[exp.Expr], Callable[["Rewriter", Any], exp.Expr]] = {
        exp.Anonymous: _call,
        exp.ParameterizedAgg: _parametric,
        exp.Placeholder: _placeholder,
        exp.Select: _select,
        **dict.fromkeys((exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE), _compare),
        exp.Between: _between,
        exp.In: _in,
        **dict.fromkeys((exp.Add, exp.Sub), _plus),
        **dict.fromkeys((exp.Cast, exp.TryCast, exp.CastToStrType), _cast),
        **dict.fromkeys((exp.Like, exp.ILike), _like),
        exp.Array: _array,
        exp.Bracket: _bracket,
        exp.Ordered: _ordered,
        exp.Final: _final,
    }


def _each(array: exp.Expr, alias: str) -> exp.Table:
    return exp.Table(
        this=function_map.call("json_each", function_map.array_text(array)),
        alias=exp.TableAlias(this=exp.to_identifier(alias)),
    )


def _beside(value: exp.Expr, other: exp.Expr) -> exp.Expr:
    is_time = _is_time(other) or (_is_time(value) and not isinstance(other, exp.Column))
    if is_time and not isinstance(value, (exp.Column, exp.Subquery)):
        return function_map.own("_full", value.copy())
    is_constant = isinstance(value, exp.Placeholder) or (isinstance(value, exp.Literal) and value.is_string)
    if is_constant and isinstance(other, exp.Column) and other.name in tables.UUIDS:
        return function_map.own("toUUID", value.copy())
    return value


def _is_time(node: exp.Expr) -> bool:
    if isinstance(node, exp.Column):
        return node.name in tables.TIMES
    if isinstance(node, exp.Placeholder):
        return (
            node.name in (function_map.NOW, function_map.NOW_FULL, function_map.TODAY, function_map.YESTERDAY)
            or _type(node) in _TIME_TYPES
        )
    if isinstance(node, exp.Anonymous):
        return node.name in _TIME_CALLS or (node.name in ("min", "max") and _is_time(node.expressions[0]))
    return isinstance(node, exp.Paren) and _is_time(node.this)


def _type(node: exp.Placeholder) -> object:
    kind = node.args.get("kind")
    return kind.this if isinstance(kind, exp.DataType) else None


def _sieved(node: exp.EQ) -> exp.Expr:
    """Before `simpleJSONExtract…(metadata, key) = value`, let `instr` pass over rows that cannot match."""
    for scan, value in ((node.this, node.expression), (node.expression, node.this)):
        kind = _SCANS.get(scan.name) if isinstance(scan, exp.Anonymous) else None
        if kind is None or not isinstance(value, (exp.Placeholder, exp.Literal)) or len(scan.expressions) != 2:
            continue
        column, key = scan.expressions
        if isinstance(column, exp.Column) and column.name in tables.JSON_TEXTS and not isinstance(key, exp.Column):
            needle = function_map.own("needle", exp.Literal.string(kind), key.copy(), value.copy())
            sieve = function_map.call("instr", column.copy(), needle)
            return exp.Paren(this=exp.And(this=sieve, expression=node.copy()))
    return node
