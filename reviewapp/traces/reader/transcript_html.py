"""A transcript as HTML: which turns are open, which are folded, and which are loaded only when opened.

Rendered in Python and not in a template, since this page must be the fastest.
"""

import html
import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Self
from uuid import UUID, uuid4

from django.urls import reverse

from reviewapp.lib.sql import DATABASE_FAILURES
from reviewapp.lib.storable_text import to_storable_text
from reviewapp.traces.models import PreparedTranscript, Trace
from reviewapp.traces.reader import lazy_links, passages_html, prepared, turn_gaps, turn_html
from reviewapp.traces.reader.sanitising import FormatBudget
from reviewapp.traces.reader.trace_reader import TraceReader, open_reader
from reviewapp.traces.reader.turn_gaps import END_SIZE, Gap
from reviewapp.traces.transcript import passages, transcript
from reviewapp.traces.transcript.parts import Part
from reviewapp.traces.transcript.transcript import Transcript
from reviewapp.traces.transcript.turns import Turn

log = logging.getLogger(__name__)

# In characters: what all folded turns of a page may include, what one open turn may show, and what one request for all
# folded turns may load.
FOLDED_CHARS_LIMIT, OPEN_CHARS_LIMIT, REST_CHARS_LIMIT = 6_000, 200_000, 1_000_000
# Characters of a long text per response.
CHUNK = 200_000
# How many turns, and characters in them, stay open between question and answer.
BETWEEN_TURNS_LIMIT, BETWEEN_CHARS_LIMIT = 2, 3_000
UNREADABLE = '<p class="problem">This transcript could not be rendered. Steps, Metadata and Raw show the trace.</p>'
NO_ANSWER = '<p class="notice">This trace has no final answer.</p>'

# The positions of a group's turns in page order, and the gaps between them.
Positions = Sequence[int | Gap]


@dataclass(slots=True)
class TranscriptPage:
    """A page being rendered: its URL, the number of the selected turn, how many more folded characters fit.

    `budget` is what formatting its texts may still cost.
    """

    url: str
    trace_key: tuple[str, UUID]
    order: tuple[Turn, ...]
    selected: int | None
    longest: Turn | None
    is_as_written: bool = False
    remaining_chars: int = FOLDED_CHARS_LIMIT
    budget: FormatBudget = field(default_factory=FormatBudget)

    @classmethod
    def of(cls, reader: TraceReader, selected: int | None) -> Self:
        transcript, trace = reader.transcript, reader.trace
        trace_key = (trace.project.slug, trace.trace_id)
        is_as_written = reader.query.is_as_written
        return cls(reader.url, trace_key, transcript.order, selected, transcript.longest, is_as_written)

    def reserve_chars(self, size: int) -> bool:
        """Reserve this many characters if they fit. Returns whether they do."""
        fits = size <= self.remaining_chars
        self.remaining_chars -= size if fits else 0
        return fits


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
        return f'<div class="parts" dir="auto">{_render_parts(turn, page)}</div>'
    return _render_part_from(turn, query.part, query.start or 0, page)


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
    return _render_turn(page.order[position], page)


def _render_turn(turn: Turn, page: TranscriptPage) -> str:
    css_class = f"turn {turn.role}" + (" answer" if turn.is_answer else "") + (" failed" if turn.error else "")
    css_class += " longest" if turn is page.longest else ""
    opening_tag = f'<article class="{css_class}" id="turn-{turn.number}">'
    if not turn.is_collapsed or turn.number == page.selected:
        heading = f"<header>{turn_html.render_heading(turn)}</header>"
        return f'{opening_tag}{heading}<div class="parts" dir="auto">{_render_parts(turn, page)}</div></article>'
    summary = turn_html.render_summary(turn)
    if page.reserve_chars(turn.char_count):
        content = f'<div class="parts" dir="auto">{_render_parts(turn, page)}</div>'
        return f'{opening_tag}<details class="fold"><summary>{summary}</summary>{content}</details></article>'
    details = lazy_links.render_lazy_details(
        page.url,
        f"turn={turn.number}",
        summary,
        "Open this turn",
        css_class="fold",
        content_id=f"parts-{turn.number}",
        anchor=f"#turn-{turn.number}",
    )
    return f"{opening_tag}{details}</article>"


def _render_parts(turn: Turn, page: TranscriptPage) -> str:
    """Render a turn's parts; those over the limit of one turn are loaded on demand."""
    rendered, remaining = [turn_html.render_error(turn)], OPEN_CHARS_LIMIT
    for index, part in enumerate(turn.message.parts):
        remaining -= len(part.text)
        if remaining < 0 and index:
            size = len(part.text) + part.omitted_chars
            rendered.append(_more_link(turn, index, 0, f"Show this part ({size:,} characters)", page))
            continue
        rendered.append(
            f'<div class="part {part.kind}">{turn_html.render_label(part)}{_render_content(turn, part, page)}'
        )
        rendered.append(f"{_render_picture(turn, part, page)}{_render_omission(turn, index, part, page)}</div>")
    return "".join([*rendered, _render_spelling_switch(turn, page)])


def _render_spelling_switch(turn: Turn, page: TranscriptPage) -> str:
    """Render a link to the same turn as it was written, or back, if that shows anything else."""
    if not any(turn_html.is_rendered(part, is_user_text=turn.role == "user") for part in turn.message.parts):
        return ""
    spelling, label = ("rendered", "Rendered") if page.is_as_written else ("written", "As written")
    query_string = f"turn={turn.number}&amp;as={spelling}"
    href = f"?{query_string}#turn-{turn.number}"
    return (
        f'<p class="spelling"><a href="{href}" hx-get="{page.url}?{query_string}&amp;piece=1"'
        f' hx-target="closest .parts" hx-swap="outerHTML">{label}</a></p>'
    )


def _render_content(turn: Turn, part: Part, page: TranscriptPage) -> str:
    if page.is_as_written:
        return turn_html.render_as_written(part)
    shown_passages = passages.read(part.text) if part.kind == "tool_result" else []
    if shown_passages:
        return passages_html.render_passages(shown_passages, turn.number)
    # People do not write Markdown: keep their line breaks and numbers as written.
    content = turn_html.render_content(part, page.budget, is_user_text=turn.role == "user")
    if not turn.is_answer or part.kind != "text" or "[" not in part.text:
        return content
    return _link_citations(content, turn, page)


def _link_citations(content: str, answer: Turn, page: TranscriptPage) -> str:
    """Link the numbers in the answer to the passages of the last retrieval before it."""
    for turn in reversed(page.order[: page.order.index(answer)]):
        passage_count = passages_html.count_passages(turn) if turn.role == "tool" else 0
        if passage_count:
            return passages_html.link_citations(content, turn.number, passage_count)
    return content


def _render_picture(turn: Turn, part: Part, page: TranscriptPage) -> str:
    """Render an image embedded in the trace, loaded when it is opened."""
    if not part.picture:
        return ""
    src = reverse("traces:span-image", args=[*page.trace_key, turn.span.span_id, part.picture])
    alt = html.escape(part.name or part.media)
    return (
        '<details class="fold picture"><summary>Show image</summary>'
        f'<img src="{src}" alt="{alt}" loading="lazy"></details>'
    )


def _render_omission(turn: Turn, index: int, part: Part, page: TranscriptPage) -> str:
    if not part.omitted_chars:
        return ""
    if part.rest:
        return _more_link(turn, index, len(part.text), f"Show all ({part.omitted_chars:,} more characters)", page)
    return f'<p class="second">{part.omitted_chars:,} more characters are on the Raw tab.</p>'


def _render_part_from(turn: Turn, index: int, start: int, page: TranscriptPage) -> str:
    """Render a part's text from a character on, and a link to the remaining text."""
    part = turn.message.parts[index]
    if start == 0:
        content = f"{turn_html.render_label(part)}{_render_content(turn, part, page)}"
        return f"{content}{_render_omission(turn, index, part, page)}"
    rest_start = max(0, start - len(part.text))
    rest_end = rest_start + CHUNK
    text = turn_html.sanitise_long_text(part.rest[rest_start:rest_end])
    remaining = len(part.rest) - rest_end
    label = f"Show more ({remaining:,} characters remaining)"
    more_link = _more_link(turn, index, len(part.text) + rest_end, label, page) if remaining > 0 else ""
    return f"<pre>{text}</pre>{more_link}"


def _more_link(turn: Turn, index: int, start: int, label: str, page: TranscriptPage) -> str:
    return lazy_links.render_more_link(page.url, f"turn={turn.number}&amp;part={index}&amp;from={start}", label)


def _render_rest(transcript: Transcript, page: TranscriptPage) -> str:
    """Render all folded turns of the first page that are not loaded yet, each to be swapped into its place."""
    remaining, rendered = REST_CHARS_LIMIT, []
    positions = [position for _, group in _split_groups(transcript) for position in group]
    for turn in (page.order[position] for position in positions if isinstance(position, int)):
        if not turn.is_collapsed or page.reserve_chars(turn.char_count):
            continue
        remaining -= min(turn.char_count, OPEN_CHARS_LIMIT)
        if remaining < 0:
            break
        parts_html = _render_parts(turn, page)
        rendered.append(f'<div class="parts" dir="auto" id="parts-{turn.number}" hx-swap-oob="true">{parts_html}</div>')
    return "".join(rendered)
