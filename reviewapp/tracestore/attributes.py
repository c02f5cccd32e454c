"""Convert a span's attributes to the columns that Laminar stores."""

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, NamedTuple

from reviewapp.lib import exact_json
from reviewapp.tracestore import arrays, ids, messages, normalisation, timestamps, values
from reviewapp.tracestore.spans import Attributes, Event, Span

_ASSOCIATION = "lmnr.association.properties."
_METADATA = f"{_ASSOCIATION}metadata."
_VERCEL_METADATA = "ai.telemetry.metadata."
_SESSION_KEYS = (f"{_ASSOCIATION}session_id", f"{_VERCEL_METADATA}session_id", f"{_VERCEL_METADATA}sessionId")
_USER_KEYS = (f"{_ASSOCIATION}user_id", f"{_VERCEL_METADATA}userId", f"{_VERCEL_METADATA}user_id")
_TAG_KEYS = (f"{_ASSOCIATION}tags", f"{_VERCEL_METADATA}tags", f"{_ASSOCIATION}labels")
_NO_KEYS: frozenset[str] = frozenset()
_NEVER_STORED = normalisation.REPLACED | {
    messages.INPUT, messages.OUTPUT, "ai.prompt", "ai.prompt.messages", "traceloop.entity.input",
    "traceloop.entity.output", "traceloop.entity.path", "lmnr.internal.override_parent_span",
}  # fmt: skip
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
    """Whether the sender switched tracing off for this span, or it is only a wrapper of LangChain's."""
    return span.attributes.get("lmnr.internal.tracing_level") == "off" or normalisation.is_wrapper(span.name)


def is_patch(span: Span) -> bool:
    """Whether the span is virtual: it only carries metadata for its trace."""
    return span.attributes.get("lmnr.internal.metadata_only") is True


def read(received: Span) -> SpanRecord:
    """Convert a span to its record."""
    span = replace(received, attributes=normalisation.normalise(received.attributes))
    attributes = span.attributes
    span_type, name = normalisation.find_type(span), normalisation.find_name(span)
    is_model_call = normalisation.is_model_call(span_type, attributes)
    tools, tool_keys = normalisation.find_tool_definitions(attributes) if is_model_call else ([], _NO_KEYS)
    parent_id, path = _parent_and_path(span, name)
    content = messages.read(span, span_type, is_model_call=is_model_call)
    stored_attributes, trace_metadata = _split_metadata(attributes, content.sources | tool_keys)
    return SpanRecord(
        trace_id=span.trace_id,
        span_id=span.span_id,
        parent_id=parent_id,
        name=messages.strip_control_characters(name),
        path=path,
        type=span_type,
        status="error" if span.events and any(event.name == "exception" for event in span.events) else "success",
        start=span.start,
        end=span.end,
        input=content.input,
        output=content.output,
        attributes=exact_json.dumps(stored_attributes),
        tool_definitions=exact_json.dumps(tools) if tools else "",
        tags=_tags(attributes),
        events=span.events,
        models=(_text(attributes, normalisation.REQUEST_MODEL), _text(attributes, "gen_ai.response.model")),
        provider=normalisation.find_provider(span),
        usage=_usage(attributes) if is_model_call else _NO_USAGE,
        session_id=_first_text(attributes, *_SESSION_KEYS),
        user_id=_first_text(attributes, *_USER_KEYS),
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
    return _split_metadata(attributes, _NO_KEYS)[1]


def _split_metadata(attributes: Attributes, sources: frozenset[str]) -> tuple[Attributes, Attributes]:
    """Returns the attributes to store with the span, and its trace metadata; Vercel's keys override Laminar's.

    `sources` are not stored: what they hold is stored elsewhere.
    """
    stored: Attributes = {}
    laminar: Attributes = {}
    vercel: Attributes = {}
    for key, value in attributes.items():
        prefix = _metadata_prefix(key)
        if prefix is None or key in sources:
            continue
        stored[key] = value
        if prefix:
            (laminar if prefix is _METADATA else vercel)[key[len(prefix) :]] = value
    return stored, laminar | vercel if vercel else laminar


@lru_cache(maxsize=4096)
def _metadata_prefix(key: str) -> str | None:
    """Returns a key's metadata prefix, empty if it has none; None for a key that is never stored.

    Cached, because every span carries the same few keys.
    """
    if key in _NEVER_STORED or messages.INDEXED_CONTENT.search(key):
        return None
    return next((prefix for prefix in (_METADATA, _VERCEL_METADATA) if key.startswith(prefix)), "")


def _event_object(event: Event) -> dict[str, Any]:
    attributes = exact_json.dumps(event.attributes) if event.attributes else "{}"
    return {"timestamp": event.timestamp, "name": event.name, "attributes": attributes}


def _parent_and_path(span: Span, name: str) -> tuple[str, list[str]]:
    """Returns the id of the parent, and the names from the top span to this one, which is called `name`."""
    path = [part for part in _list(span.attributes, "lmnr.span.path") if isinstance(part, str)]
    path_ids = _list(span.attributes, "lmnr.span.ids_path")
    if any(map(normalisation.is_wrapper, path)):
        path_ids = [
            path_id for path_id, part in zip(path_ids, path, strict=False) if not normalisation.is_wrapper(part)
        ]
        path = [part for part in path if not normalisation.is_wrapper(part)]
    if path and path[-1] == span.name and "ai.toolCall.name" not in span.attributes:
        path[-1] = name
    is_top = bool(path and path_ids) and path[0] == name and ids.path_id(path_ids[0]) == span.span_id
    if not path or path[-1] != name:
        path = [*path, name]
    if is_top or span.attributes.get("lmnr.internal.override_parent_span") is True:
        return ids.NIL, path
    parent_id = ids.path_id(path_ids[-2]) if len(path_ids) > 1 else ""
    return parent_id or span.parent_id, path


def _tags(attributes: Attributes) -> list[str]:
    tags = [tag for key in _TAG_KEYS for tag in _list(attributes, key)]
    return list(dict.fromkeys(tag for tag in tags if isinstance(tag, str))) if tags else []


def _usage(attributes: Attributes) -> Usage:
    cache_read = _count(attributes, normalisation.CACHE_READ_TOKENS)
    cache_write = _count(attributes, normalisation.CACHE_WRITE_TOKENS)
    # Some providers do not count cached tokens as input.
    input_tokens = max(
        _count(attributes, normalisation.INPUT_TOKENS, "gen_ai.usage.prompt_tokens"),
        values.add_counts(cache_read, cache_write),
    )
    output_tokens = _count(attributes, normalisation.OUTPUT_TOKENS, "gen_ai.usage.completion_tokens")
    input_cost = _cost(attributes, "gen_ai.usage.input_cost")
    output_cost = _cost(attributes, "gen_ai.usage.output_cost")
    return Usage(
        input_tokens,
        output_tokens,
        values.add_counts(input_tokens, output_tokens),
        cache_read,
        cache_write,
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


def _first_text(attributes: Attributes, *keys: str) -> str:
    """Returns the first of these that is a text; empty if there is none."""
    return next((text for key in keys if (text := _text(attributes, key))), "")


def _list(attributes: Attributes, key: str) -> list[Any]:
    return values.items(attributes.get(key))
