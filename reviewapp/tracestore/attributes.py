"""What Laminar reads out of a span's attributes: the columns of its row."""

import json
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

from reviewapp.tracestore import arrays, ids, messages, timestamps
from reviewapp.tracestore.spans import Attributes, Event, Span

TYPES = frozenset(
    {"DEFAULT", "LLM", "PIPELINE", "EXECUTOR", "EVALUATOR", "EVALUATION", "TOOL", "HUMAN_EVALUATOR", "CACHED"}
)
_LLM_OPERATIONS = frozenset({"chat", "text_completion", "embeddings", "generate_content"})
_LLM_SIGNS = ("gen_ai.system", "gen_ai.request.model", "gen_ai.response.model")
_TOOL_SIGNS = ("gen_ai.tool.call.id", "gen_ai.tool.call.arguments", "gen_ai.tool.call.result")
_ASSOCIATION = "lmnr.association.properties."
_METADATA = f"{_ASSOCIATION}metadata."
_VERCEL_METADATA = "ai.telemetry.metadata."
_compact = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), default=float).encode


class Usage(NamedTuple):
    """Tokens and costs in dollars; zero where nothing was told."""

    input_tokens: int = 0
    output_tokens: int = 0
    total_tokens: int = 0
    cache_read_input_tokens: int = 0
    cache_creation_input_tokens: int = 0
    reasoning_tokens: int = 0
    input_cost: float = 0.0
    output_cost: float = 0.0
    total_cost: float = 0.0


_NO_USAGE = Usage()


@dataclass(slots=True)
class Record:
    """A span as it is stored, and what it adds to its trace."""

    trace_id: str
    span_id: str
    parent_id: str
    name: str
    path: list[str]
    type: str
    status: str
    start: int
    end: int
    input: str
    output: str
    attributes: str
    tool_definitions: str
    tags: list[str]
    events: list[Event]
    models: tuple[str, str]
    provider: str
    usage: Usage
    session_id: str
    user_id: str
    trace_type: str
    metadata: Attributes
    has_browser_session: bool


def is_dropped(span: Span) -> bool:
    """Whether its sender switched this span off."""
    return span.attributes.get("lmnr.internal.tracing_level") == "off"


def is_patch(span: Span) -> bool:
    """Whether the span only carries metadata for its trace."""
    return span.attributes.get("lmnr.internal.metadata_only") is True


def read(span: Span) -> Record:
    """The row that a span becomes."""
    told = span.attributes
    span_type = _type(told)
    parent_id, path = _place(span)
    given, answered = messages.read(span_type, told)
    kept, carried = _sorted_out(told)
    return Record(
        trace_id=span.trace_id,
        span_id=span.span_id,
        parent_id=parent_id,
        name=messages.clean(span.name),
        path=path,
        type=span_type,
        status="error" if span.events and any(event.name == "exception" for event in span.events) else "success",
        start=span.start,
        end=span.end,
        input=given,
        output=answered,
        attributes=_compact(kept),
        tool_definitions=_text(told, "gen_ai.tool.definitions"),
        tags=_tags(told),
        events=span.events,
        models=(_text(told, "gen_ai.request.model"), _text(told, "gen_ai.response.model")),
        provider=(_text(told, "gen_ai.system") or _text(told, "gen_ai.provider.name")).split(".")[0],
        usage=_usage(told) if span_type == "LLM" else _NO_USAGE,
        session_id=_text(told, f"{_ASSOCIATION}session_id"),
        user_id=_text(told, f"{_ASSOCIATION}user_id"),
        trace_type="EVALUATION" if span_type == "EVALUATION" else _text(told, f"{_ASSOCIATION}trace_type"),
        metadata=carried,
        has_browser_session=told.get("lmnr.internal.has_browser_session") is True,
    )


def row(record: Record) -> tuple[Any, ...]:
    """The columns of table `span`, from `span_id` on."""
    return (
        record.span_id,
        record.parent_id,
        record.name,
        ".".join(record.path),
        record.type,
        record.status,
        timestamps.text(record.start),
        timestamps.text(record.end),
        (record.end - record.start) / 1_000_000_000,
        *record.models,
        record.provider,
        *record.usage,
        record.tool_definitions,
        arrays.pack(record.tags) if record.tags else b"[]",
        arrays.pack(map(_event, record.events)) if record.events else b"[]",
        record.attributes,
        record.input,
        record.output,
    )


def metadata(told: Attributes) -> Attributes:
    """The trace metadata that a span carries."""
    return _sorted_out(told)[1]


def _sorted_out(told: Attributes) -> tuple[Attributes, Attributes]:
    """What stays among the span's attributes, and its trace metadata; Vercel's keys win over Laminar's."""
    kept: Attributes = {}
    carried: Attributes = {}
    vercel: Attributes = {}
    for key, value in told.items():
        prefix = _prefix(key)
        if prefix is None:
            continue
        kept[key] = value
        if prefix:
            (carried if prefix is _METADATA else vercel)[key[len(prefix) :]] = value
    return kept, carried | vercel if vercel else carried


@lru_cache(maxsize=4096)
def _prefix(key: str) -> str | None:
    """The metadata prefix of a key, none for a message's key. Cached: the same few keys come with every span."""
    if key in messages.SOURCES or key.startswith(messages.PREFIXES):
        return None
    return next((prefix for prefix in (_METADATA, _VERCEL_METADATA) if key.startswith(prefix)), "")


def _event(event: Event) -> dict[str, Any]:
    return {"timestamp": event.timestamp, "name": event.name, "attributes": _compact(event.attributes)}


def _type(told: Attributes) -> str:
    named = told.get("lmnr.span.type")
    if isinstance(named, str):
        return named if named in TYPES else "DEFAULT"
    operation = told.get("gen_ai.operation.name")
    if operation in _LLM_OPERATIONS:
        return "LLM"
    if operation == "execute_tool" or any(sign in told for sign in _TOOL_SIGNS):
        return "TOOL"
    return "LLM" if any(sign in told for sign in _LLM_SIGNS) else "DEFAULT"


def _place(span: Span) -> tuple[str, list[str]]:
    path = [part for part in _list(span.attributes, "lmnr.span.path") if isinstance(part, str)]
    path_ids = _list(span.attributes, "lmnr.span.ids_path")
    is_top = bool(path and path_ids) and path[0] == span.name and ids.path_id(path_ids[0]) == span.span_id
    if not path or path[-1] != span.name:
        path = [*path, span.name]
    if is_top or span.attributes.get("lmnr.internal.override_parent_span") is True:
        return ids.NIL, path
    named = ids.path_id(path_ids[-2]) if len(path_ids) > 1 else ""
    return named or span.parent_id, path


def _tags(told: Attributes) -> list[str]:
    given = _list(told, f"{_ASSOCIATION}tags") + _list(told, f"{_ASSOCIATION}labels")
    return list(dict.fromkeys(tag for tag in given if isinstance(tag, str))) if given else []


def _usage(told: Attributes) -> Usage:
    given = _count(told, "gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens")
    answered = _count(told, "gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens")
    input_cost, output_cost = _cost(told, "gen_ai.usage.input_cost"), _cost(told, "gen_ai.usage.output_cost")
    return Usage(
        given,
        answered,
        given + answered,
        _count(told, "gen_ai.usage.cache_read_input_tokens", "gen_ai.usage.cache_read.input_tokens"),
        _count(told, "gen_ai.usage.cache_creation_input_tokens", "gen_ai.usage.cache_creation.input_tokens"),
        _count(told, "gen_ai.usage.reasoning_tokens", "gen_ai.usage.reasoning.output_tokens"),
        input_cost,
        output_cost,
        _cost(told, "gen_ai.usage.cost") or input_cost + output_cost,
    )


def _count(told: Attributes, *keys: str) -> int:
    for key in keys:
        value = told.get(key)
        if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**53:
            return value
    return 0


def _cost(told: Attributes, key: str) -> float:
    value = told.get(key)
    if isinstance(value, bool) or value is None or isinstance(value, (str, list, dict)):
        return 0.0
    return max(float(value), 0.0)


def _text(told: Attributes, key: str) -> str:
    value = told.get(key)
    return value.replace("\x00", "") if isinstance(value, str) else ""


def _list(told: Attributes, key: str) -> list[Any]:
    value = told.get(key)
    return value if isinstance(value, list) else []
