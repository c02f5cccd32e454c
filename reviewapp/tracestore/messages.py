"""Extract a span's input and output from the attributes of each supported instrumentation."""

import re
from typing import Any, NamedTuple

from reviewapp.lib import exact_json
from reviewapp.tracestore import values
from reviewapp.tracestore.normalisation import is_tool_call
from reviewapp.tracestore.spans import Attributes, Span

INPUT = "lmnr.span.input"
OUTPUT = "lmnr.span.output"
# Of messages sent as one attribute per field, only these fields are not stored as attributes.
INDEXED_CONTENT = re.compile(r"gen_ai\.(?:prompt|completion)\.[0-9]+\.(?:content|role)")
_FIELD = re.compile(r"gen_ai\.(?:prompt|completion)\.([0-9]{1,6})\.(role|content|reasoning|tool_call_id)")
_CALL = re.compile(
    r"gen_ai\.(?:prompt|completion)\.([0-9]{1,6})\.(?:tool_calls\.([0-9]{1,6})|function_call)\.(id|name|arguments)"
)
_MODEL_SOURCES = frozenset({"gen_ai.input.messages", "gen_ai.output.messages", "gen_ai.system_instructions"})
_VERCEL_SOURCES = frozenset({"ai.response.text", "ai.response.object", "ai.response.toolCalls"})
_TOOL_SOURCES = frozenset({"gen_ai.tool.call.arguments", "gen_ai.tool.call.result"})
_VERCEL_TOOL_SOURCES = frozenset({"ai.toolCall.name", "ai.toolCall.args", "ai.toolCall.result"})
# What a span of LiteLLM's raw request carries.
_RAW_REQUEST = "raw_gen_ai_request"
_RAW_INPUTS = ("llm.openai.messages", "llm.anthropic.messages")
_RAW_OUTPUTS = ("llm.openai.choices", "llm.anthropic.content")
# All attributes that content is read from, except those of indexed messages.
SOURCES = (
    _MODEL_SOURCES | _VERCEL_SOURCES | _TOOL_SOURCES | _VERCEL_TOOL_SOURCES
    | {INPUT, OUTPUT, "ai.prompt", "ai.prompt.messages", "traceloop.entity.input", "traceloop.entity.output"}
    | {*_RAW_INPUTS, *_RAW_OUTPUTS}
)  # fmt: skip
_NOTHING: frozenset[str] = frozenset()
_CONTROL = bytes({*range(32), 127} - set(b"\t\n\r"))


class Content(NamedTuple):
    """Input and output as Laminar shows them, and the attributes they were read from."""

    input: str
    output: str
    sources: frozenset[str]


def read(span: Span, span_type: str, *, is_model_call: bool) -> Content:
    """Returns a span's content: text unchanged, the rest as compact JSON, numbers as written."""
    attributes = span.attributes
    sources = _find_sources(span, span_type, is_model_call=is_model_call)
    if attributes.get("lmnr.internal.tracing_level") == "meta_only":
        return Content("", "", sources)
    span_input, span_output = attributes.get(INPUT), attributes.get(OUTPUT)
    return Content(
        _to_text(span_input if isinstance(span_input, str) else _find_input(span, sources)),
        _to_text(span_output if isinstance(span_output, str) else _find_output(span, sources)),
        sources,
    )


def _find_sources(span: Span, span_type: str, *, is_model_call: bool) -> frozenset[str]:
    """Returns the attributes that are read as content of a span of this type."""
    sources = _NOTHING
    if is_model_call:
        sources = _MODEL_SOURCES
    elif span_type == "TOOL":
        sources = _TOOL_SOURCES
        if is_tool_call(span):
            sources |= _VERCEL_TOOL_SOURCES
    if is_model_call or "ai.prompt" in span.attributes:
        sources |= _VERCEL_SOURCES
    return sources


def strip_control_characters(text: str) -> str:
    """Remove control characters except tab, line feed and carriage return."""
    raw = text.encode()
    stripped = raw.translate(None, _CONTROL)
    return text if len(stripped) == len(raw) else stripped.decode()


def _find_input(span: Span, sources: frozenset[str]) -> Any:
    attributes, value = span.attributes, None
    if sources >= _MODEL_SOURCES:
        value = values.parse_json(attributes.get("gen_ai.input.messages"))
        system = values.parse_json(attributes.get("gen_ai.system_instructions"))
        if isinstance(value, list) and system:
            value = [{"role": "system", "parts": system if isinstance(system, list) else [system]}, *value]
        value = value or _indexed_messages("gen_ai.prompt", attributes)
        value = value or values.parse_json(attributes.get("ai.prompt.messages"))
    elif sources >= _TOOL_SOURCES:
        value = _first(attributes, "ai.toolCall.args", "gen_ai.tool.call.arguments")
    if value is None and span.name == _RAW_REQUEST:
        value = _first(attributes, *_RAW_INPUTS)
    # The Vercel AI SDK puts the prompt on the span around the model call, which has no type.
    return _first(attributes, "ai.prompt", "traceloop.entity.input") if value is None else value


def _find_output(span: Span, sources: frozenset[str]) -> Any:
    attributes, value = span.attributes, None
    if sources >= _MODEL_SOURCES:
        value = values.parse_json(attributes.get("gen_ai.output.messages"))
        value = value or _indexed_messages("gen_ai.completion", attributes)
    elif sources >= _TOOL_SOURCES:
        value = _first(attributes, "ai.toolCall.result", "gen_ai.tool.call.result")
    if value is None and span.name == _RAW_REQUEST:
        value = _first(attributes, *_RAW_OUTPUTS)
    if value is None and sources >= _VERCEL_SOURCES:
        value = _vercel_output(attributes)
    return _first(attributes, "traceloop.entity.output") if value is None else value


def _first(attributes: Attributes, *keys: str) -> Any:
    """Returns the first of these attributes that is there, parsed if it is JSON text."""
    return next((values.parse_json(attributes[key]) for key in keys if attributes.get(key) is not None), None)


def _indexed_messages(prefix: str, attributes: Attributes) -> list[dict[str, Any]] | None:
    """Assemble messages sent as one attribute per field; tool calls become content parts, as in Laminar."""
    messages: dict[int, dict[str, Any]] = {}
    calls_by_message: dict[int, dict[int, dict[str, Any]]] = {}
    for key, value in attributes.items():
        if not key.startswith(prefix):
            continue
        if match := _FIELD.fullmatch(key):
            message = messages.setdefault(int(match[1]), {"role": "user", "content": ""})
            if match[2] == "reasoning":
                # Read only where there is no content.
                message["content"] = message["content"] or values.parse_json(value)
            else:
                message[match[2]] = values.parse_json(value)
        elif match := _CALL.fullmatch(key):
            # A function call, as older SDKs have it, counts only where there are no tool calls.
            position = -1 if match[2] is None else int(match[2])
            calls = calls_by_message.setdefault(int(match[1]), {})
            calls.setdefault(position, {"type": "tool_call"})[match[3]] = values.parse_json(value)
    for index, calls in calls_by_message.items():
        message = messages.setdefault(index, {"role": "assistant", "content": ""})
        positions = sorted(position for position in calls if position >= 0) or [-1]
        message["content"] = _append_calls(message["content"], [calls[position] for position in positions])
    return [messages[index] for index in sorted(messages)] or None


def _vercel_output(attributes: Attributes) -> Any:
    """Returns the text or object unchanged; if there are tool calls, one message with both."""
    content = attributes.get("ai.response.text") or values.parse_json(attributes.get("ai.response.object"))
    raw_calls = values.parse_json(attributes.get("ai.response.toolCalls"))
    calls = [call for call in raw_calls if isinstance(call, dict)] if isinstance(raw_calls, list) else []
    if not calls:
        return content
    parts = [
        {
            "type": "tool_call",
            "name": call.get("toolName"),
            "id": call.get("toolCallId"),
            "arguments": values.parse_json(call["input"] if "input" in call else call.get("args")),
        }
        for call in calls
    ]
    return [{"role": "assistant", "content": _append_calls(content, parts)}]


def _append_calls(content: Any, calls: list[dict[str, Any]]) -> list[Any]:
    parts = content if isinstance(content, list) else [{"type": "text", "text": content}] if content else []
    return [*parts, *calls]


def _to_text(content: Any) -> str:
    if isinstance(content, str) and content.startswith(("{", "[{")) and '": ' not in content and "\n" not in content:
        # Either compact JSON or no JSON at all: parsing and dumping would return the same text.
        return strip_control_characters(content)
    value = values.parse_json(content)
    if isinstance(value, str):
        return strip_control_characters(value)
    return "" if content is None else exact_json.dumps(value)
