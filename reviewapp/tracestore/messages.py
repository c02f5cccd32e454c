"""What went into a span and what came out, by whose instrumentation it is told."""

import json
import re
from typing import Any

from reviewapp.tracestore.spans import Attributes

INPUT = "lmnr.span.input"
OUTPUT = "lmnr.span.output"
_INDEXED = re.compile(r"(gen_ai\.(?:prompt|completion))\.(\d+)\.(role|content)", re.ASCII)
PREFIXES = ("gen_ai.prompt.", "gen_ai.completion.")
SOURCES = frozenset(
    {
        INPUT,
        OUTPUT,
        "gen_ai.input.messages",
        "gen_ai.output.messages",
        "gen_ai.system_instructions",
        "ai.prompt.messages",
        "ai.response.text",
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
    return _parsed(attributes.get("traceloop.entity.input")) if told is None else told


def _told_output(span_type: str, attributes: Attributes) -> Any:
    told: Any = None
    if span_type == "LLM":
        told = _parsed(attributes.get("gen_ai.output.messages")) or _indexed("gen_ai.completion", attributes)
        told = told or attributes.get("ai.response.text")
    elif span_type == "TOOL":
        told = _parsed(attributes.get("gen_ai.tool.call.result"))
    return _parsed(attributes.get("traceloop.entity.output")) if told is None else told


def _indexed(prefix: str, attributes: Attributes) -> list[dict[str, Any]] | None:
    messages: dict[int, dict[str, Any]] = {}
    for key, value in attributes.items():
        found = _INDEXED.fullmatch(key) if key.startswith(prefix) else None
        if found and len(found[2]) < 7:
            messages.setdefault(int(found[2]), {"role": "user", "content": ""})[found[3]] = _parsed(value)
    return [messages[index] for index in sorted(messages)] or None


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
