"""How each provider's library records a conversation: the JSON of a model span's input and output."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

# One grey pixel stands in for every photo, so that the demo loads nothing.
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg=="


@dataclass(frozen=True, slots=True)
class ToolCall:
    """One tool call; the tool's message refers to it by `id`."""

    id: str
    name: str
    arguments: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a conversation. For role "tool", `text` is the result of the one call in `calls`."""

    role: str
    text: str = ""
    thinking: str = ""
    image: str = ""
    calls: tuple[ToolCall, ...] = ()


Request = Callable[[str, Sequence[Message]], Any]
Response = Callable[[Message], Any]


@dataclass(frozen=True, slots=True)
class ProviderFormat:
    """A library's provider, the name of its model spans, and the functions that build their input and output."""

    provider: str
    span_name: str
    request: Request
    response: Response


def _openai_message(message: Message) -> dict[str, Any]:
    if message.role == "tool":
        return {"role": "tool", "tool_call_id": message.calls[0].id, "content": message.text}
    if message.image:
        url = {"url": f"data:image/png;base64,{PIXEL}", "detail": "auto"}
        return {
            "role": message.role,
            "content": [_typed("text", message.text), {"type": "image_url", "image_url": url}],
        }
    fields: dict[str, Any] = {"role": message.role, "content": message.text or None}
    if message.calls:
        fields["tool_calls"] = [
            {"id": call.id, "type": "function", "function": _function(call)} for call in message.calls
        ]
    return fields


def _openai_request(system: str, messages: Sequence[Message]) -> Any:
    return [_openai_message(message) for message in (Message("system", system), *messages)]


def _openai_response(message: Message) -> Any:
    reason = "tool_calls" if message.calls else "stop"
    message_json = {**_openai_message(message), "refusal": None, "annotations": []}
    return [{"index": 0, "finish_reason": reason, "logprobs": None, "message": message_json}]


def _responses_items(message: Message) -> list[dict[str, Any]]:
    if message.role == "tool":
        return [{"type": "function_call_output", "call_id": message.calls[0].id, "output": message.text}]
    items: list[dict[str, Any]] = []
    if message.thinking:
        items.append({"type": "reasoning", "id": "rs_1", "summary": [_typed("summary_text", message.thinking)]})
    if message.role == "assistant" and message.text:
        content = [{**_typed("output_text", message.text), "annotations": []}]
        items.append({"type": "message", "role": "assistant", "status": "completed", "content": content})
    elif message.text:
        items.append({"role": message.role, "content": [_typed("input_text", message.text)]})
    return items + [{"type": "function_call", "call_id": call.id, **_function(call)} for call in message.calls]


def _responses_request(system: str, messages: Sequence[Message]) -> Any:
    developer_message = {"role": "developer", "content": [_typed("input_text", system)]}
    return [developer_message, *(item for message in messages for item in _responses_items(message))]


def _anthropic_message(message: Message) -> dict[str, Any]:
    if message.role == "tool":
        block = {"type": "tool_result", "tool_use_id": message.calls[0].id, "content": [_typed("text", message.text)]}
        return {"role": "user", "content": [block]}
    if message.role == "user" and not message.image:
        return {"role": "user", "content": message.text}
    blocks: list[dict[str, Any]] = []
    if message.image:
        blocks.append({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PIXEL}})
    if message.thinking:
        blocks.append({"type": "thinking", "thinking": message.thinking, "signature": "EqoBCkgIARAB"})
    if message.text:
        blocks.append(_typed("text", message.text))
    blocks += [
        {"type": "tool_use", "id": call.id, "name": call.name, "input": call.arguments} for call in message.calls
    ]
    return {"role": message.role, "content": blocks}


def _anthropic_request(system: str, messages: Sequence[Message]) -> Any:
    return [
        {"role": "system", "content": [_typed("text", system)]},
        *(_anthropic_message(message) for message in messages),
    ]


def _anthropic_response(message: Message) -> Any:
    reason = "tool_use" if message.calls else "end_turn"
    return [
        {"id": "msg_01", "type": "message", **_anthropic_message(message), "stop_reason": reason, "stop_sequence": None}
    ]


def _gemini_message(message: Message) -> dict[str, Any]:
    if message.role == "tool":
        response = {"name": message.calls[0].name, "response": {"result": message.text}}
        return {"role": "user", "parts": [{"functionResponse": response}]}
    parts: list[dict[str, Any]] = [{"text": message.thinking, "thought": True}] if message.thinking else []
    parts += [{"inlineData": {"mimeType": "image/png", "data": PIXEL}}] if message.image else []
    parts += [{"text": message.text}] if message.text else []
    parts += [{"functionCall": {"name": call.name, "args": call.arguments}} for call in message.calls]
    return {"role": "model" if message.role == "assistant" else "user", "parts": parts}


def _gemini_request(system: str, messages: Sequence[Message]) -> Any:
    contents = [_gemini_message(message) for message in messages]
    return {"model": "models/gemini", "contents": contents, "systemInstruction": {"parts": [{"text": system}]}}


def _gemini_response(message: Message) -> Any:
    return {"candidates": [{"content": _gemini_message(message), "finishReason": "STOP", "index": 0}]}


def _vercel_message(message: Message) -> dict[str, Any]:
    names = [{"toolCallId": call.id, "toolName": call.name} for call in message.calls]
    if message.role == "tool":
        output = {"type": "text", "value": message.text}
        return {"role": "tool", "content": [{"type": "tool-result", **names[0], "output": output}]}
    content: list[dict[str, Any]] = [_typed("reasoning", message.thinking)] if message.thinking else []
    content += [_typed("text", message.text)] if message.text else []
    content += [{"type": "image", "image": PIXEL, "mediaType": "image/png"}] if message.image else []
    pairs = zip(names, message.calls, strict=True)
    content += [{"type": "tool-call", **name, "input": call.arguments} for name, call in pairs]
    return {"role": message.role, "content": content}


def _vercel_request(system: str, messages: Sequence[Message]) -> Any:
    return [{"role": "system", "content": system}, *(_vercel_message(message) for message in messages)]


def _langchain_message(message: Message) -> dict[str, Any]:
    kinds = {"system": "SystemMessage", "user": "HumanMessage", "assistant": "AIMessage", "tool": "ToolMessage"}
    fields: dict[str, Any] = {
        "content": message.text,
        "type": {"user": "human", "assistant": "ai"}.get(message.role, message.role),
    }
    if message.role == "tool":
        fields |= {"name": message.calls[0].name, "tool_call_id": message.calls[0].id, "status": "success"}
    elif message.calls:
        fields["tool_calls"] = [
            {"name": call.name, "args": call.arguments, "id": call.id, "type": "tool_call"} for call in message.calls
        ]
    path = ["langchain", "schema", "messages", kinds[message.role]]
    return {"lc": 1, "type": "constructor", "id": path, "kwargs": fields}


def _langchain_request(system: str, messages: Sequence[Message]) -> Any:
    return {"messages": [[_langchain_message(message) for message in (Message("system", system), *messages)]]}


def _langchain_response(message: Message) -> Any:
    generation = {"text": message.text, "type": "ChatGeneration", "message": _langchain_message(message)}
    return {"generations": [[generation]], "llm_output": None, "type": "LLMResult"}


def _gen_ai_message(message: Message) -> dict[str, Any]:
    if message.role == "tool":
        part = {"type": "tool_call_response", "id": message.calls[0].id, "result": message.text}
        return {"role": "tool", "parts": [part]}
    parts: list[dict[str, Any]] = [{"type": "reasoning", "content": message.thinking}] if message.thinking else []
    parts += [{"type": "text", "content": message.text}] if message.text else []
    parts += [{"type": "blob", "mime_type": "image/png", "modality": "image", "data": PIXEL}] if message.image else []
    calls = [{"id": call.id, "name": call.name, "arguments": call.arguments} for call in message.calls]
    return {"role": message.role, "parts": parts + [{"type": "tool_call", **call} for call in calls]}


def _gen_ai_request(system: str, messages: Sequence[Message]) -> Any:
    return [_gen_ai_message(message) for message in (Message("system", system), *messages)]


def _plain_request(system: str, messages: Sequence[Message]) -> Any:
    return "\n\n".join([system, *(message.text for message in messages)])


def _typed(kind: str, text: str) -> dict[str, Any]:
    return {"type": kind, "text": text}


def _function(call: ToolCall) -> dict[str, str]:
    return {"name": call.name, "arguments": json.dumps(call.arguments, ensure_ascii=False)}


PROVIDER_FORMATS = {
    "openai": ProviderFormat("openai", "openai.chat", _openai_request, _openai_response),
    "responses": ProviderFormat("openai", "openai.responses", _responses_request, _responses_items),
    "anthropic": ProviderFormat("anthropic", "anthropic.messages", _anthropic_request, _anthropic_response),
    "gemini": ProviderFormat("gemini", "gemini.generate_content", _gemini_request, _gemini_response),
    "vercel": ProviderFormat(
        "openai", "ai.generateText.doGenerate", _vercel_request, lambda message: [_vercel_message(message)]
    ),
    "langchain": ProviderFormat("openai", "ChatOpenAI", _langchain_request, _langchain_response),
    "gen_ai": ProviderFormat("azure", "chat", _gen_ai_request, lambda message: [_gen_ai_message(message)]),
    "plain": ProviderFormat("mistral", "complete", _plain_request, lambda message: message.text),
}
