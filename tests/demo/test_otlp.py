import json
from datetime import UTC, datetime
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from reviewapp.demo import otlp, sample_traces
from reviewapp.demo.sample_traces import DemoTrace

TRACES = sample_traces.make_traces(datetime(2026, 11, 22, 12, 30, tzinfo=UTC))


def sent(trace: DemoTrace) -> list[Any]:
    """The spans of one trace as a receiver decodes them."""
    decoded = ExportTraceServiceRequest.FromString(otlp.encode_request([trace]))
    return list(decoded.resource_spans[0].scope_spans[0].spans)


def attributes(span: Any) -> dict[str, Any]:
    return {item.key: getattr(item.value, item.value.WhichOneof("value")) for item in span.attributes}


def first(name: str) -> DemoTrace:
    return next(trace for trace in TRACES if trace.name == name)


def test_it_sends_every_span_of_every_trace() -> None:
    decoded = ExportTraceServiceRequest.FromString(otlp.encode_request(TRACES))
    found = [span for box in decoded.resource_spans for scope in box.scope_spans for span in scope.spans]

    assert len(found) == sum(len(trace.spans) for trace in TRACES)


def test_it_stays_within_one_request() -> None:
    assert len(otlp.encode_request(TRACES)) < 2_000_000


def test_it_keeps_the_ids() -> None:
    trace = first("support-agent")
    top = sent(trace)[-1]

    assert top.trace_id == trace.trace_id.bytes
    assert top.span_id == trace.spans[0].span_id.bytes[8:]
    assert top.parent_span_id == b""


def test_it_names_the_way_from_the_top() -> None:
    trace = first("deep-research")
    inner = next(span for span in sent(trace) if span.name == "open_page")
    path = [value.string_value for value in attributes(inner)["lmnr.span.path"].values]
    ids = [value.string_value for value in attributes(inner)["lmnr.span.ids_path"].values]

    assert path == ["deep-research", "delegate", "open_page"]
    assert ids[0] == str(trace.spans[0].span_id)


def test_it_keeps_a_metadata_values_type_and_sends_a_dict_as_text() -> None:
    given = attributes(sent(first("nightly-labels"))[0])

    assert given["lmnr.association.properties.metadata.tickets"] == 112
    assert json.loads(given["lmnr.association.properties.metadata.schedule"])["zone"] == "Europe/Berlin"


def test_it_sends_a_bool_as_a_bool() -> None:
    assert attributes(sent(first("cv-reader"))[0])["lmnr.association.properties.metadata.contains_pii"] is True


def test_it_sends_the_tags_with_the_top_span_only() -> None:
    spans = sent(first("support-agent"))
    tagged = [span for span in spans if "lmnr.association.properties.tags" in attributes(span)]

    assert tagged == [spans[-1]]


def test_it_sends_an_exception_as_an_event() -> None:
    (event,) = next(span for span in sent(first("fix-agent")) if span.events).events
    given = {item.key: item.value.string_value for item in event.attributes}

    assert event.name == "exception"
    assert given["exception.type"] == "StepLimitReached"
    assert "Traceback" in given["exception.stacktrace"]


def test_it_quotes_a_plain_text_and_leaves_json_as_it_is() -> None:
    trace = first("support-agent")
    given = attributes(sent(trace)[-1])

    assert json.loads(given["lmnr.span.output"]) == trace.spans[0].output
    assert given["lmnr.span.input"] == trace.spans[0].input


def test_it_leaves_out_an_output_that_never_came() -> None:
    assert "lmnr.span.output" not in attributes(sent(first("fix-agent"))[-1])


def test_it_sends_model_tokens_and_cost() -> None:
    given = attributes(next(span for span in sent(first("support-agent")) if span.name == "openai.chat"))

    assert given["gen_ai.request.model"] == "gpt-4o-mini"
    assert given["llm.usage.total_tokens"] == given["gen_ai.usage.input_tokens"] + given["gen_ai.usage.output_tokens"]
    assert given["gen_ai.usage.cost"] > 0
