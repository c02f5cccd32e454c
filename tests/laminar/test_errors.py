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


def push_error(status: int, body: object = b"", **headers: str) -> LaminarError:
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
def test_it_says_when_to_retry(status: int, body: object, kind: type[LaminarError], retry: Retry) -> None:
    error = push_error(status, body)
    assert type(error) is kind
    assert (error.status, error.retry) == (status, retry)


def test_it_shows_the_reason_that_the_server_gives() -> None:
    assert str(push_error(400, "metadata cannot be empty")).startswith(
        "Laminar refused the request (400). It says: metadata cannot be empty."
    )


def test_it_shows_the_reason_of_a_json_error() -> None:
    assert "It says: Error executing query: Unknown table." in str(
        push_error(500, {"error": "Error executing query: Unknown table"})
    )


def test_it_shows_no_web_page_in_the_message() -> None:
    error = push_error(502, b"<html><h1>Bad gateway</h1></html>")
    assert "<" not in str(error)
    assert error.response_text.startswith("<html>")


def test_it_keeps_500_characters_of_the_response() -> None:
    assert push_error(500, b"x" * 500).response_text == "x" * 500
    assert push_error(500, b"x" * 5000).response_text == "x" * 499 + "…"


def test_it_removes_control_and_direction_characters() -> None:
    error = push_error(400, "a\x00b\x1b[31mc\n\u202ed".encode())
    assert error.response_text == "a b [31mc  d"


def test_it_removes_escaped_control_characters() -> None:
    error = push_error(500, {"error": "x\n2026-01-01 ERROR forged \x1b[31m \u202e\ud800"})
    assert str(error).startswith("Laminar has a server error (500). It says: x 2026-01-01 ERROR forged  [31m. ")
    assert (str(error) + error.response_text).isprintable()


def test_it_does_not_follow_a_redirect() -> None:
    error = push_error(307, b"", location="https://elsewhere.test/v1")
    assert isinstance(error, Redirected)
    assert "https://elsewhere.test/v1" in str(error)


def test_it_mentions_an_ingest_only_key_only_when_reading() -> None:
    with pytest.raises(EndpointNotFound, match="ingest-only"):
        client_with_response(404).project()
    assert "ingest-only" not in str(push_error(404))


def test_it_returns_the_seconds_to_wait() -> None:
    assert push_error(429, retry_after="17").retry_after == 17.0
    assert push_error(503, retry_after="soon").retry_after is None


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("30", 30), ("0", 1), ("-5", 1), ("1.5", 1.5), ("1000000000", 86_400), ("9" * 5000, 86_400)],
)
def test_it_parses_seconds_to_wait(text: str, seconds: float) -> None:
    assert parse_retry_after(text) == seconds


@pytest.mark.parametrize("text", ["", "soon", "٣", "1e3", "nan", "Tue, 99 Foo 2026", "\x00"])
def test_it_ignores_an_invalid_retry_after(text: str) -> None:
    assert parse_retry_after(text) is None


@pytest.mark.parametrize(("minutes", "low", "high"), [(2, 110, 120), (-60, 1, 1), (60 * 24 * 365, 86_400, 86_400)])
def test_it_parses_a_date_to_wait_for(minutes: int, low: float, high: float) -> None:
    seconds = parse_retry_after(format_datetime(clock.now() + timedelta(minutes=minutes), usegmt=True))
    assert seconds is not None
    assert low <= seconds <= high
