"""Texts that come from anywhere, as both databases and every page can take them."""


def storable(text: str) -> str:
    """A text without NUL, for which PostgreSQL has no place, and without half characters, which no page can show."""
    return text.replace("\x00", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace").decode()
