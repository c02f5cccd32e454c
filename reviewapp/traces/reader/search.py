"""Search within a trace on the server, including what is not on the page."""

import json
from collections.abc import Sequence
from typing import NamedTuple

from django.db.models import Q

from reviewapp.traces.models import Span, Trace
from reviewapp.traces.transcript.transcript import Transcript
from reviewapp.traces.transcript.turns import Turn

# Matching turns that are listed.
HITS_LIMIT = 100
# Matching steps that are counted.
STEPS_LIMIT = 10_000
_MARKERS = str.maketrans("", "", "*_`~")
_FIELDS = ("name", "input", "output", "event_texts")


class Hit(NamedTuple):
    turn: Turn
    match_count: int


class SearchResult(NamedTuple):
    """Matches of a text: how many, in which turns or steps (by number or primary key), and the first matching turns.

    `unit` is what is searched: turn, step or value. For steps and values, `match_count` counts those that contain the
    text.
    """

    text: str
    unit: str
    match_count: int
    targets: list[int]
    hits: list[Hit]


def find_turns(transcript: Transcript, text: str) -> SearchResult:
    """Find the turns that contain a text, ignoring case and including what is cut on the page."""
    folded = text.casefold()
    hits = [Hit(turn, match_count) for turn in transcript.order if (match_count := _count_matches(turn, folded))]
    numbers = [hit.turn.number for hit in hits]
    return SearchResult(text, "turn", sum(hit.match_count for hit in hits), numbers, hits[:HITS_LIMIT])


def find_steps(trace: Trace, text: str) -> SearchResult:
    """Find the steps whose stored texts contain a text, in no order; non-ASCII letters also match as JSON escapes."""
    condition = Q()
    for spelling in {text, json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1]}:
        for name in _FIELDS:
            condition |= Q(**{f"{name}__icontains": spelling})
    pks = list(Span.objects.filter(condition, trace=trace).values_list("pk", flat=True)[:STEPS_LIMIT])
    return SearchResult(text, "step", len(pks), pks, [])


def find_values(entries: Sequence[tuple[str, str]], text: str) -> SearchResult:
    """Count the metadata entries that contain a text in their key or value."""
    folded = text.casefold()
    match_count = sum(folded in f"{key}\n{value}".casefold() for key, value in entries)
    return SearchResult(text, "value", match_count, [], [])


def _count_matches(turn: Turn, folded: str) -> int:
    """Count the matches in a turn as it was written; if there are none, in its words without markup around them."""
    texts = [turn.error, *(text for part in turn.message.parts for text in (part.name, part.text, part.rest))]
    texts = [text.casefold() for text in texts if text]
    match_count = sum(text.count(folded) for text in texts)
    phrase = _join_words(folded)
    return match_count or (sum(_join_words(text).count(phrase) for text in texts) if " " in phrase else 0)


def _join_words(text: str) -> str:
    """Return the words of a text without Markdown's markers and with single spaces, as a page shows them."""
    return " ".join(text.translate(_MARKERS).split())
