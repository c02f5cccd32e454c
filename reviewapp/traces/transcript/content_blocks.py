"""Content blocks: what each provider puts inside a message, parsed into parts.

Supports OpenAI (chat and responses), Anthropic, Bedrock, Gemini, Vercel AI SDK, LangChain, OpenTelemetry gen_ai. Fields
that a reader does not know are shown as JSON beside the block.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from reviewapp.traces.transcript import citations, other_fields, parts
from reviewapp.traces.transcript.parts import Part

PARTS_LIMIT = 100
DEPTH_LIMIT = 8
# OpenAI's call_id takes precedence over its item id.
_ID_KEYS = ("call_id", "tool_call_id", "toolCallId", "tool_use_id", "toolUseId", "id")
# Where tools put what went wrong.
_ERROR_TEXTS = ("errorText", "error_text", "error", "errorMessage")

_Reader = Callable[[dict[str, Any], int], list[Part]]


def read(content: Any, depth: int = 0) -> list[Part]:
    """Parse a message's content (a text, a block, or a list of either) into parts. Never raises."""
    if content is None or content == "":
        return []
    if isinstance(content, str):
        return [parts.from_text(content)]
    if isinstance(content, list) and depth <= DEPTH_LIMIT:
        read_parts = [part for item in content[:PARTS_LIMIT] for part in read(item, depth + 1)]
        return [*read_parts, _omission_note(content[PARTS_LIMIT:])] if len(content) > PARTS_LIMIT else read_parts
    reader = _find_reader(content) if isinstance(content, dict) and depth <= DEPTH_LIMIT else None
    if reader is None:
        return [parts.from_json(content)]
    return [*reader(content, depth), *citations.read(content), *_read_other_fields(content, reader)]


def is_block(value: Any) -> bool:
    """Whether the value is a content block of a known type."""
    return isinstance(value, dict) and _find_reader(value) is not None


def read_tool_call(block: dict[str, Any]) -> Part:
    """Parse a tool call of any provider; the arguments become JSON text where possible."""
    inner = block.get("function") or block.get("custom")
    fields = {**block, **inner} if isinstance(inner, dict) else block
    arguments = _first_value(fields, "arguments", "args", "input", "parameters", "rawInput")
    text = parts.json_text({} if arguments is None else arguments)
    return parts.make_unwrapped("tool_call", text, _name(fields), get_call_id(fields))


def read_tool_result(block: dict[str, Any], depth: int = 0) -> list[Part]:
    """Parse a tool result, followed by the images and files inside it."""
    error = _first_value(block, *_ERROR_TEXTS)
    content = _first_value(block, "content", "output", "result", "response", "value")
    content = error if content is None and error is not True else content
    is_error = _is_failed(block)
    if isinstance(content, dict) and isinstance(content.get("type"), str) and "value" in content:
        is_error = is_error or content["type"].startswith("error")
        content = content["value"]
    is_block_list = isinstance(content, list) and content and all(is_block(item) for item in content)
    inner = read(content, depth + 1) if is_block_list else []
    call_id = get_call_id(block)
    beside = [replace(part, call_id=call_id) for part in inner if part.kind in ("image", "file", *parts.BESIDE)]
    text_parts = [part for part in inner if part.kind not in ("image", "file", *parts.BESIDE)]
    text = "\n".join(part.text for part in text_parts) if inner else parts.json_text(content)
    result = parts.make_unwrapped("tool_result", text, _name(block), call_id)
    omitted_chars = result.omitted_chars + sum(part.omitted_chars for part in text_parts)
    notes = [parts.make("note", parts.json_text(error))] if error not in (None, content, True, False) else []
    return [replace(result, omitted_chars=omitted_chars, is_error=is_error), *notes, *beside]


def _is_failed(block: dict[str, Any]) -> bool:
    """Whether a tool result says that the tool failed, in any provider's words."""
    return (
        any(block.get(key) is True for key in ("is_error", "isError", "error"))
        or block.get("status") in ("error", "failed")
        or block.get("state") == "output-error"
        or block.get("outcome", "OUTCOME_OK") != "OUTCOME_OK"
        or any(isinstance(block.get(key), (str, dict)) and block[key] for key in _ERROR_TEXTS)
    )


def get_call_id(block: dict[str, Any]) -> str:
    """Return the id that links a call to its result."""
    value = _first_value(block, *_ID_KEYS)
    return value if isinstance(value, str) else ""


def _read_text(block: dict[str, Any], _: int) -> list[Part]:
    text = _block_text(block)
    if not text:
        return []
    return [parts.make("thinking", text) if block.get("thought") is True else parts.from_text(text)]


def _read_thinking(block: dict[str, Any], depth: int) -> list[Part]:
    content = _first_value(block, "thinking", "text", "reasoning", "summary", "content", "reasoningText")
    if isinstance(content, dict) and isinstance(content.get("text"), str):
        content = content["text"]
    if isinstance(content, (list, dict)):
        content = "\n\n".join(part.text for part in read(content, depth + 1))
    is_hidden = any(block.get(key) for key in ("encrypted_content", "data", "redactedContent"))
    text = content if isinstance(content, str) and content else "(hidden by the provider)" if is_hidden else ""
    return [parts.make("thinking", text)] if text else []


def _read_refusal(block: dict[str, Any], _: int) -> list[Part]:
    return [parts.make("refusal", parts.json_text(_first_value(block, "refusal", "text")))]


def _read_call(block: dict[str, Any], depth: int) -> list[Part]:
    """Parse a tool call that may carry its own result."""
    output = _first_value(block, "output", "result")
    has_result = output is not None or any(block.get(key) for key in _ERROR_TEXTS)
    results = read_tool_result({**block, "content": output}, depth) if has_result else []
    return [read_tool_call(block), *results]


def _read_hosted_call(block: dict[str, Any], depth: int) -> list[Part]:
    """Parse a call whose tool is named by its type: web_search_call, tool-getWeather."""
    kind = str(block.get("type"))
    name = _name(block) or kind.removeprefix("tool-").removesuffix("_call")
    arguments = _first_value(block, "input", "args", "arguments", "action", "queries", "query")
    return _read_call({**block, "name": name, "input": arguments}, depth)


def _read_generated_image(block: dict[str, Any], _: int) -> list[Part]:
    prompt = block.get("revised_prompt")
    return [
        parts.from_media("image", {"data": block.get("result"), "media_type": "image", "name": "generated image"}),
        *([parts.make("text", prompt)] if isinstance(prompt, str) and prompt else []),
    ]


def _read_code(block: dict[str, Any], _: int) -> list[Part]:
    inner = _first_value(block, "executableCode", "executable_code") or block
    fields = inner if isinstance(inner, dict) else {"code": inner}
    language = str(fields.get("language") or "python").lower()
    code = parts.make("code", parts.json_text(fields.get("code")), language, get_call_id(block))
    outputs = block.get("outputs")
    return [code, parts.make("tool_result", parts.json_text(outputs), "code")] if outputs else [code]


def _read_nested_call(block: dict[str, Any], _: int) -> list[Part]:
    inner = _first_value(block, "functionCall", "function_call", "toolUse")
    if not isinstance(inner, dict):
        return [parts.from_json(block)]
    return [read_tool_call(inner), *_read_other_fields(inner, _read_call)]


def _read_nested_result(block: dict[str, Any], depth: int) -> list[Part]:
    keys = ("functionResponse", "function_response", "toolResult", "codeExecutionResult", "code_execution_result")
    inner = _first_value(block, *keys)
    if not isinstance(inner, dict):
        return [parts.from_json(block)]
    return [*read_tool_result(inner, depth), *_read_other_fields(inner, read_tool_result)]


def _read_nested_thinking(block: dict[str, Any], depth: int) -> list[Part]:
    inner = block.get("reasoningContent")
    if not isinstance(inner, dict):
        return [parts.from_json(block)]
    return [*_read_thinking(inner, depth), *_read_other_fields(inner, _read_thinking)]


def _read_image(block: dict[str, Any], _: int) -> list[Part]:
    return [parts.from_media("image", block)]


def _read_file(block: dict[str, Any], _: int) -> list[Part]:
    return [*_read_transcript(block), parts.from_media("file", block)]


def _read_transcript(block: dict[str, Any]) -> list[Part]:
    """Read what was spoken in a recording, from the block or from the object with the recording."""
    holders = [block, *(block[key] for key in ("audio", "input_audio") if isinstance(block.get(key), dict))]
    transcript = next((holder["transcript"] for holder in holders if isinstance(holder.get("transcript"), str)), "")
    return [parts.make("text", transcript)] if transcript else []


def _read_source(block: dict[str, Any], _: int) -> list[Part]:
    part = citations.read_source(block)
    return [part if part is not None else parts.from_json(block)]


def _read_cited_text(block: dict[str, Any], depth: int) -> list[Part]:
    """Read Bedrock's block of texts with their sources."""
    inner = block["citationsContent"]
    if not isinstance(inner, dict):
        return [parts.from_json(block)]
    known_keys = {"content", *citations.KEYS}
    return [*read(inner.get("content"), depth + 1), *citations.read(inner), *other_fields.read(inner, known_keys)]


def _read_other_fields(block: dict[str, Any], reader: _Reader) -> list[Part]:
    known_keys = _KNOWN_KEYS.get(reader)
    return [] if known_keys is None else other_fields.read(block, known_keys)


def _skip_block(_: dict[str, Any], __: int) -> list[Part]:
    return []


def _omission_note(omitted: list[Any]) -> Part:
    note = parts.make("text", f"{len(omitted):,} more parts of this message are not shown.")
    return replace(note, omitted_chars=len(parts.json_text(omitted)))


def _block_text(block: dict[str, Any]) -> str | None:
    text = _first_value(block, "text", "content", "value")
    text = text.get("value") if isinstance(text, dict) else text
    return text if isinstance(text, str) else None


def _name(block: dict[str, Any]) -> str:
    value = _first_value(block, "name", "toolName", "tool_name")
    return value if isinstance(value, str) else ""


def _first_value(block: dict[str, Any], *keys: str) -> Any:
    return next((block[key] for key in keys if block.get(key) is not None), None)


def _find_reader(block: dict[str, Any]) -> _Reader | None:
    """Return the reader for a block, or None if it only resembles one, so that arbitrary JSON is shown whole."""
    block_type = block.get("type")
    kind = block_type.lower().replace("-", "_") if isinstance(block_type, str) else ""
    reader = _BY_TYPE.get(kind)
    if kind.startswith("tool_") and "toolCallId" in block and "state" in block:
        return reader or _read_hosted_call
    if reader is None and not kind:
        reader = next((_BY_KEY[key] for key in block if key in _BY_KEY), None)
        if reader is _read_text and not block.keys() <= _TEXT_KEYS:
            return None
    if reader is _read_text and _block_text(block) is None:
        return None
    if reader in (_read_image, _read_file) and not parts.has_media(block):
        return None
    return reader


_BY_TYPE: dict[str, _Reader] = {
    **dict.fromkeys(("text", "input_text", "output_text", "summary_text", "text_delta"), _read_text),
    **dict.fromkeys(("thinking", "reasoning", "reasoning_text", "redacted_thinking"), _read_thinking),
    **dict.fromkeys(("tool_use", "server_tool_use", "mcp_tool_use", "tool_call", "function_call"), _read_call),
    **dict.fromkeys(("function", "custom_tool_call", "mcp_call", "tool_invocation", "dynamic_tool"), _read_call),
    **dict.fromkeys(("tool_result", "tool_response", "tool_call_response", "function_response"), read_tool_result),
    **dict.fromkeys(("function_call_output", "custom_tool_call_output", "mcp_tool_result"), read_tool_result),
    **dict.fromkeys(("computer_call_output", "local_shell_call_output", "web_search_tool_result"), read_tool_result),
    **dict.fromkeys(("web_search_call", "file_search_call", "computer_call", "local_shell_call"), _read_hosted_call),
    **dict.fromkeys(("image", "image_url", "input_image", "image_file"), _read_image),
    **dict.fromkeys(("file", "input_file", "document", "audio", "input_audio", "video", "video_url"), _read_file),
    **dict.fromkeys(("media", "blob", "uri", "binary", "output_audio"), _read_file),
    **dict.fromkeys(("source", "source_url", "source_document"), _read_source),
    **dict.fromkeys(("executable_code", "code_interpreter_call"), _read_code),
    **dict.fromkeys(("step_start", "step_finish", "item_reference", "cache_point"), _skip_block),
    "image_generation_call": _read_generated_image,
    "code_execution_tool_result": read_tool_result,
    "refusal": _read_refusal,
}

# Gemini and Bedrock identify blocks by a key, not by a type.
_BY_KEY: dict[str, _Reader] = {
    **dict.fromkeys(("functionCall", "function_call", "toolUse"), _read_nested_call),
    **dict.fromkeys(("functionResponse", "function_response", "toolResult"), _read_nested_result),
    **dict.fromkeys(("codeExecutionResult", "code_execution_result"), _read_nested_result),
    **dict.fromkeys(("executableCode", "executable_code"), _read_code),
    **dict.fromkeys(("inlineData", "inline_data", "fileData", "file_data"), _read_file),
    "reasoningContent": _read_nested_thinking,
    "citationsContent": _read_cited_text,
    "image": _read_image,
    "text": _read_text,
}

# A dict with other keys beside its text, say a score, is data and not a block.
_TEXT_KEYS = {"text", "thought", "thoughtSignature", "thought_signature", "citations"}

_RESULT_KEYS = {"content", "output", "result", "response", "value", "is_error", "isError", *_ERROR_TEXTS, *_ID_KEYS}
_RESULT_KEYS |= {"outcome", "name", "toolName", "tool_name", *citations.KEYS}
_CALL_KEYS = _RESULT_KEYS | {"arguments", "args", "input", "parameters", "function", "custom", "rawInput"}
_NESTED_CALLS = {"functionCall", "function_call", "toolUse"}
_NESTED_RESULTS = {"functionResponse", "function_response", "toolResult", "codeExecutionResult"}
_THINKING_KEYS = {"thinking", "text", "reasoning", "summary", "content", "reasoningText", "data"}
_MEDIA_KEYS = {*parts.MEDIA_KEYS, "transcript", "detail", *citations.KEYS}

# What a reader shows of a block; other fields are shown beside it.
_KNOWN_KEYS: dict[_Reader, set[str]] = {
    _read_text: {"text", "content", "value", "thought", *citations.KEYS},
    _read_thinking: _THINKING_KEYS,
    _read_refusal: {"refusal", "text"},
    _read_call: _CALL_KEYS,
    _read_hosted_call: _CALL_KEYS | {"action", "queries", "query"},
    read_tool_result: _RESULT_KEYS,
    _read_nested_call: _NESTED_CALLS,
    _read_nested_result: _NESTED_RESULTS | {"code_execution_result"},
    _read_nested_thinking: {"reasoningContent"},
    _read_cited_text: {"citationsContent"},
    _read_image: _MEDIA_KEYS,
    _read_file: _MEDIA_KEYS | {"context"},
    _read_code: {"executableCode", "executable_code", "language", "code", "outputs", *_ID_KEYS},
    _read_generated_image: {"result", "revised_prompt"},
}
