"""Jumps in a trace: to the next error, tool call or match after a place, on whichever page it stands.

A place is a turn by its number or a step by its primary key; `order` holds all of them as they are read.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

from reviewapp.traces.reader.steps import Course
from reviewapp.traces.transcript.transcript import Transcript

WORDS = {"answer": "Answer", "error": "Error", "tool": "Tool call", "longest": "Longest step", "match": "Match"}


class Jump(NamedTuple):
    """A way to the next of a kind: its words, how many there are in the whole trace, the address of the next."""

    kind: str
    label: str
    total: int
    url: str


@dataclass
class Places:
    """Where one can jump to on a tab: by kind, each in the order of reading."""

    order: Sequence[int] = ()
    kinds: Mapping[str, Sequence[int]] = field(default_factory=dict)

    @cached_property
    def at(self) -> dict[int, int]:
        """By place, its position among all."""
        return {place: at for at, place in enumerate(self.order)}

    def after(self, kind: str, place: int | None) -> int | None:
        """The next place of a kind, from the last one again to the first; None where there is none."""
        found = self.kinds.get(kind, ())
        here = -1 if place is None else self.at.get(place, -1)
        return next((one for one in found if self.at[one] > here), found[0] if found else None)

    def words(self, kind: str, place: int) -> str:
        """Which of how many a place is."""
        found = self.kinds[kind]
        return f"{WORDS[kind]} {found.index(place) + 1:,} of {len(found):,}"


def in_transcript(told: Transcript, found: Sequence[int]) -> Places:
    kinds = {
        "answer": [told.answer.number] if told.answer else [],
        "error": [turn.number for turn in told.order if turn.error],
        "tool": [turn.number for turn in told.order if turn.role == "tool"],
        "longest": [told.longest.number] if told.longest else [],
        "match": found,
    }
    return Places([turn.number for turn in told.order], kinds)


def in_steps(course: Course, found: Sequence[int], *, is_raw: bool) -> Places:
    order, wanted = [pk for pk, _ in course.stops], set(found)
    kinds = {} if is_raw else course.kinds
    return Places(order, {**kinds, "match": [pk for pk in order if pk in wanted] if wanted else []})
