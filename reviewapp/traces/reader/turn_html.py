"""One turn's pieces as HTML: everything a span may hold is foreign text, and all of it passes `rendering`."""

import html
from datetime import UTC, datetime

from reviewapp.traces.reader import sanitising
from reviewapp.traces.transcript.parts import Part
from reviewapp.traces.transcript.turns import Turn
from reviewapp.web.templatetags.web import format_duration

ERROR_LIMIT = 20_000
_SAID = ("text", "thinking", "refusal")
_LABELS = {"tool_call": "calls", "tool_result": "result of", "thinking": "thinking", "refusal": "refusal"}


def heading(turn: Turn) -> str:
    """Who speaks in an open turn, and when, or how long the model took."""
    role = "Answer" if turn.is_answer else role_name(turn.role)
    beside = [visible(turn.span.model), format_duration(turn.span.duration)] if turn.is_output else [_time(turn.at)]
    if turn.message.name:
        beside.insert(0, visible(turn.message.name))
    return f"<b>{role}</b>" + "".join(f"<span>{words}</span>" for words in beside)


def summary(turn: Turn) -> str:
    """A folded turn in one line: who speaks, the gist, how much there is."""
    name = f' <span class="name">{visible(turn.message.name)}</span>' if turn.message.name else ""
    broken = ' <b class="broken">error</b>' if turn.error else ""
    size = f' <span class="count">{_amount(turn)}</span>'
    return f'<b>{role_name(turn.role)}</b>{name} <span class="preview">{visible(gist(turn))}</span>{broken}{size}'


def _amount(turn: Turn) -> str:
    """How much a turn holds: words of what was said, characters of data."""
    count, unit = (
        (turn.word_count, "word")
        if any(part.kind in _SAID for part in turn.message.parts)
        else (turn.char_count, "character")
    )
    return f"{count:,} {unit}{'' if count == 1 else 's'}" if count else ""


def error(turn: Turn) -> str:
    return f'<p class="problem">{visible(turn.error[:ERROR_LIMIT])}</p>' if turn.error else ""


def content(part: Part, *, as_written: bool = False) -> str:
    """A part of a message as safe HTML: markdown for words, code, media as a label.

    `as_written` is for words of people, who seldom write markdown: plain, unless they fence code in it.
    """
    if part.kind in ("image", "file"):
        address = f' <span class="address">({visible(part.text)})</span>' if part.text not in ("", part.media) else ""
        return f'<span class="media">{part.kind}, not loaded: {visible(part.media or part.text)}{address}</span>'
    if as_written and part.kind == "text" and "```" not in part.text:
        return f'<p class="plain" dir="auto">{visible(part.text)}</p>'
    if part.kind in _SAID:
        return sanitising.render_markdown(part.text)
    return code(part.text, part.name if part.kind == "code" else "json")


def label(part: Part) -> str:
    """What a part is, where that is not plain from its content: a call, a result, a thought, a refusal."""
    words = _LABELS.get(part.kind)
    return f'<p class="label">{words} <b>{visible(part.name)}</b></p>' if words else ""


def code(text: str, language: str = "json") -> str:
    """A text as coloured code; JSON is set on several lines first."""
    inside = sanitising.highlight_json(text) if language == "json" else sanitising.highlight_code(text, language)
    return f"<pre><code>{inside}</code></pre>"


def gist(turn: Turn) -> str:
    """A folded turn in one short line: its words, or what a tool gave back, or which tools it calls."""
    results = [part.text for part in turn.message.parts if part.kind == "tool_result"]
    called = f"calls {', '.join(turn.calls)}" if turn.calls else ""
    line = " ".join((turn.text or "".join(results[:1]) or called)[:400].split())
    return line if len(line) <= 120 else f"{line[:119]}…"


def visible(text: str) -> str:
    """A plain text with its invisible and direction-turning characters made visible."""
    return sanitising.sanitise_text(text)


def as_it_is(text: str) -> str:
    """A text of any length, escaped and made visible."""
    return "".join(visible(text[at : at + sanitising.SHOW_LIMIT]) for at in range(0, len(text), sanitising.SHOW_LIMIT))


def _time(at: datetime | None) -> str:
    """The time of a turn; its day stands in the trace's head."""
    if at is None:
        return ""
    return f'<time datetime="{at.isoformat()}" title="{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC">{at:%H:%M:%S}</time>'


def role_name(role: str) -> str:
    """A message's role as the reader's word."""
    return {"data": "Data", "error": "Error"}.get(role, html.escape(role.capitalize()))
