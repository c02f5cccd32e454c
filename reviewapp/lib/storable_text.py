"""Texts that come from anywhere, as both databases and every page can take them."""


def to_storable_text(text: str) -> str:
    """A text without NUL, for which PostgreSQL has no place, and without half characters, which no page can show."""
    return text.replace("\x00", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace").decode()
