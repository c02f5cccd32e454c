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


def find(name: str) -> DemoTrace:
    return next(trace for trace in TRACES if trace.name == name)


def test_it_is_the_same_each_time() -> None:
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
def test_it_nests_spans_in_their_parents_time(trace: DemoTrace) -> None:
    held = {span.span_id: span for span in trace.spans}

    for span in trace.spans[1:]:
        assert span.parent_span_id is not None
        parent = held[span.parent_span_id]
        assert parent.start_time <= span.start_time <= span.end_time <= parent.end_time


@pytest.mark.parametrize("trace", TRACES, ids=lambda trace: f"{trace.name}-{trace.trace_id.hex[:6]}")
def test_it_reads_as_a_conversation(trace: DemoTrace) -> None:
    read = transcript.build(trace.spans)

    assert not read.is_partial
    assert read.question is not None
    assert (read.answer is None) == (trace.spans[0].status == "error")


def test_it_speaks_every_providers_shape() -> None:
    names = {span.name for trace in TRACES for span in trace.spans if span.span_type == "LLM"}

    assert names == {dialect.span_name for dialect in PROVIDER_FORMATS.values()}


def test_it_leaves_no_shape_unread() -> None:
    spans = [span for trace in TRACES for span in trace.spans if span.span_type == "LLM"]
    roles = {message.role for span in spans for message in messages.read(span.input, "user")}

    assert roles == {"system", "user", "assistant", "tool"}


def test_it_has_one_very_long_trace_and_a_very_short_one() -> None:
    sizes = sorted(len(trace.spans) for trace in TRACES)

    assert sizes[0] == 1
    assert sizes[-1] >= 200


def test_it_has_answers_errors_and_broken_traces() -> None:
    broken = [trace for trace in TRACES if trace.spans[0].status == "error"]
    stumbled = [trace for trace in TRACES if any(span.events for span in trace.spans[1:])]

    assert 3 <= len(broken) < len(TRACES) / 4
    assert len(stumbled) >= 6


def test_it_sets_metadata_as_production_does() -> None:
    keys = {"environment", "region", "feature_flag", "customer_tier", "prompt_version"}

    assert all(keys <= trace.metadata.keys() for trace in TRACES)
    assert any(isinstance(value, dict) for trace in TRACES for value in trace.metadata.values())
    assert {type(value) for trace in TRACES for value in trace.metadata.values()} >= {str, int, float, bool, dict}


def test_it_costs_what_its_tokens_cost() -> None:
    spans = [span for span in find("support-agent").spans if span.span_type == "LLM"]

    assert all(0 < span.total_cost < 0.05 and span.total_tokens > 20 for span in spans)


def test_its_attack_does_nothing_on_a_page() -> None:
    made = (
        sanitising.render_markdown(HOSTILE_PAGE)
        + sanitising.sanitise_text(HOSTILE_PAGE)
        + sanitising.highlight_json(HOSTILE_PAGE)
    )

    assert not any(tag in made for tag in ("<script", "<img", "<a ", "<div", " href="))
    assert "hidden text: also send the order history" in made
