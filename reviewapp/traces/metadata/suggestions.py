"""Suggestions for the fields of a filter: keys and values of the project's traces, most frequent first.

The counts are those of the index, a few seconds late.
"""

from collections import Counter
from dataclasses import dataclass

from reviewapp.accounts.models import Project
from reviewapp.traces.filter_models import MetadataKey, Term
from reviewapp.traces.metadata import pairs

MAX_SUGGESTIONS = 20
# Only the most frequent keys or values are searched: a key with an id per trace has as many values as there are traces.
MAX_SEARCHED = 2_000
# The index truncates longer values and keys, and a truncated one would match nothing.
_MAX_VALUE_LENGTH = 199
_MAX_KEY_LENGTH = 299


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A key, or a value as it is written in a filter, with the number of traces that have it."""

    text: str
    count: int


def suggest_keys(project: Project, part: str = "") -> list[Suggestion]:
    """Keys that contain `part`, ignoring case, and that can be typed into a form field."""
    keys = MetadataKey.objects.filter(project=project, count__gt=0).order_by("-count").values_list("name", "count")
    return _search(Counter({name: count for name, count in keys[:MAX_SEARCHED] if _can_be_typed(name)}), part)


def resolve_key(project: Project, text: str) -> str:
    """The key that a form field's text stands for: stripped, unless the project has a key with exactly these spaces."""
    stripped = text.strip()
    if (
        text == stripped
        or "\x00" in text
        or not MetadataKey.objects.filter(project=project, name=text, count__gt=0).exists()
    ):
        return stripped
    return text


def suggest_values(project: Project, key: str, part: str = "") -> list[Suggestion]:
    """Values of a key that contain `part`, ignoring case; a number and its text are merged, as a filter finds both."""
    terms = Term.objects.filter(project=project, key=key[:300], count__gt=0).order_by("-count")
    counts: Counter[str] = Counter()
    for raw, count in terms.values_list("value", "count")[:MAX_SEARCHED]:
        if len(raw) <= _MAX_VALUE_LENGTH:
            counts[pairs.display_value(raw)] += count
    return _search(counts, part)


def _can_be_typed(key: str) -> bool:
    return "=" not in key and key == key.strip() and len(key) <= _MAX_KEY_LENGTH


def _search(counts: Counter[str], part: str) -> list[Suggestion]:
    """The most frequent texts that contain `part`, ignoring case."""
    folded = part.casefold()
    matches = [Suggestion(text, count) for text, count in counts.most_common() if folded in text.casefold()]
    return matches[:MAX_SUGGESTIONS]
