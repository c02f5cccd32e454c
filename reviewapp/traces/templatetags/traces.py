"""Template filters that turn the untrusted content of traces into safe HTML."""

from collections.abc import Iterable, Mapping

from django import template
from django.utils.safestring import SafeString, mark_safe

from reviewapp.traces.models import Span
from reviewapp.traces.reader import (
    json_tree_html,
    span_labels,
    step_detail_html,
    steps_html,
    transcript_html,
    turn_html,
)
from reviewapp.traces.reader.sanitising import sanitise_text
from reviewapp.traces.reader.trace_reader import TraceReader
from reviewapp.traces.transcript.turns import Turn

register = template.Library()


@register.filter
def render_transcript(reader: TraceReader) -> SafeString:
    """Render the turns of the Transcript tab."""
    return _safe(transcript_html.render_transcript(reader))


@register.filter
def render_steps(reader: TraceReader) -> SafeString:
    """Render the rows of a page of steps."""
    return _safe(steps_html.render_rows(reader.step_page, reader.url, reader.span, reader.mark_buttons))


@register.filter
def span_type(span: Span) -> str:
    """Return a span's type in words."""
    return span_labels.span_label(span, "")


@register.filter
def render_raw_node(reader: TraceReader) -> SafeString:
    """Render the selected node of a span's JSON tree."""
    if reader.node is None or reader.query.span_id is None:
        return _safe('<p class="second">This part no longer exists because the trace has changed.</p>')
    page = json_tree_html.TreePage(reader.query.span_id, reader.url)
    return _safe(json_tree_html.render_node(reader.node, page, reader.query.node_path, reader.query.start or 0))


@register.filter
def render_fragment(reader: TraceReader) -> SafeString:
    """Render only the selected part of a tab."""
    if reader.tab == "steps":
        return _safe(_render_step_detail(reader.span))
    if reader.tab != "raw":
        return _safe(transcript_html.render_fragment(reader))
    node = render_raw_node(reader)
    return node if reader.query.start else _safe(f'<div class="raw">{node}</div>')


def _render_step_detail(span: Span | None) -> str:
    if span is None:
        return '<p class="second">This step no longer exists because the trace has changed.</p>'
    return step_detail_html.render_detail(span, span.input, span.output, span.attributes)


@register.filter
def turn_preview(turn: Turn) -> SafeString:
    """Render a turn in one short line."""
    return _safe(sanitise_text(turn_html.preview_text(turn)))


@register.filter
def sanitise(text: object) -> SafeString:
    """Escape a plain text and make its invisible and direction-changing characters visible.

    For element content; `reveal` is for attributes and titles.
    """
    return _safe(sanitise_text(text if isinstance(text, str) else "" if text is None else str(text)))


@register.filter
def render_pairs(pairs: Iterable[tuple[str, str]]) -> SafeString:
    """Render keys with their values, side by side."""
    sanitised = [(sanitise_text(key), sanitise_text(value)) for key, value in pairs]
    return _safe("".join(f'<span class="value"><span>{key}</span> <b>{value}</b></span> ' for key, value in sanitised))


@register.filter
def get_item(mapping: Mapping[object, object], key: object) -> object:
    """The mapping's value of a key; None without one."""
    return mapping.get(key)


@register.filter
def code(text: str, language: str = "json") -> SafeString:
    """Render a text as highlighted code; JSON is indented first."""
    return _safe(turn_html.render_code(text, language))


def _safe(rendered: str) -> SafeString:
    """Mark HTML as safe: all untrusted text in it was escaped by `sanitising`."""
    return mark_safe(rendered)  # noqa: S308
