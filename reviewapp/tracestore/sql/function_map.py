"""How a ClickHouse function is said in SQLite: by a function of its own, or by other words."""

from collections.abc import Callable

from sqlglot import exp

from reviewapp.tracestore.sql import aggregates, json_functions, text_functions, time_functions
from reviewapp.tracestore.sql.errors import Refused

Arguments = list[exp.Expr]

PREFIX = "ch_"
FUNCTIONS = json_functions.FUNCTIONS | time_functions.FUNCTIONS | text_functions.FUNCTIONS

# Bound once for a query, so that all its rows see one time.
NOW, NOW_FULL, TODAY, YESTERDAY = "_now", "_now_full", "_today", "_yesterday"

_NATIVE = {
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

# Everything that a written query may call; SQLite keeps names in lower case.
CALLABLE = frozenset(
    {*_NATIVE.values(), "sum", "iif", "like", "instr", "json_array", "json_each", "json_group_array", f"{PREFIX}needle"}
    | {f"{PREFIX}{name}".lower() for name in (*FUNCTIONS, *aggregates.AGGREGATES)}
)


def call(name: str, *arguments: exp.Expr) -> exp.Expr:
    """A call of a function SQLite has."""
    return exp.Anonymous(this=name, expressions=list(arguments))


def own(name: str, *arguments: exp.Expr) -> exp.Expr:
    """A call of a function the store gives to SQLite."""
    return call(f"{PREFIX}{name}", *arguments)


def written(name: str, arguments: Arguments) -> exp.Expr:
    """A ClickHouse call as SQLite understands it.

    Raises Refused for a function the store does not have; IndexError or ValueError for wrong arguments.
    """
    shape = _SHAPES.get(name) or _SHAPES.get(name.lower() if name.lower() in _ANY_CASE else "")
    if shape is not None:
        return shape(arguments)
    if name in FUNCTIONS:
        return own(name, *arguments)
    native = _NATIVE.get(name) or _NATIVE.get(name.lower() if name.lower() in _ANY_CASE else "")
    if native is None:
        raise Refused(f"Error executing query: Function with name `{name}` does not exist in the trace store")
    return call(native, *arguments)


def array_text(array: exp.Expr) -> exp.Expr:
    """An array's JSON, for SQLite's own JSON functions."""
    return exp.cast(array, "text")


def array(items: exp.Expr) -> exp.Expr:
    """A JSON array text as an array."""
    return exp.cast(items, exp.DataType.build("blob", dialect="sqlite"))


def where(value: exp.Expr, condition: exp.Expr) -> exp.Expr:
    """A value on the rows that meet a condition, null on others."""
    return exp.Case(ifs=[exp.If(this=condition, true=value)])


def _many_ifs(arguments: Arguments) -> exp.Expr:
    pairs = zip(arguments[:-1:2], arguments[1:-1:2], strict=True)
    return exp.Case(ifs=[exp.If(this=condition, true=value) for condition, value in pairs], default=arguments[-1])


def _extract(arguments: Arguments) -> exp.Expr:
    kind = arguments[-1].name
    names = {"String": "String", "Int64": "Int", "UInt64": "Int", "Int32": "Int", "Float64": "Float", "Bool": "Bool"}
    if kind not in names:
        raise Refused(f"Error executing query: JSONExtract to {kind} is not in the trace store")
    return own(f"JSONExtract{names[kind]}", *arguments[:-1])


def _text_holds_key(arguments: Arguments) -> exp.Expr:
    """`simpleJSONHas`: whether `"key":` stands anywhere, for which SQLite needs none of our functions."""
    quote, end = exp.Literal.string('"'), exp.Literal.string('":')
    mark = exp.DPipe(this=exp.DPipe(this=quote, expression=exp.Paren(this=arguments[1])), expression=end)
    return exp.Paren(this=exp.GT(this=call("instr", arguments[0], mark), expression=_ZERO.copy()))


def _truncated(arguments: Arguments) -> exp.Expr:
    return own(f"toStartOf{arguments[0].name.capitalize()}", arguments[1])


def _aggregate_if(name: str) -> Callable[[Arguments], exp.Expr]:
    return lambda arguments: written(name, [where(arguments[0], arguments[1]), *arguments[2:]])


def _group(*, unique: bool) -> Callable[[Arguments], exp.Expr]:
    return lambda arguments: array(
        call("json_group_array", exp.Distinct(expressions=arguments[:1]) if unique else arguments[0])
    )


def _moved(unit: str, sign: int) -> Callable[[Arguments], exp.Expr]:
    def move(arguments: Arguments) -> exp.Expr:
        count = exp.Paren(this=arguments[1]) if sign > 0 else exp.Neg(this=exp.Paren(this=arguments[1]))
        return own("_shifted", arguments[0], count, exp.Literal.string(unit))

    return move


def _interval(unit: str) -> Callable[[Arguments], exp.Expr]:
    return lambda arguments: exp.Interval(this=arguments[0], unit=exp.var(unit))


def _bound(name: str) -> Callable[[Arguments], exp.Expr]:
    return lambda arguments: exp.Placeholder(this=name)


def _unique(arguments: Arguments) -> exp.Expr:
    return call("count", exp.Distinct(expressions=arguments[:1]))


_ZERO = exp.Literal.number(0)
_SHAPES: dict[str, Callable[[Arguments], exp.Expr]] = {
    "count": lambda arguments: call("count", *(arguments or [exp.Star()])),
    "countIf": lambda arguments: call("count", where(exp.Literal.number(1), arguments[0])),
    "sum": lambda arguments: call("coalesce", call("sum", arguments[0]), _ZERO.copy()),
    **{f"{name}If": _aggregate_if(name) for name in ("sum", "avg", "min", "max", "any", "uniq", "groupArray")},
    "uniq": _unique,
    "uniqExact": _unique,
    "median": lambda arguments: own("quantile", arguments[0], exp.Literal.number("0.5")),
    "argMax": lambda arguments: own("argMax", *arguments),
    "argMin": lambda arguments: own("argMin", *arguments),
    "groupArray": _group(unique=False),
    "groupUniqArray": _group(unique=True),
    "if": lambda arguments: exp.Case(ifs=[exp.If(this=arguments[0], true=arguments[1])], default=arguments[2]),
    "multiIf": _many_ifs,
    "isNull": lambda arguments: exp.Paren(this=exp.Is(this=arguments[0], expression=exp.Null())),
    "isNotNull": lambda arguments: exp.Not(this=exp.Paren(this=exp.Is(this=arguments[0], expression=exp.Null()))),
    "empty": lambda arguments: exp.Paren(this=exp.EQ(this=own("length", arguments[0]), expression=_ZERO.copy())),
    "notEmpty": lambda arguments: exp.Paren(this=exp.GT(this=own("length", arguments[0]), expression=_ZERO.copy())),
    "not": lambda arguments: exp.Not(this=exp.Paren(this=arguments[0])),
    "tuple": lambda arguments: exp.Tuple(expressions=arguments),
    "now": _bound(NOW),
    "now64": _bound(NOW_FULL),
    "today": _bound(TODAY),
    "yesterday": _bound(YESTERDAY),
    "date_trunc": _truncated,
    "JSONExtract": _extract,
    "simpleJSONHas": _text_holds_key,
    "visitParamHas": _text_holds_key,
    **{f"toInterval{unit.capitalize()}": _interval(unit) for unit in time_functions.UNITS},
    **{f"add{unit.capitalize()}s": _moved(unit, 1) for unit in time_functions.UNITS},
    **{f"subtract{unit.capitalize()}s": _moved(unit, -1) for unit in time_functions.UNITS},
}

# Names that ClickHouse takes in any case; all others it wants letter by letter.
_ANY_CASE = frozenset(
    "abs any avg ceil coalesce count date_trunc floor greatest if ifnull least lower max min now nullif rank replace"
    " round row_number substr substring sum trim upper".split()
)
