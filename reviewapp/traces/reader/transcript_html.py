"""A transcript as HTML: which turns are open, which are folded, and which are loaded only when opened.

Rendered in Python and not in a template, since this page must be the fastest.
"""

import json
import logging
from collections.abc import Callable, Sequence
from uuid import uuid4

from reviewapp.lib.sql import DATABASE_FAILURES
from reviewapp.lib.storable_text import to_storable_text
from reviewapp.traces.models import PreparedTranscript, Trace
from reviewapp.traces.reader import lazy_links, prepared, turn_article, turn_gaps
from reviewapp.traces.reader.trace_reader import TraceReader, open_reader
from reviewapp.traces.reader.transcript_page import TranscriptPage
from reviewapp.traces.reader.turn_gaps import END_SIZE, Gap
from reviewapp.traces.transcript import transcript
from reviewapp.traces.transcript.transcript import Transcript
from reviewapp.traces.transcript.turns import Turn

log = logging.getLogger(__name__)

# Characters that one request for all folded turns may load.
REST_CHARS_LIMIT = 1_000_000
# How many turns, and characters in them, stay open between question and answer.
BETWEEN_TURNS_LIMIT, BETWEEN_CHARS_LIMIT = 2, 3_000
UNREADABLE = '<p class="problem">This transcript could not be rendered. Steps, Metadata and Raw show the trace.</p>'
NO_ANSWER = '<p class="notice">This trace has no final answer.</p>'

# The positions of a group's turns in page order, and the gaps between them.
Positions = Sequence[int | Gap]


def render_transcript(reader: TraceReader) -> str:
    """Render the transcript tab: all groups of turns, or the range or part that the query selects."""
    if reader.prepared is not None:
        return reader.prepared.html.replace(reader.prepared.url_placeholder, reader.url)
    return _render_or_explain(reader, _render)


def prepare_transcript(trace: Trace) -> PreparedTranscript:
    """Render the transcript of a trace whose spans were pulled, to be stored. Does not save it.

    Raises whatever a span's content makes the renderer raise; a page shows a sentence instead.
    """
    # A random placeholder, unknown to the trace's author, so that no text in the trace is replaced by the URL.
    url_placeholder = uuid4().hex
    reader = open_reader(trace, {}, url_placeholder)
    reader.prepared = None
    reader.transcript = transcript.build(reader.spans)
    return PreparedTranscript(
        trace=trace,
        version=prepared.version(),
        url_placeholder=url_placeholder,
        html=to_storable_text(_render(reader)),
        jumps=json.dumps(reader.jumps),
        answer=to_storable_text(reader.answer),
        is_partial=reader.is_partial,
        is_empty=reader.is_empty,
    )


def render_fragment(reader: TraceReader) -> str:
    """Render the selected part of a transcript: a turn, one of its parts from a character on, or a gap's turns."""
    return _render_or_explain(reader, _render_fragment)


def _render_or_explain(reader: TraceReader, render: Callable[[TraceReader], str]) -> str:
    try:
        return render(reader)
    except DATABASE_FAILURES:
        raise
    except Exception:
        log.exception("Could not render the transcript of trace %s", reader.trace.trace_id)
        return UNREADABLE


def _render_fragment(reader: TraceReader) -> str:
    transcript, query = reader.transcript, reader.query
    page = TranscriptPage.of(reader, None)
    if query.is_rest:
        return _render_rest(transcript, page)
    turn_count = len(transcript.turns)
    if query.turn is None:
        gap = Gap(min(query.start or 0, turn_count), min(query.stop or 0, turn_count))
        return _render_positions(page, turn_gaps.open_gap(gap))
    turn = transcript.turns[query.turn - 1] if 0 < query.turn <= turn_count else None
    if turn is None:
        return '<p class="second">This turn no longer exists because the trace has changed. Reload the page.</p>'
    if query.part is None or query.part >= len(turn.message.parts):
        return f'<div class="parts" dir="auto">{turn_article.render_parts(turn, page)}</div>'
    return turn_article.render_part_from(turn, query.part, query.start or 0, page)


def _render(reader: TraceReader) -> str:
    transcript, query = reader.transcript, reader.query
    page = TranscriptPage.of(reader, reader.turn)
    groups = _split_groups(transcript)
    if query.turn is not None and query.part is not None:
        back_link = f'<p class="gap"><a href="?turn={query.turn}#turn-{query.turn}">Back to the turn</a></p>'
        return back_link + _render_fragment(reader)
    if query.start is not None or _is_in_gap(page, groups):
        return _render_range(page, query.start)
    content = "".join(_render_group(transcript, page, name, positions) for name, positions in groups)
    return content + NO_ANSWER if transcript.turns and transcript.answer is None else content


def _split_groups(transcript: Transcript) -> list[tuple[str, Positions]]:
    """Return each group's name and positions. Of earlier turns the last ones are shown, of later ones the first."""
    groups: list[tuple[str, Positions]] = []
    start = 0
    turns_by_group = (
        ("system", transcript.system),
        ("earlier", transcript.earlier),
        ("main", transcript.main),
        ("after", transcript.later),
    )
    for name, turns in turns_by_group:
        head, tail = (0, END_SIZE) if name == "earlier" else (END_SIZE, END_SIZE if name == "main" else 0)
        groups.append((name, turn_gaps.shorten_range(start, start + len(turns), head=head, tail=tail)))
        start += len(turns)
    return groups


def _is_in_gap(page: TranscriptPage, groups: Sequence[tuple[str, Positions]]) -> bool:
    """Whether the selected turn exists but is in a gap."""
    if page.selected is None or not 0 < page.selected <= len(page.order):
        return False
    shown = (page.order[position].number for _, group in groups for position in group if isinstance(position, int))
    return page.selected not in shown


def _render_range(page: TranscriptPage, start: int | None) -> str:
    """Render a page of turns from the middle, with links to the turns before and after."""
    first = start if start is not None else [turn.number for turn in page.order].index(page.selected or 0)
    gap = Gap(min(first, max(0, len(page.order) - 1)), len(page.order))
    previous = f"?from={max(0, gap.start - turn_gaps.GAP_CHUNK)}"
    links = f'<p class="gap"><a href="?">Back to the start</a> <a href="{previous}">Previous turns</a></p>'
    return links + _render_positions(page, turn_gaps.open_gap(gap))


def _render_group(transcript: Transcript, page: TranscriptPage, name: str, positions: Positions) -> str:
    if not positions:
        return ""
    if name == "main" and _is_main_long(transcript):
        return _render_folded_main(transcript, page, positions)
    content = _render_positions(page, positions)
    if name not in ("earlier", "after"):
        return content
    if name == "earlier":
        summary = _format_count(len(transcript.earlier), "earlier message")
    elif all(turn.message.is_alternative for turn in transcript.later):
        summary = _format_count(len(transcript.later), "alternative answer")
    else:
        summary = f"{_format_count(len(transcript.later), 'message')} after the answer"
    return _render_fold(page, positions, summary, content)


def _render_fold(page: TranscriptPage, positions: Positions, summary: str, content: str) -> str:
    is_open = any(isinstance(item, int) and page.order[item].number == page.selected for item in positions)
    return f'<details class="fold group"{" open" if is_open else ""}><summary>{summary}</summary>{content}</details>'


def _is_main_long(transcript: Transcript) -> bool:
    """Whether there is too much between question and answer to show it open with both in view."""
    between = transcript.main[1:-1]
    if transcript.answer is None or transcript.question is None or transcript.main[0] is not transcript.question:
        return False
    char_count = sum(turn.char_count for turn in between)
    return len(between) > BETWEEN_TURNS_LIMIT or char_count > BETWEEN_CHARS_LIMIT


def _render_folded_main(transcript: Transcript, page: TranscriptPage, positions: Positions) -> str:
    """Render question and answer, with the turns between them folded."""
    question, *between, answer = positions
    content = _render_positions(page, between)
    fold = _render_fold(page, between, _summarise_between(transcript.main[1:-1]), content)
    return f"{_render_position(page, question)}{fold}{_render_position(page, answer)}"


def _summarise_between(between: Sequence[Turn]) -> str:
    """Return how many turns are between question and answer, by kind."""
    error_count = sum(1 for turn in between if turn.error)
    model_spans = {id(turn.span) for turn in between if turn.is_output and turn.role == "assistant"}
    counts = (
        ("model call", len(model_spans)),
        ("tool call", sum(1 for turn in between if turn.role == "tool")),
    )
    labels = [_format_count(count, noun) for noun, count in counts if count]
    error = f' <b class="broken">{_format_count(error_count, "error")}</b>' if error_count else ""
    return f"{_format_count(len(between), 'step')} between{': ' if labels else ''}{', '.join(labels)}{error}"


def _format_count(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def _render_positions(page: TranscriptPage, positions: Positions) -> str:
    return "".join(_render_position(page, position) for position in positions)


def _render_position(page: TranscriptPage, position: int | Gap) -> str:
    if isinstance(position, Gap):
        label, extra_params = f"Show more of {position.stop - position.start:,} turns", f"&amp;to={position.stop}"
        return lazy_links.render_more_link(
            page.url, f"from={position.start}", label, extra_params=extra_params, css_class="gap"
        )
    return turn_article.render_turn(page.order[position], page)


def _render_rest(transcript: Transcript, page: TranscriptPage) -> str:
    """Render all folded turns of the first page that are not loaded yet, each to be swapped into its place."""
    remaining, rendered = REST_CHARS_LIMIT, []
    positions = [position for _, group in _split_groups(transcript) for position in group]
    for turn in (page.order[position] for position in positions if isinstance(position, int)):
        if not turn.is_collapsed or page.reserve_chars(turn.char_count):
            continue
        remaining -= min(turn.char_count, turn_article.OPEN_CHARS_LIMIT)
        if remaining < 0:
            break
        parts_html = turn_article.render_parts(turn, page)
        rendered.append(f'<div class="parts" dir="auto" id="parts-{turn.number}" hx-swap-oob="true">{parts_html}</div>')
    return "".join(rendered)
