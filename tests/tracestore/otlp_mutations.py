"""Structured mutations of trace requests: unusual values under the keys that the store reads, in each encoding."""

import base64
import json
from collections.abc import Iterator
from copy import deepcopy
from random import Random
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from reviewapp.tracestore import messages
from tests.tracestore.store_calls import any_value

ASSOCIATION = "lmnr.association.properties."
KEYS = [
    *sorted(messages.SOURCES), "lmnr.span.type", "lmnr.span.path", "lmnr.span.ids_path", "lmnr.internal.metadata_only",
    "lmnr.internal.tracing_level", "lmnr.internal.override_parent_span", "lmnr.internal.has_browser_session",
    *(ASSOCIATION + name for name in "session_id user_id trace_type tags labels metadata metadata. metadata.k".split()),
    "ai.telemetry.metadata.k", "gen_ai.operation.name", "gen_ai.system", "gen_ai.provider.name", "gen_ai.request.model",
    "gen_ai.response.model", "gen_ai.tool.definitions", "gen_ai.tool.call.id", "gen_ai.usage.input_tokens",
    "gen_ai.usage.output_tokens", "gen_ai.usage.input_cost", "gen_ai.usage.output_cost", "gen_ai.usage.cost",
    "gen_ai.prompt.0.content", "gen_ai.prompt.0.role", "gen_ai.completion.1.tool_calls.0.arguments",
    "ai.telemetry.metadata.sessionId", "ai.telemetry.metadata.userId", "ai.telemetry.metadata.tags", "ai.toolCall.id",
    "ai.prompt.tools", "llm.request.functions.0.name", "llm.request.functions.1.parameters", "operation.name",
    "gen_ai.tool.name", "gen_ai.agent.name", "lmnr.span.original_type", "ai.usage.inputTokens", "aisdk.model.id",
    "stream.prompt.messages", "streamText.usage.inputTokenDetails.cacheReadTokens", f"{ASSOCIATION}ls_provider",
    "gen_ai.completion.0.function_call.name", "gen_ai.completion.0.reasoning", "llm.request.functions.9999999.name",
    "gen_ai.completion.999999.content", "gen_ai.prompt.9999999.role", "", "\x00", "k", "\U0010ffff",
]  # fmt: skip
TEXTS = [
    "", "LLM", "TOOL", "chat", "execute_tool", "off", "meta_only", "\x00", "a\x00b", "\uffff", "\u202e", '"quoted"',
    '"\\"twice\\""', '"\\ud800"', "[1]", '{"a": {"b": null}}', '[{"toolName": [], "input": {}}]', '[{"role": 5}]',
    "1e999", "NaN", "[NaN]", "9" * 5000, "-0", "0e-99999999", '["\\ud800"]', "[" * 140 + "]" * 140,
    "[" * 975 + "]" * 975, '{"a":' * 900 + "1" + "}" * 900, "[" * 5000, "x" * 5000,
]  # fmt: skip
NUMBERS = [0, 1, -1, 2**31, 2**53 - 1, 2**53, 2**63 - 1, -(2**63)]
FLOATS = [0.0, -0.0, 1.5, -1.5, 1e308, -1e308, 5e-324, float("nan"), float("inf"), float("-inf")]
RAW = [b"\xf0\x9f", b"\xff\xfe", b'"\\ud800"', b'{"\\ud800": 1}', b"1" + b"0" * 400, b"1e-99999999999999999999"]
SCALARS: list[Any] = [*TEXTS, *NUMBERS, *FLOATS, *RAW, *(text.encode() for text in TEXTS), True, False]
TIMES = [0, 1, 1_767_323_045_000_000_000, 4_102_444_800_000_000_000, 2**63, 2**64 - 1]
SPAN_IDS = [b"\x01" * 8, b"\x03" * 8, b"", b"\x00" * 8, b"short", b"\xff" * 17]
TRACE_IDS = [b"\x02" * 16, b"\x04" * 16, b"\x05" * 16, b"", b"\x00" * 16, b"\xff" * 17]
# What JSON can say where the protocol wants something else.
JUNK: list[Any] = [
    None, True, 5, -1, 1.5, "", "x", [], {}, [None], {"x": 1}, "9" * 4000, 10**400, 2**64, "1_0", "\u0661", "=",
    "\x00", [[[]]], {"stringValue": "x"}, {"intValue": "1" + "0" * 400}, {"doubleValue": "1e400"}, {"boolValue": "no"},
]  # fmt: skip


def make_batch(random: Random) -> list[Span]:
    """Make some spans; ids repeat, so that spans meet earlier ones."""
    return [_make_span(random) for _ in range(random.randint(1, 4))]


def _make_span(random: Random) -> Span:
    span = Span(
        trace_id=random.choice(TRACE_IDS[:3]) if random.random() < 0.9 else random.choice(TRACE_IDS),
        span_id=random.randbytes(8) if random.random() < 0.8 else random.choice(SPAN_IDS),
        parent_span_id=random.choice(SPAN_IDS[:3]) if random.random() < 0.9 else random.choice(SPAN_IDS),
        name=random.choice(TEXTS),
        start_time_unix_nano=random.choice(TIMES),
        end_time_unix_nano=random.choice(TIMES),
    )
    _add_attributes(random, span.attributes)
    for _ in range(random.choice([0, 0, 1, 2])):
        event = span.events.add(name=random.choice(["exception", *TEXTS[:9]]), time_unix_nano=random.choice(TIMES))
        _add_attributes(random, event.attributes)
    return span


def _add_attributes(random: Random, attributes: Any) -> None:
    for _ in range(random.randint(0, 6)):
        attributes.add(key=random.choice(KEYS), value=any_value(_make_value(random, 3)))


def _make_value(random: Random, depth: int) -> Any:
    kind = random.random()
    if depth and kind < 0.15:
        return [_make_value(random, depth - 1) for _ in range(random.randint(0, 3))]
    if depth and kind < 0.3:
        return {random.choice(KEYS): _make_value(random, depth - 1) for _ in range(random.randint(0, 3))}
    return random.choice(SCALARS)


def to_protobuf(batch: list[Span], random: Random) -> bytes:
    """Encode the spans; sometimes a byte is changed or lost."""
    request = ExportTraceServiceRequest()
    request.resource_spans.add().scope_spans.add().spans.extend(batch)
    body = bytearray(request.SerializeToString())
    for _ in range(random.choice([0, 0, 0, 1])):
        body[random.randrange(len(body))] = random.randrange(256)
    return bytes(body if random.random() < 0.95 else body[:-1])


def to_json(batch: list[Span], random: Random) -> bytes:
    """Encode the spans as OTLP/JSON, sometimes with junk in place of a part."""
    body = {"resourceSpans": [{"scopeSpans": [{"spans": [_json_span(span) for span in batch]}]}]}
    return _dump_with_junk(body, random)


def to_plain_json(batch: list[Span], random: Random) -> bytes:
    """Encode the spans for POST /v1/spans, sometimes with junk in place of a part."""
    body = [
        {
            "name": span.name,
            "spanType": _make_value(random, 1),
            "startTime": "2026-01-02T03:04:05.123Z",
            "endTime": random.choice(["0001-01-01T00:00:00+14:00", "9999-12-31 23:59:60", "2026-01-02T03:04:05Z"]),
            "traceId": random.choice(["7c1e5d2a-9b3f-4c8d-a1e6-0f2b4d6c9f04", None]),
            "attributes": {random.choice(KEYS): _make_value(random, 3) for _ in range(4)},
            "input": _make_value(random, 3),
        }
        for span in batch
    ]
    return _dump_with_junk(body, random)


def _dump_with_junk(body: Any, random: Random) -> bytes:
    for _ in range(random.choice([0, 0, 1, 2])):
        container, key = random.choice(list(_parts(body)))
        container[key] = deepcopy(random.choice(JUNK))
    # Decoded as Latin-1, bytes become text of any characters.
    return json.dumps(body, default=lambda raw: raw.decode("latin-1")).encode()


def _parts(body: Any) -> Iterator[tuple[Any, Any]]:
    """Yield each container with each of its keys or indexes."""
    for key, item in body.items() if isinstance(body, dict) else enumerate(body):
        yield body, key
        if isinstance(item, (dict, list)):
            yield from _parts(item)


def _json_span(span: Span) -> dict[str, Any]:
    return {
        "traceId": span.trace_id.hex(),
        "spanId": base64.b64encode(span.span_id).decode(),
        "parentSpanId": span.parent_span_id.hex(),
        "name": span.name,
        "startTimeUnixNano": str(span.start_time_unix_nano),
        "endTimeUnixNano": span.end_time_unix_nano,
        "attributes": _json_pairs(span.attributes),
        "events": [{"name": event.name, "attributes": _json_pairs(event.attributes)} for event in span.events],
    }


def _json_pairs(pairs: Any) -> list[dict[str, Any]]:
    return [{"key": pair.key, "value": _json_value(pair.value)} for pair in pairs]


def _json_value(value: Any) -> dict[str, Any]:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return {"arrayValue": {"values": [_json_value(item) for item in value.array_value.values]}}
    if kind == "kvlist_value":
        return {"kvlistValue": {"values": _json_pairs(value.kvlist_value.values)}}
    if kind == "bytes_value":
        return {"bytesValue": base64.b64encode(value.bytes_value).decode()}
    if kind == "bool_value":
        return {"boolValue": value.bool_value}
    names = {"int_value": "intValue", "double_value": "doubleValue", "string_value": "stringValue"}
    text = getattr(value, kind)
    return {names[kind]: text if kind == "string_value" else str(text)}
