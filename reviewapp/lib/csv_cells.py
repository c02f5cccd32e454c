"""CSV cells that a spreadsheet must not run as formulas."""

import re

_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?([eE][+-]?\d+)?", re.ASCII)


def escape_formula(text: str) -> str:
    """Prefix `text` with a quote if a spreadsheet would run it as a formula. Numbers are left unchanged."""
    is_formula = text[:1] in ("=", "+", "-", "@", "\t", "\r", "\n") and not _NUMBER.fullmatch(text)
    return f"'{text}" if is_formula else text
