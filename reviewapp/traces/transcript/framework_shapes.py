"""Messages as frameworks serialise their own classes, turned into the shape that providers share.

Supports LlamaIndex, AutoGen, Haystack, Semantic Kernel (.NET and Python) and Cohere; other dicts stay as they are.
"""

from collections.abc import Callable
from typing import Any

Fields = dict[str, Any]

# AutoGen names a message's class, and its author instead of a role.
_AUTOGEN_ROLES = {
    "TextMessage": "assistant", "MultiModalMessage": "assistant", "StopMessage": "assistant",
    "HandoffMessage": "assistant", "ToolCallSummaryMessage": "assistant", "StructuredMessage": "assistant",
    "ThoughtEvent": "assistant", "ToolCallRequestEvent": "assistant", "ToolCallExecutionEvent": "tool",
    "MemoryQueryEvent": "data", "UserMessage": "user", "SystemMessage": "system", "AssistantMessage": "assistant",
    "FunctionExecutionResultMessage": "tool",
}  # fmt: skip
_COHERE_ROLES = ("user", "chatbot", "system", "tool")
_KERNEL_TYPES = {
    "textcontent": "text", "text": "text", "imagecontent": "image", "image": "image", "audiocontent": "audio",
    "functioncallcontent": "tool_call", "function_call": "tool_call", "binarycontent": "file", "file": "file",
    "functionresultcontent": "tool_result", "function_result": "tool_result", "reasoningcontent": "thinking",
    "reasoning": "thinking",
}  # fmt: skip
_KERNEL_KEYS = {
    "Text": "text", "FunctionName": "name", "PluginName": "plugin_name", "Id": "id", "CallId": "call_id",
    "Arguments": "arguments", "Result": "result", "Uri": "uri", "DataUri": "url", "Data": "data",
    "MimeType": "media_type",
}  # fmt: skip


def to_message(item: Fields) -> Fields:
    """Return a framework's message in the providers' shape, or the dict itself."""
    for is_shape, convert in _SHAPES:
        if is_shape(item):
            return convert(item)
    return item


def to_request(envelope: Fields) -> list[Fields] | None:
    """Return the messages of Cohere's first request format; None for anything else."""
    history, message = envelope.get("chat_history"), envelope.get("message")
    if not isinstance(message, str) or not (isinstance(history, list) or "preamble" in envelope):
        return None
    preamble = envelope.get("preamble")
    system = [{"role": "system", "content": preamble}] if isinstance(preamble, str) and preamble else []
    turns = [item for item in history if isinstance(item, dict)] if isinstance(history, list) else []
    others = {key: value for key, value in envelope.items() if key not in ("chat_history", "preamble", "message")}
    return [*system, *turns, {**others, "role": "user", "content": message}]


def _is_cohere_response(item: Fields) -> bool:
    return isinstance(item.get("text"), str) and ("generation_id" in item or "response_id" in item)


def _from_cohere_response(item: Fields) -> Fields:
    own_keys = ("chat_history", "documents", "text", "meta")
    others = {key: value for key, value in item.items() if key not in own_keys}
    return {**others, "role": "assistant", "content": item["text"], "citations": _cited(item)}


def _cited(envelope: Fields) -> list[Any]:
    """Return Cohere's documents as sources, or its citations if it sent no documents."""
    return next((envelope[key] for key in ("documents", "citations") if isinstance(envelope.get(key), list)), [])


def _is_llama_index(item: Fields) -> bool:
    return isinstance(item.get("blocks"), list) and "role" in item


def _from_llama_index(item: Fields) -> Fields:
    others = {key: value for key, value in item.items() if key != "blocks"}
    return {**others, "content": [_llama_block(block) for block in item["blocks"]]}


def _llama_block(block: Any) -> Any:
    if not isinstance(block, dict) or not isinstance(block.get("block_type"), str):
        return block
    fields = {key: value for key, value in block.items() if key != "block_type"}
    renamed = {"tool_kwargs": "arguments", "image_mimetype": "media_type", "document_mimetype": "media_type"}
    return {"type": block["block_type"], **{renamed.get(key, key): value for key, value in fields.items()}}


def _is_autogen(item: Fields) -> bool:
    return isinstance(item.get("type"), str) and item["type"] in _AUTOGEN_ROLES and "content" in item


def _from_autogen(item: Fields) -> Fields:
    role, source = _AUTOGEN_ROLES[item["type"]], item.get("source")
    content = item["content"]
    if item["type"] == "ThoughtEvent":
        content = {"type": "thinking", "text": content}
    elif isinstance(content, list):
        content = [_autogen_block(block) for block in content]
    others = {key: value for key, value in item.items() if key not in ("type", "source", "content", "models_usage")}
    if isinstance(source, str) and source.lower() in ("user", "system"):
        role = source.lower()
    name = {"name": source} if isinstance(source, str) and source.lower() != role else {}
    return {**others, **name, "role": role, "content": content}


def _is_autogen_result(item: Fields) -> bool:
    """Whether it is what AutoGen's model client returns: a message that names neither its role nor its class."""
    return "role" not in item and {"content", "finish_reason", "usage", "cached"} <= item.keys()


def _from_autogen_result(item: Fields) -> Fields:
    others = {key: value for key, value in item.items() if key not in ("usage", "cached")}
    return _from_autogen({**others, "type": "AssistantMessage"})


def _autogen_block(block: Any) -> Any:
    if not isinstance(block, dict) or "type" in block:
        return block
    if "call_id" in block and "content" in block:
        return {"type": "tool_result", **block}
    return {"type": "tool_call", **block} if "arguments" in block and "name" in block else block


def _is_haystack(item: Fields) -> bool:
    content = item.get("_content", item.get("content"))
    role = item.get("_role", item.get("role"))
    if not isinstance(role, str) or not isinstance(content, list):
        return False
    is_own_key = any(_has_haystack_key(block) for block in content)
    return "_role" in item or "meta" in item or is_own_key


def _has_haystack_key(block: Any) -> bool:
    keys = ("tool_call", "tool_call_result", "reasoning")
    return isinstance(block, dict) and "type" not in block and any(isinstance(block.get(key), dict) for key in keys)


def _from_haystack(item: Fields) -> Fields:
    fields = {key.removeprefix("_"): value for key, value in item.items()}
    meta = fields.pop("meta", None)
    others = meta if isinstance(meta, dict) else {"meta": meta}
    return {**others, **fields, "content": [_haystack_block(block) for block in fields["content"]]}


def _haystack_block(block: Any) -> Any:
    if not _has_haystack_key(block):
        return block
    call, result, reasoning = (block.get(key) for key in ("tool_call", "tool_call_result", "reasoning"))
    if isinstance(call, dict):
        return {"type": "tool_call", **call}
    if isinstance(result, dict):
        origin = result.get("origin")
        others = {key: value for key, value in result.items() if key != "origin"}
        named = {key: origin[key] for key in ("tool_name", "id") if key in origin} if isinstance(origin, dict) else {}
        return {"type": "tool_result", **named, **others}
    if not isinstance(reasoning, dict):
        return block
    others = {key: value for key, value in reasoning.items() if key != "reasoning_text"}
    return {"type": "thinking", "text": reasoning.get("reasoning_text"), **others}


def _is_semantic_kernel(item: Fields) -> bool:
    return isinstance(item.get("Items"), list) or (
        isinstance(item.get("items"), list) and isinstance(item.get("role"), (str, dict))
    )


def _from_semantic_kernel(item: Fields) -> Fields:
    role, items = item.get("Role", item.get("role")), item.get("Items", item.get("items"))
    if isinstance(role, dict):
        role = role.get("Label", role.get("label"))
    own_keys = ("role", "items", "authorname", "metadata")
    others = {key: value for key, value in item.items() if key.lower() not in own_keys}
    author, metadata = item.get("AuthorName"), item.get("Metadata", item.get("metadata"))
    fields = {**(metadata if isinstance(metadata, dict) else {}), **others, "role": role or "assistant"}
    blocks = [_kernel_block(block) for block in items] if isinstance(items, list) else []
    return {**fields, **({"name": author} if author else {}), "content": blocks}


def _kernel_block(block: Any) -> Any:
    if not isinstance(block, dict):
        return block
    kind = block.get("$type", block.get("content_type"))
    known = _KERNEL_TYPES.get(kind.lower()) if isinstance(kind, str) else None
    if known is None:
        return block
    fields = {_KERNEL_KEYS.get(key, key): value for key, value in block.items() if key not in ("$type", "content_type")}
    plugin = fields.pop("plugin_name", None)
    if isinstance(plugin, str) and plugin and isinstance(fields.get("name"), str):
        # As the model knows the function.
        fields["name"] = f"{plugin}-{fields['name']}"
    return {**fields, "type": known}


def _is_cohere(item: Fields) -> bool:
    role = item.get("role")
    return isinstance(item.get("message"), str) and isinstance(role, str) and role.lower() in _COHERE_ROLES


def _from_cohere(item: Fields) -> Fields:
    return {"content": item["message"], **{key: value for key, value in item.items() if key != "message"}}


_SHAPES: tuple[tuple[Callable[[Fields], bool], Callable[[Fields], Fields]], ...] = (
    (_is_llama_index, _from_llama_index),
    (_is_autogen_result, _from_autogen_result),
    (_is_autogen, _from_autogen),
    (_is_haystack, _from_haystack),
    (_is_semantic_kernel, _from_semantic_kernel),
    (_is_cohere, _from_cohere),
    (_is_cohere_response, _from_cohere_response),
)
