"""A retrieval's passages as cards, and the numbers in an answer as links to them."""

import re

from reviewapp.traces.reader.sanitising import sanitise_text
from reviewapp.traces.transcript import passages
from reviewapp.traces.transcript.passages import Passage
from reviewapp.traces.transcript.turns import Turn

# A tag, code with all that is in it, or a number in brackets as answers cite: [3].
_MARKER = re.compile(r"<pre\b.*?</pre>|<code\b.*?</code>|<[^>]*>|\[(\d{1,3})\]", re.DOTALL)


def render_passages(shown_passages: list[Passage], turn_number: int) -> str:
    """Render passages as numbered cards that can be linked to."""
    cards = "".join(
        f'<li class="card" id="passage-{turn_number}-{number}">{_render_heading(passage)}'
        f'<p class="plain" dir="auto">{sanitise_text(passage.text)}</p></li>'
        for number, passage in enumerate(shown_passages, 1)
    )
    return f'<ol class="passages">{cards}</ol>'


def count_passages(turn: Turn) -> int:
    """Return how many passages a turn's results have."""
    return sum(len(passages.read(part.text)) for part in turn.message.parts if part.kind == "tool_result")


def link_citations(rendered: str, turn_number: int, passage_count: int) -> str:
    """Turn the numbers in an answer's HTML into links to the passages of a turn."""

    def link(match: re.Match[str]) -> str:
        number = int(match[1]) if match[1] else 0
        if not 0 < number <= passage_count:
            return match[0]
        href = f"?turn={turn_number}#passage-{turn_number}-{number}"
        return f'<a class="cited" href="{href}">{match[0]}</a>'

    return _MARKER.sub(link, rendered)


def _render_heading(passage: Passage) -> str:
    title = f"<b>{sanitise_text(passage.title)}</b> " if passage.title else ""
    source = f'<span class="address">{sanitise_text(passage.source)}</span> ' if passage.source else ""
    score = f'<span class="count">score {sanitise_text(passage.score)}</span>' if passage.score else ""
    return f'<p class="label">{title}{source}{score}</p>'
