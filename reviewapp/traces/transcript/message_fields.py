"""One message of any provider: its content and everything said beside it, as parts."""

from dataclasses import dataclass, replace
from typing import Any, Literal

from reviewapp.lib import exact_json
from reviewapp.lib.shortening import shorten
from reviewapp.traces.transcript import citations, content_blocks, finish_reasons, other_fields, parts
from reviewapp.traces.transcript.parts import Part

Role = Literal["system", "user", "assistant", "tool", "data"]

ROLES: dict[str, Role] = {
    **dict.fromkeys(("system", "developer"), "system"),
    **dict.fromkeys(("user", "human"), "user"),
    **dict.fromkeys(("assistant", "ai", "model", "aimessagechunk", "chatbot", "bot"), "assistant"),
    **dict.fromkeys(("tool", "function", "ipython", "environment"), "tool"),
}
_CALL_KEYS = ("tool_calls", "toolCalls", "toolInvocations", "function_call")
_REASONING_KEYS = ("reasoning_content", "reasoning", "thinking", "tool_plan", "thought")
_ATTACHMENT_KEYS = ("experimental_attachments", "attachments", "images", "files")
# What is read from LangChain's additional_kwargs as if it were in the message itself.
_EXTRA_KEYS = ("refusal", "audio", "reasoning_content", "reasoning")
_KNOWN_KEYS = {
    "role", "name", "content", "parts", "text", "refusal", "audio", "reasoning_details", "invalid_tool_calls",
    "additional_kwargs", "tool_call_id", "toolCallId", "toolUseId", "tool_use_id", "call_id", "toolResults",
    "incomplete_details", "incompleteDetails", *_CALL_KEYS, *_REASONING_KEYS, *_ATTACHMENT_KEYS,
    *citations.KEYS, *finish_reasons.KEYS,
}  # fmt: skip
_RESULT_KEYS = {"result", "is_error", "isError", "error", "errorText", "output", "response", "value", "tool_name"}


@dataclass(frozen=True, slots=True)
class Message:
    """One message. `name` is the author's name or, for a tool result, the tool's.

    `is_alternative` marks a further response to the same request: the first one is the answer.
    """

    role: Role
    parts: tuple[Part, ...]
    name: str = ""
    is_alternative: bool = False


def read(fields: dict[str, Any], role: Role, name: str) -> list[Message]:
    """Parse one message's fields; a message with tool results becomes several."""
    own_name = fields.get("name")
    name = shorten(own_name, parts.NAME_LIMIT) if isinstance(own_name, str) else name
    extra = fields.get("additional_kwargs")
    if isinstance(extra, dict):
        fields = {**{key: extra[key] for key in _EXTRA_KEYS if key in extra}, **fields}
    read_parts = _read_reasoning(fields) + _read_content(fields, role)
    if isinstance(fields.get("refusal"), str) and fields["refusal"]:
        read_parts.append(parts.make("refusal", fields["refusal"]))
    calls = _read_calls(fields)
    known_ids = {part.call_id for part in read_parts if part.kind == "tool_call" and part.call_id} if calls else set()
    read_parts += [part for part in calls if part.call_id not in known_ids]
    return split(role, read_parts + read_beside(fields, role), name)


def read_beside(fields: dict[str, Any], role: Role = "assistant") -> list[Part]:
    """Read what stands beside a message's content: sources, why it stopped, and fields that no reader knows."""
    known_keys = _KNOWN_KEYS | _RESULT_KEYS if role == "tool" else _KNOWN_KEYS
    extra = fields.get("additional_kwargs")
    others = other_fields.read(extra, {*_CALL_KEYS, *_EXTRA_KEYS}) if isinstance(extra, dict) else []
    return [
        *citations.read(fields), *finish_reasons.read(fields), *_read_invalid_calls(fields),
        *other_fields.read(fields, known_keys), *others,
    ]  # fmt: skip


def split(role: Role, all_parts: list[Part], name: str) -> list[Message]:
    """Create one message, or several: each tool result gets its own, since providers put them in any message."""
    runs: list[tuple[Role, list[Part]]] = []
    for part in all_parts:
        is_beside = part.kind in ("image", "file", *parts.BESIDE)
        if part.kind == "tool_result":
            runs.append(("tool", [part]))
        elif runs and (runs[-1][0] == role or (is_beside and _belongs_to(part, runs[-1], role))):
            runs[-1][1].append(part)
        else:
            runs.append((role, [part]))
    split_messages = [
        Message(run_role, tuple(run), (run[0].name or name) if run_role == "tool" else name) for run_role, run in runs
    ]
    return split_messages or [Message(role, (), name)]


def _belongs_to(part: Part, run: tuple[Role, list[Part]], role: Role) -> bool:
    """Whether what stands beside a text belongs to the tool result before it."""
    return role == "tool" or part.kind in parts.BESIDE or bool(part.call_id and part.call_id == run[1][0].call_id)


def add_parts(read_messages: list[Message], beside: list[Part]) -> list[Message]:
    """Add parts to the last of the messages."""
    if not beside or not read_messages:
        return read_messages
    last = read_messages[-1]
    return [*read_messages[:-1], replace(last, parts=(*last.parts, *beside))]


def parse_role(value: Any) -> tuple[Role, str]:
    """Return (role, name): an unknown role becomes the name of a data message."""
    text = value if isinstance(value, str) else ""
    role = ROLES.get(text.rpartition(".")[2].lower())
    return (role, "") if role else ("data", shorten(text, parts.NAME_LIMIT))


def _read_content(fields: dict[str, Any], role: Role) -> list[Part]:
    content = fields.get("parts") or fields.get("content") or fields.get("text")
    read_parts = content_blocks.read(content)
    read_parts += _read_second_text(fields, content, read_parts)
    read_parts += _read_audio(fields.get("audio"))
    for key in _ATTACHMENT_KEYS:
        attachments = fields.get(key)
        for item in attachments if isinstance(attachments, list) else []:
            block = {"type": "image", "data": item} if isinstance(item, str) else item
            read_parts += content_blocks.read({**block, "type": "file"} if _is_untyped(block) else block)
    if role == "tool" and not any(part.kind in ("tool_result", "tool_call") for part in read_parts):
        result = content if content is not None else fields.get("result")
        read_parts = content_blocks.read_tool_result({**fields, "content": result})
    return read_parts


def _is_untyped(block: Any) -> bool:
    return isinstance(block, dict) and "type" not in block and parts.has_media(block)


def _read_second_text(fields: dict[str, Any], content: Any, read_parts: list[Part]) -> list[Part]:
    """Read a text that stands beside the parts and does not repeat them."""
    texts = "\n".join(part.text for part in read_parts)
    others = [fields.get(key) for key in ("content", "text") if fields.get(key) is not content]
    return [parts.from_text(other) for other in others if isinstance(other, str) and other and other not in texts]


def _read_audio(audio: Any) -> list[Part]:
    if not isinstance(audio, dict):
        return []
    return content_blocks.read({"type": "audio", "media_type": "audio", **audio})


def _read_reasoning(fields: dict[str, Any]) -> list[Part]:
    texts = [fields[key] for key in _REASONING_KEYS if isinstance(fields.get(key), str) and fields[key]]
    details = fields.get("reasoning_details")
    for detail in details if isinstance(details, list) else []:
        if isinstance(detail, dict):
            texts += [detail[key] for key in ("text", "summary") if isinstance(detail.get(key), str) and detail[key]]
    return [parts.make("thinking", text) for text in dict.fromkeys(texts)]


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


def _read_invalid_calls(fields: dict[str, Any]) -> list[Part]:
    """Read LangChain's tool calls that could not be parsed."""
    calls = fields.get("invalid_tool_calls")
    read_parts: list[Part] = []
    for call in calls if isinstance(calls, list) else []:
        if isinstance(call, dict):
            read_parts.append(replace(content_blocks.read_tool_call(call), is_error=True))
            read_parts += [parts.make("note", call["error"])] if isinstance(call.get("error"), str) else []
    return read_parts


def _parse_json(text: str) -> Any:
    try:
        return exact_json.loads(text, has_constants=True)
    except (ValueError, RecursionError):
        return None
