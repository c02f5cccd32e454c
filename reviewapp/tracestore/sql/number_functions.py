"""ClickHouse's arithmetic where SQLite's differs."""

import math
from collections.abc import Callable
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

Number = int | float


def divide_whole(dividend: Number, divisor: Number) -> int:
    """`intDiv`: divide and cut the fraction off. Raises ValueError for a division by zero."""
    if int(divisor) == 0:
        raise ValueError("Division by zero")
    quotient = abs(int(dividend)) // abs(int(divisor))
    return quotient if (dividend < 0) == (divisor < 0) else -quotient


def modulo(dividend: Number, divisor: Number) -> Number | None:
    """Returns the remainder, with the sign of the dividend. Raises ValueError for whole numbers divided by zero."""
    if isinstance(dividend, int) and isinstance(divisor, int):
        if divisor == 0:
            raise ValueError("Division by zero")
        return int(math.fmod(dividend, divisor)) if abs(dividend) < 2**53 else dividend % divisor
    return math.fmod(dividend, divisor) if divisor else None


def round_number(value: Number, digits: int = 0) -> Number:
    """Round a whole number half up, any other to the nearest even digit."""
    if isinstance(value, int):
        if digits >= 0:
            return value
        step: int = 10 ** min(-digits, 20)
        return int((Decimal(value) / step).quantize(Decimal(1), ROUND_HALF_UP)) * int(step)
    return float(round(value, digits)) if math.isfinite(value) else value


def round_by(rounding: Callable[[float], int]) -> Callable[..., Number]:
    """Returns a function that rounds to a number of digits with `rounding`, such as math.floor."""

    def convert(value: Number, digits: int = 0) -> Number:
        scale = 10.0 ** max(min(digits, 300), -300)
        if isinstance(value, int) and digits >= 0:
            return value
        return rounding(value * scale) / scale if math.isfinite(value) else value

    return convert


def _on_number(function: Callable[..., float]) -> Callable[..., float | None]:
    def calculate(*values: Any) -> float | None:
        if None in values:
            return None
        try:
            return function(*map(float, values))
        except (ValueError, OverflowError, ZeroDivisionError):
            return None

    return calculate


def _with_null(function: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *values: None if None in values else function(*values)


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "intDiv": _with_null(divide_whole),
    "modulo": _with_null(modulo),
    "round": _with_null(round_number),
    "floor": _with_null(round_by(math.floor)),
    "ceil": _with_null(round_by(math.ceil)),
    "truncate": _with_null(round_by(math.trunc)),
    "sign": _with_null(lambda value: (value > 0) - (value < 0)),
    "sqrt": _on_number(math.sqrt),
    "exp": _on_number(math.exp),
    "log": _on_number(math.log),
    "log2": _on_number(math.log2),
    "log10": _on_number(math.log10),
    "pow": _on_number(math.pow),
}
