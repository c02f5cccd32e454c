"""Syntax of SQLite for ClickHouse's arrays and the tuples inside them."""

from typing import cast

from sqlglot import exp

from reviewapp.tracestore.sql import function_map


def json_each(array: exp.Expr, alias: str) -> exp.Table:
    """SQLite's table of an array's items, with the columns `key`, `type` and `value`."""
    return exp.Table(
        this=function_map.call("json_each", function_map.array_to_json(array)),
        alias=exp.TableAlias(this=exp.to_identifier(alias)),
    )


def to_array(items: list[exp.Expr]) -> exp.Expr:
    """An array of these items; items that are arrays are nested as JSON, not as text."""
    values = [function_map.call("json", item.this.copy()) if _is_array(item) else item.copy() for item in items]
    return function_map.json_to_array(function_map.call("json_array", *values))


def replace_variable(body: exp.Expr, variable: str, table: str) -> None:
    """Replace a lambda's variable by the item, and `variable.name` by the item's member."""
    for node in list(body.find_all(exp.Column, exp.Identifier)):
        if isinstance(node, exp.Column) and node.table == variable:
            node.replace(member_of(exp.column("value", table=table), node))
        elif node.name == variable and (isinstance(node, exp.Column) or not isinstance(node.parent, exp.Column)):
            node.replace(exp.column("value", table=table))


def member_of(value: exp.Expr, column: exp.Column) -> exp.Expr:
    """The member of a tuple that `tuple.name` or `tuple.1` stands for."""
    key = column.this.copy() if isinstance(column.this, exp.Literal) else exp.Literal.string(column.name)
    return function_map.call_custom("tupleElement", value, key)


def item_of(table: str) -> exp.Expr:
    """An item for `json_group_array`, which would take an object or array for a text."""
    is_nested = exp.In(
        this=exp.column("type", table=table), expressions=[exp.Literal.string("object"), exp.Literal.string("array")]
    )
    value = exp.column("value", table=table)
    return exp.Case(ifs=[exp.If(this=is_nested, true=function_map.call("json", value))], default=value.copy())


def _is_array(item: exp.Expr) -> bool:
    return isinstance(item, exp.Cast) and cast(exp.DType, item.args["to"].this) == exp.DType.VARBINARY
