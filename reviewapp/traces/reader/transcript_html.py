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
from reviewapp.traces.reader import lazy_links, prepared, tools_html, turn_article, turn_gaps, turn_groups, turn_html
from reviewapp.traces.reader.query import ReaderQuery
from reviewapp.traces.reader.trace_reader import TraceReader, open_reader
from reviewapp.traces.reader.transcript_page import TranscriptPage
from reviewapp.traces.reader.turn_gaps import Gap
from reviewapp.traces.transcript import excerpts, transcript
from reviewapp.traces.transcript.transcript import Transcript

log = logging.getLogger(__name__)

# Characters that one request for all folded turns may load.
REST_CHARS_LIMIT = 1_000_000
UNREADABLE = '<p class="problem">This transcript could not be rendered. Steps, Metadata and Raw show the trace.</p>'
NO_ANSWER = '<p class="notice">This trace has no final answer.</p>'


def render_transcript(reader: TraceReader) -> str:
    """Render the transcript tab: all groups of turns, or the range or part that the query selects."""
    if reader.prepared is not None:
        rendered = turn_html.localise_times(reader.prepared.html)
        rendered = rendered.replace(reader.prepared.url_placeholder, reader.url)
    else:
        rendered = _render_or_explain(reader, _render)
    return reader.mark_buttons.add_to_turns(rendered)


def prepare_transcript(trace: Trace) -> PreparedTranscript:
    """Render the transcript of a trace whose spans were pulled, to be stored. Does not save it.

    Raises whatever a span's content makes the renderer raise; a page shows a sentence instead.
    """
    # A random placeholder, unknown to the trace's author, so that no text in the trace is replaced by the URL.
    url_placeholder = uuid4().hex
    reader = open_reader(trace, {}, url_placeholder)
    reader.prepared = None
    reader.transcript = transcript.build(reader.spans)
    row = PreparedTranscript(
        trace=trace,
        version=prepared.version(),
        url_placeholder=url_placeholder,
        html=to_storable_text(_render(reader)),
        jumps=json.dumps(reader.jumps),
        answer=to_storable_text(reader.answer),
        is_partial=reader.is_partial,
        is_empty=reader.is_empty,
    )
    row.excerpts = excerpts.take_excerpts(reader.transcript)
    return row


def render_fragment(reader: TraceReader) -> str:
    """Render the selected part of a transcript: a turn, one of its parts from a character on, or a gap's turns."""
    return reader.mark_buttons.add_to_turns(_render_or_explain(reader, _render_fragment))


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
    if query.is_tools:
        return tools_html.render_tools(tools_html.read_tools(reader.tool_texts))
    if query.is_rest:
        return _render_rest(transcript, page, query)
    turn_count = len(transcript.turns)
    if query.turn is None:
        gap = Gap(min(query.start or 0, turn_count), min(query.stop or 0, turn_count))
        return turn_groups.render_gap(page, gap) if gap.start < gap.stop else ""
    turn = transcript.turns[query.turn - 1] if 0 < query.turn <= turn_count else None
    if turn is None:
        return '<p class="second">This turn no longer exists because the trace has changed. Reload the page.</p>'
    if query.part is None or query.part >= len(turn.message.parts):
        return f'<div class="parts" dir="auto">{turn_article.render_parts(turn, page)}</div>'
    return turn_article.render_part_from(turn, query.part, query.start or 0, page)


def _render(reader: TraceReader) -> str:
    transcript, query = reader.transcript, reader.query
    page = TranscriptPage.of(reader, reader.turn)
    groups = turn_groups.split_groups(transcript)
    if query.turn is not None and query.part is not None:
        back_link = f'<p class="gap"><a href="?turn={query.turn}#turn-{query.turn}">Back to the turn</a></p>'
        return back_link + _render_fragment(reader)
    if query.start is not None or _is_in_gap(page, groups):
        return _render_range(page, query.start)
    if query.is_tools:
        return '<p class="gap"><a href="?">Back to the transcript</a></p>' + _render_fragment(reader)
    content = "".join(turn_groups.render_group(transcript, page, name, positions) for name, positions in groups)
    content += NO_ANSWER if transcript.turns and transcript.answer is None else ""
    return f"{_render_tools_fold(reader)}{content}" if reader.has_tools else content


def _render_tools_fold(reader: TraceReader) -> str:
    """Render a fold that loads the tools that the models were offered."""
    label = "Tools offered to the model"
    return lazy_links.render_lazy_details(
        reader.url, "tools=1", label, "Show the tools", css_class="fold tools-offered"
    )


def _is_in_gap(page: TranscriptPage, groups: Sequence[tuple[str, turn_groups.Positions]]) -> bool:
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
    return links + turn_groups.render_range(page, turn_gaps.open_gap(gap))


def _render_rest(transcript: Transcript, page: TranscriptPage, query: ReaderQuery) -> str:
    """Render folded turns that are not loaded yet, each to be swapped into its place: a range, or all on the page."""
    remaining, rendered = REST_CHARS_LIMIT, []
    stop = len(page.order) if query.stop is None else min(query.stop, len(page.order))
    requested = range(min(query.start or 0, stop), stop)
    first_page = _list_positions(transcript)
    # What is in a gap is on no page until it is requested.
    positions = first_page if query.start is None else sorted({*first_page, *requested})
    is_on_page = set(first_page)
    for position in positions:
        turn = page.order[position]
        is_included = position in is_on_page and turn.is_collapsed and page.reserve_chars(turn.char_count)
        if not turn.is_collapsed or is_included or position not in requested:
            continue
        remaining -= min(turn.char_count, turn_article.OPEN_CHARS_LIMIT)
        if remaining < 0:
            break
        parts_html = turn_article.render_parts(turn, page)
        rendered.append(f'<div class="parts" dir="auto" id="parts-{turn.number}" hx-swap-oob="true">{parts_html}</div>')
    return "".join(rendered)


def _list_positions(transcript: Transcript) -> list[int]:
    """Return the positions of the turns on the first page."""
    groups = turn_groups.split_groups(transcript)
    return [position for _, group in groups for position in group if isinstance(position, int)]
