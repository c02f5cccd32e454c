"""Bring the attributes of each instrumentation to the names that Laminar reads, and derive a span's type and name."""

import re
from typing import Any

from reviewapp.tracestore import values
from reviewapp.tracestore.spans import Attributes, Span

INPUT_TOKENS = "gen_ai.usage.input_tokens"
OUTPUT_TOKENS = "gen_ai.usage.output_tokens"
CACHE_READ_TOKENS = "gen_ai.usage.cache_read_input_tokens"
CACHE_WRITE_TOKENS = "gen_ai.usage.cache_creation_input_tokens"
REQUEST_MODEL = "gen_ai.request.model"
OPERATION = "gen_ai.operation.name"
TYPES = frozenset(
    {"DEFAULT", "LLM", "PIPELINE", "EXECUTOR", "EVALUATOR", "EVALUATION", "TOOL", "HUMAN_EVALUATOR", "CACHED"}
)
_TYPES_BY_OPERATION = {
    "chat": "LLM", "text_completion": "LLM", "embeddings": "LLM", "generate_content": "LLM",
    "execute_tool": "TOOL", "invoke_agent": "DEFAULT",
}  # fmt: skip
_NAMES_BY_OPERATION = {"execute_tool": "gen_ai.tool.name", "invoke_agent": "gen_ai.agent.name"}
_LLM_KEYS = ("gen_ai.system", REQUEST_MODEL, "gen_ai.response.model")
_TOOL_KEYS = ("gen_ai.tool.call.id", "gen_ai.tool.call.arguments", "gen_ai.tool.call.result")
_LANGCHAIN_PROVIDER = "lmnr.association.properties.ls_provider"
# Wrappers that LangChain adds around each step.
_WRAPPER = re.compile(r"Runnable[A-Z][A-Za-z]*(?:<[A-Za-z_,]+>)*\.task", re.ASCII)

_USAGE = (
    ("usage.inputTokens", INPUT_TOKENS),
    ("usage.outputTokens", OUTPUT_TOKENS),
    ("usage.cachedInputTokens", CACHE_READ_TOKENS),
    ("usage.inputTokenDetails.cacheReadTokens", CACHE_READ_TOKENS),
    ("usage.inputTokenDetails.cacheWriteTokens", CACHE_WRITE_TOKENS),
)
_MESSAGES = tuple(
    (name, f"ai.{name}") for name in ("prompt.messages", "response.text", "response.toolCalls", "response.object")
)
# Operations of the Vercel AI SDK that Mastra uses as prefixes.
_OPERATIONS = ("stream", "generateText", "streamText", "generateObject", "streamObject")
# Another name of an attribute, and the one that is read; the first one present counts.
_ALIASES = (
    ("aisdk.model.id", REQUEST_MODEL),
    ("aisdk.model.id", "ai.model.id"),
    ("aisdk.model.provider", "ai.model.provider"),
    *((f"ai.{name}", target) for name, target in _USAGE),
    ("gen_ai.usage.cache_read.input_tokens", CACHE_READ_TOKENS),
    ("gen_ai.usage.cache_creation.input_tokens", CACHE_WRITE_TOKENS),
    ("gen_ai.usage.details.cache_read_tokens", CACHE_READ_TOKENS),
    ("gen_ai.usage.details.cache_write_tokens", CACHE_WRITE_TOKENS),
    *((f"{prefix}.{name}", target) for prefix in _OPERATIONS for name, target in (*_USAGE, *_MESSAGES)),
)
# What Laminar does not store once it has read it under its other name.
REPLACED = frozenset(
    f"{prefix}.{name}"
    for prefix in _OPERATIONS
    for name in (
        "prompt.messages", "response.text", "response.object", "usage.inputTokens", "usage.outputTokens",
        "usage.cachedInputTokens",
    )
)  # fmt: skip


def normalise(attributes: Attributes) -> Attributes:
    """Returns the attributes, with those added under the name that is read that have another name."""
    aliases = [(target, attributes[name]) for name, target in _ALIASES if name in attributes]
    if not aliases:
        return attributes
    result = dict(attributes)
    for target, value in aliases:
        result.setdefault(target, value)
    return result


def is_wrapper(name: str) -> bool:
    """Whether a span of this name is one that Laminar drops."""
    return name.startswith("Runnable") and _WRAPPER.fullmatch(name) is not None


def is_tool_call(span: Span) -> bool:
    """Whether the Vercel AI SDK ran a tool."""
    return span.name == "ai.toolCall" or "ai.toolCall.name" in span.attributes or "ai.toolCall.id" in span.attributes


def find_type(span: Span) -> str:
    """Returns the type of a span with normalised attributes."""
    attributes = span.attributes
    if is_tool_call(span):
        return "TOOL"
    declared = attributes.get("lmnr.span.type")
    if isinstance(declared, str):
        return declared if declared in TYPES else "DEFAULT"
    from_operation = _TYPES_BY_OPERATION.get(values.text(attributes.get(OPERATION)))
    if from_operation:
        return from_operation
    if any(key in attributes for key in _TOOL_KEYS):
        return "TOOL"
    return "LLM" if any(key in attributes for key in _LLM_KEYS) else "DEFAULT"


def is_model_call(span_type: str, attributes: Attributes) -> bool:
    """Whether a span is a call of a model, sent to it or answered from a cache."""
    return span_type == "LLM" or (span_type == "CACHED" and attributes.get("lmnr.span.original_type") == "LLM")


def find_name(span: Span) -> str:
    """Returns a span's name: that of its tool, agent or function, if it has one."""
    attributes = span.attributes
    key = _NAMES_BY_OPERATION.get(values.text(attributes.get(OPERATION)), "")
    name = values.text(attributes.get(key)) or span.name
    if isinstance(attributes.get("ai.prompt"), str):
        operation = values.text(attributes.get("operation.name"))
        name = operation.removeprefix(f"{name} ") if operation.startswith(f"{name} ") else name
    return values.text(attributes.get("ai.toolCall.name")) or name


def find_provider(span: Span) -> str:
    """Returns a span's provider in lower case: for LangChain, that behind it."""
    attributes = span.attributes
    system = values.text(attributes.get("gen_ai.system")) or values.text(attributes.get("gen_ai.provider.name"))
    if system.strip().lower() != "langchain":
        return system.split(".")[0].lower().strip()
    name = span.name.lower()
    behind = name.replace("chat", "", 1).split(".")[0] if "." in name and name.strip().startswith("chat") else system
    return (values.text(attributes.get(_LANGCHAIN_PROVIDER)) or behind).lower().strip()


_FUNCTIONS = "llm.request.functions."


def find_tool_definitions(attributes: Attributes) -> tuple[list[Any], frozenset[str]]:
    """Returns the tools that a model was offered, and the attributes that list them; empty if there are none."""
    for key in ("ai.prompt.tools", "gen_ai.tool.definitions"):
        tools = values.parse_json(attributes.get(key))
        if isinstance(tools, list) and tools:
            return [values.parse_json(tool) for tool in tools], frozenset({key})
    fields_by_tool: dict[int, dict[str, Any]] = {}
    for key, value in attributes.items():
        # Most attributes are something else, and this is asked of each.
        if not key.startswith(_FUNCTIONS):
            continue
        index, dot, name = key.removeprefix(_FUNCTIONS).partition(".")
        if dot and index.isdecimal() and index.isascii() and len(index) < 7:
            fields_by_tool.setdefault(int(index), {})[name] = value
    tools = [_build_tool(fields) for _, fields in sorted(fields_by_tool.items())]
    read = ("name", "description", *_PARAMETERS)
    keys = {f"llm.request.functions.{index}.{name}" for index in fields_by_tool for name in read}
    return [tool for tool in tools if tool], frozenset(keys) if any(tools) else frozenset()


_PARAMETERS = ("parameters", "input_schema", "arguments")


def _build_tool(fields: dict[str, Any]) -> dict[str, Any]:
    tool = {name: fields[name] for name in ("name", "description") if name in fields}
    parameters = [fields[name] for name in _PARAMETERS if name in fields]
    return tool | ({"parameters": values.parse_json(parameters[0])} if parameters else {})
