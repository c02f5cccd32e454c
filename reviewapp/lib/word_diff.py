"""Compare two texts word by word."""

import re
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from typing import Literal, NamedTuple

# Words of one text times words of the other, without their common start and end. Above it the whole middle counts as
# changed: the cost grows faster than the texts, and anyone may send them.
MAX_COMPARISONS = 1_000_000
# A word and the white space before it.
_WORD = re.compile(r"\s*\S+")

Kind = Literal["same", "removed", "added"]


class DiffSegment(NamedTuple):
    """Consecutive words that are the same in both texts, removed or added."""

    kind: Kind
    text: str


def diff(before: str, after: str) -> list[DiffSegment]:
    """Return the segments in order. Joined without the removed ones, they are `after` less its trailing white space."""
    old, new = _WORD.findall(before), _WORD.findall(after)
    segments: list[DiffSegment] = []
    for old_start, old_end, new_start, new_end, is_same in _compare(old, new):
        if old_end > old_start and not is_same:
            segments.append(DiffSegment("removed", "".join(old[old_start:old_end])))
        if new_end > new_start:
            segments.append(DiffSegment("same" if is_same else "added", "".join(new[new_start:new_end])))
    return segments


def count_changed_words(before: str, after: str) -> int:
    """Return the number of words that were replaced, removed or added."""
    ranges = _compare(_WORD.findall(before), _WORD.findall(after))
    return sum(
        max(old_end - old_start, new_end - new_start)
        for old_start, old_end, new_start, new_end, is_same in ranges
        if not is_same
    )


def _compare(old: Sequence[str], new: Sequence[str]) -> Iterator[tuple[int, int, int, int, bool]]:
    """Ranges of words in order: start and end in `old`, start and end in `new`, whether they are the same."""
    old_words, new_words = [word.strip() for word in old], [word.strip() for word in new]
    shorter = min(len(old_words), len(new_words))
    start = 0
    while start < shorter and old_words[start] == new_words[start]:
        start += 1
    end = 0
    while end < shorter - start and old_words[-1 - end] == new_words[-1 - end]:
        end += 1
    yield 0, start, 0, start, True
    old_words, new_words = old_words[start : len(old_words) - end], new_words[start : len(new_words) - end]
    if len(old_words) * len(new_words) > MAX_COMPARISONS:
        yield start, start + len(old_words), start, start + len(new_words), False
    else:
        matcher = SequenceMatcher(None, old_words, new_words)
        for kind, old_start, old_end, new_start, new_end in matcher.get_opcodes():
            yield start + old_start, start + old_end, start + new_start, start + new_end, kind == "equal"
    yield len(old) - end, len(old), len(new) - end, len(new), True
