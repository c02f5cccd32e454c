"""The pieces of one turn as HTML. All content of a span is untrusted: it is rendered by `sanitising`."""

import html
import re
from datetime import UTC, datetime

from reviewapp.lib import local_time
from reviewapp.lib.shortening import shorten
from reviewapp.lib.word_diff import UNSPACED
from reviewapp.traces.reader import sanitising
from reviewapp.traces.reader.passages_html import count_passages
from reviewapp.traces.reader.sanitising import FormatBudget, sanitise_text
from reviewapp.traces.transcript import parts
from reviewapp.traces.transcript.parts import Part
from reviewapp.traces.transcript.turns import Turn
from reviewapp.web.templatetags.web import format_duration

ERROR_LIMIT = 20_000
_PROSE = ("text", "thinking", "refusal")
_LABELS = {"tool_call": "calls", "tool_result": "result of", "thinking": "thinking", "refusal": "refusal"}
_LABELS |= {"extra": "other fields"}
# A unified diff.
_DIFF = re.compile(r"(?:diff --git [^\n]{1,500}\n|Index: [^\n]{1,500}\n|--- [^\n]{1,500}\n\+\+\+ )")
_TIME = re.compile(r'(<time datetime="([^"]{1,40})" title="[^"]{1,40}">)[^<]{1,20}</time>')


def render_heading(turn: Turn) -> str:
    """Render the heading of an open turn: the role, and the time or how long the model took."""
    role = turn_label(turn)
    if turn.is_output:
        details = [sanitise_text(turn.span.model), format_duration(turn.span.duration)]
    else:
        details = [_render_time(turn.occurred_at)]
    if turn.message.name:
        details.insert(0, sanitise_text(turn.message.name))
    return f"<b>{role}</b>" + "".join(f"<span>{detail}</span>" for detail in details)


def render_summary(turn: Turn) -> str:
    """Render a folded turn in one line: the role, a preview, the size."""
    preview = f'<span class="preview">{sanitise_text(preview_text(turn))}</span>'
    return f"{_render_name(turn)} {preview}{_render_size(turn)}"


def render_label_and_size(turn: Turn) -> str:
    """Render the heading of a turn in a fold of several: the role, who or which tool, the size."""
    retrieved = f' <span class="name">{_count_retrieved(turn)}</span>' if turn.role == "tool" else ""
    return f"{_render_name(turn)}{retrieved}{_render_size(turn)}"


def _render_name(turn: Turn) -> str:
    name = f' <span class="name">{sanitise_text(turn.message.name)}</span>' if turn.message.name else ""
    return f"<b>{turn_label(turn)}</b>{name}"


def _render_size(turn: Turn) -> str:
    has_failed = turn.error or any(part.is_error for part in turn.message.parts)
    badge = ' <b class="broken">error</b>' if has_failed else ""
    return f'{badge} <span class="count">{_size_label(turn)}</span>'


def render_error(turn: Turn) -> str:
    return f'<p class="problem">{sanitise_text(shorten(turn.error, ERROR_LIMIT))}</p>' if turn.error else ""


def is_rendered(part: Part, *, is_user_text: bool) -> bool:
    """Whether a part looks other than it was written."""
    if is_user_text and part.kind == "text":
        return "```" in part.text
    return part.kind in (*_PROSE, "json", "tool_call", "tool_result") and bool(part.text)


def render_as_written(part: Part) -> str:
    """Render a part of a message as the text that was sent, without formatting; media and notes as ever."""
    if part.kind in ("image", "file", *parts.BESIDE):
        return render_content(part, FormatBudget())
    return f'<pre dir="auto">{sanitise_long_text(part.as_written)}</pre>'


def render_content(part: Part, budget: FormatBudget, *, is_user_text: bool = False) -> str:
    """Render a part of a message as safe HTML: prose as Markdown, code as code, media as a label.

    People seldom write Markdown: a user's text stays plain unless it has a fenced code block.
    """
    if part.kind in ("image", "file"):
        url = f' <span class="address">({sanitise_text(part.text)})</span>' if part.text not in ("", part.media) else ""
        return f'<span class="media">{part.kind}, not loaded: {sanitise_text(part.media or part.text)}{url}</span>'
    if part.kind == "note":
        return f'<p class="remark">{sanitise_text(part.text)}</p>'
    if part.kind == "citation":
        return _render_citation(part)
    if is_user_text and part.kind == "text" and "```" not in part.text:
        return f'<p class="plain" dir="auto">{sanitise_text(part.text)}</p>'
    if part.kind in (*_PROSE, "tool_result") and _DIFF.match(part.text):
        return render_code(part.text, "diff", budget)
    if part.kind in _PROSE:
        return sanitising.render_markdown(part.text, budget)
    return render_code(part.text, part.name if part.kind == "code" else "json", budget)


def _render_citation(part: Part) -> str:
    """Render a source as a card: its title, its address, and the passage that was cited."""
    title = f"<b>{sanitise_text(part.name)}</b>" if part.name else ""
    address = f' <span class="address">{sanitise_text(part.media)}</span>' if part.media else ""
    text = f'<p class="plain" dir="auto">{sanitise_text(part.text)}</p>' if part.text else ""
    return f'<div class="card"><p class="label">source {title}{address}</p>{text}</div>'


def render_label(part: Part) -> str:
    """Render what kind of part it is where the content does not show it: a call, a result, thinking, a refusal."""
    label = _LABELS.get(part.kind)
    badge = ' <b class="broken">error</b>' if part.is_error else ""
    return f'<p class="label">{label} <b>{sanitise_text(part.name)}</b>{badge}</p>' if label else ""


def render_code(text: str, language: str = "json", budget: FormatBudget | None = None) -> str:
    """Render a text as highlighted code; JSON is indented first."""
    code = sanitising.highlight_json(text) if language == "json" else sanitising.highlight_code(text, language, budget)
    return f"<pre><code>{code}</code></pre>"


def preview_text(turn: Turn) -> str:
    """Return a folded turn in one short line: its text, or a tool's result, or the tools it calls."""
    if turn.role == "tool" and (retrieved := _count_retrieved(turn)):
        return retrieved
    results = [part.text for part in turn.message.parts if part.kind == "tool_result"]
    calls = f"calls {', '.join(turn.calls)}" if turn.calls else ""
    line = " ".join((turn.text or "".join(results[:1]) or calls)[:400].split())
    return shorten(line, 120)


def _count_retrieved(turn: Turn) -> str:
    count = count_passages(turn)
    return f"Retrieved {count} passage{'' if count == 1 else 's'}" if count else ""


def sanitise_long_text(text: str) -> str:
    """Render a plain text of any length, escaped and with invisible characters made visible."""
    limit = sanitising.SHOW_LIMIT
    return "".join(sanitise_text(text[start : start + limit]) for start in range(0, len(text), limit))


def turn_label(turn: Turn) -> str:
    """Return the label of a turn, escaped: the answer, another answer to the same request, or the message's role."""
    if turn.is_answer:
        return _answer_label(turn)
    if turn.message.is_alternative:
        return "Alternative"
    return "Retrieval" if turn.role == "tool" and count_passages(turn) else role_label(turn.role)


def _answer_label(turn: Turn) -> str:
    """Say what the trace ended with, if that is no text."""
    if turn.role == "tool":
        return "Result: retrieval" if count_passages(turn) else "Result: tool call"
    if turn.calls and not turn.text.strip():
        return "Result: tool call" if len(turn.calls) == 1 else "Result: tool calls"
    shown = [part for part in turn.message.parts if part.kind not in ("thinking", *parts.BESIDE)]
    is_structured = shown and all(part.kind == "json" and part.text.lstrip()[:1] in ("{", "[") for part in shown)
    return "Result: structured output" if is_structured else "Answer"


def has_arguments(part: Part) -> bool:
    """Whether a call has arguments to show."""
    return part.kind != "tool_call" or part.text.strip() not in ("", "{}", "null", "None")


def role_label(role: str) -> str:
    """Return the label of a message's role, escaped."""
    return {"data": "Data", "error": "Error"}.get(role, html.escape(role.capitalize()))


def _size_label(turn: Turn) -> str:
    """Return how much a turn contains: words of prose, characters of data and of scripts without spaces."""
    prose = [part.text for part in turn.message.parts if part.kind in _PROSE]
    # Words that no spaces part cannot be counted without a dictionary.
    is_spaced = sum(len(UNSPACED.findall(text)) for text in prose) * 3 <= sum(map(len, prose))
    is_prose = bool(prose) and is_spaced
    count, unit = (turn.word_count, "word") if is_prose else (turn.char_count, "character")
    return f"{count:,} {unit}{'' if count == 1 else 's'}" if count else ""


def localise_times(rendered: str) -> str:
    """Put the times of turns in the reader's zone: a prepared transcript has them in UTC."""
    if local_time.is_utc():
        return rendered
    return _TIME.sub(lambda match: f"{match[1]}{_format_time(datetime.fromisoformat(match[2]))}</time>", rendered)


def _format_time(moment: datetime) -> str:
    return f"{local_time.to_local(moment):%H:%M:%S}"


def _render_time(moment: datetime | None) -> str:
    """Render the time of a turn; the page's header has the day."""
    if moment is None:
        return ""
    title = f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
    return f'<time datetime="{moment.isoformat()}" title="{title}">{_format_time(moment)}</time>'
