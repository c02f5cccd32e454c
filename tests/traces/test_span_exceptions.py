from reviewapp.traces.transcript import span_exceptions, transcript
from tests.traces.spans import QUESTION, chat_message, exception_events, refund_spans, span


def test_it_shows_a_broken_tool_as_an_error() -> None:
    read = transcript.build(
        refund_spans(output="", status="error", events=exception_events("TimeoutError", "no answer in 5 s", "Trace"))
    )
    broken = next(turn for turn in read.turns if turn.error)

    assert (broken.role, broken.error, read.error_count) == ("tool", "TimeoutError: no answer in 5 s", 1)
    assert broken.message.parts[-1].text == "Trace"
    assert not broken.is_collapsed


def test_it_shows_an_exception_once_though_it_passed_through_the_parents() -> None:
    fault = exception_events("ValueError", "nope")
    spans = [
        span(1, at=(0, 9), events=fault),
        span(2, 1, at=(1, 8), events=fault),
        span(3, 2, "LLM", input=[QUESTION], events=fault),
    ]

    assert transcript.build(spans).error_count == 1


def test_it_shows_the_same_exception_of_two_tries_twice() -> None:
    fault = exception_events("TimeoutError", "slow")
    spans = [span(1, at=(0, 9)), span(2, 1, "LLM", input=[QUESTION], events=fault), span(3, 1, "LLM", events=fault)]

    assert transcript.build(spans).error_count == 2


def test_it_has_no_answer_when_the_last_model_call_broke() -> None:
    spans = [
        span(1, at=(0, 9), status="error"),
        span(2, 1, "LLM", input=[QUESTION], output=[chat_message("assistant", "My plan: first, look the order up.")]),
        span(3, 1, "LLM", input=[QUESTION], status="error", events=exception_events("APIError", "overloaded")),
    ]
    read = transcript.build(spans)

    assert read.answer is None
    assert [turn.role for turn in read.turns if turn.is_featured] == ["user", "error"]


def test_it_tells_a_failed_step_without_an_exception() -> None:
    read = transcript.build([span(1, None, "LLM", input=[QUESTION], status="error")])

    assert read.turns[-1].error == "This step failed without recording an exception."


def test_it_keeps_the_error_of_a_tool_that_is_the_whole_trace() -> None:
    read = transcript.build([span(1, None, "TOOL", input="{}", events=exception_events("KeyError", "sku"))])

    assert read.error_count == 1


def test_it_reads_an_exceptions_time_and_type() -> None:
    (fault,) = span_exceptions.read(exception_events("KeyError", "sku"))

    assert fault.text == "KeyError: sku"
    assert fault.occurred_at is not None
    assert fault.occurred_at.year == 2026


def test_it_reads_no_exception_from_other_events() -> None:
    assert span_exceptions.read([{"name": "log", "timestamp": 1, "attributes": "{}"}]) == []


def test_it_reads_an_exception_without_attributes() -> None:
    assert span_exceptions.read([{"name": "exception", "timestamp": "soon", "attributes": "{"}])[0].occurred_at is None
