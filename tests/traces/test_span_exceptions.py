from reviewapp.traces.transcript import span_exceptions, transcript
from tests.traces.spans import QUESTION, chat_message, exception_events, refund_spans, span


def test_it_shows_a_failed_tool_as_an_error() -> None:
    built = transcript.build(
        refund_spans(output="", status="error", events=exception_events("TimeoutError", "no answer in 5 s", "Trace"))
    )
    failed = next(turn for turn in built.turns if turn.error)

    assert (failed.role, failed.error, built.error_count) == ("tool", "TimeoutError: no answer in 5 s", 1)
    assert failed.message.parts[-1].text == "Trace"
    assert not failed.is_collapsed


def test_it_shows_an_exception_once_when_it_propagates_to_the_parents() -> None:
    events = exception_events("ValueError", "nope")
    spans = [
        span(1, at=(0, 9), events=events),
        span(2, 1, at=(1, 8), events=events),
        span(3, 2, "LLM", input=[QUESTION], events=events),
    ]

    assert transcript.build(spans).error_count == 1


def test_it_shows_the_same_exception_of_two_attempts_twice() -> None:
    events = exception_events("TimeoutError", "slow")
    spans = [span(1, at=(0, 9)), span(2, 1, "LLM", input=[QUESTION], events=events), span(3, 1, "LLM", events=events)]

    assert transcript.build(spans).error_count == 2


def test_it_has_no_answer_when_the_last_model_call_failed() -> None:
    spans = [
        span(1, at=(0, 9), status="error"),
        span(2, 1, "LLM", input=[QUESTION], output=[chat_message("assistant", "My plan: first, look the order up.")]),
        span(3, 1, "LLM", input=[QUESTION], status="error", events=exception_events("APIError", "overloaded")),
    ]
    built = transcript.build(spans)

    assert built.answer is None
    assert [turn.role for turn in built.turns if turn.is_featured] == ["user", "error"]


def test_it_shows_a_failed_step_without_an_exception() -> None:
    built = transcript.build([span(1, None, "LLM", input=[QUESTION], status="error")])

    assert built.turns[-1].error == "This step failed without recording an exception."


def test_it_keeps_the_error_of_a_tool_that_is_the_whole_trace() -> None:
    built = transcript.build([span(1, None, "TOOL", input="{}", events=exception_events("KeyError", "sku"))])

    assert built.error_count == 1


def test_it_reads_an_exceptions_time_and_type() -> None:
    (exception,) = span_exceptions.read(exception_events("KeyError", "sku"))

    assert exception.text == "KeyError: sku"
    assert exception.occurred_at is not None
    assert exception.occurred_at.year == 2026


def test_it_reads_no_exception_from_other_events() -> None:
    assert span_exceptions.read([{"name": "log", "timestamp": 1, "attributes": "{}"}]) == []


def test_it_reads_an_exception_without_attributes() -> None:
    assert span_exceptions.read([{"name": "exception", "timestamp": "soon", "attributes": "{"}])[0].occurred_at is None
