"""Numbers from texts that anybody may have written."""

import re


def parse_int(text: str | None, *, max_value: int = 2**53) -> int | None:
    """The whole number that `text` spells in plain digits; None for anything else or above `most`."""
    if text is None or not re.fullmatch(r"[0-9]{1,16}", text, re.ASCII):
        return None
    number = int(text)
    return number if number <= max_value else None
