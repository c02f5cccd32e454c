"""What a lead may type into a filter: keys and values that the project's traces hold, the most held first.

The counts are those of the index, a few seconds late.
"""

from collections import Counter
from dataclasses import dataclass

from reviewapp.accounts.models import Project
from reviewapp.traces.metadata import pairs
from reviewapp.traces.models import MetadataKey, Term

OFFERED = 20
# A key that numbers each trace has as many values as there are traces: only the most held are looked through.
LOOKED = 2_000
# A longer value or key is cut in the index, and what is left of it finds nothing.
_WHOLE = 199
_WHOLE_KEY = 299


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A key, or a value as one writes it in a filter, with how many traces hold it."""

    text: str
    count: int


def suggest_keys(project: Project, part: str = "") -> list[Suggestion]:
    """Keys that hold this part of a text, small and capital letters alike; those that a field can ask for."""
    held = MetadataKey.objects.filter(project=project, count__gt=0).order_by("-count").values_list("name", "count")
    return _offered(Counter({name: count for name, count in held[:LOOKED] if _can_be_typed(name)}), part)


def spelled(project: Project, typed: str) -> str:
    """A key as its field means it: without the blanks at its ends, unless the project's traces hold it with them."""
    bare = typed.strip()
    if (
        typed == bare
        or "\x00" in typed
        or not MetadataKey.objects.filter(project=project, name=typed, count__gt=0).exists()
    ):
        return bare
    return typed


def suggest_values(project: Project, key: str, part: str = "") -> list[Suggestion]:
    """A key's values that hold this part of a text; a number and the text of it are one, as a filter finds both."""
    terms = Term.objects.filter(project=project, key=key[:300], count__gt=0).order_by("-count")
    counts: Counter[str] = Counter()
    for raw, count in terms.values_list("value", "count")[:LOOKED]:
        if len(raw) <= _WHOLE:
            counts[pairs.display_value(raw)] += count
    return _offered(counts, part)


def _can_be_typed(key: str) -> bool:
    return "=" not in key and key == key.strip() and len(key) <= _WHOLE_KEY


def _offered(counts: Counter[str], part: str) -> list[Suggestion]:
    wanted = part.casefold()
    found = [Suggestion(text, count) for text, count in counts.most_common() if wanted in text.casefold()]
    return found[:OFFERED]
