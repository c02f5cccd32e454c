"""Parse numbers from untrusted text."""

import re


def parse_int(text: str | None, *, max_value: int = 2**53) -> int | None:
    """Parse a whole number in ASCII digits. None for any other text, or above `max_value`."""
    if text is None or not re.fullmatch(r"[0-9]{1,16}", text, re.ASCII):
        return None
    number = int(text)
    return number if number <= max_value else None
