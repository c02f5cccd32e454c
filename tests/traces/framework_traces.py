"""Traces shaped as frameworks send them, in OpenTelemetry attributes and events, with what a reviewer has to see.

Each framework's writer gets a question and how the trace ends: a text, a call with or without arguments, or a
structured output. It returns the attributes and the events of the model's span.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

QUESTION = "Where is the parcel of order 4471?"
TEXT = "It is on the lorry to Bergen and arrives on Friday."
CALL, ARGUMENTS = "look_up_parcel", {"order": 4471}
STRUCTURED = {"city": "Bergen", "days": 3}
ENDINGS = ("text", "call", "bare_call", "structured")


@dataclass(frozen=True, slots=True)
class Ending:
    """How a trace ends, in the forms that providers use."""

    name: str

    @property
    def text(self) -> str:
        return {"text": TEXT, "structured": json.dumps(STRUCTURED)}.get(self.name, "")

    @property
    def arguments(self) -> dict[str, Any] | None:
        return {"call": ARGUMENTS, "bare_call": {}}.get(self.name)

    @property
    def openai(self) -> dict[str, Any]:
        """An assistant message of OpenAI's chat API."""
        if self.arguments is None:
            return {"role": "assistant", "content": self.text}
        function = {"name": CALL, "arguments": json.dumps(self.arguments)}
        return {
            "role": "assistant",
            "content": None,
            "tool_calls": [{"id": "c1", "type": "function", "function": function}],
        }

    @property
    def gen_ai(self) -> dict[str, Any]:
        """A message with parts, as OpenTelemetry has it."""
        part: dict[str, Any] = {"type": "text", "content": self.text}
        if self.arguments is not None:
            part = {"type": "tool_call", "id": "c1", "name": CALL, "arguments": self.arguments}
        return {"role": "assistant", "parts": [part], "finish_reason": "stop"}


@dataclass(frozen=True, slots=True)
class Written:
    """What a framework writes on the model's span, and on the span around it."""

    attributes: dict[str, Any]
    events: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    around: dict[str, Any] = field(default_factory=dict)


def _langchain(end: Ending) -> Written:
    attributes = {
        "gen_ai.system": "openai", "gen_ai.request.model": "m", "llm.request.type": "chat",
        "gen_ai.prompt.0.role": "user", "gen_ai.prompt.0.content": QUESTION,
        "gen_ai.completion.0.role": "assistant", "gen_ai.completion.0.content": end.text,
    }  # fmt: skip
    if end.arguments is not None:
        attributes |= {
            "gen_ai.completion.0.tool_calls.0.id": "c1", "gen_ai.completion.0.tool_calls.0.name": CALL,
            "gen_ai.completion.0.tool_calls.0.arguments": json.dumps(end.arguments),
            "gen_ai.completion.0.finish_reason": "tool_calls",
        }  # fmt: skip
    kwargs = {"content": end.text, "type": "ai", "tool_calls": _langchain_calls(end)}
    output = {"outputs": {"messages": [{"lc": 1, "type": "constructor", "id": ["AIMessage"], "kwargs": kwargs}]}}
    around = {"traceloop.span.kind": "workflow", "traceloop.entity.output": json.dumps(output)}
    return Written(attributes, around=around)


def _langchain_calls(end: Ending) -> list[dict[str, Any]]:
    call = {"name": CALL, "args": end.arguments, "id": "c1", "type": "tool_call"}
    return [call] if end.arguments is not None else []


def _openinference(end: Ending) -> Written:
    attributes = {
        "openinference.span.kind": "LLM", "llm.model_name": "m", "llm.input_messages.0.message.role": "user",
        "llm.input_messages.0.message.content": QUESTION, "llm.output_messages.0.message.role": "assistant",
    }  # fmt: skip
    if end.arguments is None:
        attributes["llm.output_messages.0.message.content"] = end.text
    else:
        call = "llm.output_messages.0.message.tool_calls.0.tool_call"
        attributes |= {f"{call}.function.name": CALL, f"{call}.function.arguments": json.dumps(end.arguments)}
    return Written(attributes, around={"openinference.span.kind": "CHAIN", "input.value": QUESTION})


def _openinference_generations(end: Ending) -> Written:
    kwargs = {"content": end.text, "type": "ai", "tool_calls": _langchain_calls(end)}
    message = {"lc": 1, "type": "constructor", "id": ["langchain", "schema", "messages", "AIMessage"], "kwargs": kwargs}
    given = {"messages": [[{"lc": 1, "id": ["HumanMessage"], "kwargs": {"content": QUESTION, "type": "human"}}]]}
    returned = {"generations": [[{"text": end.text, "type": "ChatGeneration", "message": message}]], "llm_output": None}
    return _values(given, returned)


def _values(given: Any, returned: Any) -> Written:
    texts = [value if isinstance(value, str) else json.dumps(value) for value in (given, returned)]
    return Written({"openinference.span.kind": "LLM", "input.value": texts[0], "output.value": texts[1]})


def _llama_index(end: Ending) -> Written:
    blocks = [{"block_type": "text", "text": end.text}] if end.text else []
    more = {"tool_calls": end.openai["tool_calls"]} if end.arguments is not None else {}
    message = {"role": "assistant", "additional_kwargs": more, "blocks": blocks}
    given = {"messages": [{"role": "user", "blocks": [{"block_type": "text", "text": QUESTION}]}]}
    return _values(given, {"message": message, "raw": {}})


def _vercel(end: Ending) -> Written:
    prompt = [{"role": "user", "content": [{"type": "text", "text": QUESTION}]}]
    attributes = {
        "ai.operationId": "ai.generateText.doGenerate", "ai.prompt.messages": json.dumps(prompt), "ai.model.id": "m",
        "gen_ai.system": "openai.chat", "gen_ai.request.model": "m", "ai.response.text": end.text,
    }  # fmt: skip
    if end.arguments is not None:
        call = {"toolCallType": "function", "toolCallId": "c1", "toolName": CALL, "args": json.dumps(end.arguments)}
        attributes |= {"ai.response.toolCalls": json.dumps([call])}
    if end.name == "structured":
        attributes |= {"ai.operationId": "ai.generateObject.doGenerate", "ai.response.object": end.text}
    return Written(attributes)


def _gen_ai_attributes(end: Ending) -> Written:
    given = [{"role": "user", "parts": [{"type": "text", "content": QUESTION}]}]
    return Written({
        "gen_ai.operation.name": "chat", "gen_ai.request.model": "m", "gen_ai.provider.name": "openai",
        "gen_ai.input.messages": json.dumps(given), "gen_ai.output.messages": json.dumps([end.gen_ai]),
    })  # fmt: skip


def _pydantic_ai_events(end: Ending) -> Written:
    events = [
        {"event.name": "gen_ai.user.message", "content": QUESTION, "role": "user", "gen_ai.message.index": 0},
        {"event.name": "gen_ai.choice", "index": 0, "message": end.openai},
    ]
    return Written({"gen_ai.operation.name": "chat", "gen_ai.request.model": "m", "events": json.dumps(events)})


def _openai_agents(end: Ending) -> Written:
    item: dict[str, Any] = {
        "type": "message",
        "role": "assistant",
        "content": [{"type": "output_text", "text": end.text}],
    }
    if end.arguments is not None:
        item = {"type": "function_call", "call_id": "c1", "name": CALL, "arguments": json.dumps(end.arguments)}
    return _values([{"role": "user", "content": QUESTION}], {"object": "response", "output": [item]})


def _crew_ai(end: Ending) -> Written:
    written = _langchain(end)
    around = {"traceloop.span.kind": "task", "crewai.task.description": QUESTION, "traceloop.entity.name": "crew"}
    return Written(written.attributes | {"gen_ai.system": "litellm"}, around=around)


def _auto_gen(end: Ending) -> Written:
    content: Any = end.text
    if end.arguments is not None:
        content = [{"id": "c1", "name": CALL, "arguments": json.dumps(end.arguments)}]
    given = {"messages": [{"content": QUESTION, "source": "user", "type": "UserMessage"}]}
    return _values(given, {"finish_reason": "stop", "content": content, "usage": {"prompt_tokens": 1}, "cached": False})


def _haystack(end: Ending) -> Written:
    content: dict[str, Any] = {"text": end.text}
    if end.arguments is not None:
        content = {"tool_call": {"tool_name": CALL, "arguments": end.arguments, "id": "c1"}}
    given: dict[str, Any] = {"messages": [{"role": "user", "meta": {}, "name": None, "content": [{"text": QUESTION}]}]}
    return _values(given, {"replies": [{"role": "assistant", "meta": {}, "name": None, "content": [content]}]})


def _semantic_kernel(end: Ending) -> Written:
    events = [
        ("gen_ai.user.message", {"gen_ai.system": "openai", "event_body": json.dumps({"content": QUESTION})}),
        ("gen_ai.choice", {"gen_ai.system": "openai", "event_body": json.dumps({"message": end.openai, "index": 0})}),
    ]
    return Written({"gen_ai.operation.name": "chat.completions", "gen_ai.request.model": "m"}, events)


def _bedrock(end: Ending) -> Written:
    block: dict[str, Any] = {"text": end.text}
    if end.arguments is not None:
        block = {"toolUse": {"toolUseId": "c1", "name": CALL, "input": end.arguments}}
    message = {"role": "assistant", "content": [block]}
    given = {"modelId": "m", "messages": [{"role": "user", "content": [{"text": QUESTION}]}]}
    return _values(given, {"output": {"message": message}, "stopReason": "tool_use" if end.arguments else "end_turn"})


def _gemini(end: Ending) -> Written:
    part: dict[str, Any] = {"text": end.text}
    if end.arguments is not None:
        part = {"functionCall": {"name": CALL, "args": end.arguments}}
    candidate = {"content": {"role": "model", "parts": [part]}, "finishReason": "STOP"}
    return _values({"contents": [{"role": "user", "parts": [{"text": QUESTION}]}]}, {"candidates": [candidate]})


def _cohere(end: Ending) -> Written:
    message: dict[str, Any] = {"role": "assistant", "content": [{"type": "text", "text": end.text}]}
    if end.arguments is not None:
        message = {"role": "assistant", "tool_calls": end.openai["tool_calls"]}
    return _values({"messages": [{"role": "user", "content": QUESTION}]}, {"id": "x", "message": message})


def _anthropic(end: Ending) -> Written:
    block: dict[str, Any] = {"type": "text", "text": end.text}
    if end.arguments is not None:
        block = {"type": "tool_use", "id": "c1", "name": CALL, "input": end.arguments}
    given = {"model": "m", "messages": [{"role": "user", "content": QUESTION}]}
    return _values(given, {"type": "message", "role": "assistant", "content": [block], "stop_reason": "end_turn"})


def _laminar(end: Ending) -> Written:
    given = [{"role": "user", "content": QUESTION}]
    return Written({
        "lmnr.span.type": "LLM", "gen_ai.system": "openai", "gen_ai.request.model": "m",
        "lmnr.span.input": json.dumps(given), "lmnr.span.output": json.dumps([end.openai]),
    })  # fmt: skip


FRAMEWORKS: dict[str, Callable[[Ending], Written]] = {
    "laminar": _laminar,
    "langchain": _langchain,
    "langchain-openinference": _openinference_generations,
    "llama-index": _llama_index,
    "vercel": _vercel,
    "mastra": _gen_ai_attributes,
    "pydantic-ai": _pydantic_ai_events,
    "openai-openinference": _openinference,
    "openai-agents": _openai_agents,
    "crew-ai": _crew_ai,
    "auto-gen": _auto_gen,
    "haystack": _haystack,
    "semantic-kernel": _semantic_kernel,
    "bedrock": _bedrock,
    "gemini": _gemini,
    "cohere": _cohere,
    "anthropic": _anthropic,
}


def generate() -> Iterator[tuple[str, str, bool]]:
    """Yield the framework, the ending, and whether a tool's span follows the call."""
    for framework in FRAMEWORKS:
        for ending in ENDINGS:
            yield framework, ending, False
        yield framework, "call", True
        yield framework, "bare_call", True
