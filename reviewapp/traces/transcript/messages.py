"""Messages from a span's input or output, whatever the provider's shape.

`read` never raises: what it does not know it shows as one JSON message, so that a reviewer misses nothing.
"""

import json
import re
from dataclasses import dataclass, replace
from typing import Any, Literal

from reviewapp.traces.transcript import content_blocks, parts
from reviewapp.traces.transcript.parts import Part

__all__ = ["Message", "Part", "Role", "read"]

Role = Literal["system", "user", "assistant", "tool", "data"]

PARSE_LIMIT = 8_000_000
HEAD, TAIL = 300, 2_700
DEPTH_LIMIT = 8

_ROLES: dict[str, Role] = {
    **dict.fromkeys(("system", "developer"), "system"),
    **dict.fromkeys(("user", "human"), "user"),
    **dict.fromkeys(("assistant", "ai", "model", "aimessagechunk", "chatbot", "bot"), "assistant"),
    **dict.fromkeys(("tool", "function", "ipython", "environment"), "tool"),
}
_BODY = ("content", "parts", "tool_calls", "toolCalls", "function_call", "toolInvocations", "text", "refusal")
_CALLS = ("tool_calls", "toolCalls", "toolInvocations", "function_call")
_SYSTEM = ("system", "instructions", "system_instruction", "systemInstruction", "system_instructions", "system_prompt")
_LISTS = ("messages", "contents", "choices", "candidates", "generations", "input", "output", "prompt", "chat_history")
_BOXES: tuple[str, ...] = (
    "output",
    "result",
    "response",
    "data",
    "value",
    "state",
    "body",
    "request",
    "payload",
    "update",
    "kwargs",
)
_BOXES += ("inputs", "outputs")
# OpenAI's items that stand beside messages; some tracers give them a role.
_ITEM = re.compile(r"(?:_call|_call_output|^reasoning)$")
# A dict with one of these alone is a text with a label.
_LABELS = {"question", "query", "prompt", "input", "text", "message", "content", "task", "answer", "output", "result"}
_LABELS |= {"response", "completion", "user_message", "user_input", "reply", "request"}


@dataclass(frozen=True, slots=True)
class Message:
    """One message. `name` is the speaker's or, for a tool's result, the tool's."""

    role: Role
    parts: tuple[Part, ...]
    name: str = ""


def read(text: str, role: Role = "data") -> list[Message]:
    """The messages in a span's input or output text; `role` is for a text or JSON that names none.

    Arbitrary JSON becomes one message with one JSON part. Long texts are cut and the cut is counted (Part.cut);
    of more than 3,000 messages the first 300 and the last 2,700 are kept.
    """
    if not text.strip():
        return []
    if len(text) > PARSE_LIMIT:
        return [Message(role, (parts.make("text", text),))]
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return [Message(role, (parts.from_text(text),))]
    found = _find(value, role, 0)
    return _whole(value, role) if found is None else found


def read_each(items: list[Any], role: Role) -> list[Message] | None:
    """The messages of a list whose every item is a message; None when one is not, or when they are too many."""
    if len(items) > HEAD + TAIL:
        return None
    made: list[Message] = []
    for item in items:
        found = _one(item, role, 0) if isinstance(item, dict) else None
        if found is None:
            return None
        made.extend(found)
    return made


def _find(value: Any, role: Role, depth: int) -> list[Message] | None:
    """The messages in a JSON value; None when it is of no shape we know."""
    if depth > DEPTH_LIMIT:
        return None
    if isinstance(value, str):
        return _find_in_text(value, role, depth)
    if isinstance(value, list):
        return _find_in_list(value, role, depth)
    if isinstance(value, dict):
        return _one(value, role, depth) or _find_in_envelope(value, role, depth)
    return None


def _find_in_text(value: str, role: Role, depth: int) -> list[Message] | None:
    if not re.match(r"\s*[\[{\"]", value):
        return None
    try:
        return _find(json.loads(value), role, depth + 1)
    except (ValueError, RecursionError):
        return None


def _find_in_list(items: list[Any], role: Role, depth: int) -> list[Message] | None:
    if not items:
        return []
    if all(isinstance(item, list) for item in items):
        return _find_in_list([item for inner in items for item in inner], role, depth + 1)
    if not all(isinstance(item, (dict, str)) for item in items):
        return None
    dropped = items[HEAD:-TAIL] if len(items) > HEAD + TAIL else []
    kept = [*items[:HEAD], *items[-TAIL:]] if dropped else items
    read_items = [_one(item, role, depth) if isinstance(item, dict) else None for item in kept]
    if any(found is not None for found in read_items):
        pairs = zip(kept, read_items, strict=True)
        each = [_whole(item, role) if found is None else found for item, found in pairs]
        if dropped:
            each.insert(HEAD, [_left_out(dropped)])
        return [message for found in each for message in found]
    if all(content_blocks.is_block(item) for item in items):
        return _split(role, content_blocks.read(items), "")
    return None


def _left_out(dropped: list[Any]) -> Message:
    note = f"{len(dropped):,} messages are not shown here."
    return Message("data", (replace(parts.make("text", note), omitted_chars=len(parts.json_text(dropped))),))


def _find_in_envelope(box: dict[str, Any], role: Role, depth: int) -> list[Message] | None:
    """A request or answer around the messages: choices, candidates, contents, {messages, system} and so on."""
    if box and all(key.isdecimal() for key in box):
        return _find_in_list([box[key] for key in sorted(box, key=lambda key: (len(key), key))], role, depth + 1)
    config = box.get("config")
    system = _system(box) or (_system(config) if isinstance(config, dict) else [])
    is_request = bool(system) or isinstance(box.get("model"), str)
    for key in _LISTS:
        given = box.get(key)
        if is_request and key in ("input", "prompt", "contents") and isinstance(given, str):
            return [*system, Message("user", (parts.from_text(given),))]
        found = _find(given, role, depth + 1) if given else None
        if found:
            return system + found
    for key in _BOXES:
        found = _find(box[key], role, depth + 1) if isinstance(box.get(key), (dict, list, str)) else None
        if found:
            return found
    return None


def _system(box: dict[str, Any]) -> list[Message]:
    given = next((box[key] for key in _SYSTEM if box.get(key)), None)
    inner = given["parts"] if isinstance(given, dict) and "parts" in given else given
    is_text = isinstance(inner, str) or (
        isinstance(inner, list) and all(content_blocks.is_block(item) for item in inner)
    )
    return [Message("system", tuple(content_blocks.read(inner)))] if inner and is_text else []


def _one(item: dict[str, Any], role: Role, depth: int) -> list[Message] | None:
    """The messages that one dict stands for; None when it is not a message."""
    kind = item.get("type")
    if item.get("lc") == 1 and isinstance(item.get("kwargs"), dict):
        return _from_langchain(item)
    if isinstance(kind, str) and _ITEM.search(kind) and content_blocks.is_block(item):
        return _split("assistant", content_blocks.read(item), "")
    if isinstance(item.get("role"), str) and any(key in item for key in _BODY):
        return _from_fields(item, *_role(item["role"]))
    if isinstance(kind, str) and kind.lower() in _ROLES and ("content" in item or isinstance(item.get("data"), dict)):
        inner = item["data"] if isinstance(item.get("data"), dict) else item
        return _from_fields(inner, *_role(kind))
    return _from_choice(item, role, depth)


def _from_choice(item: dict[str, Any], role: Role, depth: int) -> list[Message] | None:
    """One of the answers a model offers: an OpenAI choice, a Gemini candidate, a LangChain generation."""
    inner = item.get("message") or item.get("delta") or item.get("content")
    has_role = isinstance(inner, dict) and ("role" in inner or "lc" in inner)
    is_choice = any(key in item for key in ("index", "finish_reason", "finishReason", "generation_info"))
    if isinstance(inner, dict) and "parts" in inner:
        return _from_fields(inner, *_role(inner.get("role") or "model"))
    if isinstance(inner, dict) and (is_choice or has_role) and depth <= DEPTH_LIMIT:
        return _one({"role": "assistant", **inner}, "assistant", depth + 1)
    if ("toolCalls" in item or "tool_calls" in item) and not item.keys() - _MODEL_ANSWER:
        return _from_fields({"content": item.get("text"), **item}, "assistant", "")
    if is_choice and isinstance(item.get("text"), str):
        return [Message("assistant", tuple(content_blocks.read(item["text"])))]
    if isinstance(item.get("parts"), list) and all(content_blocks.is_block(part) for part in item["parts"]):
        return _split(role, content_blocks.read(item["parts"]), "")
    return None


_MODEL_ANSWER = {"text", "content", "toolCalls", "tool_calls", "reasoning", "finishReason", "usage", "toolResults"}


def _from_langchain(item: dict[str, Any]) -> list[Message] | None:
    fields, path = item["kwargs"], item.get("id")
    kind = fields.get("type")
    if not isinstance(kind, str) or kind.lower() not in _ROLES:
        kind = str(path[-1]).removesuffix("Chunk").removesuffix("Message") if isinstance(path, list) and path else ""
    if "content" not in fields and kind.lower() not in _ROLES:
        return None
    return _from_fields(fields, *_role(fields.get("role") or kind))


def _from_fields(fields: dict[str, Any], role: Role, name: str) -> list[Message]:
    spoken = fields.get("name")
    name = spoken[: parts.NAME_LIMIT] if isinstance(spoken, str) else name
    content = fields.get("parts") or fields.get("content") or fields.get("text")
    found = _thoughts(fields) + content_blocks.read(content)
    if role == "tool" and not any(part.kind in ("tool_result", "tool_call") for part in found):
        found = content_blocks.result({**fields, "content": content if content is not None else fields.get("result")})
    if isinstance(fields.get("refusal"), str) and fields["refusal"]:
        found.append(parts.make("refusal", fields["refusal"]))
    calls = _calls(fields)
    known = {part.call_id for part in found if part.kind == "tool_call" and part.call_id} if calls else set()
    return _split(role, found + [part for part in calls if part.call_id not in known], name)


def _thoughts(fields: dict[str, Any]) -> list[Part]:
    given = fields.get("reasoning_content") or fields.get("reasoning")
    return [parts.make("thinking", given)] if isinstance(given, str) and given else []


def _calls(fields: dict[str, Any]) -> list[Part]:
    """The tool calls that stand beside a message's content."""
    more = fields.get("additional_kwargs")
    for source in (fields, more if isinstance(more, dict) else {}):
        for key in (key for key in _CALLS if source.get(key)):
            given = source[key]
            given = _loaded(given) if isinstance(given, str) else given
            given = [given] if isinstance(given, dict) else given
            if isinstance(given, list) and given:
                return content_blocks.read([{**item, "type": "tool_call"} for item in given if isinstance(item, dict)])
    return []


def _split(role: Role, found: list[Part], name: str) -> list[Message]:
    """One message, or several: each tool result stands alone, since providers hide them in anyone's message."""
    runs: list[tuple[Role, list[Part]]] = []
    for part in found:
        if part.kind == "tool_result":
            runs.append(("tool", [part]))
        elif runs and (runs[-1][0] == role or (role == "tool" and part.kind in ("image", "file"))):
            runs[-1][1].append(part)
        else:
            runs.append((role, [part]))
    made = [Message(who, tuple(run), (run[0].name or name) if who == "tool" else name) for who, run in runs]
    return made or [Message(role, (), name)]


def _whole(value: Any, role: Role) -> list[Message]:
    """A value of no known shape: a labelled text as that text, all else as JSON."""
    if isinstance(value, dict) and len(value) == 1:
        label, inner = next(iter(value.items()))
        value = inner if label in _LABELS and isinstance(inner, str) else value
    if isinstance(value, list) and len(value) == 1 and isinstance(value[0], str):
        value = value[0]
    if isinstance(value, str):
        return [Message(role, (parts.from_text(value),))] if value.strip() else []
    return [Message(role, (parts.from_json(value),))] if value is not None else []


def _role(given: Any) -> tuple[Role, str]:
    text = given if isinstance(given, str) else ""
    known = _ROLES.get(text.lower())
    return (known, "") if known else ("data", text[: parts.NAME_LIMIT])


def _loaded(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
