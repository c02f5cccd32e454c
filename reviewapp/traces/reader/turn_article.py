"""A turn as an article: its heading and its parts, those over a limit loaded on demand."""

import html

from django.urls import reverse

from reviewapp.traces.reader import lazy_links, passages_html, turn_html
from reviewapp.traces.reader.mark_buttons import escape_name
from reviewapp.traces.reader.transcript_page import TranscriptPage
from reviewapp.traces.transcript import passages
from reviewapp.traces.transcript.parts import Part
from reviewapp.traces.transcript.turns import Turn

# In characters: what one open turn may show, and how much of a long text one response has.
OPEN_CHARS_LIMIT, CHUNK = 200_000, 200_000
EMPTY_MESSAGE = '<p class="remark">This message is empty.</p>'


def render_turn(turn: Turn, page: TranscriptPage, *, is_in_fold: bool = False) -> str:
    """Render a turn: open, or folded behind one line; in a fold of several turns it is not folded once more."""
    css_class = f"turn {turn.role}" + (" answer" if turn.is_answer else "") + (" failed" if turn.error else "")
    css_class += " longest" if turn is page.longest else ""
    data = f'id="turn-{turn.number}" data-step="{escape_name(turn.step_name)}"'
    opening_tag = f'<article class="{css_class}" {data}>'
    if not turn.is_collapsed or turn.number == page.selected:
        heading = f"<header>{turn_html.render_heading(turn)}</header>"
        return f"{opening_tag}{heading}{_render_box(turn, page)}</article>"
    is_included = page.reserve_chars(turn.char_count)
    if is_in_fold:
        heading = f"<header>{turn_html.render_label_and_size(turn)}</header>"
        box = f'<div class="parts" dir="auto" id="parts-{turn.number}">{render_parts(turn, page)}</div>'
        content = box if is_included else _render_unloaded(turn, page)
        return f"{opening_tag}{heading}{content}</article>"
    summary = turn_html.render_summary(turn)
    if is_included:
        content = _render_box(turn, page)
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


def _render_box(turn: Turn, page: TranscriptPage) -> str:
    return f'<div class="parts" dir="auto">{render_parts(turn, page)}</div>'


def _render_unloaded(turn: Turn, page: TranscriptPage) -> str:
    """Render a link to the turn's parts, which the fold around it loads when it is opened."""
    page.unloaded_count += 1
    query_string = f"turn={turn.number}"
    return (
        f'<div class="later parts" id="parts-{turn.number}"><a href="?{query_string}#turn-{turn.number}"'
        f' hx-get="{page.url}?{query_string}&amp;piece=1" hx-target="closest .parts" hx-swap="outerHTML">'
        "Open this turn</a></div>"
    )


def render_parts(turn: Turn, page: TranscriptPage) -> str:
    """Render a turn's parts; those over the limit of one turn are loaded on demand."""
    rendered, remaining = [turn_html.render_error(turn)], OPEN_CHARS_LIMIT
    if not turn.message.parts and not turn.error:
        rendered.append(EMPTY_MESSAGE)
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
    if not turn_html.has_arguments(part):
        return ""
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


def render_part_from(turn: Turn, index: int, start: int, page: TranscriptPage) -> str:
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
