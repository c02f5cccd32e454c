"""Make untrusted text safe for both databases and every page."""


def to_storable_text(text: str) -> str:
    """Replace NUL, which PostgreSQL cannot store, and lone surrogates, which cannot be encoded."""
    return text.replace("\x00", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace").decode()
