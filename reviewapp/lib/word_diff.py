"""Two texts compared word by word."""

import re
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from typing import Literal, NamedTuple

# Words of one text times words of the other, common beginning and end left out. Beyond it the whole middle counts as
# changed: comparing costs more than the length of the texts, and anybody may send them.
MAX_COMPARISONS = 1_000_000
# A word and the white space before it.
_PIECE = re.compile(r"\s*\S+")

Kind = Literal["same", "removed", "added"]


class DiffSegment(NamedTuple):
    """A stretch of words that stayed, went, or came."""

    kind: Kind
    text: str


def diff(before: str, after: str) -> list[DiffSegment]:
    """The stretches of both texts in order; those not removed, joined, are `after` without white space at its end."""
    old, new = _PIECE.findall(before), _PIECE.findall(after)
    found: list[DiffSegment] = []
    for low, high, first, last, is_same in _stretches(old, new):
        if high > low and not is_same:
            found.append(DiffSegment("removed", "".join(old[low:high])))
        if last > first:
            found.append(DiffSegment("same" if is_same else "added", "".join(new[first:last])))
    return found


def count_changed_words(before: str, after: str) -> int:
    """How many words were replaced, removed or added."""
    stretches = _stretches(_PIECE.findall(before), _PIECE.findall(after))
    return sum(max(high - low, last - first) for low, high, first, last, is_same in stretches if not is_same)


def _stretches(old: Sequence[str], new: Sequence[str]) -> Iterator[tuple[int, int, int, int, bool]]:
    """Where a stretch begins and ends in the old and in the new words, and whether it is the same in both."""
    was, now = [word.strip() for word in old], [word.strip() for word in new]
    start = 0
    while start < min(len(was), len(now)) and was[start] == now[start]:
        start += 1
    end = 0
    while end < min(len(was), len(now)) - start and was[-1 - end] == now[-1 - end]:
        end += 1
    yield 0, start, 0, start, True
    was, now = was[start : len(was) - end], now[start : len(now) - end]
    if len(was) * len(now) > MAX_COMPARISONS:
        yield start, start + len(was), start, start + len(now), False
    else:
        for act, low, high, first, last in SequenceMatcher(None, was, now).get_opcodes():
            yield start + low, start + high, start + first, start + last, act == "equal"
    yield len(old) - end, len(old), len(new) - end, len(new), True
