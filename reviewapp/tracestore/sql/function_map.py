"""Translate ClickHouse function calls to SQLite: to a built-in, a custom function or another expression."""

from collections.abc import Callable

from sqlglot import exp

from reviewapp.tracestore.sql import aggregates, json_functions, text_functions, time_functions
from reviewapp.tracestore.sql.errors import QueryError

Arguments = list[exp.Expr]

PREFIX = "ch_"
FUNCTIONS = json_functions.FUNCTIONS | time_functions.FUNCTIONS | text_functions.FUNCTIONS

# Bound once per query, so that all rows see the same time.
NOW, NOW_FULL, TODAY, YESTERDAY = "_now", "_now_full", "_today", "_yesterday"

_BUILT_IN = {
    "abs": "abs",
    "any": "min",
    "anyLast": "max",
    "avg": "avg",
    "ceil": "ceil",
    "char_length": "length",
    "coalesce": "coalesce",
    "count": "count",
    "dense_rank": "dense_rank",
    "floor": "floor",
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
    "round": "round",
    "row_number": "row_number",
    "substring": "substr",
    "substr": "substr",
    "substringUTF8": "substr",
    "trim": "trim",
    "trimBoth": "trim",
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
    if name in FUNCTIONS:
        return call_custom(name, *arguments)
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


def _json_extract(arguments: Arguments) -> exp.Expr:
    type_name = arguments[-1].name
    suffixes = {"String": "String", "Int64": "Int", "UInt64": "Int", "Int32": "Int", "Float64": "Float", "Bool": "Bool"}
    if type_name not in suffixes:
        raise QueryError(f"Error executing query: JSONExtract to {type_name} is not supported by the trace store")
    return call_custom(f"JSONExtract{suffixes[type_name]}", *arguments[:-1])


def _simple_json_has(arguments: Arguments) -> exp.Expr:
    """`simpleJSONHas`: whether the text contains `"key":`. Uses `instr`, which is faster than a custom function."""
    quote, end = exp.Literal.string('"'), exp.Literal.string('":')
    pattern = exp.DPipe(this=exp.DPipe(this=quote, expression=exp.Paren(this=arguments[1])), expression=end)
    return exp.Paren(this=exp.GT(this=call("instr", arguments[0], pattern), expression=_ZERO.copy()))


def _date_trunc(arguments: Arguments) -> exp.Expr:
    return call_custom(f"toStartOf{arguments[0].name.capitalize()}", arguments[1])


def _aggregate_if(name: str) -> Callable[[Arguments], exp.Expr]:
    return lambda arguments: translate_call(name, [value_if(arguments[0], arguments[1]), *arguments[2:]])


def _group_array(*, unique: bool) -> Callable[[Arguments], exp.Expr]:
    return lambda arguments: json_to_array(
        call("json_group_array", exp.Distinct(expressions=arguments[:1]) if unique else arguments[0])
    )


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
    return call("count", exp.Distinct(expressions=arguments[:1]))


_ZERO = exp.Literal.number(0)
_TRANSLATORS: dict[str, Callable[[Arguments], exp.Expr]] = {
    "count": lambda arguments: call("count", *(arguments or [exp.Star()])),
    "countIf": lambda arguments: call("count", value_if(exp.Literal.number(1), arguments[0])),
    "sum": lambda arguments: call("coalesce", call("sum", arguments[0]), _ZERO.copy()),
    **{f"{name}If": _aggregate_if(name) for name in ("sum", "avg", "min", "max", "any", "uniq", "groupArray")},
    "uniq": _count_distinct,
    "uniqExact": _count_distinct,
    "median": lambda arguments: call_custom("quantile", arguments[0], exp.Literal.number("0.5")),
    "argMax": lambda arguments: call_custom("argMax", *arguments),
    "argMin": lambda arguments: call_custom("argMin", *arguments),
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
    "now": _bound_value(NOW),
    "now64": _bound_value(NOW_FULL),
    "today": _bound_value(TODAY),
    "yesterday": _bound_value(YESTERDAY),
    "date_trunc": _date_trunc,
    "JSONExtract": _json_extract,
    "simpleJSONHas": _simple_json_has,
    "visitParamHas": _simple_json_has,
    **{f"toInterval{unit.capitalize()}": _interval(unit) for unit in time_functions.UNITS},
    **{f"add{unit.capitalize()}s": _add_units(unit, 1) for unit in time_functions.UNITS},
    **{f"subtract{unit.capitalize()}s": _add_units(unit, -1) for unit in time_functions.UNITS},
}

# Functions whose names ClickHouse accepts in any case; all others are case-sensitive.
_CASE_INSENSITIVE = frozenset(
    "abs any avg ceil coalesce count date_trunc floor greatest if ifnull least lower max min now nullif rank replace"
    " round row_number substr substring sum trim upper".split()
)
