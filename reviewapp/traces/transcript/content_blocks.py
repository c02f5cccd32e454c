"""Content blocks: what each provider puts inside a message, read as parts.

Known: OpenAI (chat and responses), Anthropic, Bedrock, Gemini, Vercel AI SDK, LangChain, OpenTelemetry gen_ai.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from reviewapp.traces.transcript import parts
from reviewapp.traces.transcript.parts import Part

PARTS_LIMIT = 100
DEPTH_LIMIT = 8


def read(content: Any, depth: int = 0) -> list[Part]:
    """The parts of a message's content: a text, a block, or a list of either. Never raises."""
    if content is None or content == "":
        return []
    if isinstance(content, str):
        return [parts.from_text(content)]
    if isinstance(content, list) and depth <= DEPTH_LIMIT:
        found = [part for item in content[:PARTS_LIMIT] for part in read(item, depth + 1)]
        return [*found, _left_out(content[PARTS_LIMIT:])] if len(content) > PARTS_LIMIT else found
    reader = _reader(content) if isinstance(content, dict) and depth <= DEPTH_LIMIT else None
    return reader(content, depth) if reader else [parts.from_json(content)]


def is_block(value: Any) -> bool:
    """Whether this is a content block of a type we know."""
    return isinstance(value, dict) and _reader(value) is not None


def call(block: dict[str, Any]) -> Part:
    """A tool call in any provider's spelling; the arguments are JSON text where they can be."""
    inner = block.get("function") or block.get("custom")
    fields = {**block, **inner} if isinstance(inner, dict) else block
    given = _first(fields, "arguments", "args", "input", "parameters")
    return parts.make("tool_call", parts.json_text({} if given is None else given), _name(fields), call_id(fields))


def result(block: dict[str, Any], depth: int = 0) -> list[Part]:
    """A tool result, then the images and files that came with it."""
    content = _first(block, "content", "output", "result", "response", "value")
    if isinstance(content, dict) and isinstance(content.get("type"), str) and "value" in content:
        content = content["value"]
    is_told_in_blocks = isinstance(content, list) and content and all(is_block(item) for item in content)
    inner = read(content, depth + 1) if is_told_in_blocks else []
    media = [part for part in inner if part.kind in ("image", "file")]
    words = [part for part in inner if part.kind not in ("image", "file")]
    text = "\n".join(part.text for part in words) if inner else parts.json_text(content)
    made = parts.make("tool_result", text, _name(block), call_id(block))
    return [replace(made, omitted_chars=made.omitted_chars + sum(part.omitted_chars for part in words)), *media]


def call_id(block: dict[str, Any]) -> str:
    """What joins a call to its result: OpenAI's call_id goes before its item id."""
    found = _first(block, "call_id", "tool_call_id", "toolCallId", "tool_use_id", "toolUseId", "id")
    return found if isinstance(found, str) else ""


def _text(block: dict[str, Any], _: int) -> list[Part]:
    text = _text_of(block)
    if not text:
        return []
    return [parts.make("thinking", text) if block.get("thought") is True else parts.from_text(text)]


def _thinking(block: dict[str, Any], depth: int) -> list[Part]:
    given = _first(block, "thinking", "text", "reasoning", "summary", "content", "reasoningText")
    if isinstance(given, (list, dict)):
        given = "\n\n".join(part.text for part in read(given, depth + 1))
    is_hidden = any(block.get(key) for key in ("encrypted_content", "data", "redactedContent"))
    text = given if isinstance(given, str) and given else "(hidden by the provider)" if is_hidden else ""
    return [parts.make("thinking", text)] if text else []


def _refusal(block: dict[str, Any], _: int) -> list[Part]:
    return [parts.make("refusal", parts.json_text(_first(block, "refusal", "text")))]


def _call(block: dict[str, Any], depth: int) -> list[Part]:
    given = _first(block, "output", "result")
    return [call(block), *(result({**block, "content": given}, depth) if given is not None else [])]


def _hosted(block: dict[str, Any], depth: int) -> list[Part]:
    """A call that the provider names by its type: web_search_call, tool-getWeather."""
    kind = str(block.get("type"))
    name = _name(block) or kind.removeprefix("tool-").removesuffix("_call")
    known = _first(block, "input", "args", "arguments", "action", "queries", "query")
    return _call({**block, "name": name, "input": known}, depth)


def _drawing(block: dict[str, Any], _: int) -> list[Part]:
    return [parts.from_media("image", {"data": block.get("result"), "media_type": "image", "name": "generated image"})]


def _code(block: dict[str, Any], _: int) -> list[Part]:
    inner = _first(block, "executableCode", "executable_code") or block
    fields = inner if isinstance(inner, dict) else {"code": inner}
    language = str(fields.get("language") or "python").lower()
    made = parts.make("code", parts.json_text(fields.get("code")), language, call_id(block))
    outputs = block.get("outputs")
    return [made, parts.make("tool_result", parts.json_text(outputs), "code")] if outputs else [made]


def _inner_call(block: dict[str, Any], _: int) -> list[Part]:
    inner = _first(block, "functionCall", "function_call", "toolUse")
    return [call(inner)] if isinstance(inner, dict) else [parts.from_json(block)]


def _inner_result(block: dict[str, Any], depth: int) -> list[Part]:
    keys = ("functionResponse", "function_response", "toolResult", "codeExecutionResult", "code_execution_result")
    inner = _first(block, *keys)
    return result(inner, depth) if isinstance(inner, dict) else [parts.from_json(block)]


def _inner_thinking(block: dict[str, Any], depth: int) -> list[Part]:
    inner = block.get("reasoningContent")
    return _thinking(inner if isinstance(inner, dict) else {"text": inner}, depth)


def _image(block: dict[str, Any], _: int) -> list[Part]:
    return [parts.from_media("image", block)]


def _file(block: dict[str, Any], _: int) -> list[Part]:
    return [parts.from_media("file", block)]


def _nothing(_: dict[str, Any], __: int) -> list[Part]:
    return []


def _left_out(rest: list[Any]) -> Part:
    made = parts.make("text", f"{len(rest):,} more parts of this message are not shown.")
    return replace(made, omitted_chars=len(parts.json_text(rest)))


def _text_of(block: dict[str, Any]) -> str | None:
    text = _first(block, "text", "content", "value")
    text = text.get("value") if isinstance(text, dict) else text
    return text if isinstance(text, str) else None


def _name(block: dict[str, Any]) -> str:
    found = _first(block, "name", "toolName", "tool_name")
    return found if isinstance(found, str) else ""


def _first(block: dict[str, Any], *keys: str) -> Any:
    return next((block[key] for key in keys if block.get(key) is not None), None)


_Reader = Callable[[dict[str, Any], int], list[Part]]


def _reader(block: dict[str, Any]) -> _Reader | None:
    """Who reads this block; nobody when it only looks like one, so that arbitrary JSON is shown whole."""
    given = block.get("type")
    kind = given.lower().replace("-", "_") if isinstance(given, str) else ""
    reader = _BY_TYPE.get(kind)
    if kind.startswith("tool_") and "toolCallId" in block and "state" in block:
        return reader or _hosted
    if reader is None and not kind:
        reader = next((_BY_KEY[key] for key in block if key in _BY_KEY), None)
        if reader is _text and not block.keys() <= _TEXT_KEYS:
            return None
    if reader is _text and _text_of(block) is None:
        return None
    if reader in (_image, _file) and not parts.has_media(block):
        return None
    return reader


_BY_TYPE: dict[str, _Reader] = {
    **dict.fromkeys(("text", "input_text", "output_text", "summary_text", "text_delta"), _text),
    **dict.fromkeys(("thinking", "reasoning", "reasoning_text", "redacted_thinking"), _thinking),
    **dict.fromkeys(("tool_use", "server_tool_use", "mcp_tool_use", "tool_call", "function_call"), _call),
    **dict.fromkeys(("function", "custom_tool_call", "mcp_call", "tool_invocation", "dynamic_tool"), _call),
    **dict.fromkeys(("tool_result", "tool_response", "tool_call_response", "function_response"), result),
    **dict.fromkeys(("function_call_output", "custom_tool_call_output", "mcp_tool_result"), result),
    **dict.fromkeys(("computer_call_output", "local_shell_call_output", "web_search_tool_result"), result),
    **dict.fromkeys(("web_search_call", "file_search_call", "computer_call", "local_shell_call"), _hosted),
    **dict.fromkeys(("image", "image_url", "input_image", "image_file"), _image),
    **dict.fromkeys(("file", "input_file", "document", "audio", "input_audio", "video", "video_url"), _file),
    **dict.fromkeys(("media", "blob", "uri"), _file),
    **dict.fromkeys(("executable_code", "code_interpreter_call"), _code),
    **dict.fromkeys(("step_start", "step_finish", "item_reference", "cache_point"), _nothing),
    "image_generation_call": _drawing,
    "code_execution_tool_result": result,
    "refusal": _refusal,
}

# Gemini and Bedrock tell their blocks apart by a member, not by a type.
_BY_KEY: dict[str, _Reader] = {
    **dict.fromkeys(("functionCall", "function_call", "toolUse"), _inner_call),
    **dict.fromkeys(("functionResponse", "function_response", "toolResult"), _inner_result),
    **dict.fromkeys(("codeExecutionResult", "code_execution_result"), _inner_result),
    **dict.fromkeys(("executableCode", "executable_code"), _code),
    **dict.fromkeys(("inlineData", "inline_data", "fileData", "file_data"), _file),
    "reasoningContent": _inner_thinking,
    "image": _image,
    "text": _text,
}

# A dict with a text and, say, a score is somebody's data, not a block.
_TEXT_KEYS = {"text", "thought", "thoughtSignature", "thought_signature", "citations"}
