"""Parse the messages in a span's input or output, in any provider's shape.

`read` never raises: unknown shapes become one JSON message, so that a reviewer sees everything.
"""

import re
from dataclasses import replace
from typing import Any

from reviewapp.lib import exact_json
from reviewapp.traces.transcript import (
    citations,
    content_blocks,
    finish_reasons,
    framework_shapes,
    message_fields,
    other_fields,
    parts,
    stream_chunks,
)  # fmt: skip
from reviewapp.traces.transcript.message_fields import Message, Role
from reviewapp.traces.transcript.parts import Part

__all__ = ["Message", "Part", "Role", "read", "read_output"]

# In characters.
PARSE_LIMIT = 8_000_000
# Of a longer conversation, only this many first and last messages are read.
HEAD, TAIL = 300, 2_700
DEPTH_LIMIT = 8

_BODY_KEYS = ("content", "parts", "tool_calls", "toolCalls", "function_call", "toolInvocations", "text", "refusal")
_SYSTEM_KEYS = (
    "system", "instructions", "system_instruction", "systemInstruction", "system_instructions", "system_prompt",
)  # fmt: skip
_LIST_KEYS = (
    "messages", "contents", "choices", "candidates", "generations", "replies", "input", "output", "prompt",
    "chat_history",
)  # fmt: skip
# Of these lists, the first item is the answer and the others are alternatives to it.
_CHOICE_KEYS = ("choices", "candidates", "generations")
# None of the keys above: a value searched twice at each level would be searched 2 ** DEPTH_LIMIT times.
_WRAPPER_KEYS = (
    "result", "response", "data", "value", "state", "body", "request", "payload", "update", "kwargs", "inputs",
    "outputs",
)  # fmt: skip
# OpenAI's items beside messages; some tracers give them a role.
_ITEM_TYPE = re.compile(r"(?:_call|_call_output|^reasoning)$")
# A dict with only one of these keys is a labelled text.
_LABELS = {"question", "query", "prompt", "input", "text", "message", "content", "task", "answer", "output", "result"}
_LABELS |= {"response", "completion", "user_message", "user_input", "reply", "request"}


def read(text: str, role: Role = "data") -> list[Message]:
    """Parse the messages in a span's input or output text; `role` is the default for text or JSON that names none.

    Arbitrary JSON becomes one message with one JSON part. Long texts are cut and the cut is counted
    (Part.omitted_chars); of more than 3,000 messages the first 300 and the last 2,700 are kept.
    """
    if not text.strip():
        return []
    if len(text) > PARSE_LIMIT:
        return [Message(role, (parts.make("text", text),))]
    try:
        value = exact_json.loads(text, has_constants=True)
    except (ValueError, RecursionError):
        value = stream_chunks.read_lines(text)
        joined = stream_chunks.join(value) if value else None
        if joined is None:
            return [Message(role, (parts.from_text(text),))]
    read_messages = _find(value, role, 0)
    return _read_unknown(value, role) if read_messages is None else read_messages


def read_output(text: str) -> list[Message]:
    """Parse the messages that a model or a trace returned: `[]`, `null`, `""`, `0` and `false` are answers too."""
    read_messages = read(text, "assistant")
    if read_messages or not text.strip():
        return read_messages
    return [Message("assistant", (parts.make("json", text.strip()),))]


def read_each(items: list[Any], role: Role) -> list[Message] | None:
    """Parse a list in which every item is a message; None if one is not, or if there are too many."""
    if len(items) > HEAD + TAIL:
        return None
    read_messages: list[Message] = []
    for item in items:
        item_messages = _read_item(item, role, 0) if isinstance(item, dict) else None
        if item_messages is None:
            return None
        read_messages.extend(item_messages)
    return read_messages


def _find(value: Any, role: Role, depth: int) -> list[Message] | None:
    """Find the messages in a JSON value; None if its shape is unknown."""
    if depth > DEPTH_LIMIT:
        return None
    if isinstance(value, str):
        return _find_in_text(value, role, depth)
    if isinstance(value, list):
        return _find_in_list(value, role, depth)
    if isinstance(value, dict):
        return _read_item(value, role, depth) or _find_in_envelope(value, role, depth)
    return None


def _find_in_text(value: str, role: Role, depth: int) -> list[Message] | None:
    if not re.match(r"\s*[\[{\"]", value):
        return None
    try:
        return _find(exact_json.loads(value, has_constants=True), role, depth + 1)
    except (ValueError, RecursionError):
        return None


def _find_in_list(items: list[Any], role: Role, depth: int) -> list[Message] | None:
    while items and all(isinstance(item, list) for item in items):
        items = [item for inner in items for item in inner]
    if not items:
        return []
    if not all(isinstance(item, (dict, str)) for item in items):
        return None
    joined = stream_chunks.join(items)
    if joined is not None:
        return _find(joined, role, depth + 1)
    dropped = items[HEAD:-TAIL] if len(items) > HEAD + TAIL else []
    shown = [*items[:HEAD], *items[-TAIL:]] if dropped else items
    by_item = [_read_item(item, role, depth) if isinstance(item, dict) else None for item in shown]
    if any(item_messages is not None for item_messages in by_item):
        groups = [
            _read_unknown(item, role) if item_messages is None else item_messages
            for item, item_messages in zip(shown, by_item, strict=True)
        ]
        if dropped:
            groups.insert(HEAD, [_omission_note(dropped)])
        return [message for group in groups for message in group]
    if all(content_blocks.is_block(item) for item in items):
        return message_fields.split(role, content_blocks.read(items), "")
    return None


def _omission_note(dropped: list[Any]) -> Message:
    note = f"{len(dropped):,} messages are not shown here."
    return Message("data", (replace(parts.make("text", note), omitted_chars=len(parts.json_text(dropped))),))


def _find_in_envelope(envelope: dict[str, Any], role: Role, depth: int) -> list[Message] | None:
    """Find messages inside a request or response: choices, candidates, contents, {messages, system} and so on."""
    if envelope and all(key.isdecimal() for key in envelope):
        keys = sorted(envelope, key=lambda key: (len(key), key))
        return _find_in_list([envelope[key] for key in keys], role, depth + 1)
    request = framework_shapes.to_request(envelope)
    if request is not None:
        return _find_in_list(request, role, depth + 1)
    config = envelope.get("config")
    system = _read_system(envelope) or (_read_system(config) if isinstance(config, dict) else [])
    is_request = bool(system) or isinstance(envelope.get("model"), str)
    for key in _LIST_KEYS:
        value = envelope.get(key)
        if is_request and key in ("input", "prompt", "contents") and isinstance(value, str):
            return [*system, Message("user", (parts.from_text(value),))]
        value = _number_choices(value) if key in _CHOICE_KEYS else value
        read_messages = _find(value, role, depth + 1) if value else None
        if read_messages:
            return message_fields.add_parts(system + read_messages, _read_beside(envelope, key))
    for key in _WRAPPER_KEYS:
        value = envelope.get(key)
        read_messages = _find(value, role, depth + 1) if isinstance(value, (dict, list, str)) else None
        if read_messages:
            return read_messages
    return None


def _number_choices(choices: Any) -> Any:
    """Give each of a response's choices its index where the provider has none; LangChain has a list per prompt."""
    if not isinstance(choices, list):
        return choices
    if all(isinstance(inner, list) for inner in choices):
        return [_number_choices(inner) for inner in choices] if len(choices) <= TAIL else choices
    return [{"index": index, **choice} if isinstance(choice, dict) else choice for index, choice in enumerate(choices)]


def _read_beside(envelope: dict[str, Any], key: str) -> list[Part]:
    """Read what a request or response says beside its messages."""
    known_keys = {key, *_SYSTEM_KEYS, *_LIST_KEYS, *citations.KEYS, *finish_reasons.KEYS, "incomplete_details"}
    known_keys |= {*finish_reasons.FEEDBACK_KEYS, *_WRAPPER_KEYS, *_LABELS}
    # Numbers beside a conversation are settings and counters.
    fields = {name: value for name, value in envelope.items() if isinstance(value, (str, list, dict))}
    others = other_fields.read(fields, known_keys)
    return [*citations.read(envelope), *finish_reasons.read(envelope), *finish_reasons.read_feedback(envelope), *others]


def _read_system(envelope: dict[str, Any]) -> list[Message]:
    prompt = next((envelope[key] for key in _SYSTEM_KEYS if envelope.get(key)), None)
    inner = prompt["parts"] if isinstance(prompt, dict) and "parts" in prompt else prompt
    is_text = isinstance(inner, str) or (
        isinstance(inner, list) and all(content_blocks.is_block(item) for item in inner)
    )
    return [Message("system", tuple(content_blocks.read(inner)))] if inner and is_text else []


def _read_item(item: dict[str, Any], role: Role, depth: int) -> list[Message] | None:
    """Parse one dict into messages; None if it is not a message."""
    item = framework_shapes.to_message(item)
    kind = item.get("type")
    if item.get("lc") == 1 and isinstance(item.get("kwargs"), dict):
        return _from_langchain(item)
    if isinstance(kind, str) and _ITEM_TYPE.search(kind) and content_blocks.is_block(item):
        item_parts = content_blocks.read(item)
        # Reasoning that the provider hides is no turn.
        return message_fields.split("assistant", item_parts, "") if item_parts else []
    if isinstance(item.get("role"), str) and any(key in item for key in _BODY_KEYS):
        return message_fields.read(item, *message_fields.parse_role(item["role"]))
    inner = item["data"] if isinstance(item.get("data"), dict) else item
    if isinstance(kind, str) and kind.lower() in message_fields.ROLES and ("content" in item or inner is not item):
        return message_fields.read(inner, *message_fields.parse_role(kind))
    return _from_choice(item, role, depth)


def _from_choice(item: dict[str, Any], role: Role, depth: int) -> list[Message] | None:
    """Parse one of a model's responses: an OpenAI choice, a Gemini candidate, a LangChain generation."""
    read_messages = _read_choice(item, role, depth)
    index = item.get("index")
    if not read_messages or not isinstance(index, int) or index <= 0:
        return read_messages
    return [replace(message, is_alternative=True) for message in read_messages]


def _read_choice(item: dict[str, Any], role: Role, depth: int) -> list[Message] | None:
    inner = item.get("message") or item.get("delta") or item.get("content")
    has_role = isinstance(inner, dict) and ("role" in inner or "lc" in inner)
    is_choice = any(key in item for key in ("index", "finish_reason", "finishReason", "generation_info"))
    if isinstance(inner, dict) and "parts" in inner:
        read_messages = message_fields.read(inner, *message_fields.parse_role(inner.get("role") or "model"))
        return _add_beside_choice(read_messages, item)
    if isinstance(inner, dict) and (is_choice or has_role) and depth <= DEPTH_LIMIT:
        return _add_beside_choice(_read_item({"role": "assistant", **inner}, "assistant", depth + 1), item)
    if ("toolCalls" in item or "tool_calls" in item) and not item.keys() - _RESPONSE_KEYS:
        return message_fields.read({"content": item.get("text"), **item}, "assistant", "")
    if is_choice and isinstance(item.get("text"), str):
        text_parts = content_blocks.read(item["text"])
        return _add_beside_choice([Message("assistant", tuple(text_parts))], item)
    if isinstance(item.get("parts"), list) and all(content_blocks.is_block(part) for part in item["parts"]):
        return message_fields.split(role, content_blocks.read(item["parts"]), "")
    notes = finish_reasons.read(item)
    # A candidate that the provider blocked has a reason and nothing else.
    is_blocked = notes and not inner and not any(key in item for key in _LIST_KEYS)
    return [Message("assistant", (*notes, *_read_choice_fields(item)))] if is_blocked else None


def _add_beside_choice(read_messages: list[Message] | None, choice: dict[str, Any]) -> list[Message] | None:
    if read_messages is None:
        return None
    beside = [*citations.read(choice), *finish_reasons.read(choice), *_read_choice_fields(choice)]
    return message_fields.add_parts(read_messages, beside)


def _read_choice_fields(choice: dict[str, Any]) -> list[Part]:
    return other_fields.read(choice, _CHOICE_FIELDS)


_CHOICE_FIELDS = {"message", "delta", "content", "text", "raw", *citations.KEYS, *finish_reasons.KEYS}
_RESPONSE_KEYS = {"text", "content", "toolCalls", "tool_calls", "reasoning", "finishReason", "usage", "toolResults"}


def _from_langchain(item: dict[str, Any]) -> list[Message] | None:
    fields, path = item["kwargs"], item.get("id")
    kind = fields.get("type")
    if not isinstance(kind, str) or kind.lower() not in message_fields.ROLES:
        kind = str(path[-1]).removesuffix("Chunk").removesuffix("Message") if isinstance(path, list) and path else ""
    if "content" not in fields and kind.lower() not in message_fields.ROLES:
        return None
    return message_fields.read(fields, *message_fields.parse_role(fields.get("role") or kind))


def _read_unknown(value: Any, role: Role) -> list[Message]:
    """Read a value of unknown shape: a labelled text as that text, anything else as JSON."""
    if isinstance(value, dict) and len(value) == 1:
        label, inner = next(iter(value.items()))
        value = inner if label in _LABELS and isinstance(inner, str) else value
    if isinstance(value, list) and len(value) == 1 and isinstance(value[0], str):
        value = value[0]
    joined = stream_chunks.join_texts(value) if isinstance(value, list) else None
    if joined is not None:
        return [Message(role, (replace(parts.from_text(joined), sent=parts.json_text(value)),))]
    if isinstance(value, str):
        return [Message(role, (parts.from_text(value),))] if value.strip() else []
    return [Message(role, (parts.from_json(value),))] if value is not None else []
