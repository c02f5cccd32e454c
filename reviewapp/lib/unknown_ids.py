"""Name the ids of a bulk action that it did not know, so that none is dropped in silence."""

from collections.abc import Iterable, Sequence
from typing import Any

from django.db.models import QuerySet

from reviewapp.lib.batches import batched
from reviewapp.lib.numbers import parse_int
from reviewapp.lib.shortening import shorten
from reviewapp.lib.storable_text import to_storable_text

MAX_NAMED = 10
MAX_ID_LENGTH = 40


def split_known(rows: QuerySet[Any], texts: Sequence[str]) -> tuple[list[int], list[str]]:
    """Split form values into the primary keys of these rows, ascending and once each, and all other values."""
    numbers = {text: parse_int(text) for text in texts}
    known: set[int] = set()
    for batch in batched(sorted({number for number in numbers.values() if number is not None})):
        known.update(rows.filter(pk__in=batch).values_list("pk", flat=True))
    return sorted(known), [text for text, number in numbers.items() if number not in known]


def describe_unknown(texts: Iterable[str], place: str) -> str:
    """A sentence that names these values, which are not in `place`; empty if there are none."""
    unique = list(dict.fromkeys(texts))
    if not unique:
        return ""
    names = ", ".join(f"“{to_storable_text(shorten(text, MAX_ID_LENGTH))}”" for text in unique[:MAX_NAMED])
    more = f" and {len(unique) - MAX_NAMED:,} more" if len(unique) > MAX_NAMED else ""
    return f"Left out, because not in {place}: {names}{more}."
