"""A trace's content in templates: the filters that make safe HTML of foreign text, and of what was read from it."""

from collections.abc import Iterable

from django import template
from django.utils.safestring import SafeString, mark_safe

from reviewapp.traces.reader import json_tree_html, steps_html, trace_reader, transcript_html, turn_html
from reviewapp.traces.reader.trace_reader import TraceReader
from reviewapp.traces.transcript.turns import Turn

register = template.Library()


@register.filter
def render_transcript(given: TraceReader) -> SafeString:
    """The turns of a transcript's tab."""
    return _safe(transcript_html.render_transcript(given))


@register.filter
def render_steps(given: TraceReader) -> SafeString:
    """The rows of a page of steps."""
    return _safe(steps_html.rows(given.steps, given.url))


@register.filter
def render_raw_node(given: TraceReader) -> SafeString:
    """The wished node of a span's JSON tree."""
    if given.node is None or given.query.span_id is None:
        return _safe('<p class="second">This part is no longer there: the trace has changed.</p>')
    page = json_tree_html.Page(given.query.span_id, given.url)
    return _safe(json_tree_html.node(given.node, page, given.query.node_path, given.query.start or 0))


@register.filter
def render_fragment(given: TraceReader) -> SafeString:
    """The part of a tab that was wished alone."""
    if given.tab != "raw":
        return _safe(transcript_html.piece(given))
    return render_raw_node(given) if given.query.start else _safe(f'<div class="raw">{render_raw_node(given)}</div>')


@register.filter
def turn_preview(turn: Turn) -> SafeString:
    """A turn in one short line."""
    return _safe(turn_html.visible(turn_html.gist(turn)))


@register.filter
def sanitise(text: str) -> SafeString:
    """A plain text with its invisible and direction-turning characters made visible."""
    return _safe(turn_html.visible(text))


@register.filter
def render_pairs(cells: Iterable[tuple[str, str]]) -> SafeString:
    """Keys with their values, side by side."""
    shown = [(turn_html.visible(key), turn_html.visible(value)) for key, value in cells]
    return _safe("".join(f'<span class="value"><span>{key}</span> <b>{value}</b></span> ' for key, value in shown))


@register.filter
def code(text: str, language: str = "json") -> SafeString:
    """A text as coloured code; JSON is set on several lines first."""
    return _safe(turn_html.code(text, language))


def _safe(made: str) -> SafeString:
    """HTML that is escaped already: all text of others in it came through `rendering`."""
    return mark_safe(made)  # noqa: S308


register.filter("pretty", trace_reader.pretty)
