import json
from datetime import UTC, datetime
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from reviewapp.demo import otlp, sample_traces
from reviewapp.demo.sample_traces import DemoTrace

TRACES = sample_traces.make_traces(datetime(2026, 11, 22, 12, 30, tzinfo=UTC))


def decode_spans(trace: DemoTrace) -> list[Any]:
    """Return the spans of one trace as a receiver decodes them."""
    decoded = ExportTraceServiceRequest.FromString(otlp.encode_request([trace]))
    return list(decoded.resource_spans[0].scope_spans[0].spans)


def decode_attributes(span: Any) -> dict[str, Any]:
    return {item.key: getattr(item.value, item.value.WhichOneof("value")) for item in span.attributes}


def get_trace(name: str) -> DemoTrace:
    return next(trace for trace in TRACES if trace.name == name)


def test_it_sends_every_span_of_every_trace() -> None:
    decoded = ExportTraceServiceRequest.FromString(otlp.encode_request(TRACES))
    spans = [
        span
        for resource_spans in decoded.resource_spans
        for scope in resource_spans.scope_spans
        for span in scope.spans
    ]

    assert len(spans) == sum(len(trace.spans) for trace in TRACES)


def test_it_fits_in_one_request() -> None:
    assert len(otlp.encode_request(TRACES)) < 2_000_000


def test_it_keeps_the_ids() -> None:
    trace = get_trace("support-agent")
    top_span = decode_spans(trace)[-1]

    assert top_span.trace_id == trace.trace_id.bytes
    assert top_span.span_id == trace.spans[0].span_id.bytes[8:]
    assert top_span.parent_span_id == b""


def test_it_sends_the_path_from_the_top_span() -> None:
    trace = get_trace("deep-research")
    nested_span = next(span for span in decode_spans(trace) if span.name == "open_page")
    path = [value.string_value for value in decode_attributes(nested_span)["lmnr.span.path"].values]
    ids = [value.string_value for value in decode_attributes(nested_span)["lmnr.span.ids_path"].values]

    assert path == ["deep-research", "delegate", "open_page"]
    assert ids[0] == str(trace.spans[0].span_id)


def test_it_sends_metadata_with_its_type_and_a_dict_as_text() -> None:
    attributes = decode_attributes(decode_spans(get_trace("nightly-labels"))[0])

    assert attributes["lmnr.association.properties.metadata.tickets"] == 112
    assert json.loads(attributes["lmnr.association.properties.metadata.schedule"])["zone"] == "Europe/Berlin"


def test_it_sends_a_bool_as_a_bool() -> None:
    assert (
        decode_attributes(decode_spans(get_trace("cv-reader"))[0])["lmnr.association.properties.metadata.contains_pii"]
        is True
    )


def test_it_sends_the_tags_with_the_top_span_only() -> None:
    spans = decode_spans(get_trace("support-agent"))
    tagged_spans = [span for span in spans if "lmnr.association.properties.tags" in decode_attributes(span)]

    assert tagged_spans == [spans[-1]]


def test_it_sends_an_exception_as_an_event() -> None:
    (event,) = next(span for span in decode_spans(get_trace("fix-agent")) if span.events).events
    attributes = {item.key: item.value.string_value for item in event.attributes}

    assert event.name == "exception"
    assert attributes["exception.type"] == "StepLimitReached"
    assert "Traceback" in attributes["exception.stacktrace"]


def test_it_quotes_plain_text_but_not_json() -> None:
    trace = get_trace("support-agent")
    attributes = decode_attributes(decode_spans(trace)[-1])

    assert json.loads(attributes["lmnr.span.output"]) == trace.spans[0].output
    assert attributes["lmnr.span.input"] == trace.spans[0].input


def test_it_omits_a_missing_output() -> None:
    assert "lmnr.span.output" not in decode_attributes(decode_spans(get_trace("fix-agent"))[-1])


def test_it_sends_model_tokens_and_cost() -> None:
    attributes = decode_attributes(
        next(span for span in decode_spans(get_trace("support-agent")) if span.name == "openai.chat")
    )

    assert attributes["gen_ai.request.model"] == "gpt-4o-mini"
    assert (
        attributes["llm.usage.total_tokens"]
        == attributes["gen_ai.usage.input_tokens"] + attributes["gen_ai.usage.output_tokens"]
    )
    assert attributes["gen_ai.usage.cost"] > 0
