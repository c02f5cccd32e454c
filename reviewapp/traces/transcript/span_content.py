"""A span's input and output where Laminar reads none: from OpenInference attributes and from gen_ai span events."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from reviewapp.lib import exact_json

# Attribute names that a span with content of these conventions has.
_HINT = re.compile(r'"(?:llm\.|input\.value|output\.value|openinference\.|retrieval\.documents|events"|all_messages)')
_TYPES = {"LLM": "LLM", "TOOL": "TOOL", "EVALUATOR": "EVALUATOR"}
_EVENT_ROLES = {
    "gen_ai.system.message": "system", "gen_ai.user.message": "user", "gen_ai.assistant.message": "assistant",
    "gen_ai.tool.message": "tool", "gen_ai.choice": "assistant",
}  # fmt: skip
_DETAILS = "gen_ai.client.inference.operation.details"
# In numbered attributes: a longer number is no position in a list.
INDEX_DIGITS = 9


@dataclass(frozen=True, slots=True)
class SpanContent:
    """What attributes and events say of a span; empty or 0 where they say nothing."""

    input: str = ""
    output: str = ""
    span_type: str = ""
    model: str = ""
    total_tokens: int = 0


def read(attributes_text: str, events: Sequence[Any]) -> SpanContent:
    """Read a span's attributes (JSON text) and its events ({name, attributes as JSON text}). Never raises."""
    event_input, event_output = _read_events(events)
    attributes = _parse_object(attributes_text) if _HINT.search(attributes_text) else {}
    for key in ("events", "all_messages_events"):
        # Pydantic AI keeps its events in an attribute.
        listed = _parse_json(attributes.get(key))
        if not event_input and isinstance(listed, list):
            event_input, event_output = _read_events(listed)
    tree = _unflatten(attributes)
    llm = _member(tree, "llm")
    kind = attributes.get("openinference.span.kind")
    has_messages = bool(event_input or event_output or _member(llm, "input_messages"))
    input_value, output_value = (_text(_member(_member(tree, key), "value")) for key in ("input", "output"))
    return SpanContent(
        input=_dump(event_input) or _read_messages(llm, "input_messages") or input_value,
        output=_dump(event_output) or _read_messages(llm, "output_messages") or _read_documents(tree) or output_value,
        span_type=_TYPES.get(kind.upper(), "") if isinstance(kind, str) else "LLM" if has_messages else "",
        model=_text(_member(llm, "model_name")),
        total_tokens=_count_tokens(_member(llm, "token_count")),
    )


def _read_events(events: Sequence[Any]) -> tuple[list[Any], list[Any]]:
    """Return the messages that a model got and returned, in the order of the events."""
    received: list[Any] = []
    returned: list[Any] = []
    for event in events if isinstance(events, (list, tuple)) else ():
        name = event.get("name", event.get("event.name")) if isinstance(event, dict) else None
        if not isinstance(name, str) or not name.startswith("gen_ai."):
            continue
        fields = _parse_object(event["attributes"]) if "attributes" in event else event
        if name in _EVENT_ROLES:
            message = _read_event_message(fields, _EVENT_ROLES[name])
            (returned if name == "gen_ai.choice" else received).append(message)
        elif name in (_DETAILS, "gen_ai.content.prompt", "gen_ai.content.completion"):
            for key in ("gen_ai.system_instructions", "gen_ai.input.messages", "gen_ai.prompt"):
                received += _as_messages(fields.get(key), is_system=key == "gen_ai.system_instructions")
            for key in ("gen_ai.output.messages", "gen_ai.completion"):
                returned += _as_messages(fields.get(key))
    return received, returned


def _read_event_message(fields: dict[str, Any], role: str) -> dict[str, Any]:
    own_names = ("gen_ai.system", "gen_ai.provider.name", "event.name", "gen_ai.message.index", "body", "event_body")
    body = _parse_json(fields.get("body", fields.get("event_body")))
    fields = {**(body if isinstance(body, dict) else {}), **fields}
    message = {key: _parse_json(value) for key, value in fields.items() if key not in own_names}
    message["role"] = message["role"] if isinstance(message.get("role"), str) else role
    if isinstance(message.get("content"), dict) and "content" in message["content"]:
        message = {**message, **message["content"]}
    return message


def _as_messages(value: Any, *, is_system: bool = False) -> list[Any]:
    value = _parse_json(value)
    if is_system:
        return [{"role": "system", "parts": value}] if isinstance(value, list) and value else []
    if isinstance(value, str):
        return [{"role": "user", "content": value}] if value else []
    return value if isinstance(value, list) else []


def _read_messages(llm: Any, key: str) -> str:
    """Return OpenInference's numbered messages as JSON; empty if there are none."""
    items = _as_list(_member(llm, key))
    return _dump([_read_message(_member(item, "message")) for item in items if isinstance(item, dict)])


def _read_message(message: Any) -> dict[str, Any]:
    if not isinstance(message, dict):
        return {"role": "data", "content": message}
    fields = {key: value for key, value in message.items() if key not in ("contents", "tool_calls")}
    contents = [_member(item, "message_content") for item in _as_list(message.get("contents"))]
    calls = [_member(item, "tool_call") for item in _as_list(message.get("tool_calls"))]
    if contents:
        fields["content"] = [_read_content(content) for content in contents]
    if calls:
        fields["tool_calls"] = calls
    return {"role": "data", "content": "", **fields}


def _read_content(content: Any) -> Any:
    """Return one content of a message; an image is an object around its address."""
    image = _member(_member(content, "image"), "image")
    url = _member(image, "url")
    return {"type": "image_url", "image_url": {"url": url}} if isinstance(url, str) else content


def _read_documents(tree: dict[str, Any]) -> str:
    """Return the documents that a retrieval or a reranker returned as JSON; empty if there are none."""
    for holder, key in (("retrieval", "documents"), ("reranker", "output_documents")):
        documents = [_member(item, "document") for item in _as_list(_member(_member(tree, holder), key))]
        if documents:
            for document in documents:
                if isinstance(document, dict) and isinstance(document.get("metadata"), str):
                    document["metadata"] = _parse_json(document["metadata"])
            return _dump(documents)
    return ""


def _count_tokens(counts: Any) -> int:
    total = _member(counts, "total")
    numbers = [_member(counts, "prompt"), _member(counts, "completion")] if total is None else [total]
    return sum(number for number in numbers if isinstance(number, int) and 0 <= number < 2**40)


def _unflatten(attributes: dict[str, Any]) -> dict[str, Any]:
    """Return dotted names as nested objects: `a.0.b` becomes {a: {0: {b: …}}}."""
    tree: dict[str, Any] = {}
    for name, value in attributes.items():
        *path, last = name.split(".")[:12]
        node = tree
        for key in path:
            child = node.setdefault(key, {})
            if not isinstance(child, dict):
                break
            node = child
        else:
            node.setdefault(last, value)
    return tree


def _as_list(value: Any) -> list[Any]:
    """Return the values of an object whose keys are positions, in their order; a list as it is."""
    if isinstance(value, list):
        return value
    if not isinstance(value, dict):
        return []
    keys = [key for key in value if key.isdecimal() and key.isascii() and len(key) <= INDEX_DIGITS]
    return [value[key] for key in sorted(keys, key=int)]


def _member(value: Any, key: str) -> Any:
    return value.get(key) if isinstance(value, dict) else None


def _text(value: Any) -> str:
    if isinstance(value, str) or value is None:
        return value or ""
    return "" if isinstance(value, dict) and not value else _dump(value)


def _dump(value: Any) -> str:
    try:
        return exact_json.dumps(value) if value else ""
    except (RecursionError, TypeError):
        return ""


def _parse_object(text: Any) -> dict[str, Any]:
    value = _parse_json(text)
    return value if isinstance(value, dict) else {}


def _parse_json(value: Any) -> Any:
    """Return the JSON in a text that starts like an object or array; anything else unchanged."""
    if not isinstance(value, str) or value[:1] not in ("{", "["):
        return value
    try:
        return exact_json.loads(value, has_constants=True)
    except (ValueError, RecursionError):
        return value
