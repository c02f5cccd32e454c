"""How a trace's content becomes HTML: everything a span may hold is foreign text.

A turn is made here and not in its template, since the page with all of them is the one that must be quickest.
"""

import html

from django import template
from django.utils.safestring import SafeString, mark_safe

from reviewapp.traces import reading, rendering
from reviewapp.traces.parts import Part
from reviewapp.traces.turns import Turn
from reviewapp.web.templatetags.web import moment, span_of_time

register = template.Library()
_LABELS = {"tool_call": "calls", "tool_result": "result of", "thinking": "thinking", "refusal": "refusal"}


@register.filter
def heading(turn: Turn) -> SafeString:
    """Who speaks in an open turn, and when, or how long the model took."""
    role = "Answer" if turn.is_answer else role_name(turn.role)
    beside = [visible(turn.span.model), span_of_time(turn.span.duration)] if turn.is_output else [moment(turn.at)]
    if turn.message.name:
        beside.insert(0, visible(turn.message.name))
    return _joined(f"<b>{role}</b>", *(f"<span>{words}</span>" for words in beside))


@register.filter
def summary(turn: Turn) -> SafeString:
    """A folded turn in one line: who speaks, the gist, how much there is."""
    return _joined(
        f"<b>{role_name(turn.role)}</b>",
        f' <span class="name">{visible(turn.message.name)}</span>' if turn.message.name else "",
        f' <span class="preview">{visible(gist(turn))}</span>',
        ' <b class="broken">error</b>' if turn.error else "",
        f' <span class="count">{turn.words:,} words</span>',
    )


@register.filter
def parts(turn: Turn) -> SafeString:
    """All that a turn holds: its error first, then part by part."""
    return _joined(
        f'<p class="problem">{visible(turn.error)}</p>' if turn.error else "",
        *(
            f'<div class="part {part.kind}">{label(part)}{content(part)}{_cut_off(part)}</div>'
            for part in turn.message.parts
        ),
    )


def content(part: Part) -> SafeString:
    """A part of a message as safe HTML: markdown for words, coloured code, folded JSON; media as a label only."""
    if part.kind in ("image", "file"):
        return _joined(f'<span class="media">{part.kind}: ', visible(part.media or part.text), "</span>")
    if part.kind in ("text", "thinking", "refusal"):
        return _joined(rendering.markdown(part.text))
    language = part.name if part.kind == "code" else "json"
    return code(part.text, language)


def label(part: Part) -> SafeString:
    """What a part is, where that is not plain from its content: a call, a result, a thought, a refusal."""
    words = _LABELS.get(part.kind)
    return _joined(f'<p class="label">{words} <b>{visible(part.name)}</b></p>' if words else "")


@register.filter
def code(text: str, language: str = "json") -> SafeString:
    """A text as coloured code; JSON is set on several lines first."""
    inside = rendering.pretty_json(text) if language == "json" else rendering.code(text, language)
    return _joined("<pre><code>", inside, "</code></pre>")


def gist(turn: Turn) -> str:
    """A folded turn in one short line: its words, or what a tool gave back, or which tools it calls."""
    results = [part.text for part in turn.message.parts if part.kind == "tool_result"]
    called = f"calls {', '.join(turn.calls)}" if turn.calls else ""
    line = " ".join((turn.text or "".join(results[:1]) or called)[:400].split())
    return line if len(line) <= 120 else f"{line[:119]}…"


@register.filter
def visible(text: str) -> SafeString:
    """A plain text with its invisible and direction-turning characters made visible."""
    return _joined(rendering.plain(text))


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


def role_name(role: str) -> str:
    """A message's role as the reader's word."""
    return {"data": "Data", "error": "Error"}.get(role, html.escape(role.capitalize()))


def _cut_off(part: Part) -> str:
    return f'<p class="second">{part.cut:,} more characters are not shown.</p>' if part.cut else ""


def _joined(*pieces: str) -> SafeString:
    """Pieces of HTML that are escaped already: all text of others in them came through `rendering`."""
    return mark_safe("".join(pieces))  # noqa: S308


register.filter("pretty", reading.pretty)
