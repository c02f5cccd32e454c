"""The beginning of a trace's question and answer, on one line each, for lists."""

from reviewapp.lib.shortening import shorten
from reviewapp.lib.storable_text import to_storable_text
from reviewapp.traces.filter_models import Excerpt
from reviewapp.traces.transcript.transcript import Transcript

# Characters that are read for an excerpt: enough even if most of them are white space.
_READ_LENGTH = 20 * Excerpt.MAX_LENGTH


def take_excerpts(transcript: Transcript) -> tuple[str, str]:
    """The beginnings of the question and of the answer, at most Excerpt.MAX_LENGTH characters; empty without one."""
    question = "" if transcript.question is None else transcript.question.text
    answer = "" if transcript.answer is None else transcript.answer.result_text
    return to_excerpt(question), to_excerpt(answer)


def to_excerpt(text: str) -> str:
    """The beginning of a text with single spaces for all white space; an ellipsis shows that there is more."""
    line = " ".join(to_storable_text(text[:_READ_LENGTH]).split())
    return shorten(f"{line}…" if len(text) > _READ_LENGTH else line, Excerpt.MAX_LENGTH)
