"""Cells that a spreadsheet must not run."""


def defused(text: str) -> str:
    """`text` with a quote in front where a spreadsheet would take it for a formula."""
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r", "\n") else text
