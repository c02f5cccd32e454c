"""Compare two texts word by word."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any, Literal, NamedTuple

# Words, and pairs of equal words, that the comparisons of one request may look at. Above it the whole middle of a text
# counts as changed: the cost grows faster than the texts, and anyone may send them.
MAX_COMPARISONS = 1_000_000
# Scripts without spaces between words: each character of Chinese and Japanese, and each with its marks of Thai, Lao,
# Burmese and Khmer, is compared and counted alone; Katakana spells whole words.
_SINGLE = r"\u3005-\u3007\u3040-\u309f\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_MARKED = r"\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff"
_MARKS = (
    r"\u0e31\u0e34-\u0e3a\u0e47-\u0e4e\u0eb1\u0eb4-\u0ebc\u0ec8-\u0ece"
    r"\u102b-\u103e\u1056-\u1059\u105e-\u1060\u17b4-\u17d3"
)
UNSPACED = re.compile(rf"[{_SINGLE}{_MARKED}]")
# A word and the white space before it.
WORD = re.compile(rf"\s*(?:[{_SINGLE}]|[{_MARKED}][{_MARKS}]*|[^\s{_SINGLE}{_MARKED}]+)")

Kind = Literal["same", "removed", "added"]


class DiffSegment(NamedTuple):
    """Consecutive words that are the same in both texts, removed or added."""

    kind: Kind
    text: str


@dataclass(slots=True)
class Budget:
    """What the comparisons of one request may still cost together."""

    comparisons: int = MAX_COMPARISONS


class Diff(list[DiffSegment]):
    """The segments in order. `is_cut`: the texts differ too much; all that is between their ends counts as changed."""

    is_cut = False


def diff(before: str, after: str, budget: Budget | None = None) -> Diff:
    """Return the segments in order. Joined without the removed ones, they are `after` less its trailing white space."""
    old, new = split_words(before), split_words(after)
    segments = Diff()
    ranges, segments.is_cut = _compare(old, new, budget or Budget())
    for old_start, old_end, new_start, new_end, is_same in ranges:
        if old_end > old_start and not is_same:
            segments.append(DiffSegment("removed", "".join(old[old_start:old_end])))
        if new_end > new_start:
            segments.append(DiffSegment("same" if is_same else "added", "".join(new[new_start:new_end])))
    return segments


def count_changed_words(before: str, after: str) -> int:
    """Return the number of words that were replaced, removed or added."""
    ranges, _ = _compare(split_words(before), split_words(after), Budget())
    return sum(
        max(old_end - old_start, new_end - new_start)
        for old_start, old_end, new_start, new_end, is_same in ranges
        if not is_same
    )


def split_words(text: str) -> list[str]:
    """Split a text into words, each with the white space before it."""
    # Without the white space at its end, from each character of which the pattern would read to the end again.
    return WORD.findall(text.rstrip())


class _PositionsByWord(dict[str, list[int]]):
    """The positions of each word in one text, which SequenceMatcher looks up for each word of the other.

    Raises _TooDifferentError when the budget is spent.
    """

    def __init__(self, positions: Mapping[str, list[int]], budget: Budget) -> None:
        super().__init__(positions)
        self._budget = budget

    def get(self, word: str, default: Any = None) -> Any:
        positions = super().get(word, default)
        self._budget.comparisons -= 1 + len(positions)
        if self._budget.comparisons < 0:
            raise _TooDifferentError
        return positions


class _TooDifferentError(Exception):
    pass


# Start and end in the old text, start and end in the new one, whether the words are the same.
_Range = tuple[int, int, int, int, bool]


def _compare(old: Sequence[str], new: Sequence[str], budget: Budget) -> tuple[list[_Range], bool]:
    """Return ranges of words in order, and whether the middle was too different to be compared."""
    old_words, new_words = [word.strip() for word in old], [word.strip() for word in new]
    shorter = min(len(old_words), len(new_words))
    start = 0
    while start < shorter and old_words[start] == new_words[start]:
        start += 1
    end = 0
    while end < shorter - start and old_words[-1 - end] == new_words[-1 - end]:
        end += 1
    old_words, new_words = old_words[start : len(old_words) - end], new_words[start : len(new_words) - end]
    try:
        middle, is_cut = list(_compare_middle(old_words, new_words, budget)), False
    except _TooDifferentError:
        middle, is_cut = [(0, len(old_words), 0, len(new_words), False)], True
    shifted = [(start + a, start + b, start + c, start + d, is_same) for a, b, c, d, is_same in middle]
    return [
        (0, start, 0, start, True),
        *shifted,
        (len(old) - end, len(old), len(new) - end, len(new), True),
    ], is_cut


def _compare_middle(old_words: Sequence[str], new_words: Sequence[str], budget: Budget) -> Iterator[_Range]:
    """Yield the ranges. Raises _TooDifferentError."""
    matcher = SequenceMatcher(None, old_words, new_words)
    matcher.b2j = _PositionsByWord(matcher.b2j, budget)  # type: ignore[attr-defined]
    for kind, old_start, old_end, new_start, new_end in matcher.get_opcodes():
        yield old_start, old_end, new_start, new_end, kind == "equal"
