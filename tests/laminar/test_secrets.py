import gzip
import io
import logging
import traceback
from uuid import uuid4

import httpx
import pytest

from reviewapp.laminar import AsyncLaminar, KeyRefused, Laminar, LaminarError
from reviewapp.laminar.redaction import redact_key
from tests.laminar.local_server import KEY, client_with_response, respond_with, run_server


def render(error: LaminarError) -> str:
    return "".join(traceback.format_exception(error)) + repr(error) + repr(vars(error))


@pytest.mark.parametrize("status", [200, 201, 302, 400, 401, 404, 500])
@pytest.mark.parametrize("echo", [KEY, f"Bearer {KEY}", KEY.upper(), KEY[:40], KEY[-12:], f'"{KEY}"', KEY * 30])
def test_it_removes_an_echoed_key(status: int, echo: str) -> None:
    with pytest.raises(LaminarError) as caught:
        client_with_response(status, f"no such key: {echo}".encode(), location=f"/{echo}").push_metadata(
            uuid4(), {"a": 1}
        )
    assert echo not in render(caught.value)
    assert KEY[-8:] not in render(caught.value)


@pytest.mark.parametrize("depth", [1, 2])
@pytest.mark.parametrize("status", [200, 400, 500])
def test_it_removes_an_escaped_key(status: int, depth: int) -> None:
    escaped = "".join("\\" * depth + f"u{ord(char):04x}" for char in KEY)
    with pytest.raises(LaminarError) as caught:
        client_with_response(status, f'{{"error":"no such key: {escaped}"}}'.encode()).project()
    assert KEY[:8] not in render(caught.value)
    assert escaped[:40] not in render(caught.value)


def test_it_keeps_other_text() -> None:
    assert redact_key(f"key {KEY} of project 7", KEY) == "key [key] of project 7"


def test_it_removes_a_short_key() -> None:
    assert redact_key("a k1 b", "k1") == "a [key] b"


def test_it_shows_no_key_in_its_repr() -> None:
    assert repr(Laminar("https://laminar.test/", KEY)) == "Laminar('https://laminar.test')"
    assert repr(AsyncLaminar("https://laminar.test/", KEY)) == "AsyncLaminar('https://laminar.test')"


@pytest.mark.parametrize("key", ["", " ", f"{KEY}\nX-Other: 1", f"{KEY} b", f"{KEY}é", f"{KEY}\x00"])
def test_it_refuses_a_key_that_is_not_valid_in_a_header(key: str) -> None:
    with pytest.raises(KeyRefused) as caught:
        Laminar("https://laminar.test", key)
    assert KEY not in str(caught.value)


def test_it_strips_white_space_around_a_key() -> None:
    laminar = Laminar("https://laminar.test", f" {KEY}\n", transport=httpx.MockTransport(lambda _: httpx.Response(200)))
    laminar.push_metadata(uuid4(), {"a": 1})


def test_it_logs_no_key() -> None:
    log = io.StringIO()
    handler = logging.StreamHandler(log)
    logging.getLogger().addHandler(handler)
    logging.getLogger("httpx").setLevel(logging.DEBUG)
    with run_server(respond_with()) as server:
        server.laminar().push_metadata(uuid4(), {"a": 1})
    logging.getLogger("httpx").setLevel(logging.NOTSET)
    logging.getLogger().removeHandler(handler)
    assert "/v1/traces/metadata" in log.getvalue()
    assert KEY not in log.getvalue()


def test_it_refuses_a_compressed_response_without_showing_it() -> None:
    compressed = gzip.compress(KEY.encode())
    with (
        run_server(respond_with(compressed, "200 OK", "Content-Encoding: gzip")) as server,
        pytest.raises(LaminarError, match="compressed") as caught,
    ):
        server.laminar().project()
    assert caught.value.response_text == ""
