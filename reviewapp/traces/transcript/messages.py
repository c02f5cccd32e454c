"""Parse the messages in a span's input or output, in any provider's shape.

`read` never raises: unknown shapes become one JSON message, so that a reviewer sees everything.
"""

import re
from dataclasses import dataclass, replace
from typing import Any, Literal

from reviewapp.lib import exact_json
from reviewapp.traces.transcript import content_blocks, parts
from reviewapp.traces.transcript.parts import Part

__all__ = ["Message", "Part", "Role", "read"]

Role = Literal["system", "user", "assistant", "tool", "data"]

# In characters.
PARSE_LIMIT = 8_000_000
# Of a longer conversation, only this many first and last messages are read.
HEAD, TAIL = 300, 2_700
DEPTH_LIMIT = 8

_ROLES: dict[str, Role] = {
    **dict.fromkeys(("system", "developer"), "system"),
    **dict.fromkeys(("user", "human"), "user"),
    **dict.fromkeys(("assistant", "ai", "model", "aimessagechunk", "chatbot", "bot"), "assistant"),
    **dict.fromkeys(("tool", "function", "ipython", "environment"), "tool"),
}
_BODY_KEYS = ("content", "parts", "tool_calls", "toolCalls", "function_call", "toolInvocations", "text", "refusal")
_CALL_KEYS = ("tool_calls", "toolCalls", "toolInvocations", "function_call")
_SYSTEM_KEYS = (
    "system", "instructions", "system_instruction", "systemInstruction", "system_instructions", "system_prompt",
)  # fmt: skip
_LIST_KEYS = (
    "messages", "contents", "choices", "candidates", "generations", "input", "output", "prompt", "chat_history",
)  # fmt: skip
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


@dataclass(frozen=True, slots=True)
class Message:
    """One message. `name` is the author's name or, for a tool result, the tool's."""

    role: Role
    parts: tuple[Part, ...]
    name: str = ""


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
        return [Message(role, (parts.from_text(text),))]
    read_messages = _find(value, role, 0)
    return _read_unknown(value, role) if read_messages is None else read_messages


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
        return _split(role, content_blocks.read(items), "")
    return None


def _omission_note(dropped: list[Any]) -> Message:
    note = f"{len(dropped):,} messages are not shown here."
    return Message("data", (replace(parts.make("text", note), omitted_chars=len(parts.json_text(dropped))),))


def _find_in_envelope(envelope: dict[str, Any], role: Role, depth: int) -> list[Message] | None:
    """Find messages inside a request or response: choices, candidates, contents, {messages, system} and so on."""
    if envelope and all(key.isdecimal() for key in envelope):
        keys = sorted(envelope, key=lambda key: (len(key), key))
        return _find_in_list([envelope[key] for key in keys], role, depth + 1)
    config = envelope.get("config")
    system = _read_system(envelope) or (_read_system(config) if isinstance(config, dict) else [])
    is_request = bool(system) or isinstance(envelope.get("model"), str)
    for key in _LIST_KEYS:
        value = envelope.get(key)
        if is_request and key in ("input", "prompt", "contents") and isinstance(value, str):
            return [*system, Message("user", (parts.from_text(value),))]
        read_messages = _find(value, role, depth + 1) if value else None
        if read_messages:
            return system + read_messages
    for key in _WRAPPER_KEYS:
        value = envelope.get(key)
        read_messages = _find(value, role, depth + 1) if isinstance(value, (dict, list, str)) else None
        if read_messages:
            return read_messages
    return None


def _read_system(envelope: dict[str, Any]) -> list[Message]:
    prompt = next((envelope[key] for key in _SYSTEM_KEYS if envelope.get(key)), None)
    inner = prompt["parts"] if isinstance(prompt, dict) and "parts" in prompt else prompt
    is_text = isinstance(inner, str) or (
        isinstance(inner, list) and all(content_blocks.is_block(item) for item in inner)
    )
    return [Message("system", tuple(content_blocks.read(inner)))] if inner and is_text else []


def _read_item(item: dict[str, Any], role: Role, depth: int) -> list[Message] | None:
    """Parse one dict into messages; None if it is not a message."""
    kind = item.get("type")
    if item.get("lc") == 1 and isinstance(item.get("kwargs"), dict):
        return _from_langchain(item)
    if isinstance(kind, str) and _ITEM_TYPE.search(kind) and content_blocks.is_block(item):
        return _split("assistant", content_blocks.read(item), "")
    if isinstance(item.get("role"), str) and any(key in item for key in _BODY_KEYS):
        return _from_fields(item, *_parse_role(item["role"]))
    if isinstance(kind, str) and kind.lower() in _ROLES and ("content" in item or isinstance(item.get("data"), dict)):
        inner = item["data"] if isinstance(item.get("data"), dict) else item
        return _from_fields(inner, *_parse_role(kind))
    return _from_choice(item, role, depth)


def _from_choice(item: dict[str, Any], role: Role, depth: int) -> list[Message] | None:
    """Parse one of a model's responses: an OpenAI choice, a Gemini candidate, a LangChain generation."""
    inner = item.get("message") or item.get("delta") or item.get("content")
    has_role = isinstance(inner, dict) and ("role" in inner or "lc" in inner)
    is_choice = any(key in item for key in ("index", "finish_reason", "finishReason", "generation_info"))
    if isinstance(inner, dict) and "parts" in inner:
        return _from_fields(inner, *_parse_role(inner.get("role") or "model"))
    if isinstance(inner, dict) and (is_choice or has_role) and depth <= DEPTH_LIMIT:
        return _read_item({"role": "assistant", **inner}, "assistant", depth + 1)
    if ("toolCalls" in item or "tool_calls" in item) and not item.keys() - _RESPONSE_KEYS:
        return _from_fields({"content": item.get("text"), **item}, "assistant", "")
    if is_choice and isinstance(item.get("text"), str):
        return [Message("assistant", tuple(content_blocks.read(item["text"])))]
    if isinstance(item.get("parts"), list) and all(content_blocks.is_block(part) for part in item["parts"]):
        return _split(role, content_blocks.read(item["parts"]), "")
    return None


_RESPONSE_KEYS = {"text", "content", "toolCalls", "tool_calls", "reasoning", "finishReason", "usage", "toolResults"}


def _from_langchain(item: dict[str, Any]) -> list[Message] | None:
    fields, path = item["kwargs"], item.get("id")
    kind = fields.get("type")
    if not isinstance(kind, str) or kind.lower() not in _ROLES:
        kind = str(path[-1]).removesuffix("Chunk").removesuffix("Message") if isinstance(path, list) and path else ""
    if "content" not in fields and kind.lower() not in _ROLES:
        return None
    return _from_fields(fields, *_parse_role(fields.get("role") or kind))


def _from_fields(fields: dict[str, Any], role: Role, name: str) -> list[Message]:
    own_name = fields.get("name")
    name = own_name[: parts.NAME_LIMIT] if isinstance(own_name, str) else name
    content = fields.get("parts") or fields.get("content") or fields.get("text")
    read_parts = _read_reasoning(fields) + content_blocks.read(content)
    if role == "tool" and not any(part.kind in ("tool_result", "tool_call") for part in read_parts):
        result = content if content is not None else fields.get("result")
        read_parts = content_blocks.read_tool_result({**fields, "content": result})
    if isinstance(fields.get("refusal"), str) and fields["refusal"]:
        read_parts.append(parts.make("refusal", fields["refusal"]))
    calls = _read_calls(fields)
    known_ids = {part.call_id for part in read_parts if part.kind == "tool_call" and part.call_id} if calls else set()
    return _split(role, read_parts + [part for part in calls if part.call_id not in known_ids], name)


def _read_reasoning(fields: dict[str, Any]) -> list[Part]:
    text = fields.get("reasoning_content") or fields.get("reasoning")
    return [parts.make("thinking", text)] if isinstance(text, str) and text else []


def _read_calls(fields: dict[str, Any]) -> list[Part]:
    """Parse the tool calls beside a message's content."""
    extra = fields.get("additional_kwargs")
    for source in (fields, extra if isinstance(extra, dict) else {}):
        for key in (key for key in _CALL_KEYS if source.get(key)):
            calls = source[key]
            calls = _parse_json(calls) if isinstance(calls, str) else calls
            calls = [calls] if isinstance(calls, dict) else calls
            if isinstance(calls, list) and calls:
                return content_blocks.read([{**call, "type": "tool_call"} for call in calls if isinstance(call, dict)])
    return []


def _split(role: Role, all_parts: list[Part], name: str) -> list[Message]:
    """Create one message, or several: each tool result gets its own, since providers put them in any message."""
    runs: list[tuple[Role, list[Part]]] = []
    for part in all_parts:
        if part.kind == "tool_result":
            runs.append(("tool", [part]))
        elif runs and (runs[-1][0] == role or (role == "tool" and part.kind in ("image", "file"))):
            runs[-1][1].append(part)
        else:
            runs.append((role, [part]))
    split_messages = [
        Message(run_role, tuple(run), (run[0].name or name) if run_role == "tool" else name) for run_role, run in runs
    ]
    return split_messages or [Message(role, (), name)]


def _read_unknown(value: Any, role: Role) -> list[Message]:
    """Read a value of unknown shape: a labelled text as that text, anything else as JSON."""
    if isinstance(value, dict) and len(value) == 1:
        label, inner = next(iter(value.items()))
        value = inner if label in _LABELS and isinstance(inner, str) else value
    if isinstance(value, list) and len(value) == 1 and isinstance(value[0], str):
        value = value[0]
    if isinstance(value, str):
        return [Message(role, (parts.from_text(value),))] if value.strip() else []
    return [Message(role, (parts.from_json(value),))] if value is not None else []


def _parse_role(value: Any) -> tuple[Role, str]:
    """Return (role, name): an unknown role becomes the name of a data message."""
    text = value if isinstance(value, str) else ""
    role = _ROLES.get(text.lower())
    return (role, "") if role else ("data", text[: parts.NAME_LIMIT])


def _parse_json(text: str) -> Any:
    try:
        return exact_json.loads(text, has_constants=True)
    except (ValueError, RecursionError):
        return None
