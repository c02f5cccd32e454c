from datetime import timedelta
from email.utils import format_datetime
from uuid import uuid4

import pytest

from reviewapp.laminar import (
    EndpointNotFound,
    KeyRefused,
    LaminarError,
    RateLimited,
    Redirected,
    RequestRefused,
    RequestTooLarge,
    Retry,
    ServerError,
    TimedOut,
    TraceNotFound,
)
from reviewapp.laminar.wire import parse_retry_after
from reviewapp.lib import clock
from tests.laminar.local_server import client_with_response


def failure(status: int, body: object = b"", **headers: str) -> LaminarError:
    with pytest.raises(LaminarError) as caught:
        client_with_response(status, body, **headers).push_metadata(uuid4(), {"a": 1})
    return caught.value


@pytest.mark.parametrize(
    ("status", "body", "kind", "retry"),
    [
        (400, "metadata cannot be empty", RequestRefused, Retry.NEVER),
        (400, b"Json deserialize error: missing field", RequestRefused, Retry.NEVER),
        (401, b"", KeyRefused, Retry.AFTER_KEY),
        (403, "Workspace data limit exceeded", KeyRefused, Retry.AFTER_KEY),
        (404, "Trace not found", TraceNotFound, Retry.WHEN_INGESTED),
        (404, b"", EndpointNotFound, Retry.AFTER_KEY),
        (404, b"<html>Not Found</html>", EndpointNotFound, Retry.AFTER_KEY),
        (404, {"detail": "Not Found"}, EndpointNotFound, Retry.AFTER_KEY),
        (405, b"", EndpointNotFound, Retry.AFTER_KEY),
        (408, b"", TimedOut, Retry.LATER),
        (413, b"Payload too large", RequestTooLarge, Retry.NEVER),
        (422, b"", RequestRefused, Retry.NEVER),
        (429, b"", RateLimited, Retry.LATER),
        (301, b"", Redirected, Retry.LATER),
        (304, b"", Redirected, Retry.LATER),
        (500, b"Failed to publish trace metadata patch", ServerError, Retry.LATER),
        (503, b"", ServerError, Retry.LATER),
    ],
)
def test_it_tells_whether_to_retry(status: int, body: object, kind: type[LaminarError], retry: Retry) -> None:
    error = failure(status, body)
    assert type(error) is kind
    assert (error.status, error.retry) == (status, retry)


def test_it_says_what_the_far_side_says() -> None:
    assert str(failure(400, "metadata cannot be empty")).startswith(
        "Laminar refused this (400). It says: metadata cannot be empty."
    )


def test_it_takes_the_reason_out_of_an_error_object() -> None:
    assert "It says: Error executing query: Unknown table." in str(
        failure(500, {"error": "Error executing query: Unknown table"})
    )


def test_it_keeps_a_web_page_out_of_the_sentence() -> None:
    error = failure(502, b"<html><h1>Bad gateway</h1></html>")
    assert "<" not in str(error)
    assert error.response_text.startswith("<html>")


def test_it_keeps_500_characters_of_the_answer() -> None:
    assert failure(500, b"x" * 5000).response_text == "x" * 500


def test_it_drops_control_and_direction_marks() -> None:
    error = failure(400, "a\x00b\x1b[31mc\n\u202ed".encode())
    assert error.response_text == "a b [31mc  d"


def test_it_drops_marks_that_are_escaped_too() -> None:
    error = failure(500, {"error": "x\n2026-01-01 ERROR forged \x1b[31m \u202e\ud800"})
    assert str(error).startswith("Laminar is in trouble (500). It says: x 2026-01-01 ERROR forged  [31m. ")
    assert (str(error) + error.response_text).isprintable()


def test_it_does_not_follow_a_redirect() -> None:
    error = failure(307, b"", location="https://elsewhere.test/v1")
    assert isinstance(error, Redirected)
    assert "https://elsewhere.test/v1" in str(error)


def test_it_tells_a_blank_404_from_an_ingest_only_key() -> None:
    with pytest.raises(EndpointNotFound, match="ingest-only"):
        client_with_response(404).project()
    assert "ingest-only" not in str(failure(404))


def test_it_hands_on_how_long_to_wait() -> None:
    assert failure(429, retry_after="17").retry_after == 17.0
    assert failure(503, retry_after="soon").retry_after is None


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("30", 30), ("0", 1), ("-5", 1), ("1.5", 1.5), ("1000000000", 86_400), ("9" * 5000, 86_400)],
)
def test_it_reads_seconds_to_wait(text: str, seconds: float) -> None:
    assert parse_retry_after(text) == seconds


@pytest.mark.parametrize("text", ["", "soon", "٣", "1e3", "nan", "Tue, 99 Foo 2026", "\x00"])
def test_it_waits_no_set_time_for_junk(text: str) -> None:
    assert parse_retry_after(text) is None


@pytest.mark.parametrize(("minutes", "low", "high"), [(2, 110, 120), (-60, 1, 1), (60 * 24 * 365, 86_400, 86_400)])
def test_it_reads_a_date_to_wait_for(minutes: int, low: float, high: float) -> None:
    seconds = parse_retry_after(format_datetime(clock.now() + timedelta(minutes=minutes), usegmt=True))
    assert seconds is not None
    assert low <= seconds <= high
