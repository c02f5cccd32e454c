"""Extract a span's input and output from the attributes of each supported instrumentation."""

import re
from typing import Any

from reviewapp.lib import exact_json
from reviewapp.tracestore import jsonb
from reviewapp.tracestore.spans import Attributes

INPUT = "lmnr.span.input"
OUTPUT = "lmnr.span.output"
_INDEXED = re.compile(r"gen_ai\.(?:prompt|completion)\.(\d+)\.(role|content|tool_call_id)", re.ASCII)
_CALLS = re.compile(r"gen_ai\.(?:prompt|completion)\.(\d+)\.tool_calls\.(\d+)\.(id|name|arguments)", re.ASCII)
PREFIXES = ("gen_ai.prompt.", "gen_ai.completion.")
SOURCES = frozenset(
    {
        INPUT,
        OUTPUT,
        "gen_ai.input.messages",
        "gen_ai.output.messages",
        "gen_ai.system_instructions",
        "ai.prompt",
        "ai.prompt.messages",
        "ai.response.text",
        "ai.response.object",
        "ai.response.toolCalls",
        "gen_ai.tool.call.arguments",
        "gen_ai.tool.call.result",
        "traceloop.entity.input",
        "traceloop.entity.output",
    }
)
_CONTROL = bytes({*range(32), 127} - set(b"\t\n\r"))


def read(span_type: str, attributes: Attributes) -> tuple[str, str]:
    """Returns input and output as Laminar shows them: text unchanged, the rest as compact JSON, numbers as written."""
    if attributes.get("lmnr.internal.tracing_level") == "meta_only":
        return "", ""
    span_input, span_output = attributes.get(INPUT), attributes.get(OUTPUT)
    return (
        _to_text(span_input if isinstance(span_input, str) else _find_input(span_type, attributes)),
        _to_text(span_output if isinstance(span_output, str) else _find_output(span_type, attributes)),
    )


def strip_control_characters(text: str) -> str:
    """Remove control characters except tab, line feed and carriage return."""
    raw = text.encode()
    stripped = raw.translate(None, _CONTROL)
    return text if len(stripped) == len(raw) else stripped.decode()


def _find_input(span_type: str, attributes: Attributes) -> Any:
    value: Any = None
    if span_type == "LLM":
        value = _parse_json(attributes.get("gen_ai.input.messages"))
        system = _parse_json(attributes.get("gen_ai.system_instructions"))
        if isinstance(value, list) and system:
            value = [{"role": "system", "parts": system if isinstance(system, list) else [system]}, *value]
        value = value or _indexed_messages("gen_ai.prompt", attributes)
        value = value or _parse_json(attributes.get("ai.prompt.messages"))
    elif span_type == "TOOL":
        value = _parse_json(attributes.get("gen_ai.tool.call.arguments"))
    # The Vercel AI SDK puts the prompt on the span around the model call, which has no type.
    value = _parse_json(attributes.get("ai.prompt")) if value is None else value
    return _parse_json(attributes.get("traceloop.entity.input")) if value is None else value


def _find_output(span_type: str, attributes: Attributes) -> Any:
    value: Any = None
    if span_type == "LLM":
        value = _parse_json(attributes.get("gen_ai.output.messages"))
        value = value or _indexed_messages("gen_ai.completion", attributes)
        value = value or _vercel_output(attributes)
    elif span_type == "TOOL":
        value = _parse_json(attributes.get("gen_ai.tool.call.result"))
    if value is None and "ai.prompt" in attributes:
        value = _vercel_output(attributes)
    return _parse_json(attributes.get("traceloop.entity.output")) if value is None else value


def _indexed_messages(prefix: str, attributes: Attributes) -> list[dict[str, Any]] | None:
    """Assemble messages sent as one attribute per field; tool calls become content parts, as in Laminar."""
    messages: dict[int, dict[str, Any]] = {}
    calls_by_message: dict[int, dict[int, dict[str, Any]]] = {}
    for key, value in attributes.items():
        if not key.startswith(prefix):
            continue
        match = _INDEXED.fullmatch(key)
        if match and len(match[1]) < 7:
            messages.setdefault(int(match[1]), {"role": "user", "content": ""})[match[2]] = _parse_json(value)
        match = _CALLS.fullmatch(key)
        if match and len(match[1]) < 7 and len(match[2]) < 7:
            calls = calls_by_message.setdefault(int(match[1]), {})
            calls.setdefault(int(match[2]), {"type": "tool_call"})[match[3]] = _parse_json(value)
    for index, calls in calls_by_message.items():
        message = messages.setdefault(index, {"role": "assistant", "content": ""})
        message["content"] = _append_calls(message["content"], [calls[position] for position in sorted(calls)])
    return [messages[index] for index in sorted(messages)] or None


def _vercel_output(attributes: Attributes) -> Any:
    """Returns the text or object unchanged; if there are tool calls, one message with both."""
    content = attributes.get("ai.response.text") or _parse_json(attributes.get("ai.response.object"))
    raw_calls = _parse_json(attributes.get("ai.response.toolCalls"))
    calls = [call for call in raw_calls if isinstance(call, dict)] if isinstance(raw_calls, list) else []
    if not calls:
        return content
    parts = [
        {
            "type": "tool_call",
            "name": call.get("toolName"),
            "id": call.get("toolCallId"),
            "arguments": _parse_json(call["input"] if "input" in call else call.get("args")),
        }
        for call in calls
    ]
    return [{"role": "assistant", "content": _append_calls(content, parts)}]


def _append_calls(content: Any, calls: list[dict[str, Any]]) -> list[Any]:
    parts = content if isinstance(content, list) else [{"type": "text", "text": content}] if content else []
    return [*parts, *calls]


def _parse_json(value: Any) -> Any:
    """Parse a string that holds JSON; returns anything else unchanged."""
    if not isinstance(value, str) or value[:1] not in '{["-0123456789tfn \t\r\n':
        return value
    try:
        parsed = exact_json.loads(value)
        if jsonb.is_text_deep(value, parsed):
            return value
        if "\\ud" in value or "\\uD" in value:
            # Raises UnicodeEncodeError for a lone surrogate, which Laminar's parser refuses too.
            exact_json.dumps(parsed).encode()
        return parsed
    except (ValueError, RecursionError):
        return value


def _to_text(content: Any) -> str:
    if isinstance(content, str) and content.startswith(("{", "[{")) and '": ' not in content and "\n" not in content:
        # Either compact JSON or no JSON at all: parsing and dumping would return the same text.
        return strip_control_characters(content)
    value = _parse_json(content)
    if isinstance(value, str):
        return strip_control_characters(value)
    return "" if content is None else exact_json.dumps(value)
