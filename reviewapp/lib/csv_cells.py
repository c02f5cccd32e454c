"""CSV lines, and cells that a spreadsheet must not run as formulas."""

import csv
import re
from collections.abc import Sequence
from io import StringIO

from reviewapp.lib import invisible_chars

PREFIX = "'"
_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?([eE][+-]?\d+)?", re.ASCII)
# A sign, also a full-width or small one, that begins the cell or a line in it, behind blanks and quotation marks too.
_FORMULA = re.compile(r"^(?:[^\S\n]|[\"'`])*[=+\-@\uff1d\uff0b\uff0d\uff20\ufe66\ufe62\ufe63\ufe6b]", re.MULTILINE)
_LINE_BREAKS = re.compile("[\r\x0b\x0c\x85\u2028\u2029]")


def escape_formula(text: str) -> str:
    """Prefix `text` with a quote if a spreadsheet would run it as a formula, or if it begins with a quote itself.

    Numbers are left unchanged. `unescape_formula` returns the text that was given.
    """
    return f"{PREFIX}{text}" if text.startswith(PREFIX) or _is_formula(text) else text


def unescape_formula(cell: str) -> str:
    """Return the text that `escape_formula` made this cell of."""
    return cell.removeprefix(PREFIX)


def format_line(cells: Sequence[object]) -> str:
    """One line of CSV, with its line break."""
    line = StringIO()
    csv.writer(line).writerow(cells)
    return line.getvalue()


def _is_formula(text: str) -> bool:
    if _NUMBER.fullmatch(text):
        return False
    lines = invisible_chars.remove_invisible(_LINE_BREAKS.sub("\n", text))
    return text[:1] in ("\t", "\r", "\n") or _FORMULA.search(lines) is not None
