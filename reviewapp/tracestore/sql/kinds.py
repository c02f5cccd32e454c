"""What kind of value an expression has, as far as it decides whether ClickHouse accepts it where it is used."""

from collections.abc import Callable
from enum import StrEnum
from typing import cast

from sqlglot import exp

from reviewapp.tracestore.sql import tables


class Kind(StrEnum):
    """Values that ClickHouse treats alike in comparisons and calculations; named as one of their types."""

    UUID = "UUID"
    TEXT = "String"
    NUMBER = "Float64"
    TIME = "DateTime64"
    ARRAY = "Array"
    TUPLE = "Tuple"
    INTERVAL = "Interval"
    UNKNOWN = "unknown"


_TYPE_PREFIXES = {
    "UUID": Kind.UUID,
    "String": Kind.TEXT,
    "Date": Kind.TIME,
    "Array": Kind.ARRAY,
    "Int": Kind.NUMBER,
    "UInt": Kind.NUMBER,
    "Float": Kind.NUMBER,
    "Decimal": Kind.NUMBER,
    "Bool": Kind.NUMBER,
}


def parse_type(declaration: str) -> Kind:
    """Returns the kind of a type as a table declares it."""
    return next((kind for prefix, kind in _TYPE_PREFIXES.items() if declaration.startswith(prefix)), Kind.UNKNOWN)


TABLES: dict[str, dict[str, Kind]] = {
    table: {name: parse_type(declaration) for name, declaration in (column.split(" ", 1) for column in columns)}
    for table, columns in tables.CLICKHOUSE_COLUMNS.items()
}

_DATA_TYPES = {
    **dict.fromkeys(exp.DataType.NUMERIC_TYPES, Kind.NUMBER),
    exp.DType.BOOLEAN: Kind.NUMBER,
    **dict.fromkeys(exp.DataType.TEXT_TYPES, Kind.TEXT),
    **dict.fromkeys((exp.DType.DATE, exp.DType.DATE32, exp.DType.DATETIME, exp.DType.DATETIME64), Kind.TIME),
    exp.DType.UUID: Kind.UUID,
    exp.DType.ARRAY: Kind.ARRAY,
}

_NUMBERS = """count countIf uniq uniqExact uniqIf sum sumIf avgIf length lengthUTF8 position
    positionCaseInsensitive startsWith endsWith has hasAny hasAll empty notEmpty match like ilike abs round floor ceil
    intDiv modulo sqrt pow exp log sign toHour toMinute toSecond toYear toMonth toQuarter toDayOfMonth toDayOfWeek
    toDayOfYear toWeek toISOWeek toYYYYMM toYYYYMMDD toUnixTimestamp dateDiff isNull isNotNull not isValidJSON JSONHas
    JSONLength JSONExtractInt JSONExtractUInt JSONExtractFloat JSONExtractBool simpleJSONHas simpleJSONExtractInt
    simpleJSONExtractUInt simpleJSONExtractFloat simpleJSONExtractBool arrayCount arrayExists arrayAll indexOf toInt8
    toInt16 toInt32 toInt64 toUInt8 toUInt16 toUInt32 toUInt64 toFloat32 toFloat64 row_number rank dense_rank""".split()
_TEXTS = """lower upper lowerUTF8 upperUTF8 substring substr substringUTF8 concat toString trim trimBoth replace left
    replaceAll replaceRegexpAll replaceRegexpOne extract formatDateTime arrayStringConcat right JSONExtractString
    JSONExtractRaw simpleJSONExtractString simpleJSONExtractRaw JSON_VALUE JSON_QUERY reverse substringIndex""".split()
_ARRAYS = """groupArray groupUniqArray groupArrayIf groupUniqArrayIf topK topKIf quantiles quantilesIf quantilesExact
    splitByChar splitByString arraySort arrayReverse arrayDistinct arrayFilter arrayMap JSONExtractKeys
    JSONExtractArrayRaw extractAll arrayConcat arraySlice range array""".split()
_TIMES = """now now64 today yesterday toDate toDateTime toDateTime64 parseDateTimeBestEffort parseDateTime64BestEffort
    toStartOfSecond toStartOfMinute toStartOfFiveMinutes toStartOfTenMinutes toStartOfFifteenMinutes toStartOfHour
    toStartOfDay toStartOfWeek toMonday toStartOfMonth toStartOfQuarter toStartOfYear toStartOfInterval date_trunc
    dateTrunc fromUnixTimestamp fromUnixTimestamp64Milli fromUnixTimestamp64Micro fromUnixTimestamp64Nano""".split()
# Functions whose value is of the kind of their first argument.
_SAME = """min max any anyLast minIf maxIf anyIf argMax argMin argMaxIf argMinIf avg median quantile quantileExact
    quantileIf quantileExactIf greatest least ifNull coalesce nullIf assumeNotNull toNullable""".split()
RESULTS: dict[str, Kind] = {
    **dict.fromkeys(_NUMBERS, Kind.NUMBER),
    **dict.fromkeys(_TEXTS, Kind.TEXT),
    **dict.fromkeys(_ARRAYS, Kind.ARRAY),
    **dict.fromkeys(_TIMES, Kind.TIME),
    "toUUID": Kind.UUID,
    "tuple": Kind.TUPLE,
}
_SAME_KIND = frozenset(_SAME)
_PREDICATES = (exp.Predicate, exp.And, exp.Or, exp.Not, exp.Boolean, exp.RegexpLike)

_LITERALS: dict[type[exp.Expr], Kind] = {
    exp.Array: Kind.ARRAY, exp.Tuple: Kind.TUPLE, exp.Interval: Kind.INTERVAL,
}  # fmt: skip

KindOf = Callable[[exp.Expr], Kind]


def infer(node: exp.Expr, kind_of: KindOf) -> Kind:
    """Returns the kind of a node other than a column; `kind_of` knows those of its children."""
    if isinstance(node, exp.Literal):
        return Kind.TEXT if node.is_string else Kind.NUMBER
    if isinstance(node, _PREDICATES):
        return Kind.NUMBER
    if isinstance(node, (exp.Paren, exp.Neg, exp.Alias, exp.Filter, exp.Window, exp.Ordered)):
        return kind_of(node.this)
    if isinstance(node, (exp.Cast, exp.Placeholder)):
        data_type = node.args.get("to") or node.args.get("kind")
        return _DATA_TYPES.get(cast(exp.DType, data_type.this), Kind.UNKNOWN) if data_type is not None else Kind.UNKNOWN
    if isinstance(node, (exp.Anonymous, exp.ParameterizedAgg, exp.AnonymousAggFunc)):
        return _infer_call(node, kind_of)
    if isinstance(node, exp.Binary):
        return _infer_calculation(node, kind_of)
    if isinstance(node, (exp.If, exp.Case)):
        branches = [node] if isinstance(node, exp.If) else node.args["ifs"]
        kinds = {kind_of(branch.args["true"]) for branch in branches}
        return kinds.pop() if len(kinds) == 1 else Kind.UNKNOWN
    return _LITERALS.get(type(node), Kind.UNKNOWN)


def _infer_call(node: exp.Expr, kind_of: KindOf) -> Kind:
    if node.name in _SAME_KIND:
        # sqlglot keeps the arguments of `f(parameters)(arguments)` as its parameters.
        arguments = node.args.get("params") or node.expressions
        return kind_of(arguments[0]) if arguments else Kind.UNKNOWN
    return RESULTS.get(node.name, RESULTS.get(node.name.lower(), Kind.UNKNOWN))


def _infer_calculation(node: exp.Binary, kind_of: KindOf) -> Kind:
    if isinstance(node, exp.DPipe):
        return Kind.TEXT
    sides = (kind_of(node.this), kind_of(node.expression))
    if Kind.UNKNOWN in sides:
        return Kind.UNKNOWN
    if isinstance(node, (exp.Add, exp.Sub)) and Kind.TIME in sides:
        return Kind.NUMBER if sides == (Kind.TIME, Kind.TIME) else Kind.TIME
    return Kind.NUMBER if isinstance(node, (exp.Add, exp.Sub, exp.Mul, exp.Div, exp.Mod, exp.IntDiv)) else Kind.UNKNOWN
