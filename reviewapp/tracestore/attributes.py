"""Convert a span's attributes to the columns that Laminar stores."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

from reviewapp.lib import exact_json
from reviewapp.tracestore import arrays, ids, messages, timestamps, values
from reviewapp.tracestore.spans import Attributes, Event, Span

TYPES = frozenset(
    {"DEFAULT", "LLM", "PIPELINE", "EXECUTOR", "EVALUATOR", "EVALUATION", "TOOL", "HUMAN_EVALUATOR", "CACHED"}
)
_LLM_OPERATIONS = frozenset({"chat", "text_completion", "embeddings", "generate_content"})
_LLM_KEYS = ("gen_ai.system", "gen_ai.request.model", "gen_ai.response.model")
_TOOL_KEYS = ("gen_ai.tool.call.id", "gen_ai.tool.call.arguments", "gen_ai.tool.call.result")
_ASSOCIATION = "lmnr.association.properties."
_METADATA = f"{_ASSOCIATION}metadata."
_VERCEL_METADATA = "ai.telemetry.metadata."
# How many columns of a usage are counts; the rest are costs.
_COUNTS = 6


class Usage(NamedTuple):
    """Tokens and costs in dollars; zero if the span does not report them."""

    input_tokens: int = 0
    output_tokens: int = 0
    total_tokens: int = 0
    cache_read_input_tokens: int = 0
    cache_creation_input_tokens: int = 0
    reasoning_tokens: int = 0
    input_cost: float = 0.0
    output_cost: float = 0.0
    total_cost: float = 0.0

    def plus(self, other: "Usage") -> "Usage":
        """Returns the sum of both."""
        pairs = list(zip(self, other, strict=True))
        counts = [values.add_counts(int(a), int(b)) for a, b in pairs[:_COUNTS]]
        return Usage._make([*counts, *(values.add_costs(a, b) for a, b in pairs[_COUNTS:])])


_NO_USAGE = Usage()


@dataclass(slots=True)
class SpanRecord:
    """A span's stored columns and what it adds to its trace. Times are nanoseconds since 1970."""

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
    """Whether the sender switched tracing off for this span."""
    return span.attributes.get("lmnr.internal.tracing_level") == "off"


def is_patch(span: Span) -> bool:
    """Whether the span is virtual: it only carries metadata for its trace."""
    return span.attributes.get("lmnr.internal.metadata_only") is True


def read(span: Span) -> SpanRecord:
    """Convert a span to its record."""
    attributes = span.attributes
    span_type = _span_type(attributes)
    parent_id, path = _parent_and_path(span)
    span_input, span_output = messages.read(span_type, attributes)
    stored_attributes, trace_metadata = _split_metadata(attributes)
    return SpanRecord(
        trace_id=span.trace_id,
        span_id=span.span_id,
        parent_id=parent_id,
        name=messages.strip_control_characters(span.name),
        path=path,
        type=span_type,
        status="error" if span.events and any(event.name == "exception" for event in span.events) else "success",
        start=span.start,
        end=span.end,
        input=span_input,
        output=span_output,
        attributes=exact_json.dumps(stored_attributes),
        tool_definitions=_text(attributes, "gen_ai.tool.definitions"),
        tags=_tags(attributes),
        events=span.events,
        models=(_text(attributes, "gen_ai.request.model"), _text(attributes, "gen_ai.response.model")),
        provider=(_text(attributes, "gen_ai.system") or _text(attributes, "gen_ai.provider.name")).split(".")[0],
        usage=_usage(attributes) if span_type == "LLM" else _NO_USAGE,
        session_id=_text(attributes, f"{_ASSOCIATION}session_id"),
        user_id=_text(attributes, f"{_ASSOCIATION}user_id"),
        trace_type="EVALUATION" if span_type == "EVALUATION" else _text(attributes, f"{_ASSOCIATION}trace_type"),
        metadata=trace_metadata,
        has_browser_session=attributes.get("lmnr.internal.has_browser_session") is True,
    )


def to_row(record: SpanRecord) -> tuple[Any, ...]:
    """Returns the columns of table `span`, from `span_id` on."""
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
        arrays.pack(map(_event_object, record.events)) if record.events else b"[]",
        record.attributes,
        record.input,
        record.output,
    )


def read_metadata(attributes: Attributes) -> Attributes:
    """Returns the trace metadata among a span's attributes."""
    return _split_metadata(attributes)[1]


def _split_metadata(attributes: Attributes) -> tuple[Attributes, Attributes]:
    """Returns the attributes to store with the span, and its trace metadata; Vercel's keys override Laminar's."""
    stored: Attributes = {}
    laminar: Attributes = {}
    vercel: Attributes = {}
    for key, value in attributes.items():
        prefix = _metadata_prefix(key)
        if prefix is None:
            continue
        stored[key] = value
        if prefix:
            (laminar if prefix is _METADATA else vercel)[key[len(prefix) :]] = value
    return stored, laminar | vercel if vercel else laminar


@lru_cache(maxsize=4096)
def _metadata_prefix(key: str) -> str | None:
    """Returns a key's metadata prefix, empty if it has none; None for a message key, which is not stored.

    Cached, because every span carries the same few keys.
    """
    if key in messages.SOURCES or key.startswith(messages.PREFIXES):
        return None
    return next((prefix for prefix in (_METADATA, _VERCEL_METADATA) if key.startswith(prefix)), "")


def _event_object(event: Event) -> dict[str, Any]:
    return {"timestamp": event.timestamp, "name": event.name, "attributes": exact_json.dumps(event.attributes)}


def _span_type(attributes: Attributes) -> str:
    declared = attributes.get("lmnr.span.type")
    if isinstance(declared, str):
        return declared if declared in TYPES else "DEFAULT"
    operation = values.text(attributes.get("gen_ai.operation.name"))
    if operation in _LLM_OPERATIONS:
        return "LLM"
    if operation == "execute_tool" or any(key in attributes for key in _TOOL_KEYS):
        return "TOOL"
    return "LLM" if any(key in attributes for key in _LLM_KEYS) else "DEFAULT"


def _parent_and_path(span: Span) -> tuple[str, list[str]]:
    path = [part for part in _list(span.attributes, "lmnr.span.path") if isinstance(part, str)]
    path_ids = _list(span.attributes, "lmnr.span.ids_path")
    is_top = bool(path and path_ids) and path[0] == span.name and ids.path_id(path_ids[0]) == span.span_id
    if not path or path[-1] != span.name:
        path = [*path, span.name]
    if is_top or span.attributes.get("lmnr.internal.override_parent_span") is True:
        return ids.NIL, path
    parent_id = ids.path_id(path_ids[-2]) if len(path_ids) > 1 else ""
    return parent_id or span.parent_id, path


def _tags(attributes: Attributes) -> list[str]:
    tags = _list(attributes, f"{_ASSOCIATION}tags") + _list(attributes, f"{_ASSOCIATION}labels")
    return list(dict.fromkeys(tag for tag in tags if isinstance(tag, str))) if tags else []


def _usage(attributes: Attributes) -> Usage:
    input_tokens = _count(attributes, "gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens")
    output_tokens = _count(attributes, "gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens")
    input_cost = _cost(attributes, "gen_ai.usage.input_cost")
    output_cost = _cost(attributes, "gen_ai.usage.output_cost")
    return Usage(
        input_tokens,
        output_tokens,
        input_tokens + output_tokens,
        _count(attributes, "gen_ai.usage.cache_read_input_tokens", "gen_ai.usage.cache_read.input_tokens"),
        _count(attributes, "gen_ai.usage.cache_creation_input_tokens", "gen_ai.usage.cache_creation.input_tokens"),
        _count(attributes, "gen_ai.usage.reasoning_tokens", "gen_ai.usage.reasoning.output_tokens"),
        input_cost,
        output_cost,
        _cost(attributes, "gen_ai.usage.cost") or values.add_costs(input_cost, output_cost),
    )


def _count(attributes: Attributes, *keys: str) -> int:
    counts = (values.count(attributes.get(key)) for key in keys)
    return next((count for count in counts if count is not None), 0)


def _cost(attributes: Attributes, key: str) -> float:
    return values.cost(attributes.get(key))


def _text(attributes: Attributes, key: str) -> str:
    return values.text(attributes.get(key))


def _list(attributes: Attributes, key: str) -> list[Any]:
    return values.items(attributes.get(key))
