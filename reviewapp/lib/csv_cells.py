"""Cells that a spreadsheet must not run."""

import re

_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?([eE][+-]?\d+)?", re.ASCII)


def escape_formula(text: str) -> str:
    """`text` with a quote in front where a spreadsheet would take it for a formula; a number is none."""
    is_formula = text[:1] in ("=", "+", "-", "@", "\t", "\r", "\n") and not _NUMBER.fullmatch(text)
    return f"'{text}" if is_formula else text
