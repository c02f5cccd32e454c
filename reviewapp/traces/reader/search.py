"""Search in a trace, by the server: what is not on the page is searched too."""

import json
from collections.abc import Sequence
from typing import NamedTuple

from django.db.models import Q

from reviewapp.traces.models import Span, Trace
from reviewapp.traces.transcript.transcript import Transcript
from reviewapp.traces.transcript.turns import Turn

LISTED = 100
# Of a trace's steps so many that hold a text are counted.
MOST_STEPS = 10_000
_FIELDS = ("name", "input", "output", "event_texts")


class Hit(NamedTuple):
    turn: Turn
    match_count: int


class SearchResult(NamedTuple):
    """Matches of a text: how many, in which turns or steps (by number or primary key), and the first turns of them.

    `unit` is what they stand in: turn, step or value. Of steps it is only known which hold the text.
    """

    text: str
    unit: str
    match_count: int
    targets: list[int]
    hits: list[Hit]


def find(told: Transcript, text: str) -> SearchResult:
    """The turns that hold a text, small and capital letters alike, what is cut on the page included."""
    wanted = text.casefold()
    hits = [Hit(turn, times) for turn in told.order if (times := _count(turn, wanted))]
    places = [hit.turn.number for hit in hits]
    return SearchResult(text, "turn", sum(hit.match_count for hit in hits), places, hits[:LISTED])


def find_steps(trace: Trace, text: str) -> SearchResult:
    """The steps whose stored texts hold a text, in no order; letters beyond ASCII also as JSON escapes them."""
    holds = Q()
    for spelled in {text, json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1]}:
        for name in _FIELDS:
            holds |= Q(**{f"{name}__icontains": spelled})
    places = list(Span.objects.filter(holds, trace=trace).values_list("pk", flat=True)[:MOST_STEPS])
    return SearchResult(text, "step", len(places), places, [])


def find_values(entries: Sequence[tuple[str, str]], text: str) -> SearchResult:
    """How many metadata keys hold a text in themselves or their value."""
    wanted = text.casefold()
    return SearchResult(text, "value", sum(wanted in f"{key}\n{value}".casefold() for key, value in entries), [], [])


def _count(turn: Turn, wanted: str) -> int:
    texts = [turn.error, *(text for part in turn.message.parts for text in (part.name, part.text, part.rest))]
    return sum(text.casefold().count(wanted) for text in texts)
