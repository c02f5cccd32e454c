"""Numbers from untrusted text, and as text."""

import re
from decimal import Decimal

from reviewapp.lib import canonical_json

_DECIMAL = re.compile(r"-?[0-9]{1,8}(?:[.,][0-9]{1,4})?")


def parse_int(text: str | None, *, max_value: int = 2**53) -> int | None:
    """Parse a whole number in ASCII digits. None for any other text, or above `max_value`."""
    if text is None or not re.fullmatch(r"[0-9]{1,16}", text, re.ASCII):
        return None
    number = int(text)
    return number if number <= max_value else None


def parse_decimal(text: str) -> Decimal | None:
    """Parse a number with a decimal point or comma, of at most 8 and 4 digits. None for any other text, also -0."""
    number = Decimal(text.replace(",", ".")) if _DECIMAL.fullmatch(text) else None
    return None if number is not None and number.is_zero() and number.is_signed() else number


def format_decimal(number: Decimal) -> str:
    """Format a decimal as JSON writes the number: `1`, `0.5`."""
    return str(canonical_json.normalize(number))
