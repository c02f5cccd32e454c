"""Name the columns of a result as ClickHouse does: `count(*)` is `count()`, `a + 1` is `plus(a, 1)`."""

from collections.abc import Callable
from typing import Any

from sqlglot import exp

from reviewapp.tracestore.sql import expansion
from reviewapp.tracestore.sql.dialect import ClickHouseReader

_OPERATORS: dict[type[exp.Expr], str] = {
    exp.Add: "plus",
    exp.Sub: "minus",
    exp.Mul: "multiply",
    exp.Div: "divide",
    exp.Mod: "modulo",
    exp.IntDiv: "intDiv",
    exp.EQ: "equals",
    exp.NEQ: "notEquals",
    exp.GT: "greater",
    exp.GTE: "greaterOrEquals",
    exp.LT: "less",
    exp.LTE: "lessOrEquals",
    exp.Like: "like",
    exp.ILike: "ilike",
    exp.RegexpLike: "match",
}
_NEGATED = {"like": "notLike", "ilike": "notILike", "in": "notIn", "isNull": "isNotNull"}
_ESCAPES = {"\\": "\\\\", "'": "\\'", "\n": "\\n", "\t": "\\t"}
# Longer names are written as in the query.
_MAX_NODES = 500


def name_column(column: exp.Expr) -> str:
    """Returns the name of a result column without an alias."""
    if isinstance(column, exp.Column):
        return _name_plain(column)
    if sum(1 for _ in column.walk()) > _MAX_NODES:
        return _to_sql(column)
    return _name(column)


def _name_plain(column: exp.Column) -> str:
    """A column's name; with the part before the dot if that is a tuple and no table."""
    select = column.parent_select
    tables = expansion.sources(select) if isinstance(select, exp.Select) else []
    is_member = column.table and column.table not in {table.alias_or_name for table in tables}
    return f"{column.table}.{column.name}" if is_member else column.name


def _name(node: exp.Expr) -> str:
    if type(node) in _OPERATORS:
        name = _OPERATORS[type(node)]
        return f"{_NEGATED[name] if node.args.get('negate') else name}({_join(list(node.iter_expressions()))})"
    return _NAMERS.get(type(node), _to_sql)(node)


def _name_inner_column(node: exp.Column) -> str:
    return f"{node.table}.{node.name}" if node.table else node.name


def _name_chain(node: exp.Connector) -> str:
    return f"{type(node).__name__.lower()}({_join(list(node.flatten()))})"


def _name_not(node: exp.Not) -> str:
    inner = _name(node.this)
    function, bracket, rest = inner.partition("(")
    is_joined = bracket and function in ("in", "isNull") and not isinstance(node.this, exp.Paren)
    return f"{_NEGATED[function]}({rest}" if is_joined else f"not({inner})"


def _name_minus(node: exp.Neg) -> str:
    return f"-{_name(node.this)}" if isinstance(node.this, exp.Literal) else f"negate({_name(node.this)})"


def _name_between(node: exp.Between) -> str:
    value, low, high = (_name(part) for part in (node.this, node.args["low"], node.args["high"]))
    return f"and(greaterOrEquals({value}, {low}), lessOrEquals({value}, {high}))"


def _name_in(node: exp.In) -> str:
    if not node.expressions:
        return _to_sql(node)
    items = node.expressions[0].expressions if isinstance(node.expressions[0], exp.Tuple) else node.expressions
    return f"in({_name(node.this)}, {f'({_join(items)})' if len(items) > 1 else _name(items[0])})"


def _name_element(node: exp.Bracket) -> str:
    index = node.expressions[0]
    # sqlglot converted the index to count from 0.
    position = int(index.name) + 1 if isinstance(index, exp.Literal) and not index.is_string else _name(index)
    return f"arrayElement({_name(node.this)}, {position})"


def _name_member(node: exp.Dot) -> str:
    key = node.expression
    if isinstance(node.this, exp.Identifier) and isinstance(key, exp.Identifier):
        return f"{node.this.name}.{key.name}"
    return f"tupleElement({_name(node.this)}, {key.name if isinstance(key, exp.Literal) else repr(key.name)})"


def _name_case(node: exp.Case) -> str:
    branches = [branch for when in node.args["ifs"] for branch in (when.this, when.args["true"])]
    branches = [*([node.this] if node.this else []), *branches, node.args.get("default") or exp.Null()]
    return f"{'caseWithExpression' if node.this else 'multiIf'}({_join(branches)})"


def _name_literal(node: exp.Literal) -> str:
    text = node.name
    if not node.is_string:
        return text.rstrip("0").rstrip(".") if "." in text and "e" not in text.lower() else text
    return f"'{''.join(_ESCAPES.get(character, character) for character in text)}'"


def _name_call(node: exp.Expr) -> str:
    name, arguments = node.name, node.expressions
    if name == "tuple":
        return f"({_join(arguments)})"
    first = arguments[0] if arguments else None
    if name.lower() == "count" and isinstance(first, exp.Distinct):
        return f"countDistinct({_join(first.expressions)})"
    if name.lower() == "count" and isinstance(first, exp.Star):
        return f"{name}()"
    # sqlglot calls what is written first the arguments.
    rest = f"({_join(node.args['params'])})" if node.args.get("params") else ""
    return f"{name}({_join(arguments)}){rest}"


def _join(nodes: list[exp.Expr]) -> str:
    return ", ".join(map(_name, nodes))


def _to_sql(node: exp.Expr) -> str:
    return str(node.sql(dialect=ClickHouseReader))


_NAMERS: dict[type[exp.Expr], Callable[[Any], str]] = {
    exp.Paren: lambda node: _name(node.this),
    **dict.fromkeys((exp.And, exp.Or), _name_chain),
    exp.DPipe: lambda node: f"concat({_join(list(node.flatten()))})",
    exp.Not: _name_not,
    exp.Neg: _name_minus,
    **dict.fromkeys((exp.ParameterizedAgg, exp.Anonymous, exp.AnonymousAggFunc), _name_call),
    exp.Between: _name_between,
    exp.In: _name_in,
    exp.Is: lambda node: f"isNull({_name(node.this)})",
    exp.Bracket: _name_element,
    exp.Dot: _name_member,
    exp.If: lambda node: f"if({_join([node.this, node.args['true'], node.args.get('false') or exp.Null()])})",
    exp.Case: _name_case,
    exp.Cast: lambda node: f"CAST({_name(node.this)}, '{_to_sql(node.args['to'])}')",
    exp.Interval: lambda node: f"toInterval{node.text('unit').capitalize()}({node.name})",
    exp.Array: lambda node: f"[{_join(node.expressions)}]",
    exp.Tuple: lambda node: f"({_join(node.expressions)})",
    exp.Literal: _name_literal,
    exp.Boolean: lambda node: str(node.this).lower(),
    exp.Lambda: lambda node: f"lambda(tuple({_join(node.expressions)}), {_name(node.this)})",
    exp.Column: _name_inner_column,
}
