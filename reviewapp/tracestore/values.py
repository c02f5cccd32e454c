"""What the store keeps of received attribute values: JSON values that all later steps can encode, compare and merge.

Every decoder passes its values through here, so that nothing after it depends on what a sender may send.
"""

import base64
import math
import sys
from decimal import Decimal
from typing import Any

from reviewapp.lib import exact_json
from reviewapp.tracestore import jsonb

# Metadata and attributes nest values once more, and must be read again with the limit of JSON.
MAX_DEPTH = jsonb.MAX_DEPTH - 2
MAX_COUNT = 2**63 - 1
MAX_COST = sys.float_info.max
# Larger counts cannot be real: no JSON reader is sure to read them exactly.
_MAX_SPAN_COUNT = 2**53 - 1


def storable(value: Any) -> Any:
    """Returns a decoded value as the store keeps it.

    Floats that JSON cannot express become null, as in Laminar. Values nested deeper than `MAX_DEPTH` become their
    JSON text.
    """
    if type(value) is str:
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, (list, dict)) and jsonb.is_deeper(value, MAX_DEPTH):
        return exact_json.dumps(value)
    return value


def parse_bytes(raw: bytes) -> Any:
    """Decode a bytes value: to its JSON value if it holds strict JSON, to text, or to base64 if it is not UTF-8."""
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        return base64.b64encode(raw).decode()
    try:
        # jsonb keeps the last of repeated keys, exact_json refuses them.
        exact_json.loads(text)
        return jsonb.loads(text)
    except (ValueError, RecursionError):
        return text


def parse_json(value: Any) -> Any:
    """Parse a string that holds JSON; returns anything else unchanged."""
    if not isinstance(value, str) or value[:1] not in '{["-0123456789tfn \t\r\n':
        return value
    try:
        parsed = exact_json.loads(value)
        if jsonb.is_text_deep(value, parsed):
            return value
        if "\\ud" in value or "\\uD" in value:
            # Raises UnicodeEncodeError for a lone surrogate, which Laminar's parser refuses too.
            exact_json.dumps(parsed).encode()
        return parsed
    except (ValueError, RecursionError):
        return value


def count(value: Any) -> int | None:
    """Returns a value as a number of tokens; None if it is none."""
    is_count = isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MAX_SPAN_COUNT
    return value if is_count else None


def cost(value: Any) -> float:
    """Returns a value as dollars, within the range of floats; 0 if it is no number or negative."""
    if isinstance(value, bool) or not isinstance(value, (int, float, Decimal)):
        return 0.0
    return float(min(max(value, 0), Decimal(MAX_COST) if isinstance(value, Decimal) else MAX_COST))


def add_counts(first: int, second: int) -> int:
    """Add, but stay within the range of a database's integers."""
    return min(first + second, MAX_COUNT)


def add_costs(first: float, second: float) -> float:
    """Add, but stay finite."""
    return min(first + second, MAX_COST)


def text(value: Any) -> str:
    """Returns a string without NUL; empty for any other value."""
    return value.replace("\x00", "") if isinstance(value, str) else ""


def items(value: Any) -> list[Any]:
    """Returns a list; empty for any other value."""
    return value if isinstance(value, list) else []
