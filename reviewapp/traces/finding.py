"""Search in a transcript, by the server: which turns hold a text, and how often."""

from typing import NamedTuple

from reviewapp.traces.transcript import Transcript
from reviewapp.traces.turns import Turn

LISTED = 100


class Hit(NamedTuple):
    turn: Turn
    times: int


class Found(NamedTuple):
    """Matches of a text: in all, and the turns of the first of them."""

    text: str
    matches: int
    turns: int
    hits: list[Hit]


def find(told: Transcript, text: str) -> Found:
    """The turns that hold a text, small and capital letters alike, what is cut on the page included."""
    wanted = text.casefold()
    hits = [Hit(turn, times) for turn in told.order if (times := _count(turn, wanted))]
    return Found(text, sum(hit.times for hit in hits), len(hits), hits[:LISTED])


def _count(turn: Turn, wanted: str) -> int:
    texts = [turn.error, *(text for part in turn.message.parts for text in (part.name, part.text, part.rest))]
    return sum(text.casefold().count(wanted) for text in texts)
