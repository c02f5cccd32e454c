"""Shorten a text so that a reader sees that it is shortened."""


def shorten(text: str, max_length: int) -> str:
    """Cut a text to `max_length` characters, the last of which is then an ellipsis."""
    return text if len(text) <= max_length else f"{text[: max_length - 1]}…"
