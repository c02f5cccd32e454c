"""CSV lines, and cells that a spreadsheet must not run as formulas."""

import csv
import re
from collections.abc import Sequence
from io import StringIO

_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?([eE][+-]?\d+)?", re.ASCII)


def escape_formula(text: str) -> str:
    """Prefix `text` with a quote if a spreadsheet would run it as a formula. Numbers are left unchanged."""
    is_formula = text[:1] in ("=", "+", "-", "@", "\t", "\r", "\n") and not _NUMBER.fullmatch(text)
    return f"'{text}" if is_formula else text


def format_line(cells: Sequence[object]) -> str:
    """One line of CSV, with its line break."""
    line = StringIO()
    csv.writer(line).writerow(cells)
    return line.getvalue()
