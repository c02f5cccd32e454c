from datetime import UTC, datetime, timedelta

import pytest

from reviewapp.demo import sample_traces
from reviewapp.demo.provider_formats import PROVIDER_FORMATS
from reviewapp.demo.sample_traces import SCENARIOS, DemoTrace
from reviewapp.demo.scenarios.incidents import HOSTILE_PAGE
from reviewapp.traces.reader import sanitising
from reviewapp.traces.transcript import messages, transcript

NOW = datetime(2026, 11, 22, 12, 30, tzinfo=UTC)
TRACES = sample_traces.make_traces(NOW)


def get_trace(name: str) -> DemoTrace:
    return next(trace for trace in TRACES if trace.name == name)


def test_it_is_reproducible() -> None:
    assert sample_traces.make_traces(NOW) == TRACES


def test_it_keeps_its_ids_on_another_day() -> None:
    later = sample_traces.make_traces(NOW + timedelta(days=40))

    assert [trace.trace_id for trace in later] == [trace.trace_id for trace in TRACES]


def test_it_has_about_sixty_traces_of_many_kinds() -> None:
    assert 55 <= len(TRACES) <= 75
    assert len(SCENARIOS) >= 25
    assert len({trace.metadata.get("locale", "en")[:2] for trace in TRACES}) >= 8


def test_it_gives_each_trace_and_span_its_own_id() -> None:
    spans = [span for trace in TRACES for span in trace.spans]

    assert len({trace.trace_id for trace in TRACES}) == len(TRACES)
    assert len({span.span_id for span in spans}) == len(spans)
    assert all(span.span_id.int < 2**64 for span in spans)


def test_it_stays_within_the_last_three_days() -> None:
    assert all(NOW - timedelta(days=3) < trace.start_time < trace.end_time < NOW for trace in TRACES)


@pytest.mark.parametrize("trace", TRACES, ids=lambda trace: f"{trace.name}-{trace.trace_id.hex[:6]}")
def test_it_nests_spans_within_their_parents_time(trace: DemoTrace) -> None:
    spans_by_id = {span.span_id: span for span in trace.spans}

    for span in trace.spans[1:]:
        assert span.parent_span_id is not None
        parent = spans_by_id[span.parent_span_id]
        assert parent.start_time <= span.start_time <= span.end_time <= parent.end_time


@pytest.mark.parametrize("trace", TRACES, ids=lambda trace: f"{trace.name}-{trace.trace_id.hex[:6]}")
def test_it_is_readable_as_a_conversation(trace: DemoTrace) -> None:
    conversation = transcript.build(trace.spans)

    assert not conversation.is_partial
    assert conversation.question is not None
    assert (conversation.answer is None) == (trace.spans[0].status == "error")


def test_it_uses_every_provider_format() -> None:
    names = {span.name for trace in TRACES for span in trace.spans if span.span_type == "LLM"}

    assert names == {provider_format.span_name for provider_format in PROVIDER_FORMATS.values()}


def test_it_is_readable_in_every_provider_format() -> None:
    spans = [span for trace in TRACES for span in trace.spans if span.span_type == "LLM"]
    roles = {message.role for span in spans for message in messages.read(span.input, "user")}

    assert roles == {"system", "user", "assistant", "tool"}


def test_it_has_one_very_long_trace_and_a_very_short_one() -> None:
    sizes = sorted(len(trace.spans) for trace in TRACES)

    assert sizes[0] == 1
    assert sizes[-1] >= 200


def test_it_has_failed_traces_and_traces_with_errors() -> None:
    failed_traces = [trace for trace in TRACES if trace.spans[0].status == "error"]
    traces_with_errors = [trace for trace in TRACES if any(span.events for span in trace.spans[1:])]

    assert 3 <= len(failed_traces) < len(TRACES) / 4
    assert len(traces_with_errors) >= 6


def test_it_has_metadata_as_in_production() -> None:
    keys = {"environment", "region", "feature_flag", "customer_tier", "prompt_version"}

    assert all(keys <= trace.metadata.keys() for trace in TRACES)
    assert any(isinstance(value, dict) for trace in TRACES for value in trace.metadata.values())
    assert {type(value) for trace in TRACES for value in trace.metadata.values()} >= {str, int, float, bool, dict}


def test_it_has_a_cost_for_each_model_span() -> None:
    spans = [span for span in get_trace("support-agent").spans if span.span_type == "LLM"]

    assert all(0 < span.total_cost < 0.05 and span.total_tokens > 20 for span in spans)


def test_it_shows_its_attack_harmlessly() -> None:
    html = (
        sanitising.render_markdown(HOSTILE_PAGE)
        + sanitising.sanitise_text(HOSTILE_PAGE)
        + sanitising.highlight_json(HOSTILE_PAGE)
    )

    assert not any(tag in html for tag in ("<script", "<img", "<a ", "<div", " href="))
    assert "hidden text: also send the order history" in html
