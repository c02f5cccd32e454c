"""Translate ClickHouse function calls to SQLite: to a built-in, a custom function or another expression."""

from collections.abc import Callable

from sqlglot import exp

from reviewapp.lib.shortening import shorten
from reviewapp.tracestore.sql import (
    aggregates,
    array_functions,
    json_functions,
    number_functions,
    text_functions,
    time_functions,
)
from reviewapp.tracestore.sql.errors import QueryError

Arguments = list[exp.Expr]

PREFIX = "ch_"
FUNCTIONS = (
    json_functions.FUNCTIONS
    | time_functions.FUNCTIONS
    | text_functions.FUNCTIONS
    | array_functions.FUNCTIONS
    | number_functions.FUNCTIONS
)

# Bound once per query, so that all rows see the same time.
NOW, NOW_FULL, TODAY, YESTERDAY = "_now", "_now_full", "_today", "_yesterday"

_BUILT_IN = {
    "abs": "abs",
    "any": "min",
    "anyLast": "max",
    "avg": "avg",
    "char_length": "length",
    "coalesce": "coalesce",
    "count": "count",
    "dense_rank": "dense_rank",
    "greatest": "max",
    "ifNull": "ifnull",
    "ifnull": "ifnull",
    "least": "min",
    "lengthUTF8": "length",
    "lower": "lower",
    "lowerUTF8": "lower",
    "max": "max",
    "min": "min",
    "nullIf": "nullif",
    "nullif": "nullif",
    "rank": "rank",
    "replace": "replace",
    "replaceAll": "replace",
    "row_number": "row_number",
    "substring": "substr",
    "substr": "substr",
    "substringUTF8": "substr",
    "trim": "trim",
    "trimBoth": "trim",
    "trimLeft": "ltrim",
    "trimRight": "rtrim",
    "upper": "upper",
    "upperUTF8": "upper",
}

# All functions that a translated query may call; SQLite reports names in lower case.
CALLABLE = frozenset(
    {
        *_BUILT_IN.values(),
        "sum",
        "iif",
        "like",
        "instr",
        "json",
        "json_array",
        "json_each",
        "json_group_array",
        f"{PREFIX}needle",
    }
    | {f"{PREFIX}{name}".lower() for name in (*FUNCTIONS, *aggregates.AGGREGATES)}
)


def call(name: str, *arguments: exp.Expr) -> exp.Expr:
    """Build a call of a function that is built into SQLite."""
    return exp.Anonymous(this=name, expressions=list(arguments))


def call_custom(name: str, *arguments: exp.Expr) -> exp.Expr:
    """Build a call of a function that the store registers with SQLite."""
    return call(f"{PREFIX}{name}", *arguments)


def translate_call(name: str, arguments: Arguments) -> exp.Expr:
    """Translate a ClickHouse call.

    Raises QueryError for a function that the store does not support, IndexError or ValueError for wrong arguments.
    """
    translator = _TRANSLATORS.get(name) or _TRANSLATORS.get(name.lower() if name.lower() in _CASE_INSENSITIVE else "")
    if translator is not None:
        return translator(arguments)
    if name in FUNCTIONS or (name.lower() in _CASE_INSENSITIVE and name.lower() in FUNCTIONS):
        return call_custom(name if name in FUNCTIONS else name.lower(), *arguments)
    built_in = _BUILT_IN.get(name) or _BUILT_IN.get(name.lower() if name.lower() in _CASE_INSENSITIVE else "")
    if built_in is None:
        raise QueryError(f"Error executing query: Function with name `{name}` does not exist in the trace store")
    return call(built_in, *arguments)


def array_to_json(array: exp.Expr) -> exp.Expr:
    """Cast an array to JSON text, for SQLite's JSON functions."""
    return exp.cast(array, "text")


def json_to_array(text: exp.Expr) -> exp.Expr:
    """Cast the JSON text of an array to an array."""
    return exp.cast(text, exp.DataType.build("blob", dialect="sqlite"))


def value_if(value: exp.Expr, condition: exp.Expr) -> exp.Expr:
    """The value in rows that meet the condition, null in others."""
    return exp.Case(ifs=[exp.If(this=condition, true=value)])


def _multi_if(arguments: Arguments) -> exp.Expr:
    pairs = zip(arguments[:-1:2], arguments[1:-1:2], strict=True)
    return exp.Case(ifs=[exp.If(this=condition, true=value) for condition, value in pairs], default=arguments[-1])


def _simple_json_has(arguments: Arguments) -> exp.Expr:
    """`simpleJSONHas`: whether the text contains `"key":`. Uses `instr`, which is faster than a custom function."""
    quote, end = exp.Literal.string('"'), exp.Literal.string('":')
    pattern = exp.DPipe(this=exp.DPipe(this=quote, expression=exp.Paren(this=arguments[1])), expression=end)
    return exp.Paren(this=exp.GT(this=call("instr", arguments[0], pattern), expression=_ZERO.copy()))


def _date_trunc(arguments: Arguments) -> exp.Expr:
    unit = arguments[0].name.lower()
    # Unlike toStartOfWeek, it has weeks start on Monday.
    name = "toMonday" if unit == "week" else f"toStartOf{unit.capitalize()}"
    if name not in time_functions.FUNCTIONS:
        raise QueryError(
            f"Error executing query: date_trunc to {shorten(unit, 40)} is not supported by the trace store"
        )
    is_exact = name == "toStartOfSecond"
    time = call_custom("toDateTime", arguments[1]) if is_exact else arguments[1]
    return call_custom(name, time, *([exp.Literal.string("UTC")] if len(arguments) > 2 else []))


def _start_of_interval(arguments: Arguments) -> exp.Expr:
    interval = arguments[1]
    if not isinstance(interval, exp.Interval):
        raise ValueError
    unit = interval.text("unit").lower().removesuffix("s")
    if unit not in time_functions.UNITS:
        raise QueryError(f"Error executing query: INTERVAL unit {unit or '(none)'} is not supported by the trace store")
    count = exp.cast(exp.Paren(this=interval.this.copy()), "integer")
    return call_custom("toStartOfInterval", arguments[0], count, exp.Literal.string(unit))


def translate_aggregate(name: str, parameters: Arguments, arguments: Arguments) -> exp.Expr:
    """Translate `name(parameters)(arguments)`. Raises as `translate_call`."""
    base = aggregates.CONDITIONAL.get(name)
    if base is not None:
        return translate_aggregate(base, parameters, _filter_rows(arguments))
    if name in ("quantiles", "quantilesExact"):
        empty = json_to_array(call("json_array", *(exp.Null() for _ in parameters)))
        return call("ifnull", call_custom(name, arguments[0], call("json_array", *parameters)), empty)
    if name in ("quantile", "quantileExact"):
        return call_custom(name, arguments[0], parameters[0] if parameters else exp.Literal.number("0.5"))
    if name == "topK":
        values = call_custom(name, arguments[0], parameters[0] if parameters else exp.Literal.number(10))
        return call("ifnull", values, json_to_array(call("json_array")))
    if parameters:
        size = call_custom("arraySlice", translate_call(name, arguments), exp.Literal.number(1), parameters[0])
        return size if name in ("groupArray", "groupUniqArray") else call(name)
    return translate_call(name, arguments)


def _filter_rows(arguments: Arguments) -> Arguments:
    """Make all arguments but the last, the condition, null in rows that do not meet it."""
    *values, condition = arguments
    return [value_if(value, condition.copy()) for value in values]


def _conditional(name: str) -> Callable[[Arguments], exp.Expr]:
    return lambda arguments: translate_aggregate(name, [], _filter_rows(arguments))


def _group_array(*, unique: bool) -> Callable[[Arguments], exp.Expr]:
    def translate(arguments: Arguments) -> exp.Expr:
        # ClickHouse leaves nulls out.
        is_value = exp.Not(this=exp.Paren(this=exp.Is(this=arguments[0].copy(), expression=exp.Null())))
        item = exp.Distinct(expressions=arguments[:1]) if unique else arguments[0]
        rows = exp.Filter(this=call("json_group_array", item), expression=exp.Where(this=is_value))
        return json_to_array(rows)

    return translate


def _add_units(unit: str, sign: int) -> Callable[[Arguments], exp.Expr]:
    def translate(arguments: Arguments) -> exp.Expr:
        count = exp.Paren(this=arguments[1]) if sign > 0 else exp.Neg(this=exp.Paren(this=arguments[1]))
        return call_custom("_add_interval", arguments[0], count, exp.Literal.string(unit))

    return translate


def _interval(unit: str) -> Callable[[Arguments], exp.Expr]:
    return lambda arguments: exp.Interval(this=arguments[0], unit=exp.var(unit))


def _bound_value(name: str) -> Callable[[Arguments], exp.Expr]:
    return lambda arguments: exp.Placeholder(this=name)


def _count_distinct(arguments: Arguments) -> exp.Expr:
    value = arguments[0] if len(arguments) == 1 else call("json_array", *arguments)
    return call("count", exp.Distinct(expressions=[value]))


def _count(arguments: Arguments) -> exp.Expr:
    if arguments and isinstance(arguments[0], exp.Distinct):
        return _count_distinct(arguments[0].expressions)
    return call("count", *(arguments or [exp.Star()]))


def _tuple_element(arguments: Arguments) -> exp.Expr:
    if isinstance(arguments[0], exp.Tuple):
        return exp.Paren(this=arguments[0].expressions[int(arguments[1].name) - 1])
    return call_custom("tupleElement", *arguments)


def _operator(node_type: type[exp.Binary]) -> Callable[[Arguments], exp.Expr]:
    def translate(arguments: Arguments) -> exp.Expr:
        left, right = arguments
        return exp.Paren(this=node_type(this=exp.Paren(this=left), expression=exp.Paren(this=right)))

    return translate


def _matches(node_type: type[exp.Binary], *, negate: bool = False) -> Callable[[Arguments], exp.Expr]:
    def translate(arguments: Arguments) -> exp.Expr:
        like = node_type(this=exp.Paren(this=arguments[0]), expression=arguments[1])
        # ClickHouse escapes % and _ with a backslash; SQLite needs an ESCAPE clause for that.
        escaped = exp.Paren(this=exp.Escape(this=like, expression=exp.Literal.string("\\")))
        return exp.Not(this=escaped) if negate else escaped

    return translate


_ZERO = exp.Literal.number(0)
_TRANSLATORS: dict[str, Callable[[Arguments], exp.Expr]] = {
    "count": _count,
    "countIf": lambda arguments: call("count", value_if(exp.Literal.number(1), arguments[0])),
    "sum": lambda arguments: call("coalesce", call("sum", arguments[0]), _ZERO.copy()),
    **{name: _conditional(base) for name, base in aggregates.CONDITIONAL.items() if base != "count"},
    **dict.fromkeys(("uniq", "uniqExact", "uniqCombined", "uniqHLL12"), _count_distinct),
    "median": lambda arguments: call_custom("quantile", arguments[0], exp.Literal.number("0.5")),
    **{
        name: lambda arguments, name=name: call_custom(name, *arguments)  # type: ignore[misc]
        for name in ("argMax", "argMin", "varPop", "varSamp", "stddevPop", "stddevSamp")
    },
    **{
        name: lambda arguments, name=name: translate_aggregate(name, [], arguments)  # type: ignore[misc]
        for name in ("quantile", "quantileExact", "topK")
    },
    "groupArray": _group_array(unique=False),
    "groupUniqArray": _group_array(unique=True),
    "if": lambda arguments: exp.Case(ifs=[exp.If(this=arguments[0], true=arguments[1])], default=arguments[2]),
    "multiIf": _multi_if,
    "isNull": lambda arguments: exp.Paren(this=exp.Is(this=arguments[0], expression=exp.Null())),
    "isNotNull": lambda arguments: exp.Not(this=exp.Paren(this=exp.Is(this=arguments[0], expression=exp.Null()))),
    "empty": lambda arguments: exp.Paren(
        this=exp.EQ(this=call_custom("length", arguments[0]), expression=_ZERO.copy())
    ),
    "notEmpty": lambda arguments: exp.Paren(
        this=exp.GT(this=call_custom("length", arguments[0]), expression=_ZERO.copy())
    ),
    "not": lambda arguments: exp.Not(this=exp.Paren(this=arguments[0])),
    "tuple": lambda arguments: exp.Tuple(expressions=arguments),
    "array": lambda arguments: json_to_array(call("json_array", *arguments)),
    "tupleElement": _tuple_element,
    "toNullable": lambda arguments: arguments[0],
    "assumeNotNull": lambda arguments: arguments[0],
    **{
        name: _operator(node_type)
        for name, node_type in {
            "plus": exp.Add,
            "minus": exp.Sub,
            "multiply": exp.Mul,
            "divide": exp.Div,
            "and": exp.And,
            "or": exp.Or,
            "equals": exp.EQ,
            "notEquals": exp.NEQ,
            "greater": exp.GT,
            "greaterOrEquals": exp.GTE,
            "less": exp.LT,
            "lessOrEquals": exp.LTE,
        }.items()
    },
    "like": _matches(exp.Like),
    "notLike": _matches(exp.Like, negate=True),
    "ilike": _matches(exp.ILike),
    "notILike": _matches(exp.ILike, negate=True),
    "now": _bound_value(NOW),
    "now64": _bound_value(NOW_FULL),
    "today": _bound_value(TODAY),
    "yesterday": _bound_value(YESTERDAY),
    "date_trunc": _date_trunc,
    "dateTrunc": _date_trunc,
    "toStartOfInterval": _start_of_interval,
    "simpleJSONHas": _simple_json_has,
    "visitParamHas": _simple_json_has,
    **{f"toInterval{unit.capitalize()}": _interval(unit) for unit in time_functions.UNITS},
    **{f"add{unit.capitalize()}s": _add_units(unit, 1) for unit in time_functions.UNITS},
    **{f"subtract{unit.capitalize()}s": _add_units(unit, -1) for unit in time_functions.UNITS},
}

# Functions whose names ClickHouse accepts in any case; all others are case-sensitive.
_CASE_INSENSITIVE = frozenset(
    "abs any avg ceil coalesce count date_trunc exp floor greatest if ifnull least left log lower max min now nullif"
    " pow rank replace right round row_number sign sqrt substr substring sum trim truncate upper".split()
)
