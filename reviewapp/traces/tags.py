"""How a trace's content becomes HTML: everything a span may hold is foreign text."""

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from reviewapp.traces import reading, rendering
from reviewapp.traces.parts import Part
from reviewapp.traces.turns import Turn

register = template.Library()
_LABELS = {"tool_call": "calls", "tool_result": "result of", "thinking": "thinking", "refusal": "refusal"}


@register.filter
def content(part: Part) -> SafeString:
    """A part of a message as safe HTML: markdown for words, coloured code, folded JSON; media as a label only."""
    if part.kind in ("image", "file"):
        return format_html('<span class="media">{}: {}</span>', part.kind, visible(part.media or part.text))
    if part.kind in ("text", "thinking", "refusal"):
        # rendering returns HTML that is escaped and cleaned.
        return mark_safe(rendering.markdown(part.text))  # noqa: S308
    language = part.name if part.kind == "code" else "json"
    return code(part.text, language)


@register.filter
def label(part: Part) -> SafeString | str:
    """What a part is, where that is not plain from its content: a call, a result, a thought, a refusal."""
    words = _LABELS.get(part.kind)
    if words is None:
        return ""
    return format_html('<p class="label">{} <b>{}</b></p>', words, visible(part.name))


@register.filter
def code(text: str, language: str = "json") -> SafeString:
    """A text as coloured code; JSON is set on several lines first."""
    inside = rendering.pretty_json(text) if language == "json" else rendering.code(text, language)
    return format_html("<pre><code>{}</code></pre>", mark_safe(inside))  # noqa: S308


@register.filter
def gist(turn: Turn) -> str:
    """A folded turn in one short line: its words, or what a tool gave back, or which tools it calls."""
    results = [part.text for part in turn.message.parts if part.kind == "tool_result"]
    called = f"calls {', '.join(turn.calls)}" if turn.calls else ""
    line = " ".join((turn.text or "".join(results[:1]) or called)[:400].split())
    return line if len(line) <= 120 else f"{line[:119]}…"


@register.filter
def visible(text: str) -> SafeString:
    """A plain text with its invisible and direction-turning characters made visible."""
    return mark_safe(rendering.plain(text))  # noqa: S308


@register.filter
def share(fraction: float) -> int:
    """A fraction 0 to 1 as the whole per cent that a waterfall class is named for."""
    return max(0, min(100, round(fraction * 100)))


@register.filter
def at_most(number: int, most: int) -> int:
    return min(number, most)


@register.filter
def at_least(number: int, least: int) -> int:
    return max(number, least)


@register.filter
def cut(text: str, length: int) -> str:
    """The beginning of a long text, with the count of what is left out."""
    return text if len(text) <= length else f"{text[:length]}\n… {len(text) - length:,} more characters"


@register.filter
def role_name(role: str) -> str:
    """A message's role as the reader's word."""
    return {"data": "Data", "error": "Error"}.get(role, role.capitalize())


register.filter("pretty", reading.pretty)
