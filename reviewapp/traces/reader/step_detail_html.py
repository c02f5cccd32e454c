"""The details of a step: what went in and what came out, as messages where it is a conversation."""

import logging
from collections.abc import Sequence

from reviewapp.traces.models import Span
from reviewapp.traces.reader import passages_html, tools_html, turn_html
from reviewapp.traces.reader.sanitising import FormatBudget, sanitise_text
from reviewapp.traces.transcript import messages, passages, tools_offered
from reviewapp.traces.transcript.messages import Message
from reviewapp.traces.transcript.parts import Part
from reviewapp.traces.transcript.span_tree import MODEL_TYPES

log = logging.getLogger(__name__)

# Characters of parts of one side that are shown; the others are on the Raw tab.
CHARS_LIMIT = 300_000


def render_detail(span: Span, input_text: str, output_text: str, attributes: str = "{}") -> str:
    """Render a step's input and output, the tools that its model was offered, and a link to all of it as JSON."""
    raw_link = f'<p class="more"><a href="?tab=raw&amp;span={span.span_id}">Everything as JSON</a></p>'
    try:
        return f"{_render(span, input_text, output_text, attributes)}{raw_link}"
    except Exception:
        # One bad step does not take the others along.
        log.exception("Could not render step %s", span.span_id)
        return f'<p class="problem">This step could not be rendered. Raw shows it.</p>{raw_link}'


def _render(span: Span, input_text: str, output_text: str, attributes: str) -> str:
    budget = FormatBudget()
    is_model = span.span_type in MODEL_TYPES
    sides = (
        ("Input", messages.read(input_text, "user" if is_model else "data")),
        ("Output", messages.read_output(output_text)),
    )
    rendered = "".join(_render_side(label, side, budget, is_model=is_model) for label, side in sides if side)
    tools = tools_offered.read(attributes, input_text) if is_model else []
    offered = ""
    if tools:
        noun = "tool" if len(tools) == 1 else "tools"
        content = tools_html.render_tools(tools)
        offered = f'<details class="fold"><summary>{len(tools):,} {noun} offered</summary>{content}</details>'
    return f"{rendered}{offered}"


def _render_side(label: str, side: Sequence[Message], budget: FormatBudget, *, is_model: bool) -> str:
    remaining, items = CHARS_LIMIT, []
    for message in side:
        contents = []
        for part in message.parts:
            remaining -= len(part.text)
            if remaining < 0:
                break
            contents.append(_render_part(part, budget, is_user_text=message.role == "user"))
        role = f'<p class="label"><b>{turn_html.role_label(message.role)}</b></p>' if is_model else ""
        items.append(f'<div class="step-message {sanitise_text(message.role)}">{role}{"".join(contents)}</div>')
        if remaining < 0:
            items.append('<p class="second">The rest is on the Raw tab.</p>')
            break
    count = f' <span class="count">{len(side):,} messages</span>' if len(side) > 1 else ""
    return (
        f'<section class="side"><h3>{label}{count}</h3><div class="parts" dir="auto">{"".join(items)}</div></section>'
    )


def _render_part(part: Part, budget: FormatBudget, *, is_user_text: bool) -> str:
    read_passages = passages.read(part.text) if part.kind in ("json", "tool_result") else []
    if read_passages:
        content = passages_html.render_passages(read_passages, 0)
    else:
        content = turn_html.render_content(part, budget, is_user_text=is_user_text)
    omitted = (
        f'<p class="second">{part.omitted_chars:,} more characters are on the Raw tab.</p>'
        if part.omitted_chars
        else ""
    )
    return f'<div class="part {part.kind}">{turn_html.render_label(part)}{content}{omitted}</div>'
