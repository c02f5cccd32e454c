"""How each provider's library writes a conversation down: the JSON of a model span's input and output."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

# A grey dot of one pixel: what a photo is in a demo that must load nothing.
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg=="


@dataclass(frozen=True, slots=True)
class ToolCall:
    """One tool call with its result; `id` joins the two."""

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
Answer = Callable[[Message], Any]


@dataclass(frozen=True, slots=True)
class ProviderFormat:
    """A library's way: its provider, its model spans' name, and what it writes as their input and output."""

    provider: str
    span_name: str
    request: Request
    answer: Answer


def _openai_line(line: Message) -> dict[str, Any]:
    if line.role == "tool":
        return {"role": "tool", "tool_call_id": line.calls[0].id, "content": line.text}
    if line.image:
        url = {"url": f"data:image/png;base64,{PIXEL}", "detail": "auto"}
        return {"role": line.role, "content": [_typed("text", line.text), {"type": "image_url", "image_url": url}]}
    made: dict[str, Any] = {"role": line.role, "content": line.text or None}
    if line.calls:
        made["tool_calls"] = [{"id": call.id, "type": "function", "function": _function(call)} for call in line.calls]
    return made


def _openai_request(system: str, lines: Sequence[Message]) -> Any:
    return [_openai_line(line) for line in (Message("system", system), *lines)]


def _openai_answer(line: Message) -> Any:
    reason = "tool_calls" if line.calls else "stop"
    message = {**_openai_line(line), "refusal": None, "annotations": []}
    return [{"index": 0, "finish_reason": reason, "logprobs": None, "message": message}]


def _responses_items(line: Message) -> list[dict[str, Any]]:
    if line.role == "tool":
        return [{"type": "function_call_output", "call_id": line.calls[0].id, "output": line.text}]
    items: list[dict[str, Any]] = []
    if line.thinking:
        items.append({"type": "reasoning", "id": "rs_1", "summary": [_typed("summary_text", line.thinking)]})
    if line.role == "assistant" and line.text:
        content = [{**_typed("output_text", line.text), "annotations": []}]
        items.append({"type": "message", "role": "assistant", "status": "completed", "content": content})
    elif line.text:
        items.append({"role": line.role, "content": [_typed("input_text", line.text)]})
    return items + [{"type": "function_call", "call_id": call.id, **_function(call)} for call in line.calls]


def _responses_request(system: str, lines: Sequence[Message]) -> Any:
    start = {"role": "developer", "content": [_typed("input_text", system)]}
    return [start, *(item for line in lines for item in _responses_items(line))]


def _anthropic_line(line: Message) -> dict[str, Any]:
    if line.role == "tool":
        block = {"type": "tool_result", "tool_use_id": line.calls[0].id, "content": [_typed("text", line.text)]}
        return {"role": "user", "content": [block]}
    if line.role == "user" and not line.image:
        return {"role": "user", "content": line.text}
    blocks: list[dict[str, Any]] = []
    if line.image:
        blocks.append({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PIXEL}})
    if line.thinking:
        blocks.append({"type": "thinking", "thinking": line.thinking, "signature": "EqoBCkgIARAB"})
    if line.text:
        blocks.append(_typed("text", line.text))
    blocks += [{"type": "tool_use", "id": call.id, "name": call.name, "input": call.arguments} for call in line.calls]
    return {"role": line.role, "content": blocks}


def _anthropic_request(system: str, lines: Sequence[Message]) -> Any:
    return [{"role": "system", "content": [_typed("text", system)]}, *(_anthropic_line(line) for line in lines)]


def _anthropic_answer(line: Message) -> Any:
    reason = "tool_use" if line.calls else "end_turn"
    return [{"id": "msg_01", "type": "message", **_anthropic_line(line), "stop_reason": reason, "stop_sequence": None}]


def _gemini_line(line: Message) -> dict[str, Any]:
    if line.role == "tool":
        response = {"name": line.calls[0].name, "response": {"result": line.text}}
        return {"role": "user", "parts": [{"functionResponse": response}]}
    parts: list[dict[str, Any]] = [{"text": line.thinking, "thought": True}] if line.thinking else []
    parts += [{"inlineData": {"mimeType": "image/png", "data": PIXEL}}] if line.image else []
    parts += [{"text": line.text}] if line.text else []
    parts += [{"functionCall": {"name": call.name, "args": call.arguments}} for call in line.calls]
    return {"role": "model" if line.role == "assistant" else "user", "parts": parts}


def _gemini_request(system: str, lines: Sequence[Message]) -> Any:
    contents = [_gemini_line(line) for line in lines]
    return {"model": "models/gemini", "contents": contents, "systemInstruction": {"parts": [{"text": system}]}}


def _gemini_answer(line: Message) -> Any:
    return {"candidates": [{"content": _gemini_line(line), "finishReason": "STOP", "index": 0}]}


def _vercel_line(line: Message) -> dict[str, Any]:
    names = [{"toolCallId": call.id, "toolName": call.name} for call in line.calls]
    if line.role == "tool":
        output = {"type": "text", "value": line.text}
        return {"role": "tool", "content": [{"type": "tool-result", **names[0], "output": output}]}
    content: list[dict[str, Any]] = [_typed("reasoning", line.thinking)] if line.thinking else []
    content += [_typed("text", line.text)] if line.text else []
    content += [{"type": "image", "image": PIXEL, "mediaType": "image/png"}] if line.image else []
    pairs = zip(names, line.calls, strict=True)
    content += [{"type": "tool-call", **name, "input": call.arguments} for name, call in pairs]
    return {"role": line.role, "content": content}


def _vercel_request(system: str, lines: Sequence[Message]) -> Any:
    return [{"role": "system", "content": system}, *(_vercel_line(line) for line in lines)]


def _langchain_line(line: Message) -> dict[str, Any]:
    kinds = {"system": "SystemMessage", "user": "HumanMessage", "assistant": "AIMessage", "tool": "ToolMessage"}
    fields: dict[str, Any] = {
        "content": line.text,
        "type": {"user": "human", "assistant": "ai"}.get(line.role, line.role),
    }
    if line.role == "tool":
        fields |= {"name": line.calls[0].name, "tool_call_id": line.calls[0].id, "status": "success"}
    elif line.calls:
        fields["tool_calls"] = [
            {"name": call.name, "args": call.arguments, "id": call.id, "type": "tool_call"} for call in line.calls
        ]
    path = ["langchain", "schema", "messages", kinds[line.role]]
    return {"lc": 1, "type": "constructor", "id": path, "kwargs": fields}


def _langchain_request(system: str, lines: Sequence[Message]) -> Any:
    return {"messages": [[_langchain_line(line) for line in (Message("system", system), *lines)]]}


def _langchain_answer(line: Message) -> Any:
    generation = {"text": line.text, "type": "ChatGeneration", "message": _langchain_line(line)}
    return {"generations": [[generation]], "llm_output": None, "type": "LLMResult"}


def _gen_ai_line(line: Message) -> dict[str, Any]:
    if line.role == "tool":
        part = {"type": "tool_call_response", "id": line.calls[0].id, "result": line.text}
        return {"role": "tool", "parts": [part]}
    parts: list[dict[str, Any]] = [{"type": "reasoning", "content": line.thinking}] if line.thinking else []
    parts += [{"type": "text", "content": line.text}] if line.text else []
    parts += [{"type": "blob", "mime_type": "image/png", "modality": "image", "data": PIXEL}] if line.image else []
    calls = [{"id": call.id, "name": call.name, "arguments": call.arguments} for call in line.calls]
    return {"role": line.role, "parts": parts + [{"type": "tool_call", **call} for call in calls]}


def _gen_ai_request(system: str, lines: Sequence[Message]) -> Any:
    return [_gen_ai_line(line) for line in (Message("system", system), *lines)]


def _plain_request(system: str, lines: Sequence[Message]) -> Any:
    return "\n\n".join([system, *(line.text for line in lines)])


def _typed(kind: str, text: str) -> dict[str, Any]:
    return {"type": kind, "text": text}


def _function(call: ToolCall) -> dict[str, str]:
    return {"name": call.name, "arguments": json.dumps(call.arguments, ensure_ascii=False)}


PROVIDER_FORMATS = {
    "openai": ProviderFormat("openai", "openai.chat", _openai_request, _openai_answer),
    "responses": ProviderFormat("openai", "openai.responses", _responses_request, _responses_items),
    "anthropic": ProviderFormat("anthropic", "anthropic.messages", _anthropic_request, _anthropic_answer),
    "gemini": ProviderFormat("gemini", "gemini.generate_content", _gemini_request, _gemini_answer),
    "vercel": ProviderFormat(
        "openai", "ai.generateText.doGenerate", _vercel_request, lambda line: [_vercel_line(line)]
    ),
    "langchain": ProviderFormat("openai", "ChatOpenAI", _langchain_request, _langchain_answer),
    "gen_ai": ProviderFormat("azure", "chat", _gen_ai_request, lambda line: [_gen_ai_line(line)]),
    "plain": ProviderFormat("mistral", "complete", _plain_request, lambda line: line.text),
}
