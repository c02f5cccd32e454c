"""Whether a secret of the settings can be guessed."""

import math
from collections import Counter

MIN_BITS = 128
_PLACEHOLDERS = (
    "changeme", "change-me", "change_me", "django-insecure", "example", "insecure", "password", "placeholder",
    "replace-me", "replaceme", "secret-key", "secret_key", "your-", "your_",
)  # fmt: skip


def find_weakness(secret: str, min_length: int) -> str:
    """Return what is wrong with a secret, as the end of a sentence; empty if nothing is."""
    if len(secret) < min_length:
        return f"is shorter than {min_length} characters"
    if placeholder := next((word for word in _PLACEHOLDERS if word in secret.lower()), ""):
        return f"looks like a placeholder: it contains “{placeholder}”"
    if secret in (secret + secret)[1:-1]:
        return "repeats itself"
    if secret != secret.strip() or not secret.isprintable():
        return "has spaces around it, or characters that cannot be seen"
    if _count_bits(secret) < MIN_BITS:
        return "can be guessed: it has too few different characters"
    return ""


def _count_bits(secret: str) -> float:
    """The most that a secret of these characters can hide, in bits."""
    size = len(secret)
    return sum(-count * math.log2(count / size) for count in Counter(secret).values())
