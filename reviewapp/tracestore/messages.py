"""What went into a span and what came out, by whose instrumentation it is told."""

import json
import re
from typing import Any

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
_compact = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), default=float).encode


def _refuse(name: str) -> None:
    raise ValueError(f"{name} is not a JSON number")


_strict = json.JSONDecoder(parse_constant=_refuse).decode


def read(span_type: str, attributes: Attributes) -> tuple[str, str]:
    """Input and output as Laminar shows them: text as it is, anything else as compact JSON."""
    if attributes.get("lmnr.internal.tracing_level") == "meta_only":
        return "", ""
    given, answered = attributes.get(INPUT), attributes.get(OUTPUT)
    return (
        _shown(given if isinstance(given, str) else _told_input(span_type, attributes)),
        _shown(answered if isinstance(answered, str) else _told_output(span_type, attributes)),
    )


def clean(text: str) -> str:
    """`text` without control characters."""
    raw = text.encode()
    kept = raw.translate(None, _CONTROL)
    return text if len(kept) == len(raw) else kept.decode()


def _told_input(span_type: str, attributes: Attributes) -> Any:
    told: Any = None
    if span_type == "LLM":
        told = _parsed(attributes.get("gen_ai.input.messages"))
        system = _parsed(attributes.get("gen_ai.system_instructions"))
        if isinstance(told, list) and system:
            told = [{"role": "system", "parts": system if isinstance(system, list) else [system]}, *told]
        told = told or _indexed("gen_ai.prompt", attributes) or _parsed(attributes.get("ai.prompt.messages"))
    elif span_type == "TOOL":
        told = _parsed(attributes.get("gen_ai.tool.call.arguments"))
    # The Vercel AI SDK's span around the model's own has what it was asked, and no type.
    told = _parsed(attributes.get("ai.prompt")) if told is None else told
    return _parsed(attributes.get("traceloop.entity.input")) if told is None else told


def _told_output(span_type: str, attributes: Attributes) -> Any:
    told: Any = None
    if span_type == "LLM":
        told = _parsed(attributes.get("gen_ai.output.messages")) or _indexed("gen_ai.completion", attributes)
        told = told or _vercel_answer(attributes)
    elif span_type == "TOOL":
        told = _parsed(attributes.get("gen_ai.tool.call.result"))
    if told is None and "ai.prompt" in attributes:
        told = _vercel_answer(attributes)
    return _parsed(attributes.get("traceloop.entity.output")) if told is None else told


def _indexed(prefix: str, attributes: Attributes) -> list[dict[str, Any]] | None:
    """Messages told field by field; their tool calls become parts of the content, as Laminar keeps them."""
    messages: dict[int, dict[str, Any]] = {}
    calls: dict[int, dict[int, dict[str, Any]]] = {}
    for key, value in attributes.items():
        if not key.startswith(prefix):
            continue
        found = _INDEXED.fullmatch(key)
        if found and len(found[1]) < 7:
            messages.setdefault(int(found[1]), {"role": "user", "content": ""})[found[2]] = _parsed(value)
        found = _CALLS.fullmatch(key)
        if found and len(found[1]) < 7 and len(found[2]) < 7:
            of_message = calls.setdefault(int(found[1]), {})
            of_message.setdefault(int(found[2]), {"type": "tool_call"})[found[3]] = _parsed(value)
    for index, made in calls.items():
        message = messages.setdefault(index, {"role": "assistant", "content": ""})
        message["content"] = _with_calls(message["content"], [made[at] for at in sorted(made)])
    return [messages[index] for index in sorted(messages)] or None


def _vercel_answer(attributes: Attributes) -> Any:
    """A text or an object as it is; with tool calls, one message of both."""
    said = attributes.get("ai.response.text") or _parsed(attributes.get("ai.response.object"))
    given = _parsed(attributes.get("ai.response.toolCalls"))
    calls = [call for call in given if isinstance(call, dict)] if isinstance(given, list) else []
    if not calls:
        return said
    made = [
        {
            "type": "tool_call",
            "name": call.get("toolName"),
            "id": call.get("toolCallId"),
            "arguments": _parsed(call["input"] if "input" in call else call.get("args")),
        }
        for call in calls
    ]
    return [{"role": "assistant", "content": _with_calls(said, made)}]


def _with_calls(content: Any, calls: list[dict[str, Any]]) -> list[Any]:
    parts = content if isinstance(content, list) else [{"type": "text", "text": content}] if content else []
    return [*parts, *calls]


def _parsed(value: Any) -> Any:
    if not isinstance(value, str) or value[:1] not in '{["-0123456789tfn \t\r\n':
        return value
    try:
        parsed = _strict(value)
        if "\\ud" in value or "\\uD" in value:
            # Half of a character is no text; Laminar's parser refuses it too.
            _compact(parsed).encode()
        return parsed
    except (ValueError, RecursionError):
        return value


def _shown(told: Any) -> str:
    if isinstance(told, str) and told.startswith(("{", "[{")) and '": ' not in told and "\n" not in told:
        # Compact JSON already, or no JSON at all: parsing it would give back the same text.
        return clean(told)
    value = _parsed(told)
    if isinstance(value, str):
        return clean(value)
    return "" if told is None else _compact(value)
